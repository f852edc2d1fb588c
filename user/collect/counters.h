/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables and counters of the timing programs, as memory shared with the kernel: read at any
 * time without a system call or a lock. Counters are spread over shards; a sum over them is the
 * value.
 */
#ifndef LPROF_COLLECT_COUNTERS_H
#define LPROF_COLLECT_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "target/plan.h"
#include "wire.h"

struct timing_bpf;

struct counters {
	uint32_t shards, site_count, function_count, line_count; /* at least 1 each */
	volatile struct site *sites;
	volatile struct function *functions;
	const volatile uint64_t *site_hits; /* [shard * site_count + site], likewise below */
	const volatile struct function_counters *function_counters;
	const volatile struct histogram_counters *histograms;
	const volatile struct line_counters *line_counters;
	const volatile struct shard_counters *shard_counters;
	struct {
		void *memory;
		size_t size;
	} mappings[7];
	size_t mapping_count;
};

/*
 * Sizes the maps of an opened, not yet loaded skeleton for a plan. `shards` 0: by the number of
 * CPUs, fewer if the counters would take too much memory.
 */
int counters_prepare(struct counters *counters, struct timing_bpf *skeleton,
    const struct plan *plan, uint32_t shards, uint32_t edges, struct failure *failure);

/* Maps the loaded skeleton's arrays into memory. */
int counters_open(
    struct counters *counters, const struct timing_bpf *skeleton, struct failure *failure);
void counters_close(struct counters *counters);

/* Writes the plan's sites and functions; no probe may stand yet. */
void counters_fill(const struct counters *counters, const struct plan *plan);

/* What BPF compares its draws with: `rate` of 2^32. */
uint64_t counters_threshold(double rate);

/* Sums over the shards. */
uint64_t counters_site_hits(const struct counters *counters, uint32_t site);
void counters_function(const struct counters *counters, uint32_t function,
    struct function_counters *ret_sum); /* min_ns and max_ns: the extremes */
void counters_line(const struct counters *counters, uint32_t line, struct line_counters *ret_sum);
void counters_histogram(
    const struct counters *counters, uint32_t function, uint64_t ret_buckets[HISTOGRAM_BUCKETS]);
void counters_shards(const struct counters *counters, struct shard_counters *ret_sum);

#endif
