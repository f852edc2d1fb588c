// SPDX-License-Identifier: GPL-2.0-or-later
// Prints each function with its callers (<-) and callees (->), as the timed calls had them:
//
//	   ncalls      tottime      cumtime  file:line(function)
//	     1000    4000000.0    5000000.0  /src/add.c:3(add)
//	      990    3900000.0    4900000.0    <- /src/add.c:11(main)
//	       10     100000.0     100000.0    <- code that is not measured
//
// An edge's numbers are those of the called function, in calls from there. Edges know one caller:
// what lies beyond is in sampled stacks alone (report_stacks.c).
#include "output/report.h"

#include <inttypes.h>

/* A call edge from the side of one of its ends. */
struct edge {
	uint32_t function, other; /* other: or PROFILE_NO_FUNCTION */
	bool called;              /* `other` is the callee */
	const struct profile_caller *numbers;
};

struct edges {
	ARRAY(struct edge) list;
};

static int edge_compare(const void *left, const void *right)
{
	const struct edge *a = left, *b = right;

	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	if (a->called != b->called)
		return a->called ? 1 : -1;
	if (a->numbers->total_ns != b->numbers->total_ns)
		return a->numbers->total_ns > b->numbers->total_ns ? -1 : 1;
	if (a->numbers->calls != b->numbers->calls)
		return a->numbers->calls > b->numbers->calls ? -1 : 1;
	return (a->other > b->other) - (a->other < b->other);
}

/* Every edge from both of its ends, by function. */
static int edges_collect(struct edges *edges, const struct profile *profile)
{
	for (uint32_t i = 0; i < profile->functions.count; i++)
		ARRAY_FOREACH (caller, &profile->functions.items[i].callers) {
			struct edge edge = {i, caller->function, false, caller};

			if (ARRAY_APPEND(&edges->list, edge))
				return -ENOMEM;
			edge = (struct edge){caller->function, i, true, caller};
			if (caller->function < profile->functions.count &&
			    ARRAY_APPEND(&edges->list, edge))
				return -ENOMEM;
		}
	ARRAY_SORT(&edges->list, edge_compare);
	return 0;
}

/* The first edge of a function; edges come sorted. */
static size_t edges_find(const struct edges *edges, uint32_t function)
{
	size_t low = 0, high = edges->list.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (edges->list.items[middle].function < function)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void print_numbers(
    FILE *stream, uint64_t calls, int64_t self_ns, int64_t total_ns, double unit_ns)
{
	char self[REPORT_NUMBER_MAX], total[REPORT_NUMBER_MAX];

	fprintf(stream, "%9" PRIu64 " %12s %12s  ", calls,
	    report_number((double)self_ns / unit_ns, 1, 12, self),
	    report_number((double)total_ns / unit_ns, 1, 12, total));
}

static void print_function(const struct profile *profile, const struct profile_function *function,
    const struct edges *edges, double unit_ns, FILE *stream, const char *heat)
{
	uint32_t index = (uint32_t)(function - profile->functions.items);

	fputs(heat, stream);
	print_numbers(
	    stream, function->timed_calls, function->self_ns, function->total_ns, unit_ns);
	report_place(profile, function, stream);
	fputs(*heat ? REPORT_COLD "\n" : "\n", stream);
	for (size_t i = edges_find(edges, index);
	     i < edges->list.count && edges->list.items[i].function == index; i++) {
		const struct edge *edge = &edges->list.items[i];

		print_numbers(stream, edge->numbers->calls, edge->numbers->self_ns,
		    edge->numbers->total_ns, unit_ns);
		fputs(edge->called ? "  -> " : "  <- ", stream);
		if (edge->other < profile->functions.count)
			report_place(profile, &profile->functions.items[edge->other], stream);
		else
			fputs("code that is not measured", stream);
		fputc('\n', stream);
	}
}

int report_tree(
    const struct profile *profile, double unit, FILE *stream, const struct report_options *options)
{
	CLEANUP_FREE const struct profile_function **order = NULL;
	struct edges edges = {0};
	double all_self = 0;
	size_t count = 0;
	int error;

	order = report_order(profile, options, &count);
	error = order ? edges_collect(&edges, profile) : -ENOMEM;
	for (size_t i = 0; i < count && !error; i++)
		all_self += order[i]->self_ns > 0 ? (double)order[i]->self_ns : 0;
	if (!error && edges.list.count) {
		fprintf(stream, "   Callers (<-) and callees (->), of the calls that were timed\n");
		fprintf(stream, "   Timer unit: %g s\n\n", unit);
		fprintf(
		    stream, "%9s %12s %12s  file:line(function)\n", "ncalls", "tottime", "cumtime");
		for (size_t i = 0; i < count; i++)
			print_function(profile, order[i], &edges, unit * 1e9, stream,
			    report_heat(
				options, all_self > 0 ? (double)order[i]->self_ns / all_self : 0));
		fputc('\n', stream);
	}
	ARRAY_FREE(&edges.list);
	return error;
}
