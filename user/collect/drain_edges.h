/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of callers: which function called which how often, from the kernel's hash map. */
#ifndef LPROF_COLLECT_DRAIN_EDGES_H
#define LPROF_COLLECT_DRAIN_EDGES_H

#include <stdint.h>

#include "model/profile.h"

/* Adds the callers to the profile's functions, sorted by caller. 0 or -errno. */
int drain_edges(int map, uint32_t capacity, struct profile *profile);

#endif
