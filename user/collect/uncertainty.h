/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far corrected times may lie from the truth.
 *
 * A hit's cost is known to within costs_error_ns(). That error is common to all hits of a class, so
 * it does not average out: it adds up with each hit that lies in a time, and what is claimed of a
 * time is the sum.
 *
 * How many hits lie in a time is known of a function as what was subtracted from its calls, raw
 * total less total; of a line as the hits of its own sites, which are counted. The rest of what
 * was subtracted from a function was taken in calls that its lines made. Which of the lines, no
 * counter tells: those that have callees' time get shares of it, by that time or by their hits,
 * whichever is more. So in a function with several such lines the claims add up to more than the
 * function's, to twice of it at most.
 *
 * Works on the kernel's ids, for all parts at once.
 */
#ifndef LPROF_COLLECT_UNCERTAINTY_H
#define LPROF_COLLECT_UNCERTAINTY_H

#include <stddef.h>
#include <stdint.h>

#include "collect/costs.h"
#include "collect/function_sums.h"
#include "wire.h"

struct uncertainty_input {
	const struct costs *costs;
	const volatile struct site *sites;
	const uint64_t *site_hits;
	uint32_t site_count;
	const volatile struct function *functions;
	const struct function_sums_all *sums;
	const struct line_counters *lines;
	uint32_t line_count;
	/* By function: for how much of the time that its calls' probes stood its lines' did. NULL:
	 * all of it. */
	const double *line_shares;
};

/* Errors in ns; 0: not calibrated, or nothing was subtracted. */
struct time_error {
	double total, self;
};

struct uncertainty {
	struct time_error *functions, *lines; /* by id */
};

/* 0 or -ENOMEM. */
int uncertainty_find(const struct uncertainty_input *input, struct uncertainty *ret_uncertainty);
void uncertainty_free(struct uncertainty *uncertainty);

#endif
