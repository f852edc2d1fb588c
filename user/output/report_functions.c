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
#include <math.h>
#include <string.h>

#include "model/certainty.h"
#include "output/text.h"

#define NAME_MAX_CHARACTERS 500
#define UNSURE_SHARE        0.1 /* errors that are told function by function */
#define UNSURE_MAX          20

enum column {
	COLUMN_CALLS,
	COLUMN_SELF,
	COLUMN_SELF_CALL,
	COLUMN_TOTAL,
	COLUMN_TOTAL_CALL,
	COLUMN_CPU, /* only where CPU time was sampled */
	COLUMNS
};

static const char *const headings[COLUMNS] = {
    "ncalls", "tottime", "percall", "cumtime", "percall", "cputime"};

struct row {
	const struct profile_function *function;
	char cells[COLUMNS][48];
};

/* Calls of the timed ones that were outermost. */
static double timed_primitive(const struct profile_function *function)
{
	double primitive = (double)function->primitive_calls;

	if (report_is_partial(function))
		primitive *= (double)function->timed_calls / (double)function->calls;
	return primitive;
}

static void format_time(char cell[48], int64_t ns, uint64_t error_ns, double calls, double unit_ns)
{
	char text[REPORT_NUMBER_MAX];

	if (calls > 0)
		snprintf(cell, 48, "%s",
		    report_time(ns, error_ns, unit_ns * calls, unit_ns > 1 ? 3 : 1, 13, text));
	else
		snprintf(cell, 48, "-"); /* no call was timed */
}

static void format_row(struct row *row, double period_ns, double unit_ns)
{
	const struct profile_function *function = row->function;
	double timed = (double)function->timed_calls;
	const int64_t self = function->self_ns, total = function->total_ns;
	const uint64_t self_error = function->self_error_ns, error = function->error_ns;

	if (function->primitive_calls != function->calls)
		snprintf(row->cells[COLUMN_CALLS], 48, "%" PRIu64 "/%" PRIu64,
		    function->primitive_calls, function->calls);
	else
		snprintf(row->cells[COLUMN_CALLS], 48, "%" PRIu64, function->calls);
	format_time(row->cells[COLUMN_SELF], self, self_error, timed || !function->calls, unit_ns);
	format_time(row->cells[COLUMN_SELF_CALL], self, self_error, timed, unit_ns);
	format_time(row->cells[COLUMN_TOTAL], total, error, timed || !function->calls, unit_ns);
	format_time(
	    row->cells[COLUMN_TOTAL_CALL], total, error, timed_primitive(function), unit_ns);
	format_time(row->cells[COLUMN_CPU],
	    (int64_t)((double)function->cpu_total_samples * period_ns), 0, 1, unit_ns);
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
	char total[REPORT_DURATION_MAX], error[REPORT_DURATION_MAX];

	ARRAY_FOREACH (function, &profile->functions) {
		const struct profile_accounting *accounting = &function->accounting;

		if (report_is_partial(function)) {
			fputs("   ", stream);
			text_print(stream, function->name, NAME_MAX_CHARACTERS);
			fprintf(stream,
			    ": timed %" PRIu64 " of %" PRIu64
			    " calls (rate %g), times are of those; of all calls ~%s +- %s\n",
			    function->timed_calls, function->calls, function->rate,
			    report_duration(report_estimate(function, function->total_ns), total),
			    report_duration(certainty_of_estimate(profile, function), error));
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

/* Times whose error is large, and what "<" means where it stands. */
static void print_certainty(const struct row *rows, size_t count, FILE *stream)
{
	bool drowned = false;
	size_t told = 0;

	for (size_t i = 0; i < count; i++) {
		const struct profile_function *function = rows[i].function;
		const double total = certainty_share(function->total_ns, function->error_ns);
		const double self = certainty_share(function->self_ns, function->self_error_ns);

		drowned = drowned || certainty_drowns(function->self_ns, function->self_error_ns) ||
			  certainty_drowns(function->total_ns, function->error_ns);
		if ((total <= UNSURE_SHARE && self <= UNSURE_SHARE) || told++ >= UNSURE_MAX)
			continue;
		fputs("   ", stream);
		text_print(stream, function->name, NAME_MAX_CHARACTERS);
		if (self > UNSURE_SHARE)
			fprintf(stream, ": tottime +- %.0f%%%s", 100 * self,
			    total > UNSURE_SHARE ? "" : "\n");
		if (total > UNSURE_SHARE)
			fprintf(stream, "%s cumtime +- %.0f%%\n", self > UNSURE_SHARE ? "," : ":",
			    100 * total);
	}
	if (told > UNSURE_MAX)
		fprintf(stream, "   and %zu more functions, see --json\n", told - UNSURE_MAX);
	if (drowned)
		fputs(
		    "   < marks what drowns in the error of the probes' cost: less, if anything\n",
		    stream);
}

int report_functions(
    const struct profile *profile, double unit, FILE *stream, const struct report_options *options)
{
	CLEANUP_FREE const struct profile_function **order = NULL;
	CLEANUP_FREE struct row *rows = NULL;
	int widths[COLUMNS] = {9, 8, 8, 8, 8, 8};
	double all_self = 0;
	int columns = profile->sampling_period_ns ? COLUMNS : COLUMN_CPU;
	size_t count = 0;

	order = report_order(profile, options, &count);
	rows = calloc(count + 1, sizeof(*rows));
	if (!order || !rows)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		rows[i].function = order[i];
		format_row(&rows[i], (double)profile->sampling_period_ns, unit * 1e9);
		all_self += fmax(0, report_estimate(order[i], order[i]->self_ns));
		for (int column = 0; column < columns; column++) {
			int width = (int)strlen(rows[i].cells[column]);

			if (width > widths[column])
				widths[column] = width;
		}
	}
	print_title(profile, unit, stream, options);
	for (int column = 0; column < columns; column++)
		fprintf(stream, "%*s ", widths[column], headings[column]);
	fputs("file:line(function)\n", stream);
	for (size_t i = 0; i < count; i++) {
		const struct profile_function *function = rows[i].function;
		const char *heat = report_heat(options,
		    all_self > 0 ? report_estimate(function, function->self_ns) / all_self : 0);

		fputs(heat, stream);
		for (int column = 0; column < columns; column++)
			fprintf(stream, "%*s ", widths[column], rows[i].cells[column]);
		report_place(profile, function, stream);
		fputs(*heat ? REPORT_COLD "\n" : "\n", stream);
	}
	fputc('\n', stream);
	print_notes(profile, stream);
	print_certainty(rows, count, stream);
	fputc('\n', stream);
	return 0;
}
