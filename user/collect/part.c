// SPDX-License-Identifier: GPL-2.0-or-later
// Writes a plan into the kernel's tables at its part's place, and opens and closes its sites.
#include "collect/part.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

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
	for (size_t i = 0; i < planned->charge_count; i++) {
		site->charges[i].line = part->place.lines + planned->charges[i].line;
		site->charges[i].function = place_function(part, planned->charges[i].function);
	}
}

static void fill_function(const struct part *part, uint32_t at, volatile struct function *function)
{
	const struct plan_function *planned = &part->plan->functions.items[at];

	function->threshold = counters_threshold(planned->rate);
	function->flags = (planned->lines ? FUNCTION_LINES : 0) |
			  (planned->exit == PLAN_EXIT_RETURN ? FUNCTION_RETURNS : 0) |
			  (planned->switchable ? FUNCTION_HELD : 0);
	function->entry_line = planned->entry_line == INDEX_NONE
				   ? INDEX_NONE
				   : part->place.lines + planned->entry_line;
}

int part_fill(const struct part *part, const struct counters *counters)
{
	const struct plan *plan = part->plan;
	CLEANUP_FREE uint32_t *hosts = calloc(plan->sites.count + 1, sizeof(*hosts));

	if (!hosts || number_hosts(part, hosts))
		return -ENOMEM;
	for (uint32_t at = 0; at < plan->functions.count; at++)
		fill_function(part, at, &counters->functions[part->place.functions + at]);
	for (uint32_t at = 0; at < plan->sites.count; at++)
		fill_site(part, at, hosts[at], &counters->sites[part->place.sites + at]);
	return 0;
}

static void set_scope(
    const struct part *part, const struct counters *counters, bool entries, uint32_t scope)
{
	for (uint32_t at = 0; at < part->plan->sites.count; at++)
		if (!!(part->plan->sites.items[at].roles & SITE_ENTRY) == entries)
			__atomic_store_n(&counters->sites[part->place.sites + at].scope, scope,
			    __ATOMIC_RELEASE);
}

void part_open(struct part *part, const struct counters *counters)
{
	set_scope(part, counters, false, part->place.scope);
	set_scope(part, counters, true, part->place.scope);
	part->open = true;
}

void part_close(struct part *part, const struct counters *counters)
{
	set_scope(part, counters, true, SCOPE_CLOSED);
	set_scope(part, counters, false, SCOPE_CLOSED);
	part->open = false;
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
