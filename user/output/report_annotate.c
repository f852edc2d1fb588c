// SPDX-License-Identifier: GPL-2.0-or-later
// Prints a whole source file with what was measured of each line, all functions together:
//
//	Line #      Hits         Time         Self  % Self  Line Contents
//	=================================================================
//	     5      1000    1000000.0    1000000.0    25.0      int sum = 0;
//
// Shares are of self time: times with callees would count a line's callees in the file again.
#include "output/report.h"

#include <inttypes.h>
#include <string.h>

#include "output/source.h"
#include "output/text.h"

#define CONTENTS_MAX 1000 /* characters of a source line */

/* What all functions together measured of a line. */
struct sum {
	uint32_t line, sites;
	uint64_t hits, cpu_samples;
	int64_t total_ns, self_ns;
};

struct annotation {
	FILE *stream;
	const struct report_options *options;
	const char *path; /* as the profile has it */
	struct source *source;
	ARRAY(struct sum) sums; /* by line */
	double unit_ns, self_ns, cpu_samples;
};

/* "src/lvm.c" and "./src/lvm.c" are the end of "/build/src/lvm.c". */
static bool is_named(const char *path, const char *file)
{
	size_t length, path_length = strlen(path);

	while (file[0] == '.' && file[1] == '/')
		file += 2;
	length = strlen(file);
	if (!length || length > path_length || strcmp(path + path_length - length, file) != 0)
		return false;
	return length == path_length || *file == '/' || path[path_length - length - 1] == '/';
}

/* The files that rows or functions are in, each once while they come in order. */
static const char *next_file(
    const struct profile *profile, size_t *function, size_t *line, const char *before)
{
	for (; *function < profile->functions.count; (*function)++, *line = 0) {
		const struct profile_function *item = &profile->functions.items[*function];

		while (*line <= item->lines.count) {
			const char *file = *line ? item->lines.items[*line - 1].file : item->file;

			(*line)++;
			if (*file && (!before || strcmp(before, file) != 0))
				return file;
		}
	}
	return NULL;
}

/* The path in the profile that `file` names. */
static int find_path(
    const struct profile *profile, const char *file, const char **ret_path, struct failure *failure)
{
	const char *found = NULL, *some = NULL, *path = NULL;
	size_t function = 0, line = 0;

	while ((path = next_file(profile, &function, &line, path))) {
		if (strcmp(path, file) == 0) {
			*ret_path = path;
			return 0;
		}
		some = some ? some : path;
		if (!is_named(path, file))
			continue;
		if (found && strcmp(found, path) != 0)
			return failure_set(failure, EINVAL,
			    "%s: is the end of %s and of %s; name more of the path", file, found,
			    path);
		found = path;
	}
	if (!found && !some)
		return failure_set(failure, ENOENT, "%s: the profile names no source files", file);
	if (!found)
		return failure_set(failure, ENOENT,
		    "%s: the profile has nothing of this file; it has %s, see --functions for all",
		    file, some);
	*ret_path = found;
	return 0;
}

static int sum_compare(const void *left, const void *right)
{
	const struct sum *a = left, *b = right;

	return (a->line > b->line) - (a->line < b->line);
}

/* Adds up the rows of the file, which several functions may have of one line. */
static int collect_sums(struct annotation *annotation, const struct profile *profile)
{
	struct sum *sums;
	size_t kept = 0;

	ARRAY_FOREACH (function, &profile->functions)
		ARRAY_FOREACH (line, &function->lines) {
			struct sum sum = {line->line, line->sites, line->hits, line->cpu_samples,
			    line->total_ns, line->self_ns};

			if (strcmp(line->file, annotation->path) != 0)
				continue;
			if (ARRAY_APPEND(&annotation->sums, sum))
				return -ENOMEM;
			annotation->self_ns += (double)line->self_ns;
			annotation->cpu_samples += (double)line->cpu_samples;
		}
	ARRAY_SORT(&annotation->sums, sum_compare);
	sums = annotation->sums.items;
	for (size_t i = 0; i < annotation->sums.count; i++) {
		if (!kept || sums[kept - 1].line != sums[i].line) {
			sums[kept++] = sums[i];
			continue;
		}
		sums[kept - 1].sites |= sums[i].sites;
		sums[kept - 1].hits = profile_sum(sums[kept - 1].hits, sums[i].hits);
		sums[kept - 1].cpu_samples =
		    profile_sum(sums[kept - 1].cpu_samples, sums[i].cpu_samples);
		sums[kept - 1].total_ns = profile_sum_ns(sums[kept - 1].total_ns, sums[i].total_ns);
		sums[kept - 1].self_ns = profile_sum_ns(sums[kept - 1].self_ns, sums[i].self_ns);
	}
	annotation->sums.count = kept;
	return 0;
}

static void print_row(
    const struct annotation *annotation, uint64_t number, const struct sum *sum, const char *text)
{
	char hits[24] = "", total[REPORT_NUMBER_MAX] = "", self[REPORT_NUMBER_MAX] = "";
	char share[16] = "", samples[24] = "";
	const char *heat = "";
	double part = 0;

	if (sum && (sum->hits || sum->sites))
		snprintf(hits, sizeof(hits), "%" PRIu64, sum->hits);
	if (sum && (sum->hits || sum->total_ns)) {
		report_number((double)sum->total_ns / annotation->unit_ns, 1, 12, total);
		report_number((double)sum->self_ns / annotation->unit_ns, 1, 12, self);
		if (annotation->self_ns > 0)
			part = (double)sum->self_ns / annotation->self_ns;
		snprintf(share, sizeof(share), "%6.1f", 100 * part);
	}
	if (sum && sum->cpu_samples) {
		snprintf(samples, sizeof(samples), "%" PRIu64, sum->cpu_samples);
		if (annotation->self_ns <= 0)
			part = (double)sum->cpu_samples / annotation->cpu_samples;
	}
	heat = annotation->options->color && sum && sum->sites && !sum->hits
		   ? REPORT_NEVER
		   : report_heat(annotation->options, part);
	fprintf(annotation->stream, "%s%6" PRIu64 " %9s %12s %12s %7s ", heat, number, hits, total,
	    self, share);
	if (annotation->cpu_samples > 0)
		fprintf(annotation->stream, "%8s ", samples);
	fputc(' ', annotation->stream);
	text_print(annotation->stream, text ? text : "", CONTENTS_MAX);
	fputs(*heat ? REPORT_COLD "\n" : "\n", annotation->stream);
}

static void print_rows(const struct annotation *annotation)
{
	const struct sum *sum = annotation->sums.items;
	const struct sum *end = sum ? sum + annotation->sums.count : NULL;
	uint64_t lines = annotation->source ? annotation->source->lines.count : 0;

	/* a file's last line end opens no line */
	if (lines && !*source_line(annotation->source, lines))
		lines--;
	for (uint64_t number = 1; number <= lines || sum < end; number++) {
		if (number > lines)
			number = sum->line;
		while (sum < end && sum->line < number)
			sum++; /* line 0: nowhere */
		if (sum < end && sum->line == number) {
			print_row(annotation, number, sum, source_line(annotation->source, number));
			sum++;
		} else if (number <= lines) {
			print_row(
			    annotation, number, NULL, source_line(annotation->source, number));
		}
	}
}

static void print_head(const struct annotation *annotation, const struct profile *profile)
{
	FILE *stream = annotation->stream;
	int width;

	fprintf(stream, "Timer unit: %g s\n\nFile: ", annotation->unit_ns * 1e-9);
	text_print(stream, annotation->path, CONTENTS_MAX);
	fputs("\n", stream);
	if (!annotation->source)
		fputs("The source file is not here: the rows stand without contents.\n", stream);
	else if (source_is_newer(annotation->source, profile))
		fputs(
		    "The source file was changed after this profile began: contents may be off.\n",
		    stream);
	ARRAY_FOREACH (function, &profile->functions)
		if (report_is_partial(function) && !strcmp(function->file, annotation->path)) {
			text_print(stream, function->name, CONTENTS_MAX);
			fprintf(stream,
			    ": timed %" PRIu64 " of %" PRIu64
			    " calls (rate %g): hits and times are of those\n",
			    function->timed_calls, function->calls, function->rate);
		}
	fputc('\n', stream);
	width =
	    fprintf(stream, "%6s %9s %12s %12s %7s ", "Line #", "Hits", "Time", "Self", "% Self");
	if (annotation->cpu_samples > 0)
		width += fprintf(stream, "%8s ", "Samples");
	width += fprintf(stream, " Line Contents");
	fputc('\n', stream);
	while (width-- > 0)
		fputc('=', stream);
	fputc('\n', stream);
}

int report_annotate(const struct profile *profile, const char *file, FILE *stream,
    const struct report_options *options, struct failure *failure)
{
	double unit = options->unit > 0 ? options->unit : report_unit(profile);
	struct annotation annotation = {
	    .stream = stream, .options = options, .unit_ns = unit * 1e9};
	int error = find_path(profile, file, &annotation.path, failure);

	if (error)
		return error;
	error = collect_sums(&annotation, profile);
	if (error) {
		ARRAY_FREE(&annotation.sums);
		return failure_set(failure, ENOMEM, "%s: no memory to annotate it", file);
	}
	annotation.source = source_open(annotation.path, options->public_sources);
	if (!annotation.source)
		annotation.source = source_open(file, options->public_sources);
	print_head(&annotation, profile);
	print_rows(&annotation);
	fputc('\n', stream);
	source_free(annotation.source);
	ARRAY_FREE(&annotation.sums);
	return 0;
}
