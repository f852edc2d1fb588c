/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report for people: line_profiler's table for each function whose lines were measured,
 * cProfile's table for all functions, then what the probes cost and what was not measured.
 */
#ifndef LPROF_OUTPUT_REPORT_H
#define LPROF_OUTPUT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/failure.h"
#include "model/profile.h"
#include "output/source.h"

/* SORT(id, keys, order as pstats names it) */
#define REPORT_SORTS(SORT)                                              \
	SORT(CUMULATIVE, "cumulative cumtime total", "cumulative time") \
	SORT(SELF, "tottime time self", "internal time")                \
	SORT(CALLS, "calls ncalls", "call count")                       \
	SORT(PRIMITIVE, "pcalls", "primitive call count")               \
	SORT(FILE, "file filename module", "file name")                 \
	SORT(LINE, "line", "line number")                               \
	SORT(NAME, "name", "function name")                             \
	SORT(PLACE, "nfl", "name/file/line")                            \
	SORT(STANDARD, "stdname", "standard name")

enum report_sort {
#define SORT(id, keys, order) REPORT_SORT_##id,
	REPORT_SORTS(SORT)
#undef SORT
};

struct report_options {
	bool lines, functions; /* without any part: both, as far as the profile has them */
	enum report_sort sort; /* of the function table */
	double unit;           /* seconds; 0: the finest whose largest number fits the columns */
	bool skip_zero;        /* leave out functions without calls and time */
	bool color;            /* heat, by ANSI escapes */
	bool public_sources;   /* show the source files alone that everybody may read */
	bool tree;             /* callers and callees of each function, sampled stacks */
};

/* Prints the report. Errors of the stream are the caller's; -ENOMEM otherwise. */
int report_print(const struct profile *profile, FILE *stream, const struct report_options *options);

/* The sort of a key ("cumtime"), or of its unambiguous beginning; false: unknown. */
bool report_parse_sort(const char *text, enum report_sort *ret_sort);

/* "ns", "us", "ms", "s", or seconds as line_profiler's -u takes them ("1e-6"); false: neither. */
bool report_parse_unit(const char *text, double *ret_unit);

/* Seconds of the unit in which no time of the profile outgrows its column. */
double report_unit(const struct profile *profile);

/*
 * For --color=always|auto|never: whether to colour `stream`. Auto: a terminal that is not dumb,
 * without NO_COLOR. False: `when` is none of them.
 */
bool report_parse_color(const char *when, FILE *stream, bool *ret_color);

/*
 * Prints a whole source file with what was measured of its lines, in all functions together. `file`
 * is its path in the profile or the end of it. Fails where the profile has no such file, or
 * several.
 */
int report_annotate(const struct profile *profile, const char *file, FILE *stream,
    const struct report_options *options, struct failure *failure);

/*
 * The parts, for report.c.
 */
void report_lines(const struct profile *profile, size_t index, const struct source *source,
    const struct profile_omission *const *omissions, double unit, FILE *stream,
    const struct report_options *options);
int report_functions(
    const struct profile *profile, double unit, FILE *stream, const struct report_options *options);
int report_tree(
    const struct profile *profile, double unit, FILE *stream, const struct report_options *options);
int report_stacks(
    const struct profile *profile, FILE *stream, const struct report_options *options);
int report_cpu(const struct profile *profile, FILE *stream, const struct report_options *options);
void report_cost(const struct profile *profile, FILE *stream);

/* The functions that `options` leave in, in their order; the caller frees the array. NULL: no
 * memory.
 */
const struct profile_function **report_order(
    const struct profile *profile, const struct report_options *options, size_t *ret_count);

/* By file, line and name. */
int report_compare_places(const struct profile_function *a, const struct profile_function *b);

/* "file:line(function)", as pstats has it. */
void report_place(
    const struct profile *profile, const struct profile_function *function, FILE *stream);

/*
 * What colours a row by its share (0.0 to 1.0) of the whole; "" for cold ones or without colour.
 * End the row with REPORT_COLD where it was not "".
 */
const char *report_heat(const struct report_options *options, double share);
#define REPORT_COLD  "\033[0m"
#define REPORT_NEVER "\033[2m" /* a line that could have been counted and never ran */

/* "1.23 us": three digits and a unit. */
#define REPORT_DURATION_MAX 32
const char *report_duration(double ns, char text[REPORT_DURATION_MAX]);

/* One decimal, more where that would show nothing of a number that is not 0, and three digits and
 * a power where it does not fit: what `width` columns hold. */
#define REPORT_NUMBER_MAX 40
const char *report_number(double number, int decimals, int width, char text[REPORT_NUMBER_MAX]);

/* Likewise a time in nanoseconds, over `unit_ns`; "<12.0" if it drowns in its error. */
const char *report_time(int64_t ns, uint64_t error_ns, double unit_ns, int decimals, int width,
    char text[REPORT_NUMBER_MAX]);

/* CPU samples alone tell of the function: nothing was probed in it. */
bool report_is_sampled_only(const struct profile_function *function);

/* Calls were left out by the rate or lost (not: are still open): totals are of the timed ones. */
bool report_is_partial(const struct profile_function *function);

/* The total of all calls, estimated from the timed ones. */
double report_estimate(const struct profile_function *function, int64_t ns);

#endif
