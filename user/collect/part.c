// SPDX-License-Identifier: GPL-2.0-or-later
// Writes a plan into the kernel's tables at its part's place, and opens and closes its sites.
#include "collect/part.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

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

/*
 * Frames of hosts that were not asked for are told apart by the host. Its number in its image may
 * be another image's too: the first of its sites, as the kernel counts them, is nobody else's.
 */
static int number_hosts(const struct part *part, uint32_t *ret_hosts)
{
	const struct plan *plan = part->plan;
	CLEANUP_FREE uint32_t *first = NULL;
	uint32_t hosts = 0, image = UINT32_MAX;

	ARRAY_FOREACH (site, &plan->sites)
		if (site->host >= hosts)
			hosts = site->host + 1;
	first = calloc((size_t)hosts + 1, sizeof(*first));
	if (!first)
		return -ENOMEM;
	for (uint32_t at = 0; at < plan->sites.count; at++) {
		const struct plan_site *site = &plan->sites.items[at];

		/* Sites are sorted by image: what another one left is below its first site. */
		if (site->image != image)
			for (uint32_t host = 0; host < hosts; host++)
				first[host] = UINT32_MAX;
		image = site->image;
		if (first[site->host] == UINT32_MAX)
			first[site->host] = part->place.sites + at;
		ret_hosts[at] = first[site->host];
	}
	return 0;
}

static uint32_t place_function(const struct part *part, uint32_t function)
{
	return function == NO_FUNCTION ? NO_FUNCTION : part->place.functions + function;
}

static void fill_site(
    const struct part *part, uint32_t at, uint32_t host, volatile struct site *site)
{
	const struct plan_site *planned = &part->plan->sites.items[at];

	site->scope = SCOPE_CLOSED;
	site->function = place_function(part, planned->function);
	site->host = host;
	site->roles = planned->roles;
	site->cost = cost_class(planned);
	site->charge_count = planned->charge_count;
	site->stack_offset = planned->stack_offset;
	site->account = part->account;
	for (size_t i = 0; i < planned->charge_count; i++) {
		site->charges[i].line = part->place.lines + planned->charges[i].line;
		site->charges[i].function = place_function(part, planned->charges[i].function);
	}
}

static void fill_function(const struct part *part, uint32_t at, const struct counters *counters)
{
	const struct plan_function *planned = &part->plan->functions.items[at];
	const uint32_t id = part->place.functions + at;
	volatile struct function *function = &counters->functions[id];

	function->flags = (planned->lines ? FUNCTION_LINES : 0) |
			  (planned->exit == PLAN_EXIT_RETURN ? FUNCTION_RETURNS : 0) |
			  (planned->switchable ? FUNCTION_HELD : 0) |
			  (part->off_cpu ? FUNCTION_OFF_CPU : 0);
	function->entry_line = planned->entry_line == INDEX_NONE
				   ? INDEX_NONE
				   : part->place.lines + planned->entry_line;
	part_set_rate(part, counters, at, planned->rate);
}

int part_fill(const struct part *part, const struct counters *counters)
{
	const struct plan *plan = part->plan;
	CLEANUP_FREE uint32_t *hosts = calloc(plan->sites.count + 1, sizeof(*hosts));

	if (!hosts || number_hosts(part, hosts))
		return -ENOMEM;
	for (uint32_t at = 0; at < plan->functions.count; at++)
		fill_function(part, at, counters);
	for (uint32_t at = 0; at < plan->sites.count; at++)
		fill_site(part, at, hosts[at], &counters->sites[part->place.sites + at]);
	return 0;
}

/* ---- Steps ---- */

static volatile struct function *function_at(
    const struct part *part, const struct counters *counters, uint32_t at)
{
	return &counters->functions[part->place.functions + at];
}

enum part_step part_step(const struct part *part, const struct counters *counters, uint32_t at)
{
	const uint32_t step = function_at(part, counters, at)->flags >> FUNCTION_STEP_SHIFT;

	return step < STEP_COUNT ? (enum part_step)step : STEP_FULL;
}

void part_set_rate(
    const struct part *part, const struct counters *counters, uint32_t at, double rate)
{
	volatile struct function_stands *stands = &counters->stands[part->place.functions + at];
	volatile struct function *function = function_at(part, counters, at);
	const uint64_t threshold = counters_threshold(rate);

	/* A budget that times fewer calls looks again soon. */
	if (part_step(part, counters, at) != STEP_FEWER || threshold < function->threshold)
		function->threshold = threshold;
	stands->threshold = threshold;
}

static enum part_set site_set(const struct plan_site *site, enum part_step step)
{
	switch (step) {
	case STEP_FULL:
	case STEP_FEWER:
		return SET_STEADY;
	case STEP_LINES:
		return (site->roles | site->standby) & (SITE_ENTRY | SITE_EXIT) ? SET_STEADY
										: SET_SLICED;
	case STEP_SLICED:
		return SET_SLICED;
	default:
		return SET_NONE;
	}
}

static bool serves_anybody(const struct plan_site *site)
{
	return site->function != NO_FUNCTION || site->charge_count;
}

uint32_t part_function_of(const struct plan_site *site)
{
	if (site->function == NO_FUNCTION && site->charge_count)
		return site->charges[0].function;
	return site->function;
}

static bool raise_step(struct part_choice *choice, const struct part_choice *least)
{
	if (choice->step >= least->step)
		return false;
	*choice = *least;
	return true;
}

/* Until all functions of each site have the same step. */
static void share_steps(const struct plan *plan, struct part_choice *choices)
{
	bool again = true;

	while (again) {
		again = false;
		ARRAY_FOREACH (site, &plan->sites) {
			if (!serves_anybody(site))
				continue;
			for (size_t i = 0; i < site->charge_count; i++) {
				struct part_choice *first = &choices[part_function_of(site)];
				struct part_choice *other = &choices[site->charges[i].function];

				again =
				    raise_step(first, other) || raise_step(other, first) || again;
			}
		}
	}
}

static void choose_function(const struct part *part, const struct counters *counters, uint32_t at,
    const struct part_choice *choice)
{
	const uint64_t asked = counters->stands[part->place.functions + at].threshold;
	volatile struct function *function = function_at(part, counters, at);

	function->flags = (function->flags & ((1u << FUNCTION_STEP_SHIFT) - 1)) |
			  (uint32_t)choice->step << FUNCTION_STEP_SHIFT;
	function->threshold =
	    choice->step == STEP_FEWER ? (uint64_t)((double)asked * choice->share) : asked;
}

int part_choose(struct part *part, const struct counters *counters, struct part_choice *choices)
{
	const struct plan *plan = part->plan;

	if (!part->sets)
		part->sets = calloc(plan->sites.count + 1, sizeof(*part->sets));
	if (!part->sets)
		return -ENOMEM;
	share_steps(plan, choices);
	for (uint32_t at = 0; at < plan->functions.count; at++)
		choose_function(part, counters, at, &choices[at]);
	for (uint32_t at = 0; at < plan->sites.count; at++) {
		const struct plan_site *site = &plan->sites.items[at];

		part->sets[at] = serves_anybody(site)
				     ? site_set(site, choices[part_function_of(site)].step)
				     : SET_STEADY;
		counters->sites[part->place.sites + at].account =
		    part->account + (part->sets[at] == SET_SLICED);
	}
	if (part->attachment)
		ARRAY_FOREACH (refusal, &part->attachment->refusals)
			part->sets[refusal->site] = SET_NONE;
	return 0;
}

/* ---- Open and close ---- */

static enum part_set set_of(const struct part *part, uint32_t site)
{
	return part->sets ? part->sets[site] : SET_STEADY;
}

static void set_scope(const struct part *part, const struct counters *counters, enum part_set set,
    bool entries, uint32_t scope)
{
	for (uint32_t at = 0; at < part->plan->sites.count; at++)
		if (!!(part->plan->sites.items[at].roles & SITE_ENTRY) == entries &&
		    set_of(part, at) == set)
			__atomic_store_n(&counters->sites[part->place.sites + at].scope, scope,
			    __ATOMIC_RELEASE);
}

static void stand_settle(volatile struct stand *stand, bool stood, uint64_t now)
{
	if (now < stand->turned_ns)
		now = stand->turned_ns;
	if (stand->turned_ns && stood)
		stand->stood_ns += now - stand->turned_ns;
	else if (stand->turned_ns)
		stand->away_ns += now - stand->turned_ns;
	stand->turned_ns = now;
}

bool part_calls_are_in(enum part_step step, enum part_set set)
{
	return step == STEP_SLICED ? set == SET_SLICED : step < STEP_SLICED && set == SET_STEADY;
}

bool part_lines_are_in(enum part_step step, enum part_set set)
{
	return step == STEP_LINES ? set == SET_SLICED : part_calls_are_in(step, set);
}

/* A function's probes come or go. */
static void turn(const struct part *part, const struct counters *counters, uint32_t at,
    enum part_set set, bool come, uint64_t now)
{
	volatile struct function *function = function_at(part, counters, at);
	volatile struct function_stands *stands = &counters->stands[part->place.functions + at];
	const enum part_step step = part_step(part, counters, at);

	if (part_calls_are_in(step, set)) {
		if (part->live)
			stand_settle(&stands->calls, !come, now);
		function->epoch++;
	}
	if (part_lines_are_in(step, set)) {
		if (part->live)
			stand_settle(&stands->lines, !come, now);
		function->lines_epoch++;
		if (come)
			__atomic_and_fetch(
			    &function->flags, ~(uint32_t)FUNCTION_LINES_AWAY, __ATOMIC_RELEASE);
		else
			__atomic_or_fetch(
			    &function->flags, (uint32_t)FUNCTION_LINES_AWAY, __ATOMIC_RELEASE);
	}
}

static void turn_all(const struct part *part, const struct counters *counters, enum part_set set,
    bool come, uint64_t now)
{
	if (part->estimates)
		estimates_turn(part->estimates, part, counters, set, come, now);
	for (uint32_t at = 0; at < part->plan->functions.count; at++)
		turn(part, counters, at, set, come, now);
}

void part_open(struct part *part, const struct counters *counters, enum part_set set)
{
	turn_all(part, counters, set, true, clock_ns(CLOCK_MONOTONIC));
	set_scope(part, counters, set, false, part->place.scope);
	set_scope(part, counters, set, true, part->place.scope);
	part->open[set] = true;
}

void part_close(
    struct part *part, const struct counters *counters, enum part_set set, uint64_t ended_ns)
{
	set_scope(part, counters, set, true, SCOPE_CLOSED);
	set_scope(part, counters, set, false, SCOPE_CLOSED);
	if (part->live && !part->estimates)
		part->estimates = estimates_new(part, counters);
	if (part->open[set])
		turn_all(
		    part, counters, set, false, ended_ns ? ended_ns : clock_ns(CLOCK_MONOTONIC));
	part->open[set] = false;
}

void part_is_open(const struct part *part, enum part_step step, bool *ret_calls, bool *ret_lines)
{
	*ret_calls = *ret_lines = false;
	for (enum part_set set = SET_STEADY; set <= SET_SLICED; set++) {
		*ret_calls = *ret_calls || (part->open[set] && part_calls_are_in(step, set));
		*ret_lines = *ret_lines || (part->open[set] && part_lines_are_in(step, set));
	}
}

void part_stands(const struct part *part, const struct counters *counters, uint32_t at,
    struct function_stands *ret_stands)
{
	const enum part_step step = part_step(part, counters, at);
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);
	bool calls, lines;

	*ret_stands =
	    *(const struct function_stands *)&counters->stands[part->place.functions + at];
	part_is_open(part, step, &calls, &lines);
	if (part->live) {
		stand_settle(&ret_stands->calls, calls, now);
		stand_settle(&ret_stands->lines, lines, now);
	}
}

void part_end(struct part *part, const struct counters *counters)
{
	if (part->estimates)
		estimates_end(part->estimates, part, counters);
	for (uint32_t at = 0; at < part->plan->functions.count; at++) {
		struct function_stands stands;

		part_stands(part, counters, at, &stands);
		stands.calls.turned_ns = stands.lines.turned_ns = 0;
		*(struct function_stands *)&counters->stands[part->place.functions + at] = stands;
	}
	part->live = false;
}

void part_switch_exits(const struct part *part, const struct counters *counters)
{
	const struct plan *plan = part->plan;

	for (uint32_t at = 0; at < plan->sites.count; at++)
		if (plan->sites.items[at].standby)
			__atomic_store_n(&counters->sites[part->place.sites + at].roles,
			    plan->sites.items[at].roles | plan->sites.items[at].standby,
			    __ATOMIC_RELEASE);
	for (uint32_t at = 0; at < plan->functions.count; at++)
		if (plan->functions.items[at].switchable)
			__atomic_and_fetch(&counters->functions[part->place.functions + at].flags,
			    ~(uint32_t)FUNCTION_RETURNS, __ATOMIC_RELEASE);
}
