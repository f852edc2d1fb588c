// SPDX-License-Identifier: GPL-2.0-or-later
// Prints cProfile's table, a row for each function:
//
//	         1020 function calls (1010 primitive calls) in 2 seconds
//
//	   Ordered by: cumulative time
//	   Times in: ns
//
//	   ncalls   tottime  percall    cumtime  percall file:line(function)
//	    10/20 1100000.0 550000.0  6000000.0  6e+06   /src/add.c:11(main)
#include "output/report.h"

#include <inttypes.h>
#include <string.h>

#include "output/text.h"

#define NAME_MAX_CHARACTERS 500

enum column {
	COLUMN_CALLS,
	COLUMN_SELF,
	COLUMN_SELF_CALL,
	COLUMN_TOTAL,
	COLUMN_TOTAL_CALL,
	COLUMNS
};

static const char *const headings[COLUMNS] = {"ncalls", "tottime", "percall", "cumtime", "percall"};

struct row {
	const struct profile_function *function;
	char cells[COLUMNS][48];
};

static int compare_numbers(double a, double b)
{
	return (a < b) - (a > b); /* descending */
}

static int compare_place(const struct profile_function *a, const struct profile_function *b)
{
	int order = strcmp(a->file, b->file);

	if (order)
		return order;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int compare_rows(const void *left, const void *right, void *context)
{
	const struct profile_function *a = ((const struct row *)left)->function;
	const struct profile_function *b = ((const struct row *)right)->function;
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
	return order ? order : compare_place(a, b);
}

/* Calls of the timed ones that were outermost. */
static double timed_primitive(const struct profile_function *function)
{
	double primitive = (double)function->primitive_calls;

	if (report_is_partial(function))
		primitive *= (double)function->timed_calls / (double)function->calls;
	return primitive;
}

static void format_time(char cell[48], double ns, double calls, double unit_ns)
{
	char text[REPORT_NUMBER_MAX];

	if (calls > 0)
		snprintf(cell, 48, "%s",
		    report_number(ns / calls / unit_ns, unit_ns > 1 ? 3 : 1, 13, text));
	else
		snprintf(cell, 48, "-"); /* no call was timed */
}

static void format_row(struct row *row, double unit_ns)
{
	const struct profile_function *function = row->function;
	double timed = (double)function->timed_calls;
	double self = (double)function->self_ns, total = (double)function->total_ns;

	if (function->primitive_calls != function->calls)
		snprintf(row->cells[COLUMN_CALLS], 48, "%" PRIu64 "/%" PRIu64,
		    function->primitive_calls, function->calls);
	else
		snprintf(row->cells[COLUMN_CALLS], 48, "%" PRIu64, function->calls);
	format_time(row->cells[COLUMN_SELF], self, timed || !function->calls, unit_ns);
	format_time(row->cells[COLUMN_SELF_CALL], self, timed, unit_ns);
	format_time(row->cells[COLUMN_TOTAL], total, timed || !function->calls, unit_ns);
	format_time(row->cells[COLUMN_TOTAL_CALL], total, timed_primitive(function), unit_ns);
}

static void print_place(
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
	fputs(")\n", stream);
}

static void print_title(
    const struct profile *profile, double unit, FILE *stream, const struct report_options *options)
{
	static const char *const orders[] = {
#define SORT(id, keys, order) order,
	    REPORT_SORTS(SORT)
#undef SORT
	};
	uint64_t calls = 0, primitive = 0;
	char number[REPORT_NUMBER_MAX];

	ARRAY_FOREACH (function, &profile->functions) {
		calls = profile_sum(calls, function->calls);
		primitive = profile_sum(primitive, function->primitive_calls);
	}
	fprintf(stream, "         %" PRIu64 " function calls", calls);
	if (primitive != calls)
		fprintf(stream, " (%" PRIu64 " primitive calls)", primitive);
	fprintf(stream, " in %s seconds\n\n",
	    report_number((double)profile->duration_ns * 1e-9, 3, 20, number));
	fprintf(stream, "   Ordered by: %s\n", orders[options->sort]);
	fprintf(stream, "   Timer unit: %g s\n\n", unit);
}

/* Rates, estimates and accounting of functions that have no line table to say it under. */
static void print_notes(const struct profile *profile, FILE *stream)
{
	char total[REPORT_DURATION_MAX];

	ARRAY_FOREACH (function, &profile->functions) {
		const struct profile_accounting *accounting = &function->accounting;

		if (report_is_partial(function)) {
			fputs("   ", stream);
			text_print(stream, function->name, NAME_MAX_CHARACTERS);
			fprintf(stream,
			    ": timed %" PRIu64 " of %" PRIu64
			    " calls (rate %g), times are of those; of all calls ~%s\n",
			    function->timed_calls, function->calls, function->rate,
			    report_duration(report_estimate(function, function->total_ns), total));
		}
		if (!profile_identity_holds(accounting)) {
			fputs("   ", stream);
			text_print(stream, function->name, NAME_MAX_CHARACTERS);
			fprintf(stream,
			    ": the accounting does not close: %" PRIu64 " entries, but %" PRIu64
			    " exits + open + unwound + untimed + lost\n",
			    accounting->entries, profile_accounted(accounting));
		}
	}
}

int report_functions(
    const struct profile *profile, double unit, FILE *stream, const struct report_options *options)
{
	CLEANUP_FREE struct row *rows = calloc(profile->functions.count + 1, sizeof(*rows));
	int widths[COLUMNS] = {9, 8, 8, 8, 8};
	enum report_sort sort = options->sort;
	size_t count = 0;

	if (!rows)
		return -ENOMEM;
	ARRAY_FOREACH (function, &profile->functions) {
		if (options->skip_zero && !function->calls && !function->total_ns)
			continue;
		rows[count].function = function;
		format_row(&rows[count], unit * 1e9);
		for (int column = 0; column < COLUMNS; column++) {
			int width = (int)strlen(rows[count].cells[column]);

			if (width > widths[column])
				widths[column] = width;
		}
		count++;
	}
	qsort_r(rows, count, sizeof(*rows), compare_rows, &sort);
	print_title(profile, unit, stream, options);
	for (int column = 0; column < COLUMNS; column++)
		fprintf(stream, "%*s ", widths[column], headings[column]);
	fputs("file:line(function)\n", stream);
	for (size_t i = 0; i < count; i++) {
		for (int column = 0; column < COLUMNS; column++)
			fprintf(stream, "%*s ", widths[column], rows[i].cells[column]);
		print_place(profile, rows[i].function, stream);
	}
	fputc('\n', stream);
	print_notes(profile, stream);
	fputc('\n', stream);
	return 0;
}
