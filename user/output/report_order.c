// SPDX-License-Identifier: GPL-2.0-or-later
// Puts functions into the order of --sort, and says where each is.
#include "output/report.h"

#include <string.h>

#include "output/text.h"

#define NAME_MAX_CHARACTERS 500

static int compare_numbers(double a, double b)
{
	return (a < b) - (a > b); /* descending */
}

int report_compare_places(const struct profile_function *a, const struct profile_function *b)
{
	int order = strcmp(a->file, b->file);

	if (order)
		return order;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int compare_functions(const void *left, const void *right, void *context)
{
	const struct profile_function *a = *(const struct profile_function *const *)left;
	const struct profile_function *b = *(const struct profile_function *const *)right;
	int order = 0;

	switch (*(const enum report_sort *)context) {
	case REPORT_SORT_CUMULATIVE:
		order = compare_numbers(
		    report_estimate(a, a->total_ns), report_estimate(b, b->total_ns));
		break;
	case REPORT_SORT_SELF:
		order =
		    compare_numbers(report_estimate(a, a->self_ns), report_estimate(b, b->self_ns));
		break;
	case REPORT_SORT_CALLS:
		order = compare_numbers((double)a->calls, (double)b->calls);
		break;
	case REPORT_SORT_PRIMITIVE:
		order = compare_numbers((double)a->primitive_calls, (double)b->primitive_calls);
		break;
	case REPORT_SORT_LINE:
		order = (a->line > b->line) - (a->line < b->line);
		break;
	case REPORT_SORT_NAME:
	case REPORT_SORT_PLACE:
		order = strcmp(a->name, b->name);
		break;
	case REPORT_SORT_FILE:
	case REPORT_SORT_STANDARD:
		break;
	}
	return order ? order : report_compare_places(a, b);
}

const struct profile_function **report_order(
    const struct profile *profile, const struct report_options *options, size_t *ret_count)
{
	const struct profile_function **order =
	    calloc(profile->functions.count + 1, sizeof(*order));
	enum report_sort sort = options->sort;
	size_t count = 0;

	if (!order)
		return NULL;
	ARRAY_FOREACH (function, &profile->functions)
		if (!report_is_sampled_only(function) &&
		    (!options->skip_zero || function->calls || function->total_ns))
			order[count++] = function;
	qsort_r(order, count, sizeof(*order), compare_functions, &sort);
	*ret_count = count;
	return order;
}

void report_place(
    const struct profile *profile, const struct profile_function *function, FILE *stream)
{
	const struct profile_image *image = profile_image_of(profile, function);
	const char *slash = image ? strrchr(image->path, '/') : NULL;

	if (*function->file) {
		text_print(stream, function->file, NAME_MAX_CHARACTERS);
		fprintf(stream, ":%u", function->line);
	} else {
		text_print(stream,
		    slash   ? slash + 1
		    : image ? image->path
			    : "~",
		    NAME_MAX_CHARACTERS);
		fputs(":0", stream);
	}
	fputc('(', stream);
	text_print(stream, function->name, NAME_MAX_CHARACTERS);
	fputc(')', stream);
}
