/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who called whom, as callgrind's format wants it: calls at lines, whose costs add up to the
 * callee's inclusive ones.
 */
#ifndef LPROF_OUTPUT_CALLGRIND_CALLS_H
#define LPROF_OUTPUT_CALLGRIND_CALLS_H

#include "model/profile.h"

/* Calls of one function from one line of another. */
struct callgrind_call {
	uint32_t caller, callee; /* PROFILE_NO_FUNCTION: from outside of all measured functions */
	uint32_t line;           /* of the caller's own file */
	uint64_t calls;          /* never 0 */
	int64_t total_ns;
	uint64_t samples;
};

/* Ordered by caller, those from outside last. Zero to start with. */
struct callgrind_calls {
	ARRAY(struct callgrind_call) list;
};

/*
 * Exact calls, by the profile's edges. A function's time is the sum of its lines where these were
 * measured, which differs from that of its calls by what calibration leaves: that goes to the
 * caller with most calls, so that calls add up to the function. 0 or -ENOMEM.
 */
int callgrind_calls_count(const struct profile *profile, struct callgrind_calls *calls);

/*
 * Calls seen in sampled stacks: `calls` is the number of samples in which they were. In recursion
 * only the outermost call of a function has costs. 0 or -ENOMEM.
 */
int callgrind_calls_sample(const struct profile *profile, struct callgrind_calls *calls);

void callgrind_calls_fini(struct callgrind_calls *calls);

#endif
