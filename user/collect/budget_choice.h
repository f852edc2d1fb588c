/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chooses how much of each function a budget pays for: pure arithmetic on loads.
 *
 * The cheapest functions stay whole. Of the dear ones, as far as the budget goes: lines go into
 * slices of time, so that calls stay exact; fewer calls are timed, so that they stay exact too; or
 * the whole function goes into slices, which get what is left of the budget.
 */
#ifndef LPROF_COLLECT_BUDGET_CHOICE_H
#define LPROF_COLLECT_BUDGET_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "collect/steps.h"

/* What a function's probes cost while all of all functions stand, as shares of one CPU. */
struct budget_load {
	double entries; /* of all calls */
	double returns; /* of timed calls, what is saved by timing fewer; 0: nothing can be */
	double lines;
};

/*
 * For `count` functions and a budget of `share` of one CPU. `fewer` false: timing fewer calls did
 * not help before. Writes `count` choices. -ENOMEM, or 0.
 */
int budget_choose(const struct budget_load *loads, size_t count, double share, bool fewer,
    struct part_choice *ret_choices);

#endif
