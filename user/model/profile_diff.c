// SPDX-License-Identifier: GPL-2.0-or-later
// Matches two profiles' functions and lines, and tells change from noise.
#include "model/profile_diff.h"

#include <math.h>
#include <string.h>

#include "model/distribution.h"

#define SIGMAS              2.58
#define FUNCTION_FLOOR      0.03
#define LINE_FLOOR          0.05
#define LINE_FLOOR_NS       5.0
#define HITS_FLOOR          0.01
#define CALLS_FOR_CERTAINTY 2 /* fewer tell nothing of their spread */

static double timed_primitive(const struct profile_function *function)
{
	double primitive = (double)function->primitive_calls;

	if (function->timed_calls < function->calls)
		primitive *= (double)function->timed_calls / (double)function->calls;
	return primitive;
}

double profile_time_a_call(const struct profile_function *function)
{
	double calls = timed_primitive(function);

	return calls > 0 ? (double)function->total_ns / calls : 0;
}

static double error_a_call(const struct profile_function *function)
{
	double calls = timed_primitive(function);

	return calls > 0 ? (double)function->error_ns / calls : 0;
}

double profile_time_a_hit(const struct profile_line *line)
{
	return line->hits ? (double)line->total_ns / (double)line->hits : 0;
}

/* The square of how uncertain a function's mean is. */
static double function_uncertainty(const struct profile_function *function)
{
	double calls = (double)distribution_calls(function);
	double mean = profile_time_a_call(function);

	if (calls < CALLS_FOR_CERTAINTY)
		return mean * mean;
	return distribution_variance(function) / calls;
}

static double squared(double number)
{
	return number * number;
}

/* A mean that is changed more than by noise: more than by the errors as well? */
static void judge_change(
    double change, double error, double new_error, bool *ret_changed, bool *ret_within_error)
{
	*ret_within_error = change <= sqrt(squared(error) + squared(new_error));
	*ret_changed = !*ret_within_error;
}

static bool function_changed(
    const struct profile_function *base, const struct profile_function *new)
{
	double before, change;

	if (!base || !new || !base->timed_calls || !new->timed_calls)
		return false;
	before = profile_time_a_call(base);
	change = fabs(profile_time_a_call(new) - before);
	return change > SIGMAS * sqrt(function_uncertainty(base) + function_uncertainty(new)) &&
	       change > FUNCTION_FLOOR * fabs(before);
}

static double line_uncertainty(const struct profile_line *line)
{
	double mean = profile_time_a_hit(line), longest = (double)line->max_ns;
	double variance = longest > mean && mean > 0 ? mean * (longest - mean) : mean * mean;

	return variance / (double)line->hits;
}

static bool line_time_changed(const struct profile_line *base, const struct profile_line *new)
{
	double before, change;

	if (!base->hits || !new->hits)
		return false;
	before = profile_time_a_hit(base);
	change = fabs(profile_time_a_hit(new) - before);
	return change > SIGMAS * sqrt(line_uncertainty(base) + line_uncertainty(new)) &&
	       change > LINE_FLOOR * fabs(before) && change > LINE_FLOOR_NS;
}

/* Hits stand for the timed calls; without calls (line_profiler's files) they stand alone. */
static double hits_a_call(const struct profile_function *function, const struct profile_line *line)
{
	double calls = function->timed_calls ? (double)function->timed_calls : 1;

	return line ? (double)line->hits / calls : 0;
}

static void judge_line(const struct diff_function *function, struct diff_line *line)
{
	double before, after;

	if (!function->base || !function->new)
		return;
	if (line->base && line->new &&line_time_changed(line->base, line->new))
		judge_change(fabs(profile_time_a_hit(line->new) - profile_time_a_hit(line->base)),
		    (double)line->base->error_ns / (double)line->base->hits,
		    (double)line->new->error_ns / (double)line->new->hits, &line->time_changed,
		    &line->within_error);
	before = hits_a_call(function->base, line->base);
	after = hits_a_call(function->new, line->new);
	line->hits_changed = fabs(after - before) > HITS_FLOOR * fmax(before, after);
}

/* Order of two lines by file, then by distance from their functions' first lines. */
static int line_order(const struct profile_function *base, const struct profile_line *a,
    const struct profile_function *new, const struct profile_line *b)
{
	bool own_a = !strcmp(a->file, base->file), own_b = !strcmp(b->file, new->file);
	int64_t distance_a = (int64_t)a->line - (own_a ? base->line : 0);
	int64_t distance_b = (int64_t)b->line - (own_b ? new->line : 0);
	int order = own_a && own_b ? 0 : strcmp(a->file, b->file);

	return order ? order : (distance_a > distance_b) - (distance_a < distance_b);
}

/* Walks both sorted lists of lines at once. */
static int match_lines(struct diff_function *function)
{
	const struct profile_function *base = function->base, *new = function->new;
	size_t base_count = base ? base->lines.count : 0, new_count = new ? new->lines.count : 0;
	size_t a = 0, b = 0;

	while (a < base_count || b < new_count) {
		struct diff_line line = {0};
		int order = a == base_count  ? 1
			    : b == new_count ? -1
					     : line_order(base, &base->lines.items[a], new,
						   &new->lines.items[b]);

		if (order <= 0)
			line.base = &base->lines.items[a++];
		if (order >= 0)
			line.new = &new->lines.items[b++];
		judge_line(function, &line);
		if (ARRAY_APPEND(&function->lines, line))
			return -ENOMEM;
	}
	return 0;
}

static int name_compare(const struct profile_function *a, const struct profile_function *b)
{
	int order = strcmp(a->name, b->name);

	return order ? order : strcmp(a->file, b->file);
}

static int function_compare(const void *left, const void *right)
{
	const struct profile_function *a = *(const struct profile_function *const *)left;
	const struct profile_function *b = *(const struct profile_function *const *)right;
	int order = name_compare(a, b);

	if (order)
		return order;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	order = strcmp(a->linkage_name, b->linkage_name);
	return order ? order : (a > b) - (a < b);
}

static const struct profile_function **sorted_functions(const struct profile *profile)
{
	const struct profile_function **sorted =
	    calloc(profile->functions.count + 1, sizeof(*sorted));

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < profile->functions.count; i++)
		sorted[i] = &profile->functions.items[i];
	qsort(sorted, profile->functions.count, sizeof(*sorted), function_compare);
	return sorted;
}

static double total_change(const struct diff_function *function)
{
	return fabs((function->new ? (double)function->new->total_ns : 0) -
		    (function->base ? (double)function->base->total_ns : 0));
}

static int change_compare(const void *left, const void *right)
{
	const struct diff_function *a = left, *b = right;
	double change_a = total_change(a), change_b = total_change(b);

	if (change_a != change_b)
		return change_a < change_b ? 1 : -1;
	return name_compare(a->new ? a->new : a->base, b->new ? b->new : b->base);
}

int profile_diff(
    const struct profile *base, const struct profile *new, struct profile_diff *ret_diff)
{
	CLEANUP_FREE const struct profile_function **bases = sorted_functions(base);
	CLEANUP_FREE const struct profile_function **news = sorted_functions(new);
	struct profile_diff diff = {0};
	const struct profile_function **a = bases, **b = news;
	int error = bases && news ? 0 : -ENOMEM;

	while (!error && (*a || *b)) {
		struct diff_function function = {0};
		int order = !*a ? 1 : !*b ? -1 : name_compare(*a, *b);

		if (order <= 0)
			function.base = *a++;
		if (order >= 0)
			function.new = *b++;
		if (function_changed(function.base, function.new))
			judge_change(fabs(profile_time_a_call(function.new) -
					  profile_time_a_call(function.base)),
			    error_a_call(function.base), error_a_call(function.new),
			    &function.time_changed, &function.within_error);
		error = match_lines(&function);
		error = error ? error : ARRAY_APPEND(&diff.functions, function);
		if (error)
			ARRAY_FREE(&function.lines);
	}
	if (error) {
		profile_diff_fini(&diff);
		return error;
	}
	if (diff.functions.count)
		qsort(diff.functions.items, diff.functions.count, sizeof(*diff.functions.items),
		    change_compare);
	*ret_diff = diff;
	return 0;
}

void profile_diff_fini(struct profile_diff *diff)
{
	ARRAY_FOREACH (function, &diff->functions)
		ARRAY_FREE(&function->lines);
	ARRAY_FREE(&diff->functions);
}
