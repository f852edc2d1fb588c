// SPDX-License-Identifier: GPL-2.0-or-later
// Makes names printable, bounded and distinct.
#include "output/names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "output/report.h"
#include "output/text.h"

/* A function among those that could be taken for it. */
struct place {
	const char *name; /* printable */
	const char *file;
	uint32_t line;
	size_t index;
};

/* FNV-1a, so that long names which differ at their ends stay different. */
static uint32_t hash(const char *text)
{
	uint32_t sum = 2166136261u;

	for (; *text; text++)
		sum = (sum ^ (unsigned char)*text) * 16777619u;
	return sum;
}

static size_t count_characters(const char *text, size_t limit)
{
	size_t count = 0;

	for (; *text && count < limit; count++) {
		size_t length = text_character(text, NULL);

		text += length ? length : 1;
	}
	return count;
}

char *name_printable(const char *text, const char *forbidden, uint64_t *shortened)
{
	char *printable = NULL;
	size_t size;
	FILE *stream = open_memstream(&printable, &size);

	if (!stream)
		return NULL;
	text_print(stream, *text ? text : "-", NAME_CHARACTERS_MAX);
	if (count_characters(text, NAME_CHARACTERS_MAX + 1) > NAME_CHARACTERS_MAX) {
		fprintf(stream, " #%08" PRIx32, hash(text));
		if (shortened)
			++*shortened;
	}
	if (fclose(stream)) {
		free(printable);
		return NULL;
	}
	for (char *at = printable; *at; at++) {
		if (*at == '\t')
			*at = ' ';
		else if (strchr(forbidden, *at))
			*at = ':';
	}
	return printable;
}

static int place_compare(const struct place *a, const struct place *b)
{
	int order = strcmp(a->name, b->name);

	order = order ? order : strcmp(a->file, b->file);
	return order ? order : (a->line > b->line) - (a->line < b->line);
}

static int order_compare(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	int order = place_compare(a, b);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* Appends what tells the `copy`th function of a name from the others. */
static int name_finish(
    char **name, const struct profile_function *function, uint64_t copy, bool mark_partial)
{
	char suffix[96] = "", *whole;
	int length = 0;

	if (copy > 1)
		length = snprintf(suffix, sizeof(suffix), " [%" PRIu64 "]", copy);
	if (mark_partial && report_is_partial(function))
		snprintf(suffix + length, sizeof(suffix) - (size_t)length,
		    " [timed %" PRIu64 " of %" PRIu64 " calls]", function->timed_calls,
		    function->calls);
	if (!*suffix)
		return 0;
	if (asprintf(&whole, "%s%s", *name, suffix) < 0)
		return -ENOMEM;
	free(*name);
	*name = whole;
	return 0;
}

static int names_make(
    struct names *names, const struct profile *profile, const struct names_options *options)
{
	CLEANUP_FREE struct place *places = calloc(names->count + 1, sizeof(*places));
	CLEANUP_FREE uint64_t *copies = calloc(names->count + 1, sizeof(*copies));
	int error = places && copies ? 0 : -ENOMEM;

	for (size_t i = 0; i < names->count && !error; i++) {
		const struct profile_function *function = &profile->functions.items[i];

		names->functions[i] =
		    name_printable(function->name, options->forbidden ?: "", &names->shortened);
		places[i] = (struct place){
		    names->functions[i], function->file, options->by_line ? function->line : 0, i};
		error = names->functions[i] ? 0 : -ENOMEM;
	}
	if (error)
		return error;
	qsort(places, names->count, sizeof(*places), order_compare);
	for (size_t i = 0; i < names->count; i++)
		copies[places[i].index] = i && !place_compare(&places[i - 1], &places[i])
					      ? copies[places[i - 1].index] + 1
					      : 1;
	for (size_t i = 0; i < names->count && !error; i++)
		error = name_finish(&names->functions[i], &profile->functions.items[i], copies[i],
		    options->mark_partial);
	return error;
}

struct names *names_new(const struct profile *profile, const struct names_options *options)
{
	CLEANUP(names_free_p) struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->functions = calloc(profile->functions.count + 1, sizeof(*names->functions));
	if (!names->functions)
		return NULL;
	names->count = profile->functions.count;
	return names_make(names, profile, options) ? NULL : TAKE(names);
}

void names_free(struct names *names)
{
	if (!names)
		return;
	for (size_t i = 0; names->functions && i < names->count; i++)
		free(names->functions[i]);
	free(names->functions);
	free(names);
}

void names_report(const char *format, uint64_t shortened)
{
	if (shortened)
		log_warning("%s: %" PRIu64
			    " names were shortened to %d characters; .json has them whole",
		    format, shortened, NAME_CHARACTERS_MAX);
}
