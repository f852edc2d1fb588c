// SPDX-License-Identifier: GPL-2.0-or-later
// Tells what probes cost, and sets how much they may.
#include <string.h>

#include "collect/engine_state.h"

uint64_t engine_price_ns(const struct engine *engine, enum cost_class class)
{
	return costs_ns(&engine->costs, class);
}

uint64_t engine_spent_ns(const struct engine *engine)
{
	return engine->kernel.accounts[0].spent_ns;
}

/* ---- By function ---- */

static void add_site(
    const struct engine *engine, const struct part *part, uint32_t at, struct engine_cost *costs)
{
	const struct plan_site *site = &part->plan->sites.items[at];
	const uint64_t hits = counters_site_hits(&engine->counters, part->place.sites + at);
	const uint32_t function = part_function_of(site);
	struct engine_cost *cost = &costs[function];

	if (function >= part->plan->functions.count || site->cost >= COST_CLASSES)
		return;
	if (site->roles & SITE_ENTRY) {
		/* Calls are counted at the site, or else by function. */
		if (SITE_COUNTS_ENTRIES(site->roles))
			cost->calls += hits;
		cost->entry_price_ns = engine_price_ns(engine, site->cost);
	} else if (site->roles & SITE_LINE) {
		cost->hits += hits;
		cost->line_hits += hits;
		cost->lines_ns += hits * engine_price_ns(engine, site->cost);
	} else if (site->roles & SITE_EXIT && !cost->exit_price_ns) {
		cost->exit_price_ns = engine_price_ns(engine, site->cost);
	}
}

static void add_calls(
    const struct engine *engine, const struct part *part, uint32_t at, struct engine_cost *cost)
{
	const struct counters *counters = &engine->counters;
	const bool returns =
	    counters->functions[part->place.functions + at].flags & FUNCTION_RETURNS;
	const uint64_t asked = counters->stands[part->place.functions + at].threshold;
	const uint64_t now = counters->functions[part->place.functions + at].threshold;
	uint64_t timed, untimed = 0;

	cost->timed_share = asked > now ? (double)now / (double)asked : 1;
	for (size_t shard = 0; shard < counters->shards; shard++) {
		const volatile struct function_counters *one =
		    &counters->function_counters[shard * counters->function_count +
						 part->place.functions + at];

		cost->calls += one->entries;
		untimed += one->untimed;
	}
	timed = cost->calls > untimed ? cost->calls - untimed : 0;
	cost->entries_ns = cost->calls * cost->entry_price_ns;
	cost->hits += cost->calls;
	if (returns) {
		cost->hits += timed;
		cost->returns_ns = timed * engine_price_ns(engine, COST_RETURN);
	} else if (cost->exit_price_ns) {
		cost->hits += cost->calls;
		cost->entries_ns += cost->calls * cost->exit_price_ns;
	}
}

void engine_function_costs(const struct engine *engine, uint32_t at, struct engine_cost *ret_costs)
{
	const struct part *part = engine->parts.items[at];
	const size_t count = part->plan->functions.count;

	memset(ret_costs, 0, count * sizeof(*ret_costs));
	for (uint32_t site = 0; site < part->plan->sites.count; site++)
		add_site(engine, part, site, ret_costs);
	for (uint32_t function = 0; function < count; function++)
		add_calls(engine, part, function, &ret_costs[function]);
}

uint64_t engine_cost_ns(const struct engine_cost *cost)
{
	return cost->entries_ns + cost->returns_ns + cost->lines_ns;
}

/* ---- Accounts ---- */

static uint32_t account_of(const struct engine *engine, uint32_t part, enum part_set set)
{
	return part == ENGINE_ALL ? 0 : engine->parts.items[part]->account + (set == SET_SLICED);
}

void engine_limit(
    struct engine *engine, uint32_t part, enum part_set set, double share, uint64_t burst_ns)
{
	volatile struct account *account = &engine->kernel.accounts[account_of(engine, part, set)];
	const double price = share > 0 ? ACCOUNT_PRICE_ONE / share : 0;

	account->burst_ns = burst_ns;
	account->price = price > UINT32_MAX ? UINT32_MAX : (uint32_t)price;
}

void engine_look(const struct engine *engine, uint32_t part, enum part_set set,
    struct engine_account *ret_account)
{
	const volatile struct account *account =
	    &engine->kernel.accounts[account_of(engine, part, set)];

	*ret_account = (struct engine_account){
	    .spent_ns = account->spent_ns,
	    .paid_until_ns = account->price ? account->paid_until_ns : 0,
	    .shut = account->shut,
	};
}

void engine_charge(struct engine *engine, uint32_t part, enum part_set set, uint64_t cost_ns)
{
	volatile struct account *account = &engine->kernel.accounts[account_of(engine, part, set)];

	__atomic_fetch_add(&account->paid_until_ns, cost_ns * account->price / ACCOUNT_PRICE_ONE,
	    __ATOMIC_RELAXED);
}

int engine_alarm_fd(const struct engine *engine)
{
	return ring_buffer__epoll_fd(engine->alarms);
}

void engine_take_alarms(struct engine *engine)
{
	(void)ring_buffer__consume(engine->alarms);
}
