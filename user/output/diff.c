// SPDX-License-Identifier: GPL-2.0-or-later
// Prints the comparison of two profiles:
//
//	Timer unit: 1e-09 s; * marks a change outside noise, ~ one within the error
//
//	File: /src/add.c
//	Function: add at line 3: 4000.0 -> 5000.0 a call (+25.0%) *
//
//	Line #      Hits        +Hits         Time        +Time  Per Hit +Per Hit    Line Contents
//	     5      1000            0    1000000.0         +0.0   1000.0     +0.0 *  int sum = a;
#include "output/diff.h"

#include <inttypes.h>
#include <string.h>

#include "output/json_stream.h"
#include "output/text.h"

#define CONTENTS_MAX 1000

struct table {
	const struct report_options *options;
	FILE *stream;
	double unit_ns;
};

static const char row_template[] = "%6s %10s %10s %12s %12s %9s %9s %-2s ";

/* "+12.0", "-3.0", "0.0" */
static const char *format_change(double change, int width, char text[REPORT_NUMBER_MAX + 1])
{
	text[0] = '+';
	if (change > 0)
		report_number(change, 1, width - 1, text + 1);
	else
		report_number(change, 1, width, text);
	return text;
}

static void print_line(
    const struct table *table, const struct diff_line *line, const struct source *source)
{
	static const struct profile_line none;
	const struct profile_line *base = line->base ? line->base : &none;
	const struct profile_line *new = line->new ? line->new : &none;
	const struct profile_line *shown = line->new ? line->new : line->base;
	char number[16], hits[24], more_hits[32], time[REPORT_NUMBER_MAX];
	char more_time[REPORT_NUMBER_MAX + 1], per_hit[REPORT_NUMBER_MAX];
	char more_per_hit[REPORT_NUMBER_MAX + 1] = "";
	double before = profile_time_a_hit(base), after = profile_time_a_hit(new);
	bool marked = line->time_changed || line->hits_changed;
	const char *contents = line->new ? source_line(source, new->line) : NULL;
	const char *heat = "";

	if (table->options->color && marked)
		heat = new->total_ns > base->total_ns ? "\033[31m" : "\033[32m";
	snprintf(number, sizeof(number), "%s%u", line->new ? "" : "-", shown->line);
	snprintf(hits, sizeof(hits), "%" PRIu64, new->hits);
	snprintf(more_hits, sizeof(more_hits), "%s%.0f", new->hits > base->hits ? "+" : "",
	    (double)new->hits - (double)base->hits);
	report_number((double)new->total_ns / table->unit_ns, 1, 12, time);
	format_change(
	    ((double)new->total_ns - (double)base->total_ns) / table->unit_ns, 12, more_time);
	report_number(after / table->unit_ns, 1, 9, per_hit);
	if (base->hits && new->hits)
		format_change((after - before) / table->unit_ns, 9, more_per_hit);
	fputs(heat, table->stream);
	fprintf(table->stream, row_template, number, hits, more_hits, time, more_time,
	    new->hits ? per_hit : "", more_per_hit,
	    marked               ? "*"
	    : line->within_error ? "~"
				 : "");
	text_print(table->stream, contents ? contents : "", CONTENTS_MAX);
	fputs(*heat ? "\033[0m\n" : "\n", table->stream);
}

static bool line_is_shown(const struct diff_line *line)
{
	return (line->base && (line->base->hits || line->base->total_ns)) ||
	       (line->new && (line->new->hits || line->new->total_ns));
}

static void print_head(const struct table *table, const struct diff_function *function)
{
	const struct profile_function *shown = function->new ? function->new : function->base;
	char before[REPORT_DURATION_MAX], after[REPORT_DURATION_MAX];
	double base = function->base ? profile_time_a_call(function->base) : 0;
	double new = function->new ? profile_time_a_call(function->new) : 0;

	fputs("File: ", table->stream);
	text_print(table->stream, *shown->file ? shown->file : "?", CONTENTS_MAX);
	fputs("\nFunction: ", table->stream);
	text_print(table->stream, shown->name, CONTENTS_MAX);
	fprintf(table->stream, " at line %u", shown->line);
	if (!function->base)
		fputs(": only in the new profile", table->stream);
	else if (!function->new)
		fputs(": only in the base profile", table->stream);
	else if (base > 0)
		fprintf(table->stream, ": %s -> %s a call (%+.1f%%)%s",
		    report_duration(base, before), report_duration(new, after),
		    100 * (new - base) / base,
		    function->time_changed   ? " *"
		    : function->within_error ? ", within the error of the probes' cost"
					     : "");
	fprintf(table->stream, "\n  calls %" PRIu64 " -> %" PRIu64 ", total %s -> %s\n",
	    function->base ? function->base->calls : 0, function->new ? function->new->calls : 0,
	    report_duration(function->base ? (double)function->base->total_ns : 0, before),
	    report_duration(function->new ? (double)function->new->total_ns : 0, after));
}

/* Where the states of both were measured. */
static void print_states(const struct table *table, const struct diff_function *function)
{
	char before[REPORT_DURATION_MAX], after[REPORT_DURATION_MAX];
	const struct profile_function *base = function->base, *new = function->new;

	if (!base || !new || !base->off_cpu || !new->off_cpu)
		return;
	fprintf(table->stream, "  blocked %s -> %s",
	    report_duration((double)base->blocked_ns, before),
	    report_duration((double)new->blocked_ns, after));
	fprintf(table->stream, ", waiting for a CPU %s -> %s\n",
	    report_duration((double)base->waiting_ns, before),
	    report_duration((double)new->waiting_ns, after));
}

static void print_function(const struct table *table, const struct diff_function *function)
{
	CLEANUP(source_free_p) struct source *source = NULL;
	const char *opened = NULL;
	bool first = true;

	print_head(table, function);
	print_states(table, function);
	ARRAY_FOREACH (line, &function->lines) {
		if (!line_is_shown(line))
			continue;
		if (first) {
			fputc('\n', table->stream);
			fprintf(table->stream, row_template, "Line #", "Hits", "+Hits", "Time",
			    "+Time", "Per Hit", "+Per Hit", "");
			fputs("Line Contents\n", table->stream);
		}
		first = false;
		if (line->new && (!opened || strcmp(opened, line->new->file) != 0)) {
			source_free(source);
			source = source_open(line->new->file, false);
			opened = line->new->file;
		}
		print_line(table, line, source);
	}
	fputc('\n', table->stream);
}

void diff_print(const struct profile_diff *diff, const struct profile *base,
    const struct profile *new, FILE *stream, const struct report_options *options)
{
	double base_unit = report_unit(base), unit = report_unit(new);
	struct table table = {.options = options, .stream = stream};

	if (options->unit > 0)
		unit = options->unit;
	else if (base_unit > unit)
		unit = base_unit;
	table.unit_ns = unit * 1e9;
	fprintf(stream,
	    "Timer unit: %g s; + columns are new less base; * marks a change outside "
	    "noise, ~ one within the error of the probes' cost\n\n",
	    unit);
	ARRAY_FOREACH (function, &diff->functions)
		print_function(&table, function);
	if (!diff->functions.count)
		fputs("Neither profile has functions.\n", stream);
}

static void print_json_states(
    struct json_stream *json, bool off_cpu, uint64_t blocked_ns, uint64_t waiting_ns)
{
	if (!off_cpu)
		return;
	json_unsigned(json, "blocked_ns", blocked_ns);
	json_unsigned(json, "waiting_ns", waiting_ns);
}

static void print_json_function(
    struct json_stream *json, const char *key, const struct profile_function *function)
{
	if (!function) {
		json_null(json, key);
		return;
	}
	json_open(json, key, '{', JSON_COMPACT);
	json_unsigned(json, "line", function->line);
	json_unsigned(json, "calls", function->calls);
	json_unsigned(json, "timed_calls", function->timed_calls);
	json_signed(json, "total_ns", function->total_ns);
	json_signed(json, "self_ns", function->self_ns);
	json_unsigned(json, "error_ns", function->error_ns);
	json_real(json, "per_call_ns", profile_time_a_call(function));
	print_json_states(json, function->off_cpu, function->blocked_ns, function->waiting_ns);
	json_close(json);
}

static void print_json_line(
    struct json_stream *json, const char *key, const struct profile_line *line, bool off_cpu)
{
	if (!line) {
		json_null(json, key);
		return;
	}
	json_open(json, key, '{', JSON_COMPACT);
	json_unsigned(json, "line", line->line);
	json_unsigned(json, "hits", line->hits);
	json_signed(json, "total_ns", line->total_ns);
	json_signed(json, "self_ns", line->self_ns);
	json_unsigned(json, "error_ns", line->error_ns);
	json_real(json, "per_hit_ns", profile_time_a_hit(line));
	print_json_states(json, off_cpu, line->blocked_ns, line->waiting_ns);
	json_close(json);
}

static void print_json_lines(struct json_stream *json, const struct diff_function *function)
{
	json_open(json, "lines", '[', JSON_ROWS);
	ARRAY_FOREACH (line, &function->lines) {
		const struct profile_line *shown = line->new ? line->new : line->base;

		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "file", shown->file);
		json_unsigned(json, "line", shown->line);
		print_json_line(
		    json, "base", line->base, function->base && function->base->off_cpu);
		print_json_line(json, "new", line->new, function->new && function->new->off_cpu);
		json_signed(json, "delta_ns",
		    profile_sum_ns(line->new ? line->new->total_ns : 0,
			line->base ? -line->base->total_ns : 0));
		json_boolean(json, "time_changed", line->time_changed);
		json_boolean(json, "hits_changed", line->hits_changed);
		json_boolean(json, "within_error", line->within_error);
		json_close(json);
	}
	json_close(json);
}

void diff_print_json(const struct profile_diff *diff, FILE *stream)
{
	struct json_stream json = {.file = stream};

	json_open(&json, NULL, '{', JSON_ROWS);
	json_text(&json, "format", "lprof-diff");
	json_unsigned(&json, "version", 1);
	json_open(&json, "functions", '[', JSON_ROWS);
	ARRAY_FOREACH (function, &diff->functions) {
		const struct profile_function *shown =
		    function->new ? function->new : function->base;

		json_open(&json, NULL, '{', JSON_COMPACT);
		json_text(&json, "name", shown->name);
		json_text(&json, "file", shown->file);
		json_unsigned(&json, "line", shown->line);
		print_json_function(&json, "base", function->base);
		print_json_function(&json, "new", function->new);
		json_signed(&json, "delta_ns",
		    profile_sum_ns(function->new ? function->new->total_ns : 0,
			function->base ? -function->base->total_ns : 0));
		json_boolean(&json, "time_changed", function->time_changed);
		json_boolean(&json, "within_error", function->within_error);
		print_json_lines(&json, function);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}
