// SPDX-License-Identifier: GPL-2.0-or-later
// Owns the arithmetic of a hit's cost: its sum, how far it may be off, what cannot be one.
#include "collect/costs.h"

#define COST_MIN_NS   20 /* a hit outside these bounds was not measured rightly */
#define COST_MAX_NS   1000000
/*
 * Where errors were normal, 95% of them would be within 1.45 times what the middle half spans.
 *
 * Two more are measured. Calibrated one second and the next, a stepped hit differs by 2 to 3% (the
 * deviation) on a virtual machine that others share; 95% are within twice that. And an emulated hit
 * of 550 ns costs 20 to 60 ns less where 100 ns of work lie between it and the one before, so that
 * they run side by side, and 50 to 250 ns more where other work has the caches.
 */
#define SPREADS       1.45
#define DRIFT_SHARE   0.05
#define CONTEXT_NS    100
/* And a stepped hit of 14 us costs 2 to 5 us more where microseconds of work lie before it. */
#define STEPPED_SHARE 0.15

uint64_t costs_ns(const struct costs *costs, enum cost_class class)
{
	return costs->before_ns[class] + costs->after_ns[class];
}

static bool is_stepped(enum cost_class class)
{
	return class == COST_STEPPED || class == COST_ENTRY_STEPPED ||
	       class == COST_BARE_ENTRY_STEPPED || class == COST_EXIT_STEPPED;
}

uint64_t costs_error_ns(const struct costs *costs, enum cost_class class)
{
	const double all = (double)costs_ns(costs, class);
	const double share = DRIFT_SHARE + (is_stepped(class) ? STEPPED_SHARE : 0);

	if (all <= 0)
		return 0;
	return (uint64_t)(SPREADS * (double)costs->spread_ns[class] + share * all) + CONTEXT_NS;
}

bool costs_plausible(const struct costs *costs)
{
	for (int class = 0; class < COST_CLASSES; class ++)
		if (costs->before_ns[class] > COST_MAX_NS || costs->after_ns[class] > COST_MAX_NS ||
		    costs->spread_ns[class] > COST_MAX_NS || costs_ns(costs, class) < COST_MIN_NS)
			return false;
	return costs->known;
}
