/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Costs of probes kept from one lprof to the next, so that prices are at hand: in
 * /var/cache/lprof for root, else $XDG_CACHE_HOME or ~/.cache. They hold for an hour of one boot.
 */
#ifndef LPROF_COLLECT_CALIBRATION_CACHE_H
#define LPROF_COLLECT_CALIBRATION_CACHE_H

#include "collect/costs.h"
#include "collect/engine.h"

/* 0, or -errno: none that holds. What it gives is well-formed, not yet plausible. */
int calibration_cache_load(enum attach_method method, struct costs *ret_costs);

/* Keeps costs; where that is not possible nothing happens. */
void calibration_cache_store(enum attach_method method, const struct costs *costs);

#endif
