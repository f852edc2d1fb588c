// SPDX-License-Identifier: GPL-2.0-or-later
// Adds up the errors of all that was subtracted from each function's and line's time.
#include "collect/uncertainty.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* Of costs, in ns, and of what they may be off. */
struct amount {
	double cost, error;
};

/* A line's own hits. */
struct line_hits {
	uint32_t function; /* NO_FUNCTION: nobody's */
	double hits;
	struct amount total, self; /* what lies in its times; self: where nothing is inlined */
};

/* What a call of a function adds: to its own time, and around that to its caller's. */
struct function_hits {
	struct amount inside, around;
	double entries;        /* that `entry` is of */
	struct amount entry;   /* before their clock readings */
	struct amount entered; /* after them */
	bool entry_is_line;
	int exit;                  /* enum cost_class, -1: none seen */
	struct amount total, self; /* of all its own hits */
	struct amount boundary;    /* of its callees' entries and exits, in its own time */
	double inner, inner_hits;  /* of lines with callees' time */
};

struct finder {
	const struct uncertainty_input *input;
	struct line_hits *lines;
	struct function_hits *functions;
	double share; /* what all hits together may be off, of what they cost */
};

static void add(struct amount *sum, const struct amount *more, double times)
{
	sum->cost += more->cost * times;
	sum->error += more->error * times;
}

/* That part of a hit's cost, and the same part of its error. */
static struct amount part_of(const struct costs *costs, enum cost_class class, uint64_t part_ns)
{
	const double all = (double)costs_ns(costs, class);

	return (struct amount){
	    .cost = (double)part_ns,
	    .error = all > 0 ? (double)costs_error_ns(costs, class) * (double)part_ns / all : 0,
	};
}

static struct amount hit_of(const struct costs *costs, enum cost_class class)
{
	return part_of(costs, class, costs_ns(costs, class));
}

static void find_share(struct finder *finder)
{
	const struct costs *costs = finder->input->costs;
	struct amount sum = {0};

	for (int class = 0; class < COST_CLASSES; class ++) {
		struct amount hit = hit_of(costs, class);

		add(&sum, &hit, (double)finder->input->sums->hits[class]);
	}
	finder->share = sum.cost > 0 ? sum.error / sum.cost : 0;
}

/* What a hit adds to the time of its line: a call begins at its entry's reading. */
static struct amount line_part(const struct costs *costs, const volatile struct site *site)
{
	return part_of(costs, site->cost,
	    site->roles & SITE_ENTRY ? costs->after_ns[site->cost] : costs_ns(costs, site->cost));
}

/* Hits of a silent site, which only moves time, are not counted: as many as its line's others. */
static void add_line_hits(struct finder *finder, uint32_t at)
{
	const volatile struct site *site = &finder->input->sites[at];
	const struct amount hit = line_part(finder->input->costs, site);
	const bool silent = site->roles & SITE_SILENT;

	for (int i = 0; i < site->charge_count && i < CHARGES_MAX; i++) {
		const uint32_t id = site->charges[i].line, owner = site->charges[i].function;
		struct function_hits *function = &finder->functions[owner];
		struct line_hits *line = &finder->lines[id];
		double hits;

		if (id >= finder->input->line_count || owner >= finder->input->sums->function_count)
			continue;
		line->function = owner;
		hits = silent ? line->hits : (double)finder->input->site_hits[at];
		line->hits += silent ? 0 : hits;
		add(&line->total, &hit, hits);
		add(&function->total, &hit, hits);
		if (i + 1 < site->charge_count)
			continue;
		add(&line->self, &hit, hits);
		add(&function->self, &hit, hits);
	}
}

static void add_entry(struct finder *finder, uint32_t at)
{
	const volatile struct site *site = &finder->input->sites[at];
	const struct costs *costs = finder->input->costs;
	const struct amount before = part_of(costs, site->cost, costs->before_ns[site->cost]);
	const struct amount after = part_of(costs, site->cost, costs->after_ns[site->cost]);
	const double weight = (double)finder->input->site_hits[at] + 1;
	struct function_hits *function = &finder->functions[site->function];

	function->entries += weight;
	add(&function->entry, &before, weight);
	add(&function->entered, &after, weight);
	function->entry_is_line = site->roles & SITE_LINE;
}

static void add_sites(struct finder *finder, bool silent)
{
	const struct uncertainty_input *input = finder->input;

	for (uint32_t at = 0; at < input->site_count; at++) {
		const volatile struct site *site = &input->sites[at];

		if (site->cost >= COST_CLASSES || !!(site->roles & SITE_SILENT) != silent)
			continue;
		add_line_hits(finder, at);
		if (silent || site->function >= input->sums->function_count)
			continue;
		if (site->roles & SITE_ENTRY)
			add_entry(finder, at);
		if (site->roles & SITE_EXIT)
			finder->functions[site->function].exit = site->cost;
	}
}

/* The entry's and the exit's parts, inside the call and around it. */
static void find_call(struct finder *finder, uint32_t at)
{
	const struct costs *costs = finder->input->costs;
	struct function_hits *function = &finder->functions[at];
	struct amount part;

	if (finder->input->functions[at].flags & FUNCTION_RETURNS)
		function->exit = COST_RETURN;
	if (function->entries > 0)
		add(&function->around, &function->entry, 1 / function->entries);
	if (function->entries > 0 && !function->entry_is_line)
		add(&function->inside, &function->entered, 1 / function->entries);
	if (function->exit < 0)
		return;
	part = part_of(costs, function->exit, costs->before_ns[function->exit]);
	add(&function->inside, &part, 1);
	part = part_of(costs, function->exit, costs->after_ns[function->exit]);
	add(&function->around, &part, 1);
}

static void add_calls(struct finder *finder)
{
	const struct function_sums_all *sums = finder->input->sums;

	for (uint32_t at = 0; at < sums->function_count; at++) {
		const uint32_t entry_line = finder->input->functions[at].entry_line;
		struct function_hits *function = &finder->functions[at];
		const double calls = (double)sums->functions[at].closed;

		find_call(finder, at);
		add(&function->total, &function->inside, calls);
		add(&function->self, &function->inside, calls);
		if (finder->input->functions[at].flags & FUNCTION_LINES &&
		    entry_line < finder->input->line_count && !function->entry_is_line) {
			finder->lines[entry_line].function = at;
			add(&finder->lines[entry_line].total, &function->inside, calls);
			add(&finder->lines[entry_line].self, &function->inside, calls);
		}
	}
	for (size_t at = 0; at < sums->edge_count; at++) {
		const struct edge *edge = &sums->edges[at];
		const uint32_t caller = EDGE_CALLER(edge->key), callee = EDGE_CALLEE(edge->key);

		if (caller < sums->function_count && callee < sums->function_count)
			add(&finder->functions[caller].boundary, &finder->functions[callee].around,
			    (double)edge->counters.calls);
	}
}

static void add_inner(struct finder *finder)
{
	for (uint32_t at = 0; at < finder->input->line_count; at++) {
		const double inner = fabs((double)finder->input->lines[at].inner_ns);
		const struct line_hits *line = &finder->lines[at];

		if (line->function == NO_FUNCTION || inner <= 0)
			continue;
		finder->functions[line->function].inner += inner;
		finder->functions[line->function].inner_hits += line->hits;
	}
}

/* What was subtracted from the function's calls and is not its own hits'. */
static double subtracted_in_calls(const struct finder *finder, uint32_t function, double own)
{
	const struct function_sums *sums = &finder->input->sums->functions[function];
	const double subtracted = (double)sums->raw_total_ns - (double)sums->total_ns;

	return subtracted > own ? subtracted - own : 0;
}

/* The part of a function's hits that are of outermost activations. */
static double outermost(const struct function_sums *sums)
{
	return sums->opened ? (double)sums->primitive / (double)sums->opened : 1;
}

static struct time_error function_error(const struct finder *finder, uint32_t at)
{
	const struct function_hits *function = &finder->functions[at];

	return (struct time_error){
	    .total = function->total.error +
		     finder->share * subtracted_in_calls(finder, at, function->total.cost),
	    .self = function->self.error + function->boundary.error,
	};
}

/* Lines of functions that are inlined everywhere: what is subtracted in calls, of callees' time. */
static double inlined_ratio(const struct finder *finder)
{
	double subtracted = 0, inner = 0;

	for (uint32_t at = 0; at < finder->input->sums->function_count; at++)
		if (finder->functions[at].inner > 0) {
			subtracted +=
			    subtracted_in_calls(finder, at, finder->functions[at].total.cost);
			inner += finder->functions[at].inner;
		}
	return inner > 0 ? subtracted / inner : 0;
}

static struct time_error line_error(const struct finder *finder, uint32_t at, double ratio)
{
	const struct line_hits *line = &finder->lines[at];
	const struct function_hits *function = &finder->functions[line->function];
	const struct function_sums *sums = &finder->input->sums->functions[line->function];
	const double inner = fabs((double)finder->input->lines[at].inner_ns);
	const double part = outermost(sums);
	struct time_error error = {.total = part * line->total.error, .self = line->self.error};
	double share;

	if (inner <= 0)
		return error;
	if (!sums->closed) {
		error.total += finder->share * ratio * inner;
		return error;
	}
	share = inner / function->inner;
	if (function->inner_hits > 0)
		share = fmax(share, line->hits / function->inner_hits);
	if (finder->input->line_shares)
		share *= finder->input->line_shares[line->function];
	error.total += share * finder->share *
		       subtracted_in_calls(finder, line->function, part * function->total.cost);
	error.self += share * function->boundary.error;
	return error;
}

static void find_errors(struct finder *finder, struct uncertainty *uncertainty)
{
	double ratio;

	find_share(finder);
	add_sites(finder, false);
	add_sites(finder, true);
	add_calls(finder);
	add_inner(finder);
	ratio = inlined_ratio(finder);
	for (uint32_t at = 0; at < finder->input->sums->function_count; at++)
		uncertainty->functions[at] = function_error(finder, at);
	for (uint32_t at = 0; at < finder->input->line_count; at++)
		if (finder->lines[at].function != NO_FUNCTION)
			uncertainty->lines[at] = line_error(finder, at, ratio);
}

int uncertainty_find(const struct uncertainty_input *input, struct uncertainty *ret_uncertainty)
{
	const size_t functions = input->sums->function_count, lines = input->line_count;
	CLEANUP_FREE struct line_hits *line_hits = calloc(lines + 1, sizeof(*line_hits));
	CLEANUP_FREE struct function_hits *function_hits =
	    calloc(functions + 1, sizeof(*function_hits));
	struct finder finder = {.input = input, .lines = line_hits, .functions = function_hits};
	struct uncertainty uncertainty = {
	    .functions = calloc(functions + 1, sizeof(*uncertainty.functions)),
	    .lines = calloc(lines + 1, sizeof(*uncertainty.lines)),
	};

	if (!line_hits || !function_hits || !uncertainty.functions || !uncertainty.lines) {
		uncertainty_free(&uncertainty);
		return -ENOMEM;
	}
	for (size_t at = 0; at < lines; at++)
		line_hits[at].function = NO_FUNCTION;
	for (size_t at = 0; at < functions; at++)
		function_hits[at].exit = -1;
	find_errors(&finder, &uncertainty);
	*ret_uncertainty = uncertainty;
	return 0;
}

void uncertainty_free(struct uncertainty *uncertainty)
{
	free(uncertainty->functions);
	free(uncertainty->lines);
	*uncertainty = (struct uncertainty){0};
}
