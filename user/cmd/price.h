/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What probes would cost a running program: they are attached for a moment, under a budget that
 * takes them away where they cost much, and what they cost then is said for each function.
 */
#ifndef LPROF_CMD_PRICE_H
#define LPROF_CMD_PRICE_H

#include "cmd/options.h"

/* Measures and prints, dearest first, or as JSON. `options` names processes. An exit status. */
int price(const struct measure_options *options);

#endif
