/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the kernel's counters to a profile: sums, names, and what was lost on the way. */
#ifndef LPROF_COLLECT_DRAIN_H
#define LPROF_COLLECT_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "collect/costs.h"
#include "collect/counters.h"
#include "collect/part.h"
#include "model/profile.h"

struct drain_input {
	const struct part *const *parts; /* in the order that their functions will have */
	size_t part_count;
	const struct counters *counters;
	uint32_t functions, sites, lines; /* the first ids, of all parts */
	const struct costs *costs;
	uint64_t missed; /* hits that the kernel dropped */
	int64_t started_ns;
	uint64_t duration_ns;
};

/* Targets are the caller's to add. -ENOMEM, or why the table of callers could not be read. */
int drain_profile(
    const struct drain_input *input, struct profile **ret_profile, struct failure *failure);

#endif
