// SPDX-License-Identifier: GPL-2.0-or-later
// Takes what was counted out of a part's counters.
#include "collect/counters_reset.h"

#include <time.h>

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

static void give(volatile __u64 *counter, uint64_t more)
{
	__atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

/* Hits stay in the sum by class when what they were counted as is taken. */
static void keep_returns(const struct counters *counters, uint32_t function, uint64_t exits)
{
	if (FUNCTION_COUNTS_RETURNS(counters->functions[function].flags))
		give(&counters->shard_counters->hits[COST_RETURN], exits);
}

/* What has ended leaves the function's account; what has not stays entered (wire.h). */
static void reset_ended(
    const struct counters *counters, uint32_t function, volatile struct edge_counters *ended)
{
	volatile struct function_counters *first = &counters->function_counters[function];
	const uint64_t calls = take(&ended->calls);

	keep_returns(counters, function, calls);
	give(&first->entries, -calls);
	give(&first->nested, -take(&ended->nested));
	take_signed(&ended->total_ns);
	take_signed(&ended->inner_ns);
}

static void reset_edges(const struct counters *counters, const struct part *part)
{
	const size_t places = (size_t)counters->shards * counters->edge_places;
	const uint32_t first = part->place.functions;
	volatile struct edge *edges = counters_map_edges(counters);

	for (size_t at = 0; at < places && edges; at++) {
		volatile struct edge *edge = &edges[at];
		const uint32_t function = EDGE_CALLEE(edge->key);

		if (edge->key && function >= first &&
		    function - first < part->plan->functions.count)
			reset_ended(counters, function, &edge->counters);
	}
	counters_unmap_edges(counters, edges);
}

static void reset_histogram(volatile struct histogram_counters *histogram)
{
	for (size_t at = 0; at < HISTOGRAM_BUCKETS && histogram; at++)
		__atomic_fetch_sub(&histogram->buckets[at],
		    __atomic_load_n(&histogram->buckets[at], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

static void reset_function(const struct counters *counters, size_t shard, uint32_t function)
{
	volatile struct function_counters *one =
	    &counters->function_counters[shard * counters->function_count + function];

	reset_ended(counters, function, &one->unplaced);
	keep_returns(counters, function, -take(&one->unwound));
	give(&one->entries, -(take(&one->untimed) + take(&one->lost)));
	(void)take(&one->raw_total_ns);
	one->min_ns = 0;
	one->max_ns = 0;
}

static void reset_off_cpu(volatile struct off_cpu_counters *counters)
{
	(void)take(&counters->blocked_ns);
	(void)take(&counters->waiting_ns);
}

static void reset_line(volatile struct line_counters *line)
{
	take_signed(&line->total_ns);
	take_signed(&line->inner_ns);
	line->max_ns = 0;
}

/* The entries among the hits stay in the function's account. */
static void reset_site(const struct counters *counters, size_t shard, uint32_t id)
{
	const volatile struct site *site = &counters->sites[id];
	const uint64_t hits = take(&counters->site_hits[shard * counters->site_count + id]);

	if (site->cost < COST_CLASSES)
		give(&counters->shard_counters[shard].hits[site->cost], hits);
	if (SITE_COUNTS_ENTRIES(site->roles) && site->function < counters->function_count)
		give(&counters->function_counters[shard * counters->function_count + site->function]
			  .entries,
		    hits);
}

static void reset_stand(volatile struct stand *stand, uint64_t now)
{
	stand->stood_ns = stand->away_ns = 0;
	if (stand->turned_ns)
		stand->turned_ns = now;
}

static void reset_stands(const struct counters *counters, const struct part *part)
{
	struct timespec time;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &time);
	now = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
	for (uint32_t at = 0; at < part->plan->functions.count; at++) {
		volatile struct function_stands *stands =
		    &counters->stands[part->place.functions + at];

		reset_stand(&stands->calls, now);
		reset_stand(&stands->lines, now);
	}
}

void counters_reset(const struct counters *counters, const struct part *part)
{
	const struct plan *plan = part->plan;

	reset_stands(counters, part);
	reset_edges(counters, part);
	for (size_t shard = 0; shard < counters->shards; shard++) {
		size_t lines = shard * counters->line_count + part->place.lines;
		size_t functions = shard * counters->function_count + part->place.functions;

		for (uint32_t at = 0; at < plan->functions.count && part->off_cpu; at++)
			reset_off_cpu(&counters->off_cpu_functions[functions + at]);
		for (uint32_t at = 0; at < plan->lines.count && part->off_cpu; at++)
			reset_off_cpu(&counters->off_cpu_lines[lines + at]);
		for (uint32_t at = 0; at < plan->functions.count; at++) {
			reset_function(counters, shard, part->place.functions + at);
			reset_histogram(
			    counters_map_histogram(counters, shard, part->place.functions + at));
		}
		for (uint32_t at = 0; at < plan->sites.count; at++)
			reset_site(counters, shard, part->place.sites + at);
		for (size_t at = 0; at < plan->lines.count; at++)
			reset_line(&counters->line_counters[lines + at]);
	}
}
