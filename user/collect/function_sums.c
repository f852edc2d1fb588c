// SPDX-License-Identifier: GPL-2.0-or-later
// Derives what was counted of each function from the counters that the kernel has.
#include "collect/function_sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const volatile struct function_counters *counters_of(
    const struct counters *counters, size_t shard, size_t function)
{
	return &counters->function_counters[shard * counters->function_count + function];
}

static size_t count_used(const volatile struct edge *edges, size_t places)
{
	size_t used = 0;

	for (size_t at = 0; at < places; at++)
		used += edges[at].key != 0;
	return used;
}

static int copy_edges(
    const volatile struct edge *edges, size_t places, struct function_sums_all *sums)
{
	const size_t used = count_used(edges, places);

	sums->edges = calloc(used + 1, sizeof(*sums->edges));
	if (!sums->edges)
		return -ENOMEM;
	for (size_t at = 0; at < places && sums->edge_count < used; at++)
		if (edges[at].key)
			sums->edges[sums->edge_count++] = (struct edge){
			    .key = edges[at].key,
			    .counters = {edges[at].counters.calls, edges[at].counters.nested,
				edges[at].counters.total_ns, edges[at].counters.inner_ns},
			};
	return 0;
}

static int read_edges(const struct counters *counters, struct function_sums_all *sums)
{
	volatile struct edge *edges = counters_map_edges(counters);
	int error = edges
			? copy_edges(edges, (size_t)counters->shards * counters->edge_places, sums)
			: -errno;

	counters_unmap_edges(counters, edges);
	return error;
}

static void add_ended(struct function_sums *sum, uint64_t calls, int64_t total_ns, int64_t inner_ns)
{
	sum->closed += calls;
	sum->total_ns += total_ns;
	sum->self_ns += total_ns - inner_ns;
}

static void add_edges(const struct function_sums_all *sums)
{
	for (size_t at = 0; at < sums->edge_count; at++) {
		const struct edge *edge = &sums->edges[at];
		const uint32_t callee = EDGE_CALLEE(edge->key);

		if (callee < sums->function_count)
			add_ended(&sums->functions[callee], edge->counters.calls,
			    edge->counters.total_ns, edge->counters.inner_ns);
	}
}

static void add_sites(
    const struct counters *counters, uint32_t sites, struct function_sums_all *sums)
{
	for (uint32_t at = 0; at < sites; at++) {
		const volatile struct site *site = &counters->sites[at];
		const uint64_t hits = counters_site_hits(counters, at);

		if (site->cost < COST_CLASSES)
			sums->hits[site->cost] += hits;
		if (SITE_COUNTS_ENTRIES(site->roles) && site->function < sums->function_count)
			sums->functions[site->function].entries += hits;
	}
}

static void add_counters(struct function_sums *sum, const volatile struct function_counters *one)
{
	const uint64_t shortest = one->min_ns; /* plus one */

	sum->untimed += one->untimed;
	sum->lost += one->lost;
	sum->entries += one->entries;
	sum->primitive += one->nested; /* until derived */
	sum->raw_total_ns += one->raw_total_ns;
	if (shortest && (!sum->min_ns || shortest < sum->min_ns))
		sum->min_ns = shortest;
	if (one->max_ns > sum->max_ns)
		sum->max_ns = one->max_ns;
}

static void derive(struct function_sums *sum)
{
	const uint64_t nested = sum->primitive;

	sum->opened = sum->entries - sum->untimed - sum->lost;
	sum->open = sum->opened - sum->closed;
	sum->exits = sum->closed - sum->unwound;
	sum->primitive = sum->opened - nested;
	if (sum->min_ns)
		sum->min_ns--;
}

/*
 * The target goes on meanwhile, and counts an entry first, then its end, then that it was unwound.
 * Read the other way round, none of what is derived falls below zero.
 */
int function_sums_read(const struct counters *counters, uint32_t function_count, uint32_t sites,
    struct function_sums_all *ret_sums)
{
	struct function_sums *functions = calloc(function_count + 1, sizeof(*functions));
	int error;

	*ret_sums = (struct function_sums_all){
	    .functions = functions,
	    .function_count = function_count,
	};
	if (!functions)
		return -ENOMEM;
	for (size_t shard = 0; shard < counters->shards; shard++)
		for (size_t at = 0; at < function_count; at++)
			functions[at].unwound += counters_of(counters, shard, at)->unwound;
	for (size_t shard = 0; shard < counters->shards; shard++)
		for (size_t at = 0; at < function_count; at++) {
			const volatile struct edge_counters *unplaced =
			    &counters_of(counters, shard, at)->unplaced;

			add_ended(&functions[at], unplaced->calls, unplaced->total_ns,
			    unplaced->inner_ns);
		}
	error = read_edges(counters, ret_sums);
	if (error) {
		function_sums_free(ret_sums);
		return error;
	}
	add_edges(ret_sums);
	for (size_t shard = 0; shard < counters->shards; shard++)
		for (size_t at = 0; at < function_count; at++)
			add_counters(&functions[at], counters_of(counters, shard, at));
	add_sites(counters, sites, ret_sums);
	for (size_t at = 0; at < function_count; at++) {
		derive(&functions[at]);
		if (FUNCTION_COUNTS_RETURNS(counters->functions[at].flags))
			ret_sums->hits[COST_RETURN] += functions[at].exits;
	}
	return 0;
}

void function_sums_hits(
    const struct counters *counters, uint32_t sites, uint64_t ret_hits[COST_CLASSES])
{
	struct shard_counters rest;

	counters_shards(counters, &rest);
	memcpy(ret_hits, rest.hits, sizeof(rest.hits));
	for (uint32_t at = 0; at < sites; at++) {
		const volatile struct site *site = &counters->sites[at];
		const uint64_t hits = counters_site_hits(counters, at);

		if (site->cost < COST_CLASSES)
			ret_hits[site->cost] += hits;
		if (site->roles & SITE_RETURN && site->function < counters->function_count &&
		    FUNCTION_COUNTS_RETURNS(counters->functions[site->function].flags))
			ret_hits[COST_RETURN] += hits;
	}
}

void function_sums_free(struct function_sums_all *sums)
{
	free(sums->functions);
	free(sums->edges);
	*sums = (struct function_sums_all){0};
}
