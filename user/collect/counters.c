// SPDX-License-Identifier: GPL-2.0-or-later
// Sizes, maps, fills and sums the arrays that the timing programs share with user space.
#include "collect/counters.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "timing.skel.h"

#define COUNTER_BYTES_WANTED (64u << 20) /* above, fewer shards are taken */
#define SAMPLE_ALL           (1ull << 32)

static uint32_t at_least_one(size_t count)
{
	return count ? (uint32_t)count : 1;
}

static uint32_t choose_shards(const struct counters *counters, uint32_t wanted)
{
	size_t bytes = counters->site_count * sizeof(uint64_t) +
		       counters->function_count *
			   (sizeof(struct function_counters) + sizeof(struct histogram_counters)) +
		       counters->line_count * sizeof(struct line_counters);
	long processors = sysconf(_SC_NPROCESSORS_CONF);
	uint32_t shards = 1;

	if (!wanted)
		wanted = processors > 0 ? (uint32_t)processors : 1;
	while (shards < wanted && shards < SHARDS_MAX)
		shards *= 2;
	while (shards > 1 && shards * bytes > COUNTER_BYTES_WANTED)
		shards /= 2;
	return shards;
}

int counters_prepare(struct counters *counters, struct timing_bpf *skeleton,
    const struct plan *plan, uint32_t shards, uint32_t edges, struct failure *failure)
{
	counters->site_count = at_least_one(plan->sites.count);
	counters->function_count = at_least_one(plan->functions.count);
	counters->line_count = at_least_one(plan->lines.count);
	counters->shards = choose_shards(counters, shards);

	const struct {
		struct bpf_map *map;
		uint64_t entries;
	} sizes[] = {
	    {skeleton->maps.sites, counters->site_count},
	    {skeleton->maps.functions, counters->function_count},
	    {skeleton->maps.site_hits, (uint64_t)counters->shards * counters->site_count},
	    {skeleton->maps.function_counters,
		(uint64_t)counters->shards * counters->function_count},
	    {skeleton->maps.histograms, (uint64_t)counters->shards * counters->function_count},
	    {skeleton->maps.line_counters, (uint64_t)counters->shards * counters->line_count},
	    {skeleton->maps.shard_counters, counters->shards},
	    {skeleton->maps.edges, edges ? edges : EDGES_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (sizes[i].entries > INT32_MAX)
			return failure_set(failure, E2BIG,
			    "%zu probes in %zu functions are more than the kernel's tables hold: "
			    "measure fewer functions",
			    plan->sites.count, plan->functions.count);
		bpf_map__set_max_entries(sizes[i].map, (uint32_t)sizes[i].entries);
	}
	return 0;
}

static size_t mapping_size(const struct bpf_map *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t element = (bpf_map__value_size(map) + 7u) & ~(size_t)7;

	return (element * bpf_map__max_entries(map) + page - 1) / page * page;
}

static void *map_memory(struct counters *counters, const struct bpf_map *map, int protection)
{
	size_t size = mapping_size(map);
	void *memory = mmap(NULL, size, protection, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		return NULL;
	counters->mappings[counters->mapping_count].memory = memory;
	counters->mappings[counters->mapping_count++].size = size;
	return memory;
}

int counters_open(
    struct counters *counters, const struct timing_bpf *skeleton, struct failure *failure)
{
	const int write = PROT_READ | PROT_WRITE;

	counters->sites = map_memory(counters, skeleton->maps.sites, write);
	counters->functions = map_memory(counters, skeleton->maps.functions, write);
	counters->site_hits = map_memory(counters, skeleton->maps.site_hits, PROT_READ);
	counters->function_counters =
	    map_memory(counters, skeleton->maps.function_counters, PROT_READ);
	counters->histograms = map_memory(counters, skeleton->maps.histograms, PROT_READ);
	counters->line_counters = map_memory(counters, skeleton->maps.line_counters, PROT_READ);
	counters->shard_counters = map_memory(counters, skeleton->maps.shard_counters, PROT_READ);
	if (counters->mapping_count != ARRAY_SIZE(counters->mappings))
		return failure_set(
		    failure, errno, "cannot map the kernel's counters: %s", strerror(errno));
	return 0;
}

void counters_close(struct counters *counters)
{
	for (size_t i = 0; i < counters->mapping_count; i++)
		munmap(counters->mappings[i].memory, counters->mappings[i].size);
	counters->mapping_count = 0;
}

uint64_t counters_threshold(double rate)
{
	return rate >= 1.0 ? SAMPLE_ALL : rate <= 0.0 ? 0 : (uint64_t)(rate * (double)SAMPLE_ALL);
}

/*
 * Entries read the clock where lines do not, and a ret costs what other instructions do not:
 * classes that matter to the correction, not to the plan.
 */
static uint8_t cost_class(const struct plan_site *planned)
{
	if (planned->cost == COST_STEPPED && planned->roles & SITE_EXIT)
		return COST_EXIT_STEPPED;
	if (!(planned->roles & SITE_ENTRY) || planned->roles & SITE_RETURN)
		return planned->cost;
	return planned->cost == COST_EMULATED ? COST_BARE_ENTRY_EMULATED : COST_BARE_ENTRY_STEPPED;
}

static void fill_site(volatile struct site *site, const struct plan_site *planned)
{
	site->function = planned->function;
	site->host = planned->host;
	site->roles = planned->roles;
	site->cost = cost_class(planned);
	site->charge_count = planned->charge_count;
	site->stack_offset = planned->stack_offset;
	for (size_t i = 0; i < CHARGES_MAX; i++) {
		site->charges[i].line = planned->charges[i].line;
		site->charges[i].function = planned->charges[i].function;
	}
}

void counters_fill(const struct counters *counters, const struct plan *plan)
{
	for (size_t i = 0; i < plan->sites.count; i++)
		fill_site(&counters->sites[i], &plan->sites.items[i]);
	for (size_t i = 0; i < plan->functions.count; i++) {
		const struct plan_function *planned = &plan->functions.items[i];
		volatile struct function *function = &counters->functions[i];

		function->threshold = counters_threshold(planned->rate);
		function->flags = (planned->lines ? FUNCTION_LINES : 0) |
				  (planned->exit == PLAN_EXIT_RETURN ? FUNCTION_RETURNS : 0);
		function->entry_line = planned->entry_line;
	}
}

uint64_t counters_site_hits(const struct counters *counters, uint32_t site)
{
	uint64_t sum = 0;

	for (size_t shard = 0; shard < counters->shards; shard++)
		sum += counters->site_hits[shard * counters->site_count + site];
	return sum;
}

void counters_function(
    const struct counters *counters, uint32_t function, struct function_counters *ret_sum)
{
	struct function_counters sum = {0};

	for (size_t shard = 0; shard < counters->shards; shard++) {
		const volatile struct function_counters *one =
		    &counters->function_counters[shard * counters->function_count + function];
		uint64_t shortest = one->min_ns;

		sum.entries += one->entries;
		sum.exits += one->exits;
		sum.opened += one->opened;
		sum.closed += one->closed;
		sum.unwound += one->unwound;
		sum.untimed += one->untimed;
		sum.lost += one->lost;
		sum.primitive += one->primitive;
		sum.total_ns += one->total_ns;
		sum.self_ns += one->self_ns;
		sum.raw_total_ns += one->raw_total_ns;
		if (shortest && (!sum.min_ns || shortest < sum.min_ns))
			sum.min_ns = shortest;
		if (one->max_ns > sum.max_ns)
			sum.max_ns = one->max_ns;
	}
	if (sum.min_ns)
		sum.min_ns--; /* stored plus one */
	*ret_sum = sum;
}

void counters_line(const struct counters *counters, uint32_t line, struct line_counters *ret_sum)
{
	struct line_counters sum = {0};

	for (size_t shard = 0; shard < counters->shards; shard++) {
		const volatile struct line_counters *one =
		    &counters->line_counters[shard * counters->line_count + line];

		sum.total_ns += one->total_ns;
		sum.self_ns += one->self_ns;
		sum.stays += one->stays;
		if (one->max_ns > sum.max_ns)
			sum.max_ns = one->max_ns;
	}
	*ret_sum = sum;
}

void counters_histogram(
    const struct counters *counters, uint32_t function, uint64_t ret_buckets[HISTOGRAM_BUCKETS])
{
	memset(ret_buckets, 0, HISTOGRAM_BUCKETS * sizeof(*ret_buckets));
	for (size_t shard = 0; shard < counters->shards; shard++)
		for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
			ret_buckets[bucket] +=
			    counters->histograms[shard * counters->function_count + function]
				.buckets[bucket];
}

void counters_shards(const struct counters *counters, struct shard_counters *ret_sum)
{
	struct shard_counters sum = {0};

	for (size_t shard = 0; shard < counters->shards; shard++) {
		const volatile struct shard_counters *one = &counters->shard_counters[shard];

		for (size_t i = 0; i < COST_CLASSES; i++)
			sum.hits[i] += one->hits[i];
		for (size_t i = 0; i < LOSS_COUNT; i++)
			sum.losses[i] += one->losses[i];
		sum.bystander_hits += one->bystander_hits;
	}
	*ret_sum = sum;
}
