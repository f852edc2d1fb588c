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
};

/* Within what any machine can need for a hit. */
bool costs_plausible(const struct costs *costs);

#endif
