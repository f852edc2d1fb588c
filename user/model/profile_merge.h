/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adds profiles up: of several workers, or of several runs. */
#ifndef LPROF_MODEL_PROFILE_MERGE_H
#define LPROF_MODEL_PROFILE_MERGE_H

#include "model/profile.h"

/*
 * Adds `more` to `sum`; 0, or -ENOMEM with `sum` fit only to be freed.
 *
 * Functions are the same if image (its build id, or its path without one), file, line and name are;
 * equal ones within a profile are told apart by linkage name, and are one if that is equal too.
 * Their lines are the same by file and line. Counts and times add up, extremes are the extremes of
 * both, histograms add up by bucket.
 * A rate that differs becomes the share of calls that was timed. Durations add up, as for runs one
 * after the other; the start is the earliest. Losses, cost, targets and stacks add up; a price that
 * differs is that of the profile with more hits.
 */
int profile_merge(struct profile *sum, const struct profile *more);

#endif
