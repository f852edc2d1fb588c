// SPDX-License-Identifier: GPL-2.0-or-later
// Prints line_profiler's table of one function, and under it what the reader must know of it:
//
//	Total time: 0.005 s
//	File: /src/add.c
//	Function: add at line 3
//
//	Line #      Hits         Time  Per Hit   % Time  Line Contents
//	==============================================================
//	     3                                           int add(int a, int b)
//	     5      1000    1000000.0   1000.0     20.0          int sum = 0;
//
//	  1000 calls, all timed; a call took 3.82 us (median), 9 us (99%), 9 us (longest)
#include "output/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "model/certainty.h"
#include "model/distribution.h"
#include "output/text.h"

#define GAP_MAX       200  /* lines without a row that are still printed */
#define CONTENTS_MAX  1000 /* characters of a source line */
#define OMISSIONS_MAX 20   /* reasons under a table */
#define UNSURE_SHARE  0.1  /* errors that are told line by line */
#define UNSURE_MAX    20
#define CPU_DIGIT     0.0005 /* the least share that is not printed as 0 */
#define IN_ALL_MAX    3      /* lines whose estimates are told */

struct table {
	const struct profile *profile;
	const struct profile_function *function;
	const struct report_options *options;
	FILE *stream;
	double unit_ns;
	double total_ns; /* of all lines */
	bool sampled;    /* a column of CPU time */
	bool off_cpu;    /* columns of times by state */
};

static const char row_template[] = "%6s %9s %12s %8s %8s  ";
static const char off_cpu_template[] = "%12s %12s %12s  ";
static const char cpu_template[] = "%6s  "; /* how much of the line's time was on a CPU */

/* How much of the line's time its threads ran, waited for a CPU, and slept. */
static void print_states(const struct table *table, const struct profile_line *line)
{
	char on[REPORT_NUMBER_MAX] = "", waiting[REPORT_NUMBER_MAX] = "";
	char blocked[REPORT_NUMBER_MAX] = "";
	double off;

	if (line && line->total_ns > 0) {
		off = (double)line->waiting_ns + (double)line->blocked_ns;
		report_number(fmax(0, (double)line->total_ns - off) / table->unit_ns, 1, 12, on);
		report_number((double)line->waiting_ns / table->unit_ns, 1, 12, waiting);
		report_number((double)line->blocked_ns / table->unit_ns, 1, 12, blocked);
	}
	fprintf(table->stream, off_cpu_template, on, waiting, blocked);
}

/* "90.0", "<12.0", or "" where samples tell too little; 0 is what is under the last digit. */
static void format_cpu(const struct table *table, const struct profile_line *line, char cell[24])
{
	double share = 0;
	const enum certainty_share_kind kind = certainty_cpu_share(table->profile, table->function,
	    line, report_estimate(table->function, line->total_ns), &share);

	if (kind != SHARE_UNKNOWN)
		snprintf(cell, 24, "%s%.1f", kind == SHARE_BELOW && share >= CPU_DIGIT ? "<" : "",
		    100 * share);
}

static void print_row(const struct table *table, uint64_t number, const struct profile_line *line,
    const char *contents)
{
	char hits[24] = "", total[REPORT_NUMBER_MAX] = "", per_hit[REPORT_NUMBER_MAX] = "";
	char share[REPORT_NUMBER_MAX] = "", number_text[24], cpu[24] = "";
	double percent = 0, ns = line ? (double)line->total_ns : 0;
	const char *heat;

	snprintf(number_text, sizeof(number_text), "%" PRIu64, number);
	if (line && (line->hits || line->sites))
		snprintf(hits, sizeof(hits), "%" PRIu64, line->hits);
	if (line && (line->hits || line->total_ns)) {
		report_time(line->total_ns, line->error_ns, table->unit_ns, 1, 12, total);
		if (line->hits)
			report_time(line->total_ns, line->error_ns,
			    table->unit_ns * (double)line->hits, 1, 8, per_hit);
		if (table->total_ns > 0) {
			percent = 100 * ns / table->total_ns;
			snprintf(share, sizeof(share), "%5.1f", percent);
			if (certainty_drowns(line->total_ns, line->error_ns))
				report_time(line->total_ns, line->error_ns, table->total_ns / 100,
				    1, 8, share);
		}
	}
	if (line)
		format_cpu(table, line, cpu);
	heat = report_heat(table->options, percent / 100);
	if (table->options->color && line && line->sites && !line->hits)
		heat = REPORT_NEVER;
	fputs(heat, table->stream);
	fprintf(table->stream, row_template, number_text, hits, total, per_hit, share);
	if (table->sampled)
		fprintf(table->stream, cpu_template, cpu);
	if (table->off_cpu)
		print_states(table, line);
	text_print(table->stream, contents ? contents : "", CONTENTS_MAX);
	fputs(*heat ? REPORT_COLD "\n" : "\n", table->stream);
}

/* Rows of one file: `count` measured lines, and the source between them from line `first` on. */
static void print_rows(const struct table *table, const struct source *source, uint64_t first,
    const struct profile_line *lines, size_t count)
{
	uint64_t next = first;

	for (size_t i = 0; i < count; i++) {
		uint64_t number = lines[i].line;

		if (source && number > next + GAP_MAX) {
			fprintf(table->stream, "%6s\n", "...");
			next = number;
		}
		for (; source && next < number && next <= source->lines.count; next++)
			print_row(table, next, NULL, source_line(source, next));
		print_row(table, number, &lines[i], source_line(source, number));
		next = number + 1;
	}
	if (!count && source_line(source, first))
		print_row(table, first, NULL, source_line(source, first));
}

/* The function's own file first, then others that its rows come from (macros, included tables). */
static void print_files(const struct table *table, const struct source *source)
{
	const struct profile_function *function = table->function;
	const struct profile_line *lines = function->lines.items;
	size_t count = function->lines.count, next;
	bool own = false;

	for (size_t i = 0; i < count; i = next) {
		uint64_t first = lines[i].line;

		for (next = i; next < count && !strcmp(lines[next].file, lines[i].file); next++)
			;
		if (strcmp(lines[i].file, function->file) != 0)
			continue;
		if (function->line && function->line < first)
			first = function->line;
		print_rows(table, source, first, &lines[i], next - i);
		own = true;
	}
	if (!own)
		print_rows(table, source, function->line, NULL, 0);
	for (size_t i = 0; i < count; i = next) {
		CLEANUP(source_free_p) struct source *other = NULL;

		for (next = i; next < count && !strcmp(lines[next].file, lines[i].file); next++)
			;
		if (strcmp(lines[i].file, function->file) == 0)
			continue;
		other = source_open(lines[i].file, table->options->public_sources);
		fputs("File: ", table->stream);
		text_print(table->stream, lines[i].file, CONTENTS_MAX);
		fputs(other ? "\n" : " (not found: rows without contents)\n", table->stream);
		print_rows(table, other, lines[i].line, &lines[i], next - i);
	}
}

static void print_head(
    const struct table *table, const struct profile *profile, const struct source *source)
{
	const struct profile_function *function = table->function;
	char header[128];
	int width;

	fprintf(table->stream, "Total time: %g s\nFile: ", table->total_ns * 1e-9);
	text_print(table->stream, *function->file ? function->file : "?", CONTENTS_MAX);
	fputs("\nFunction: ", table->stream);
	text_print(table->stream, function->name, CONTENTS_MAX);
	fprintf(table->stream, " at line %u\n", function->line);
	if (!source)
		fputs("The source file is not here: the rows stand without contents.\n",
		    table->stream);
	else if (source_is_newer(source, profile))
		fputs("The source file was changed after this profile began: contents may be "
		      "off.\n",
		    table->stream);
	width = snprintf(
	    header, sizeof(header), row_template, "Line #", "Hits", "Time", "Per Hit", "% Time");
	if (table->sampled)
		width +=
		    snprintf(header + width, sizeof(header) - (size_t)width, cpu_template, "% CPU");
	if (table->off_cpu)
		width += snprintf(header + width, sizeof(header) - (size_t)width, off_cpu_template,
		    "On CPU", "Waiting", "Blocked");
	width += snprintf(header + width, sizeof(header) - (size_t)width, "Line Contents");
	fprintf(table->stream, "\n%s\n", header);
	while (width--)
		fputc('=', table->stream);
	fputc('\n', table->stream);
}

static void print_timing(const struct table *table, const struct profile *profile)
{
	const struct profile_function *function = table->function;
	char median[REPORT_DURATION_MAX], most[REPORT_DURATION_MAX], longest[REPORT_DURATION_MAX];
	FILE *stream = table->stream;

	if (!function->calls && !function->timed_calls)
		return;
	if (report_is_partial(function))
		fprintf(stream,
		    "  timed %" PRIu64 " of %" PRIu64 " calls (rate %g): hits and times are of "
		    "those; of all calls ~%s +- %s",
		    function->timed_calls, function->calls, function->rate,
		    report_duration(report_estimate(function, function->total_ns), median),
		    report_duration(certainty_of_estimate(profile, function), most));
	else
		fprintf(stream, "  %" PRIu64 " calls, all timed%s", function->calls,
		    function->timed_calls < function->calls ? " that ended" : "");
	if (distribution_calls(function))
		fprintf(stream, "; a call took %s (median), %s (99%%), %s (longest)",
		    report_duration((double)distribution_quantile(function, 0.5), median),
		    report_duration((double)distribution_quantile(function, 0.99), most),
		    report_duration((double)function->max_ns, longest));
	fputc('\n', stream);
}

static double share_of(const struct profile_stand *stand)
{
	const double all = (double)stand->stood_ns + (double)stand->away_ns;

	return all > 0 ? (double)stand->stood_ns / all : 1;
}

/* "  in all line 6 took ~1.2 s +- 100 ms, line 5 ~300 ms +- 90 ms" */
static void print_lines_in_all(const struct table *table)
{
	const struct profile_line *dearest[IN_ALL_MAX] = {0};
	const char *before = "  in all line ", *took = " took";
	char total[REPORT_DURATION_MAX], error[REPORT_DURATION_MAX];

	ARRAY_FOREACH (line, &table->function->lines) {
		const struct profile_line *next = line;

		for (size_t at = 0; at < IN_ALL_MAX && next; at++)
			if (!dearest[at] || next->in_all.total_ns > dearest[at]->in_all.total_ns) {
				const struct profile_line *less = dearest[at];

				dearest[at] = next;
				next = less;
			}
	}
	for (size_t at = 0; at < IN_ALL_MAX && dearest[at]; at++) {
		const struct profile_estimate *in_all = &dearest[at]->in_all;

		if (in_all->total_ns <= 0)
			break;
		fprintf(table->stream, "%s%u%s ~%s +- %s", before, dearest[at]->line, took,
		    report_duration((double)in_all->total_ns, total),
		    report_duration((double)in_all->total_error_ns, error));
		before = ", line ";
		took = "";
	}
	fputs(*before == ',' ? "\n" : "", table->stream);
}

/* What a budget did to the counts, and what they come to for all of the time. */
static void print_budget(const struct table *table)
{
	const struct profile_function *function = table->function;
	const double calls = share_of(&function->calls_stand);
	const double lines = share_of(&function->lines_stand);
	const struct profile_estimate *in_all = &function->in_all;
	char total[REPORT_DURATION_MAX], error[REPORT_DURATION_MAX];

	if (function->budget_state == PROFILE_BUDGET_FEWER_TIMED)
		fputs("  the budget lets fewer of its calls be timed\n", table->stream);
	if (calls < 1 && calls > 0)
		fprintf(table->stream,
		    "  the budget let its probes stand for %.3g%% of the time: calls are of that, "
		    "~%.3g +- %.2g in all, which took ~%s +- %s\n",
		    100 * calls, (double)in_all->count, (double)in_all->count_error,
		    report_duration((double)in_all->total_ns, total),
		    report_duration((double)in_all->total_error_ns, error));
	if (function->lines_measured && lines < calls && lines > 0)
		fprintf(table->stream,
		    "  the budget let its lines' probes stand for %.3g%% of the time: hits and "
		    "times of lines are of that\n",
		    100 * lines);
	if (function->lines_measured && lines < 1 && lines > 0)
		print_lines_in_all(table);
	if (calls <= 0)
		fputs("  the budget did not let its probes stand\n", table->stream);
}

/* "  times: +- 2 us in all (4%); worse than 10%: line 6 23%" */
static void print_certainty(const struct table *table)
{
	const struct profile_function *function = table->function;
	const double share = certainty_share(function->total_ns, function->error_ns);
	const char *before = "; worse than 10%: line ";
	char text[REPORT_DURATION_MAX];
	bool drowned = false;
	size_t more = 0, printed = 0;

	if (!function->error_ns || !function->timed_calls)
		return;
	fprintf(table->stream, "  times: +- %s in all",
	    report_duration((double)function->error_ns, text));
	if (share > 0)
		fprintf(table->stream, " (%.2g%%)", 100 * share);
	ARRAY_FOREACH (line, &function->lines) {
		const double line_share = certainty_share(line->total_ns, line->error_ns);

		drowned =
		    drowned || (line->hits && certainty_drowns(line->total_ns, line->error_ns));
		if (line_share <= UNSURE_SHARE)
			continue;
		if (printed++ >= UNSURE_MAX) {
			more++;
			continue;
		}
		fprintf(table->stream, "%s%u %.0f%%", before, line->line, 100 * line_share);
		before = ", ";
	}
	if (more)
		fprintf(table->stream, " and %zu more, see --json", more);
	fputs(drowned ? "; < marks what drowns in that: less, if anything\n" : "\n", table->stream);
}

static void print_accounting(const struct table *table)
{
	const struct profile_accounting *accounting = &table->function->accounting;
	FILE *stream = table->stream;

	if (accounting->open)
		fprintf(stream, "  %" PRIu64 " calls had not ended; they are not in the times\n",
		    accounting->open);
	if (accounting->unwound)
		fprintf(stream,
		    "  %" PRIu64 " calls ended without returning (exception, longjmp, end of "
		    "thread)\n",
		    accounting->unwound);
	if (accounting->lost)
		fprintf(stream, "  %" PRIu64 " calls were lost, for the causes at the end\n",
		    accounting->lost);
	if (!profile_identity_holds(accounting))
		fprintf(stream,
		    "  the accounting does not close: %" PRIu64 " entries, but %" PRIu64
		    " exits + open + unwound + untimed + lost\n",
		    accounting->entries, profile_accounted(accounting));
}

/* "lines 5, 6, 9": those that `wanted` picks. */
static void print_shared(const struct table *table)
{
	const char *before = "  lines that share their time with a neighbour: ";

	ARRAY_FOREACH (line, &table->function->lines)
		if (line->timing == PROFILE_TIMING_SHARED) {
			fprintf(table->stream, "%s%u", before, line->line);
			before = ", ";
		}
	if (*before == ',')
		fputc('\n', table->stream);
}

static void print_omissions(
    const struct table *table, size_t index, const struct profile_omission *const *omissions)
{
	size_t printed = 0, more = 0;

	while (*omissions && (*omissions)->function < index)
		omissions++;
	for (; *omissions && (*omissions)->function == index; omissions++) {
		if (printed++ >= OMISSIONS_MAX) {
			more++;
			continue;
		}
		if ((*omissions)->line)
			fprintf(table->stream, "  line %u not counted: ", (*omissions)->line);
		else
			fputs("  not counted: ", table->stream);
		text_print(table->stream, (*omissions)->reason, CONTENTS_MAX);
		fputc('\n', table->stream);
	}
	if (more)
		fprintf(table->stream, "  and %zu more, see --json\n", more);
}

void report_lines(const struct profile *profile, size_t index, const struct source *source,
    const struct profile_omission *const *omissions, double unit, FILE *stream,
    const struct report_options *options)
{
	struct table table = {
	    .profile = profile,
	    .function = &profile->functions.items[index],
	    .options = options,
	    .stream = stream,
	    .unit_ns = unit * 1e9,
	    .sampled = profile->sampling_period_ns,
	    .off_cpu = profile->functions.items[index].off_cpu,
	};

	ARRAY_FOREACH (line, &table.function->lines)
		table.total_ns += (double)line->total_ns;
	print_head(&table, profile, source);
	print_files(&table, source);
	fputc('\n', stream);
	print_timing(&table, profile);
	print_certainty(&table);
	print_budget(&table);
	if (table.function->inlined_copies)
		fprintf(stream, "  inlined in %u places: calls there count in the lines only\n",
		    table.function->inlined_copies);
	print_accounting(&table);
	print_shared(&table);
	print_omissions(&table, index, omissions);
	fputc('\n', stream);
}
