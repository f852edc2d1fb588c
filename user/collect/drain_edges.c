// SPDX-License-Identifier: GPL-2.0-or-later
// Sums the kernel's table of callers over shards and places, and gives it the profile's functions.
#include "collect/drain_edges.h"

#include <stdlib.h>

/* Sorted by callee, so that the order of keys, which is by caller first, is not the one. */
static int compare_edges(const void *a, const void *b)
{
	const uint64_t one = ((const struct edge *)a)->key, two = ((const struct edge *)b)->key;

	if (EDGE_CALLEE(one) != EDGE_CALLEE(two))
		return EDGE_CALLEE(one) < EDGE_CALLEE(two) ? -1 : 1;
	return one < two ? -1 : one > two;
}

/* The kernel's id as the profile's. A caller that is not in the profile is "elsewhere". */
static uint32_t profile_function(const struct drain_edges_input *input, uint32_t id)
{
	return id < input->function_count ? input->functions[id] : PROFILE_NO_FUNCTION;
}

static int add_edge(struct profile *profile, const struct edge *edge)
{
	struct profile_function *callee = &profile->functions.items[EDGE_CALLEE(edge->key)];
	struct profile_caller *last = callee->callers.items + callee->callers.count - 1;
	struct profile_caller more = {
	    .function = EDGE_CALLER(edge->key),
	    .calls = edge->counters.calls,
	    .primitive_calls = edge->counters.calls - edge->counters.nested,
	    .total_ns = edge->counters.total_ns,
	    .self_ns = edge->counters.total_ns - edge->counters.inner_ns,
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
	int error = 0;

	for (size_t i = 0; i < input->count; i++) {
		const uint64_t key = input->edges[i].key;

		input->edges[i].key = EDGE_KEY(profile_function(input, EDGE_CALLER(key)),
		    profile_function(input, EDGE_CALLEE(key)));
	}
	qsort(input->edges, input->count, sizeof(*input->edges), compare_edges);
	for (size_t i = 0; i < input->count && !error; i++)
		if (EDGE_CALLEE(input->edges[i].key) != PROFILE_NO_FUNCTION)
			error = add_edge(profile, &input->edges[i]);
	ARRAY_FOREACH (function, &profile->functions) {
		ARRAY_FOREACH (caller, &function->callers) {
			caller->total_ns = not_negative(caller->total_ns);
			caller->self_ns = not_negative(caller->self_ns);
		}
	}
	return error;
}
