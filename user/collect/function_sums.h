/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was counted of each function, over all shards, sites and callers: BPF counts as little as it
 * can, and the rest follows from that (wire.h).
 */
#ifndef LPROF_COLLECT_FUNCTION_SUMS_H
#define LPROF_COLLECT_FUNCTION_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "collect/counters.h"

/* entries = exits + open + unwound + untimed + lost, and exits + unwound = closed. */
struct function_sums {
	uint64_t entries, exits, open, unwound, untimed, lost;
	uint64_t closed;
	uint64_t primitive;
	uint64_t opened;           /* closed + open */
	int64_t total_ns, self_ns; /* can be negative by the calibration's error */
	uint64_t raw_total_ns;
	uint64_t min_ns, max_ns;
};

struct function_sums_all {
	struct function_sums *functions; /* by the kernel's ids */
	size_t function_count;
	struct edge *edges; /* those in use, in no order; several may have one key */
	size_t edge_count;
	uint64_t hits[COST_CLASSES]; /* of all sites, whoever's */
};

/* Of the first ids, those in use: the tables' rest is never touched. 0 or -errno. */
int function_sums_read(const struct counters *counters, uint32_t function_count, uint32_t sites,
    struct function_sums_all *ret_sums);

/* All hits by class; returns that are still awaited are among them. */
void function_sums_hits(
    const struct counters *counters, uint32_t sites, uint64_t ret_hits[COST_CLASSES]);

void function_sums_free(struct function_sums_all *sums);

#endif
