// SPDX-License-Identifier: GPL-2.0-or-later
// Takes what was counted out of a part's counters.
#include "collect/counters_reset.h"

#include <bpf/bpf.h>

static uint64_t take(volatile __u64 *counter)
{
	uint64_t value = __atomic_load_n(counter, __ATOMIC_RELAXED);

	__atomic_fetch_sub(counter, value, __ATOMIC_RELAXED);
	return value;
}

static void take_signed(volatile __s64 *counter)
{
	__atomic_fetch_sub(counter, __atomic_load_n(counter, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

/* entries = exits + open + unwound + untimed + lost, and closed = exits + unwound, before and
 * after. */
static void reset_function(volatile struct function_counters *counters)
{
	uint64_t ended = take(&counters->exits) + take(&counters->unwound);
	uint64_t rest = take(&counters->untimed) + take(&counters->lost);

	__atomic_fetch_sub(&counters->closed, ended, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&counters->opened, ended, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&counters->entries, ended + rest, __ATOMIC_RELAXED);
	(void)take(&counters->primitive);
	take_signed(&counters->total_ns);
	take_signed(&counters->self_ns);
	(void)take(&counters->raw_total_ns);
	counters->min_ns = 0;
	counters->max_ns = 0;
}

static void reset_histogram(volatile struct histogram_counters *histogram)
{
	for (size_t at = 0; at < HISTOGRAM_BUCKETS; at++)
		__atomic_fetch_sub(&histogram->buckets[at],
		    __atomic_load_n(&histogram->buckets[at], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

static void reset_line(volatile struct line_counters *line)
{
	take_signed(&line->total_ns);
	take_signed(&line->self_ns);
	(void)take(&line->stays);
	line->max_ns = 0;
}

static void reset_edges(const struct part *part, int edges)
{
	const uint32_t first = part->place.functions;
	struct edge_key key, next;
	bool more = bpf_map_get_next_key(edges, NULL, &next) == 0;

	while (more) {
		key = next;
		more = bpf_map_get_next_key(edges, &key, &next) == 0;
		if (key.callee >= first && key.callee - first < part->plan->functions.count)
			(void)bpf_map_delete_elem(edges, &key);
	}
}

void counters_reset(const struct counters *counters, const struct part *part, int edges)
{
	const struct plan *plan = part->plan;

	for (size_t shard = 0; shard < counters->shards; shard++) {
		size_t functions = shard * counters->function_count + part->place.functions;
		size_t sites = shard * counters->site_count + part->place.sites;
		size_t lines = shard * counters->line_count + part->place.lines;

		for (size_t at = 0; at < plan->functions.count; at++) {
			reset_function(&counters->function_counters[functions + at]);
			reset_histogram(&counters->histograms[functions + at]);
		}
		for (size_t at = 0; at < plan->sites.count; at++)
			(void)take(&counters->site_hits[sites + at]);
		for (size_t at = 0; at < plan->lines.count; at++)
			reset_line(&counters->line_counters[lines + at]);
	}
	reset_edges(part, edges);
}
