/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hit costs the thread that takes it, by class. */
#ifndef LPROF_COLLECT_COSTS_H
#define LPROF_COLLECT_COSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

struct costs {
	bool known;                       /* false: not calibrated, all zero */
	uint64_t before_ns[COST_CLASSES]; /* from the trap to the program's clock reading */
	uint64_t after_ns[COST_CLASSES];  /* from there until the thread runs on */
	/* How far the middle half of the measurements of a hit, before and after, lies apart. */
	uint64_t spread_ns[COST_CLASSES];
	/* An entry on an emulated instruction in a call tree that is not timed, all of it: sessions
	 * leave its return out. */
	uint64_t skipped_ns, skipped_spread_ns;
};

/* A whole hit. */
uint64_t costs_ns(const struct costs *costs, enum cost_class class);

/*
 * How far that may lie from what a hit costs a target: the spread, that the machine drifts, and
 * that the code around makes a difference. 0: not calibrated.
 */
uint64_t costs_error_ns(const struct costs *costs, enum cost_class class);

/* Within what any machine can need for a hit. */
bool costs_plausible(const struct costs *costs);

#endif
