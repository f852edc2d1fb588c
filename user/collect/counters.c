// SPDX-License-Identifier: GPL-2.0-or-later
// Sizes, maps and sums the arrays that the timing programs share with user space.
#include "collect/counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collect/kernel_objects.h"

#define COUNTER_BYTES_WANTED (64u << 20) /* above, fewer shards are taken */
#define WINDOW_SIZE          (128u << 10)
#define EDGE_PLACES_MIN      64 /* of one shard */
#define SAMPLE_ALL           (1ull << 32)

/*
 * Histograms are most of what there is, and all of a mapping is resident memory: they are seen
 * through a window.
 */
struct histogram_window {
	void *memory;       /* NULL: closed */
	size_t first, size; /* in bytes of the map */
};

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

/* Few functions have few callers: places enough that one is always free. */
static uint32_t choose_edge_places(const struct counters *counters, uint32_t wanted)
{
	uint64_t functions = counters->function_count, ample = 4 * functions * (functions + 1);
	uint32_t places = EDGE_PLACES_MIN;

	if (!wanted)
		wanted = EDGES_MAX;
	wanted /= counters->shards;
	while (places < wanted && places < ample)
		places *= 2;
	return places;
}

void counters_size(struct counters *counters, const struct counters_capacity *capacity)
{
	counters->site_count = at_least_one(capacity->sites);
	counters->function_count = at_least_one(capacity->functions);
	counters->line_count = at_least_one(capacity->lines);
	counters->shards = choose_shards(counters, capacity->shards);
	counters->edge_places = choose_edge_places(counters, capacity->edges);
}

/* A map of `count` elements of `size` bytes, each in a place of a multiple of 8. */
static void *map_memory(struct counters *counters, int map, size_t size, size_t count)
{
	size_t bytes = ((size + 7) & ~(size_t)7) * count;
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	if (memory == MAP_FAILED)
		return NULL;
	counters->mappings[counters->mapping_count].memory = memory;
	counters->mappings[counters->mapping_count++].size = bytes;
	return memory;
}

#define MAP_ARRAY(name, map, count) \
	(counters->name = map_memory(counters, objects->maps[map], sizeof(*counters->name), count))

int counters_open(
    struct counters *counters, const struct kernel_objects *objects, struct failure *failure)
{
	size_t shards = kernel_map_entries(objects, MAP_shard_counters);

	shards = shards ? shards : 1;
	counters->shards = (uint32_t)shards;
	counters->site_count = kernel_map_entries(objects, MAP_sites);
	counters->function_count = kernel_map_entries(objects, MAP_functions);
	counters->line_count = kernel_map_entries(objects, MAP_line_counters) / (uint32_t)shards;
	counters->edge_places = kernel_map_entries(objects, MAP_edges) / (uint32_t)shards;
	counters->edges = objects->maps[MAP_edges];
	counters->histograms = objects->maps[MAP_histograms];
	counters->windows = calloc(shards, sizeof(*counters->windows));
	if (!counters->windows)
		return failure_set(failure, ENOMEM, "out of memory");
	if (!MAP_ARRAY(sites, MAP_sites, counters->site_count) ||
	    !MAP_ARRAY(functions, MAP_functions, counters->function_count) ||
	    !MAP_ARRAY(stands, MAP_stands, counters->function_count) ||
	    !MAP_ARRAY(site_hits, MAP_site_hits, shards * counters->site_count) ||
	    !MAP_ARRAY(
		function_counters, MAP_function_counters, shards * counters->function_count) ||
	    !MAP_ARRAY(line_counters, MAP_line_counters, shards * counters->line_count) ||
	    !MAP_ARRAY(shard_counters, MAP_shard_counters, shards))
		return failure_set(
		    failure, errno, "cannot map the kernel's counters: %s", strerror(errno));
	if (objects->programs[PROGRAM_off_cpu_switch] < 0)
		return 0;
	if (!MAP_ARRAY(off_cpu_lines, MAP_off_cpu_lines, shards * counters->line_count) ||
	    !MAP_ARRAY(off_cpu_functions, MAP_off_cpu_functions, shards * counters->function_count))
		return failure_set(
		    failure, errno, "cannot map the kernel's counters: %s", strerror(errno));
	return 0;
}

static void window_close(struct histogram_window *window)
{
	if (window->memory)
		munmap(window->memory, window->size);
	window->memory = NULL;
}

void counters_close(struct counters *counters)
{
	for (size_t i = 0; i < counters->mapping_count; i++)
		munmap(counters->mappings[i].memory, counters->mappings[i].size);
	counters->mapping_count = 0;
	for (size_t shard = 0; shard < counters->shards && counters->windows; shard++)
		window_close(&counters->windows[shard]);
	free(counters->windows);
	counters->windows = NULL;
}

volatile struct histogram_counters *counters_map_histogram(
    const struct counters *counters, size_t shard, uint32_t function)
{
	const size_t size = sizeof(struct histogram_counters);
	const size_t all = counters->shards * counters->function_count * size;
	const size_t at = (shard * counters->function_count + function) * size;
	struct histogram_window *window = &counters->windows[shard];

	if (!window->memory || at < window->first || at + size > window->first + window->size) {
		window_close(window);
		window->first = at & ~((size_t)sysconf(_SC_PAGESIZE) - 1);
		window->size =
		    all - window->first < WINDOW_SIZE ? all - window->first : WINDOW_SIZE;
		window->memory = mmap(NULL, window->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    counters->histograms, (off_t)window->first);
		if (window->memory == MAP_FAILED)
			window->memory = NULL;
	}
	if (!window->memory)
		return NULL;
	return (void *)((char *)window->memory + (at - window->first));
}

static size_t edges_size(const struct counters *counters)
{
	return (size_t)counters->shards * counters->edge_places * sizeof(struct edge);
}

volatile struct edge *counters_map_edges(const struct counters *counters)
{
	void *memory = mmap(
	    NULL, edges_size(counters), PROT_READ | PROT_WRITE, MAP_SHARED, counters->edges, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void counters_unmap_edges(const struct counters *counters, volatile struct edge *edges)
{
	if (edges)
		munmap((void *)(uintptr_t)edges, edges_size(counters));
}

uint64_t counters_threshold(double rate)
{
	return rate >= 1.0 ? SAMPLE_ALL : rate <= 0.0 ? 0 : (uint64_t)(rate * (double)SAMPLE_ALL);
}

uint64_t counters_site_hits(const struct counters *counters, uint32_t site)
{
	uint64_t sum = 0;

	for (size_t shard = 0; shard < counters->shards; shard++)
		sum += counters->site_hits[shard * counters->site_count + site];
	return sum;
}

static void sum_off_cpu(const struct counters *counters,
    const volatile struct off_cpu_counters *table, uint32_t stride, uint32_t id,
    struct off_cpu_counters *ret_sum)
{
	*ret_sum = (struct off_cpu_counters){0};
	for (uint32_t shard = 0; table && shard < counters->shards; shard++) {
		ret_sum->blocked_ns += table[shard * stride + id].blocked_ns;
		ret_sum->waiting_ns += table[shard * stride + id].waiting_ns;
	}
}

void counters_off_cpu_line(
    const struct counters *counters, uint32_t line, struct off_cpu_counters *ret_sum)
{
	sum_off_cpu(counters, counters->off_cpu_lines, counters->line_count, line, ret_sum);
}

void counters_off_cpu_function(
    const struct counters *counters, uint32_t function, struct off_cpu_counters *ret_sum)
{
	sum_off_cpu(
	    counters, counters->off_cpu_functions, counters->function_count, function, ret_sum);
}

void counters_line(const struct counters *counters, uint32_t line, struct line_counters *ret_sum)
{
	struct line_counters sum = {0};

	for (size_t shard = 0; shard < counters->shards; shard++) {
		const volatile struct line_counters *one =
		    &counters->line_counters[shard * counters->line_count + line];

		sum.total_ns += one->total_ns;
		sum.inner_ns += one->inner_ns;
		if (one->max_ns > sum.max_ns)
			sum.max_ns = one->max_ns;
	}
	*ret_sum = sum;
}

void counters_histogram(
    const struct counters *counters, uint32_t function, uint64_t ret_buckets[HISTOGRAM_BUCKETS])
{
	memset(ret_buckets, 0, HISTOGRAM_BUCKETS * sizeof(*ret_buckets));
	for (size_t shard = 0; shard < counters->shards; shard++) {
		const volatile struct histogram_counters *one =
		    counters_map_histogram(counters, shard, function);

		for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS && one; bucket++)
			ret_buckets[bucket] += one->buckets[bucket];
	}
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
		sum.off_cpu_ns += one->off_cpu_ns;
	}
	*ret_sum = sum;
}
