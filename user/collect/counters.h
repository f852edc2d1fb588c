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

struct kernel_objects;

struct counters {
	uint32_t shards, site_count, function_count, line_count; /* at least 1 each */
	uint32_t edge_places;                                    /* of one shard: a power of two */
	volatile struct site *sites;
	volatile struct function *functions;
	volatile struct function_stands *stands; /* by function */
	volatile __u64 *site_hits;               /* [shard * site_count + site], likewise below */
	volatile struct function_counters *function_counters;
	volatile struct line_counters *line_counters;
	volatile struct shard_counters *shard_counters;
	/* NULL: not followed */
	volatile struct off_cpu_counters *off_cpu_lines, *off_cpu_functions;
	int edges; /* descriptor of the table of callers */
	int histograms;
	struct histogram_window *windows; /* into them, one for each shard */
	struct {
		void *memory;
		size_t size;
	} mappings[12];
	size_t mapping_count;
};

/* What the tables have room for; a load cannot change it. */
struct counters_capacity {
	size_t functions, sites, lines;
	uint32_t shards; /* 0: by the number of CPUs, fewer if counters would take much memory */
	uint32_t edges;  /* in all shards together, 0: EDGES_MAX, or fewer if that is ample */
};

/* Chooses the sizes of tables that are to be loaded. */
void counters_size(struct counters *counters, const struct counters_capacity *capacity);

/* Maps the arrays into memory, and takes their sizes from them. */
int counters_open(
    struct counters *counters, const struct kernel_objects *objects, struct failure *failure);
void counters_close(struct counters *counters);

/*
 * The table of callers, [shard * edge_places + place], for as long as it is read: all of a mapping
 * is resident memory, used or not. NULL with errno set: it could not be mapped.
 */
volatile struct edge *counters_map_edges(const struct counters *counters);
void counters_unmap_edges(const struct counters *counters, volatile struct edge *edges);

/* What BPF compares its draws with: `rate` of 2^32. */
uint64_t counters_threshold(double rate);

/* Sums over the shards. */
uint64_t counters_site_hits(const struct counters *counters, uint32_t site);
void counters_off_cpu_line(
    const struct counters *counters, uint32_t line, struct off_cpu_counters *ret_sum);
void counters_off_cpu_function(
    const struct counters *counters, uint32_t function, struct off_cpu_counters *ret_sum);
void counters_line(const struct counters *counters, uint32_t line, struct line_counters *ret_sum);
/* A function's, in one shard, until another is asked for; NULL: it could not be mapped. */
volatile struct histogram_counters *counters_map_histogram(
    const struct counters *counters, size_t shard, uint32_t function);
void counters_histogram(
    const struct counters *counters, uint32_t function, uint64_t ret_buckets[HISTOGRAM_BUCKETS]);
void counters_shards(const struct counters *counters, struct shard_counters *ret_sum);

#endif
