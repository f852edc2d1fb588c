// SPDX-License-Identifier: GPL-2.0-or-later
// Prints where CPU time was spent, as samples found it, by function and by line:
//
//	         2000 samples of CPU time, 2 s at 999 Hz
//
//	   Ordered by: CPU time of their own
//
//	   self s  % self   total s % total  file:line(function)
//	    1.211   60.55     1.502   75.10  /src/add.c:3(add)
//
//	   self s  % self   total s % total  file:line
//	    0.901   45.05     0.901   45.05  /src/add.c:6             sum += b;
#include "output/report.h"

#include <inttypes.h>
#include <string.h>

#include "output/text.h"

#define FUNCTIONS_MAX 40
#define LINES_MAX     25
#define PLACE_WIDTH   32
#define CONTENTS_MAX  200

static const char heading[] = "   self s  % self   total s % total  ";

struct samples {
	uint64_t self, total;
	const struct profile_function *function;
	const struct profile_line *line; /* NULL: the whole function */
};

struct table {
	const struct profile *profile;
	FILE *stream;
	const struct report_options *options;
	uint64_t all;
	ARRAY(struct samples) rows;
};

static int compare_samples(const void *left, const void *right)
{
	const struct samples *a = left, *b = right;
	int order;

	if (a->self != b->self)
		return a->self > b->self ? -1 : 1;
	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	order = strcmp(a->function->file, b->function->file);
	if (!order && a->line && b->line && a->line->line != b->line->line)
		return a->line->line < b->line->line ? -1 : 1;
	return order ? order : strcmp(a->function->name, b->function->name);
}

static void print_numbers(const struct table *table, const struct samples *row)
{
	double seconds = (double)table->profile->sampling_period_ns * 1e-9;
	double share = 100 / (double)table->all, percent = (double)row->self * share;
	const char *heat = report_heat(table->options, percent / 100);

	fprintf(table->stream, "%s%9.3f %7.2f %9.3f %7.2f  ", heat, (double)row->self * seconds,
	    percent, (double)row->total * seconds, (double)row->total * share);
}

static void end_row(const struct table *table)
{
	fputs(table->options->color ? REPORT_COLD "\n" : "\n", table->stream);
}

static void print_rest(const struct table *table, size_t printed, const char *what)
{
	if (table->rows.count > printed)
		fprintf(table->stream, "   and %zu more %s, see --json\n",
		    table->rows.count - printed, what);
	fputc('\n', table->stream);
}

static int print_functions(struct table *table)
{
	size_t printed = 0;

	table->rows.count = 0;
	ARRAY_FOREACH (function, &table->profile->functions) {
		struct samples row = {
		    function->cpu_samples, function->cpu_total_samples, function, NULL};

		if (row.total && ARRAY_APPEND(&table->rows, row))
			return -ENOMEM;
	}
	ARRAY_SORT(&table->rows, compare_samples);
	fprintf(table->stream, "%sfile:line(function)\n", heading);
	ARRAY_FOREACH (row, &table->rows) {
		if (printed == FUNCTIONS_MAX)
			break;
		print_numbers(table, row);
		report_place(table->profile, row->function, table->stream);
		end_row(table);
		printed++;
	}
	print_rest(table, printed, "functions");
	return 0;
}

static void print_line(const struct table *table, const struct samples *row)
{
	CLEANUP(source_free_p)
	struct source *source = source_open(row->line->file, table->options->public_sources);
	const char *slash = strrchr(row->line->file, '/');
	const char *contents = source_line(source, row->line->line);
	char place[PLACE_WIDTH + 16];

	print_numbers(table, row);
	snprintf(place, sizeof(place), "%.*s:%u", PLACE_WIDTH, slash ? slash + 1 : row->line->file,
	    row->line->line);
	text_print(table->stream, place, sizeof(place));
	if (contents) {
		fprintf(table->stream, "%*s", PLACE_WIDTH - (int)strlen(place), "");
		text_print(table->stream, contents, CONTENTS_MAX);
	}
	end_row(table);
}

static int print_lines(struct table *table)
{
	size_t printed = 0;

	table->rows.count = 0;
	ARRAY_FOREACH (function, &table->profile->functions)
		ARRAY_FOREACH (line, &function->lines) {
			struct samples row = {
			    line->cpu_samples, line->cpu_total_samples, function, line};

			if (row.self && ARRAY_APPEND(&table->rows, row))
				return -ENOMEM;
		}
	ARRAY_SORT(&table->rows, compare_samples);
	fprintf(table->stream, "%sfile:line\n", heading);
	ARRAY_FOREACH (row, &table->rows) {
		if (printed == LINES_MAX)
			break;
		print_line(table, row);
		printed++;
	}
	print_rest(table, printed, "lines");
	return 0;
}

int report_cpu(const struct profile *profile, FILE *stream, const struct report_options *options)
{
	bool both = !options->lines && !options->functions && !options->tree;
	struct table table = {.profile = profile, .stream = stream, .options = options};
	double period = (double)profile->sampling_period_ns;
	int error = 0;

	if (!profile->sampling_period_ns || !(both || options->lines || options->functions))
		return 0;
	ARRAY_FOREACH (function, &profile->functions)
		table.all = profile_sum(table.all, function->cpu_samples);
	fprintf(stream, "         %" PRIu64 " samples of CPU time, %.3g s at %.0f Hz%s%s\n\n",
	    table.all, (double)table.all * period * 1e-9, 1e9 / period,
	    profile->sampling_event ? " by " : "",
	    profile->sampling_event ? profile->sampling_event : "");
	if (!table.all)
		return 0;
	fputs("   Ordered by: CPU time of their own\n\n", stream);
	if (both || options->functions)
		error = print_functions(&table);
	if (!error && (both || options->lines))
		error = print_lines(&table);
	ARRAY_FREE(&table.rows);
	return error;
}
