// SPDX-License-Identifier: GPL-2.0-or-later
// Owns the arithmetic of a hit's cost: its sum, how far it may be off, what cannot be one.
#include "collect/costs.h"

#define COST_MIN_NS 20 /* a hit outside these bounds was not measured rightly */
#define COST_MAX_NS 1000000
/*
 * Both measured. Calibrated one second and the next, a stepped hit differs by 2% (the deviation) on
 * a virtual machine that others share. And an emulated hit of 550 ns costs 20 to 60 ns less where
 * 100 ns of work lie between it and the one before, so that they run side by side, and 50 to 250 ns
 * more where other work has the caches.
 */
#define DRIFT_SHARE 0.03
#define CONTEXT_NS  100

uint64_t costs_ns(const struct costs *costs, enum cost_class class)
{
	return costs->before_ns[class] + costs->after_ns[class];
}

uint64_t costs_error_ns(const struct costs *costs, enum cost_class class)
{
	const uint64_t all = costs_ns(costs, class);

	return all ? costs->spread_ns[class] + (uint64_t)(DRIFT_SHARE * (double)all) + CONTEXT_NS
		   : 0;
}

bool costs_plausible(const struct costs *costs)
{
	for (int class = 0; class < COST_CLASSES; class ++)
		if (costs->before_ns[class] > COST_MAX_NS || costs->after_ns[class] > COST_MAX_NS ||
		    costs->spread_ns[class] > COST_MAX_NS || costs_ns(costs, class) < COST_MIN_NS)
			return false;
	return costs->known;
}
