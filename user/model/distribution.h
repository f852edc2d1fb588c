/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the histogram of call durations tells: quantiles and spread. Works on the rows of a profile,
 * whose `upper_ns` are bounds of include/histogram.h's buckets, but trusts no file to have kept to
 * them.
 */
#ifndef LPROF_MODEL_DISTRIBUTION_H
#define LPROF_MODEL_DISTRIBUTION_H

#include "histogram.h"
#include "model/profile.h"

/* Fills function->histogram from the counts of HISTOGRAM_BUCKETS buckets; 0 or -ENOMEM. */
int distribution_store(struct profile_function *function, const uint64_t *counts);

/* Calls in the histogram. */
uint64_t distribution_calls(const struct profile_function *function);

/*
 * The duration that a share (0.0 to 1.0) of the calls did not exceed, by interpolation inside its
 * bucket, never outside [min_ns, max_ns]. 0 without calls. Off by at most a bucket's width: 25%.
 */
uint64_t distribution_quantile(const struct profile_function *function, double share);

/*
 * The variance of the durations in ns^2, each call standing at its bucket's middle plus the
 * variance of a uniform spread inside the bucket. 0 below two calls.
 */
double distribution_variance(const struct profile_function *function);

#endif
