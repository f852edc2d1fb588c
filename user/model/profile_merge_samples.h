/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of adding profiles that concerns CPU samples: their unit, frames and stacks. */
#ifndef LPROF_MODEL_PROFILE_MERGE_SAMPLES_H
#define LPROF_MODEL_PROFILE_MERGE_SAMPLES_H

#include "model/profile.h"

/*
 * `count` samples of one period as samples of another: the same CPU time, rounded to the nearest.
 * A period of 0 (not sampled) changes nothing.
 */
uint64_t profile_samples_of_period(uint64_t count, uint64_t period_ns, uint64_t wanted_period_ns);

/* Brings the samples of `sum` to the shorter period of both, which becomes its own. */
void profile_merge_period(struct profile *sum, uint64_t more_period_ns);

/*
 * Adds the frames and stacks of `more`, equal ones once; `images` says where its images went in
 * `sum`. 0 or -ENOMEM.
 */
int profile_merge_stacks(struct profile *sum, const struct profile *more, const uint32_t *images);

#endif
