// SPDX-License-Identifier: GPL-2.0-or-later
// Reads quantiles and spread out of a function's histogram of call durations.
#include "model/distribution.h"

int distribution_store(struct profile_function *function, const uint64_t *counts)
{
	size_t used = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		used += counts[i] != 0;
	function->histogram.count = 0;
	if (ARRAY_RESERVE(&function->histogram, used))
		return -ENOMEM;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (counts[i])
			function->histogram.items[function->histogram.count++] =
			    (struct profile_bucket){histogram_upper(i), counts[i]};
	return 0;
}

uint64_t distribution_calls(const struct profile_function *function)
{
	uint64_t calls = 0;

	ARRAY_FOREACH (bucket, &function->histogram)
		calls = profile_sum(calls, bucket->count);
	return calls;
}

/* The bounds of a row: its bucket's, narrowed to what the function's extremes allow. */
static void row_bounds(const struct profile_function *function, const struct profile_bucket *row,
    double *ret_lower, double *ret_upper)
{
	double lower = (double)histogram_lower(histogram_bucket(row->upper_ns));
	double upper = (double)row->upper_ns;

	if (function->max_ns && upper > (double)function->max_ns)
		upper = (double)function->max_ns;
	if (lower < (double)function->min_ns)
		lower = (double)function->min_ns;
	*ret_lower = lower < upper ? lower : upper;
	*ret_upper = upper;
}

uint64_t distribution_quantile(const struct profile_function *function, double share)
{
	double wanted = share * (double)distribution_calls(function), seen = 0, lower, upper = 0;

	ARRAY_FOREACH (row, &function->histogram) {
		double count = (double)row->count;

		row_bounds(function, row, &lower, &upper);
		if (count > 0 && seen + count >= wanted)
			return (uint64_t)(lower + (upper - lower) * (wanted - seen) / count);
		seen += count;
	}
	return (uint64_t)upper;
}

double distribution_variance(const struct profile_function *function)
{
	double calls = (double)distribution_calls(function), mean = 0, squares = 0, lower, upper;

	if (calls < 2)
		return 0;
	ARRAY_FOREACH (row, &function->histogram) {
		row_bounds(function, row, &lower, &upper);
		mean += (lower + upper) / 2 * ((double)row->count / calls);
	}
	ARRAY_FOREACH (row, &function->histogram) {
		double away, width;

		row_bounds(function, row, &lower, &upper);
		away = (lower + upper) / 2 - mean;
		width = upper - lower;
		squares += (away * away + width * width / 12) * ((double)row->count / calls);
	}
	return squares * calls / (calls - 1);
}
