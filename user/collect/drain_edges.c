// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the kernel's table of callers in one system call and sums it over the shards.
#include "collect/drain_edges.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "wire.h"

struct edge {
	struct edge_key key;
	struct edge_counters counters;
};

static int compare_edges(const void *a, const void *b)
{
	const struct edge_key *one = &((const struct edge *)a)->key;
	const struct edge_key *two = &((const struct edge *)b)->key;

	if (one->callee != two->callee)
		return one->callee < two->callee ? -1 : 1;
	if (one->caller != two->caller)
		return one->caller < two->caller ? -1 : 1;
	return 0;
}

/* All entries, in no order; *ret_count of them. */
static int read_edges(int map, uint32_t capacity, struct edge **ret_edges, uint32_t *ret_count)
{
	CLEANUP_FREE struct edge_key *keys = calloc(capacity, sizeof(*keys));
	CLEANUP_FREE struct edge_counters *counters = calloc(capacity, sizeof(*counters));
	struct edge *edges = calloc(capacity, sizeof(*edges));
	uint32_t count = capacity, cursor;

	if (!keys || !counters || !edges) {
		free(edges);
		return -ENOMEM;
	}
	/* ENOENT says that the end was reached, with what was found before it. */
	if (bpf_map_lookup_batch(map, NULL, &cursor, keys, counters, &count, NULL) < 0 &&
	    errno != ENOENT) {
		free(edges);
		return -errno;
	}
	for (uint32_t i = 0; i < count; i++)
		edges[i] = (struct edge){keys[i], counters[i]};
	*ret_edges = edges;
	*ret_count = count;
	return 0;
}

/* The kernel's id as the profile's. A caller that is not in the profile is "elsewhere". */
static uint32_t profile_function(const struct drain_edges_input *input, uint32_t id)
{
	return id < input->function_count ? input->functions[id] : PROFILE_NO_FUNCTION;
}

static int add_edge(struct profile *profile, const struct edge *edge)
{
	struct profile_function *callee = &profile->functions.items[edge->key.callee];
	struct profile_caller *last = callee->callers.items + callee->callers.count - 1;
	struct profile_caller more = {
	    .function = edge->key.caller,
	    .calls = edge->counters.calls,
	    .primitive_calls = edge->counters.primitive,
	    .total_ns = edge->counters.total_ns,
	    .self_ns = edge->counters.self_ns,
	};

	if (!callee->callers.count || last->function != more.function)
		return ARRAY_APPEND(&callee->callers, more);
	last->calls += more.calls;
	last->primitive_calls += more.primitive_calls;
	last->total_ns += more.total_ns;
	last->self_ns += more.self_ns;
	return 0;
}

static int64_t not_negative(int64_t sum)
{
	return sum > 0 ? sum : 0;
}

int drain_edges(const struct drain_edges_input *input, struct profile *profile)
{
	CLEANUP_FREE struct edge *edges = NULL;
	uint32_t count = 0;
	int error = read_edges(input->map, input->capacity, &edges, &count);

	if (error)
		return error;
	for (uint32_t i = 0; i < count; i++) {
		edges[i].key.callee = profile_function(input, edges[i].key.callee);
		edges[i].key.caller = profile_function(input, edges[i].key.caller);
	}
	qsort(edges, count, sizeof(*edges), compare_edges);
	for (uint32_t i = 0; i < count && !error; i++)
		if (edges[i].key.callee != PROFILE_NO_FUNCTION)
			error = add_edge(profile, &edges[i]);
	ARRAY_FOREACH (function, &profile->functions) {
		ARRAY_FOREACH (caller, &function->callers) {
			caller->total_ns = not_negative(caller->total_ns);
			caller->self_ns = not_negative(caller->self_ns);
		}
	}
	return error;
}
