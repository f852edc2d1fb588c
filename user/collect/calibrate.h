/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a hit costs on this machine, measured by the very programs that will run, on code of lprof's
 * own. The costs are what the engine subtracts from times, and what reports say of overhead.
 *
 * How. Line sites stand one after the other in code that takes no time, so each stay from one
 * clock reading to the next is nothing but cost: what comes after the reading of the first hit,
 * and before the reading of the second. With L an emulated line site and X a site of another
 * class, three stays tell all:
 *	L -> L	after(L) + before(L)	the whole cost of a hit of L
 *	L -> X	after(L) + before(X)
 *	X -> L	after(X) + before(L)
 * A single-stepped hit also makes the next hits dearer (in a virtual machine it leaves for the
 * hypervisor). So what is emulated only has a loop of its own, as it is in a program without
 *stepped sites; and what a stepped site does to the hit behind it counts as the stepped one's.
 *
 * How L's own cost splits into before and after cannot be seen, and need not be: every time that
 * is measured begins and ends at a reading, so that what is added to all `before`s and taken from
 * all `after`s cancels. It is split in halves.
 *
 * Stays are taken by their medians, which a neighbour's turn on the CPU does not move. But the
 * timer's interrupts fall into hits as they do into all time, by 1 to 3% on a virtual machine.
 * Costs are raised by as much as all stays together took longer than their medians.
 */
#ifndef LPROF_COLLECT_CALIBRATE_H
#define LPROF_COLLECT_CALIBRATE_H

#include "collect/costs.h"
#include "collect/engine.h"

/*
 * The costs of hits attached by `method`, measured now (some 30 ms): a machine, a virtual one above
 * all, is faster at one time than at another. Where that fails, the last ones of this boot; where
 * there are none, all are zero and `known` is false: times stay uncorrected.
 */
void calibrate_costs(enum attach_method method, struct costs *ret_costs);

/*
 * Measures costs that were in use once more, at the end: where they have changed since, their
 * spread is at least that change. As they were, if that cannot be.
 */
void calibrate_again(enum attach_method method, struct costs *costs);

/* As calibrate_costs(), but the last ones of this boot will do: for prices, not for correction. */
void calibrate_price(enum attach_method method, struct costs *ret_costs);

#endif
