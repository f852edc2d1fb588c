/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters from zero again, while hits go on. */
#ifndef LPROF_COLLECT_COUNTERS_RESET_H
#define LPROF_COLLECT_COUNTERS_RESET_H

#include "collect/counters.h"
#include "collect/part.h"

/*
 * What was counted is taken from each counter by an atomic subtraction, so that a hit on its way is
 * counted once, before or after. Calls that run now were entered in the new time: the account of
 * entries and ends stays even. Extremes are set back without that care.
 */
void counters_reset(const struct counters *counters, const struct part *part);

#endif
