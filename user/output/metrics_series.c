// SPDX-License-Identifier: GPL-2.0-or-later
// Gathers a profile's functions and lines into series.
#include "output/metrics_series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output/report.h"

static int compare_text(const char *a, const char *b)
{
	return a == b ? 0 : strcmp(a ? a : "", b ? b : "");
}

struct named_function {
	const struct profile_function *function;
	const struct profile_image *image;
};

static int compare_functions(const void *a, const void *b)
{
	const struct named_function *one = a, *two = b;
	int order = compare_text(one->function->name, two->function->name);

	if (!order)
		order = compare_text(one->function->file, two->function->file);
	if (!order && one->function->line != two->function->line)
		order = one->function->line < two->function->line ? -1 : 1;
	if (!order)
		order = compare_text(
		    one->image ? one->image->path : NULL, two->image ? two->image->path : NULL);
	if (!order)
		order = compare_text(one->image ? one->image->build_id : NULL,
		    two->image ? two->image->build_id : NULL);
	return order;
}

static int compare_lines(const void *a, const void *b)
{
	const struct line_series *one = a, *two = b;
	int order = compare_text(one->file, two->file);

	return order ? order : one->line < two->line ? -1 : one->line > two->line;
}

static void add_function(struct metrics_series *series, const struct profile_function *function)
{
	series->calls += function->calls;
	series->timed += function->timed_calls;
	series->samples += function->cpu_samples;
	series->open += function->accounting.open;
	series->blocked_ns += function->blocked_ns;
	series->waiting_ns += function->waiting_ns;
	series->off_cpu = series->off_cpu || function->off_cpu;
	series->stood_ns += function->calls_stand.stood_ns;
	if (function->lines_measured)
		series->lines_stood_ns += function->lines_stand.stood_ns;
	if (function->budget_state > series->budget_state)
		series->budget_state = function->budget_state;
	series->total_ns += function->total_ns;
	series->self_ns += function->self_ns;
	ARRAY_FOREACH (bucket, &function->histogram) {
		series->returned += bucket->count;
		series->buckets[histogram_bucket(bucket->upper_ns)] += bucket->count;
	}
}

static int add_lines(struct metrics_series *series, const struct profile_function *function)
{
	if (ARRAY_RESERVE(&series->lines, function->lines.count))
		return -ENOMEM;
	/* Those that samples add come and go in the order of the source. */
	ARRAY_FOREACH (line, &function->lines)
		if (!line->sampled)
			series->lines.items[series->lines.count++] =
			    (struct line_series){.file = line->file,
				.line = line->line,
				.hits = line->hits,
				.total_ns = line->total_ns,
				.samples = line->cpu_samples,
				.blocked_ns = line->blocked_ns,
				.waiting_ns = line->waiting_ns};
	return 0;
}

static void add_line(struct line_series *sum, const struct line_series *line)
{
	sum->hits += line->hits;
	sum->total_ns += line->total_ns;
	sum->samples += line->samples;
	sum->blocked_ns += line->blocked_ns;
	sum->waiting_ns += line->waiting_ns;
}

/* Sums equal lines up, and those beyond the limit. */
static void limit_lines(struct metrics_series *series, size_t most)
{
	size_t kept = 0;

	ARRAY_SORT(&series->lines, compare_lines);
	for (size_t at = 0; at < series->lines.count; at++) {
		const struct line_series *line = &series->lines.items[at];
		struct line_series *last = kept ? &series->lines.items[kept - 1] : NULL;

		if (last && !series->has_other && !compare_lines(last, line)) {
			add_line(last, line);
		} else if (kept < most) {
			series->lines.items[kept++] = *line;
		} else {
			series->has_other = true;
			add_line(&series->other, line);
		}
	}
	series->lines.count = kept;
}

static int gather_series(
    const struct named_function *functions, size_t count, struct metrics_set *set)
{
	for (size_t at = 0; at < count; at++) {
		struct metrics_series fresh = {.function = functions[at].function,
		    .image = functions[at].image,
		    .sampled_only = true};
		struct metrics_series *series;

		if ((!at || compare_functions(&functions[at - 1], &functions[at])) &&
		    ARRAY_APPEND(&set->series, fresh))
			return -ENOMEM;
		series = &set->series.items[set->series.count - 1];
		add_function(series, functions[at].function);
		series->sampled_only =
		    series->sampled_only && report_is_sampled_only(functions[at].function);
		if (add_lines(series, functions[at].function))
			return -ENOMEM;
	}
	return 0;
}

static int compare_samples(const void *a, const void *b)
{
	const struct named_function *one = a, *two = b;
	uint64_t left = one->function->cpu_samples, right = two->function->cpu_samples;

	return left == right ? compare_functions(a, b) : left > right ? -1 : 1;
}

/* Puts the functions that are measured first, and behind them those sampled most; how many. */
static size_t choose_functions(struct named_function *functions, size_t count, size_t sampled_max)
{
	size_t measured = 0, sampled;

	for (size_t at = 0; at < count; at++) {
		struct named_function each = functions[at];

		if (report_is_sampled_only(each.function))
			continue;
		functions[at] = functions[measured];
		functions[measured++] = each;
	}
	sampled = count - measured;
	qsort(functions + measured, sampled, sizeof(*functions), compare_samples);
	sampled = sampled < sampled_max ? sampled : sampled_max;
	while (sampled && !functions[measured + sampled - 1].function->cpu_samples)
		sampled--;
	return measured + sampled;
}

int metrics_gather(const struct profile *profile, size_t lines_max, size_t sampled_max,
    struct metrics_set *ret_set)
{
	size_t count;
	CLEANUP_FREE struct named_function *functions =
	    calloc(profile->functions.count + 1, sizeof(*functions));
	int error;

	*ret_set = (struct metrics_set){0};
	if (!functions)
		return -ENOMEM;
	for (size_t at = 0; at < profile->functions.count; at++) {
		functions[at].function = &profile->functions.items[at];
		functions[at].image = profile_image_of(profile, functions[at].function);
	}
	count = choose_functions(functions, profile->functions.count, sampled_max);
	qsort(functions, count, sizeof(*functions), compare_functions);
	error = ARRAY_RESERVE(&ret_set->series, count);
	if (!error)
		error = gather_series(functions, count, ret_set);
	ARRAY_FOREACH (series, &ret_set->series)
		limit_lines(series, lines_max);
	return error;
}

void metrics_set_fini(struct metrics_set *set)
{
	ARRAY_FOREACH (series, &set->series)
		ARRAY_FREE(&series->lines);
	ARRAY_FREE(&set->series);
}
