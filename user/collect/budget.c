// SPDX-License-Identifier: GPL-2.0-or-later
// Takes probes away when their account is overdrawn, and brings back as much as it pays for.
#include "collect/budget.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "collect/budget_choice.h"

#define SECOND_NS          1000000000ull
#define BURST_NS           SECOND_NS /* whose pay can be saved up: a second costs twice that at most */
#define COUNTED_SHARE      0.8 /* of a budget: hits cost caches and page tables more than is counted */
#define SLICES_SHARE_LEAST 0.25      /* of a budget: what slices have if others take it */
#define PATIENCE_LEAST_NS  SECOND_NS /* from an overdraft until all is chosen anew */
#define PATIENCE_MOST_NS   (64 * SECOND_NS)
#define SHARE_MOST         1000.0           /* of a part that had a limit and has none any more */
#define SLICES_LEAST       3                /* before all is chosen anew */
#define STOOD_LEAST_NS     100000           /* what a load must have been measured for */
#define TAKING_MOST_NS     (10 * SECOND_NS) /* whose pay a slice's coming and going may take */

/* What a function had cost, and how long it had stood, when it was last looked at. */
struct seen {
	struct engine_cost cost;
	uint64_t calls_stood_ns, lines_stood_ns;
};

struct budget_part {
	double share;
	bool whole; /* all functions stand */
	bool slicing;
	bool gave_up;
	bool fewer_failed;      /* timing fewer calls did not bring it under the budget */
	uint64_t slices, since; /* slices in all, and since `seen` */
	uint64_t due_ns;        /* of the next slice */
	uint64_t review_ns;     /* when all is chosen anew; UINT64_MAX: never */
	uint64_t patience_ns, climbed_ns;
	uint64_t steady_ns, steady_seen_ns; /* what the steady had cost, and when */
	struct seen *seen;                  /* by function; NULL where all stand */
};

void budget_init(struct budget *budget, struct engine *engine, double percent)
{
	*budget = (struct budget){.engine = engine, .share = percent / 100};
	engine_limit(engine, ENGINE_ALL, SET_STEADY, COUNTED_SHARE * budget->share, BURST_NS);
}

static void part_free(struct budget_part *part)
{
	if (part)
		free(part->seen);
	free(part);
}

void budget_fini(struct budget *budget)
{
	ARRAY_FOREACH (part, &budget->parts)
		part_free(*part);
	ARRAY_FREE(&budget->parts);
}

/* Where there is a limit of all, each part can be asked to keep to it. */
static double share_of(const struct budget *budget, double percent)
{
	return percent > 0 ? percent / 100 : budget->share;
}

static void limit_part(const struct budget *budget, uint32_t at, double share)
{
	engine_limit(budget->engine, at, SET_STEADY, COUNTED_SHARE * share, BURST_NS);
	engine_limit(budget->engine, at, SET_SLICED, COUNTED_SHARE * share, BURST_NS);
}

/* What stands of it is chosen anew soon. */
static void change_limit(struct budget *budget, uint32_t at, double share)
{
	struct budget_part *part = budget->parts.items[at];

	part->share = share > 0 ? share : SHARE_MOST;
	part->patience_ns = PATIENCE_LEAST_NS;
	if (!part->whole)
		part->review_ns = clock_ns(CLOCK_MONOTONIC) + part->patience_ns;
	limit_part(budget, at, part->share);
}

int budget_set(struct budget *budget, uint32_t at, double percent)
{
	const double share = share_of(budget, percent);
	struct budget_part *part;

	while (budget->parts.count <= at)
		if (ARRAY_APPEND(&budget->parts, NULL))
			return -ENOMEM;
	if (budget->parts.items[at]) {
		change_limit(budget, at, share);
		return 0;
	}
	limit_part(budget, at, share);
	if (share <= 0)
		return 0;
	part = calloc(1, sizeof(*part));
	if (!part)
		return -ENOMEM;
	*part = (struct budget_part){
	    .share = share,
	    .whole = true,
	    .review_ns = UINT64_MAX,
	    .patience_ns = PATIENCE_LEAST_NS,
	};
	budget->parts.items[at] = part;
	return 0;
}

void budget_forget(struct budget *budget, uint32_t at)
{
	if (at < budget->parts.count)
		part_free(TAKE(budget->parts.items[at]));
}

/* How long that function's lines stood that did least. */
static uint64_t least_stood(const struct profile *profile)
{
	uint64_t least = UINT64_MAX;

	ARRAY_FOREACH (function, &profile->functions) {
		const struct profile_stand *stand =
		    function->lines_measured ? &function->lines_stand : &function->calls_stand;

		least = stand->stood_ns < least ? stand->stood_ns : least;
	}
	return least == UINT64_MAX ? profile->duration_ns : least;
}

void budget_tell(const struct budget *budget, struct profile *profile)
{
	struct profile_budget *told = &profile->cost.budget;

	*told = (struct profile_budget){.share = budget->share};
	ARRAY_FOREACH (part, &budget->parts) {
		if (!*part)
			continue;
		told->share = told->share > 0 ? told->share : (*part)->share;
		told->slices += (*part)->slices;
	}
	if (told->share > 0)
		told->stood_ns = least_stood(profile);
}

bool budget_gave_up(const struct budget *budget, uint32_t at)
{
	return at < budget->parts.count && budget->parts.items[at] &&
	       budget->parts.items[at]->gave_up;
}

/* ---- Loads ---- */

static size_t function_count(const struct budget *budget, uint32_t at)
{
	return engine_part_plan(budget->engine, at)->functions.count;
}

static int look(const struct budget *budget, uint32_t at, struct seen *ret_seen)
{
	const size_t count = function_count(budget, at);
	CLEANUP_FREE struct engine_cost *costs = calloc(count + 1, sizeof(*costs));

	if (!costs || engine_wake(budget->engine, NULL))
		return -ENOMEM;
	engine_function_costs(budget->engine, at, costs);
	for (uint32_t function = 0; function < count; function++) {
		struct function_stands stands;
		enum part_step step;

		engine_part_step(budget->engine, at, function, &step, &stands);
		ret_seen[function] = (struct seen){
		    .cost = costs[function],
		    .calls_stood_ns = stands.calls.stood_ns,
		    .lines_stood_ns = stands.lines.stood_ns,
		};
	}
	return 0;
}

static double rate_of(uint64_t cost_ns, uint64_t cost_before_ns, uint64_t stood_ns)
{
	if (stood_ns < STOOD_LEAST_NS || cost_ns < cost_before_ns)
		return 0;
	return (double)(cost_ns - cost_before_ns) / (double)stood_ns;
}

/* Where fewer calls are timed, all of them would cost so much more. */
static struct budget_load load_between(const struct seen *before, const struct seen *seen)
{
	const uint64_t calls_ns = seen->calls_stood_ns - before->calls_stood_ns;
	const uint64_t lines_ns = seen->lines_stood_ns - before->lines_stood_ns;

	return (struct budget_load){
	    .entries = rate_of(seen->cost.entries_ns, before->cost.entries_ns, calls_ns),
	    .returns = rate_of(seen->cost.returns_ns, before->cost.returns_ns, calls_ns) /
		       (seen->cost.timed_share > 0 ? seen->cost.timed_share : 1),
	    .lines = rate_of(seen->cost.lines_ns, before->cost.lines_ns, lines_ns),
	};
}

/* ---- Changes ---- */

/* When both accounts will have all the credit that there can be: coming and going costs, too. */
static uint64_t slice_due(const struct budget *budget, uint32_t at)
{
	struct engine_account own, all;
	uint64_t paid;

	engine_look(budget->engine, at, SET_SLICED, &own);
	engine_look(budget->engine, ENGINE_ALL, SET_STEADY, &all);
	paid = own.paid_until_ns > all.paid_until_ns ? own.paid_until_ns : all.paid_until_ns;
	return paid + BURST_NS;
}

/* Remembers where everything is, from which loads are measured. */
static int begin_measuring(
    const struct budget *budget, uint32_t at, struct budget_part *part, struct failure *failure)
{
	struct engine_account account;

	if (!part->seen)
		part->seen = calloc(function_count(budget, at) + 1, sizeof(*part->seen));
	if (!part->seen || look(budget, at, part->seen)) {
		free(TAKE(part->seen));
		return failure_set(failure, ENOMEM, "out of memory");
	}
	engine_look(budget->engine, at, SET_STEADY, &account);
	part->steady_ns = account.spent_ns;
	part->steady_seen_ns = clock_ns(CLOCK_MONOTONIC);
	part->since = 0;
	return 0;
}

static bool is_whole(const struct part_choice *choices, size_t count)
{
	for (size_t at = 0; at < count; at++)
		if (choices[at].step != STEP_FULL)
			return false;
	return true;
}

static bool has_slices(const struct part_choice *choices, size_t count)
{
	for (size_t at = 0; at < count; at++)
		if (choices[at].step == STEP_LINES || choices[at].step == STEP_SLICED)
			return true;
	return false;
}

/* Brings the functions to their steps. On failure nothing of the part stands. */
static int change(struct budget *budget, uint32_t at, struct budget_part *part,
    struct part_choice *choices, struct failure *failure)
{
	const size_t count = function_count(budget, at);
	int error = engine_choose(budget->engine, at, choices, failure);

	part->slices++;
	if (error) {
		part->gave_up = true;
		return error;
	}
	part->whole = is_whole(choices, count);
	part->slicing = has_slices(choices, count);
	part->due_ns = part->slicing ? slice_due(budget, at) : UINT64_MAX;
	if (part->whole) {
		free(TAKE(part->seen));
		return 0;
	}
	return begin_measuring(budget, at, part, failure);
}

static int change_all(struct budget *budget, uint32_t at, struct budget_part *part,
    enum part_step step, struct failure *failure)
{
	const size_t count = function_count(budget, at);
	CLEANUP_FREE struct part_choice *choices = calloc(count + 1, sizeof(*choices));

	if (!choices)
		return failure_set(failure, ENOMEM, "out of memory");
	for (size_t function = 0; function < count; function++)
		choices[function].step = step;
	return change(budget, at, part, choices, failure);
}

/*
 * The steady overdrew: everything goes, and comes for slices, which show what is dear. Who does
 * that soon after climbing must wait longer before the next try.
 */
static int relieve(
    struct budget *budget, uint32_t at, struct budget_part *part, struct failure *failure)
{
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);
	const bool soon = part->climbed_ns && now - part->climbed_ns < 10 * part->patience_ns;

	if (!engine_part_can_change(budget->engine, at)) {
		part->gave_up = true;
		return 0;
	}
	part->fewer_failed = part->fewer_failed || (soon && !part->whole);
	part->patience_ns = soon ? 2 * part->patience_ns : PATIENCE_LEAST_NS;
	if (part->patience_ns > PATIENCE_MOST_NS)
		part->patience_ns = PATIENCE_MOST_NS;
	part->review_ns = now + part->patience_ns;
	return change_all(budget, at, part, STEP_SLICED, failure);
}

static bool is_same(const struct budget *budget, uint32_t at, const struct part_choice *choices)
{
	const size_t count = function_count(budget, at);

	for (uint32_t function = 0; function < count; function++) {
		struct function_stands stands;
		enum part_step step;

		engine_part_step(budget->engine, at, function, &step, &stands);
		if (step != choices[function].step)
			return false;
	}
	return true;
}

/* Chooses all anew by what was measured since the last time. */
static int review(struct budget *budget, uint32_t at, struct budget_part *part, bool *ret_changed,
    struct failure *failure)
{
	const size_t count = function_count(budget, at);
	CLEANUP_FREE struct budget_load *loads = calloc(count + 1, sizeof(*loads));
	CLEANUP_FREE struct part_choice *choices = calloc(count + 1, sizeof(*choices));
	CLEANUP_FREE struct seen *seen = calloc(count + 1, sizeof(*seen));

	part->review_ns = clock_ns(CLOCK_MONOTONIC) + part->patience_ns;
	if (!loads || !choices || !seen || look(budget, at, seen))
		return failure_set(failure, ENOMEM, "out of memory");
	if (!part->seen) /* there was no memory to begin with */
		return begin_measuring(budget, at, part, failure);
	for (size_t function = 0; function < count; function++)
		loads[function] = load_between(&part->seen[function], &seen[function]);
	if (budget_choose(loads, count, part->share, !part->fewer_failed, choices))
		return failure_set(failure, ENOMEM, "out of memory");
	part->climbed_ns = clock_ns(CLOCK_MONOTONIC);
	if (is_same(budget, at, choices))
		return begin_measuring(budget, at, part, failure);
	*ret_changed = true;
	if (is_whole(choices, count))
		part->review_ns = UINT64_MAX;
	return change(budget, at, part, choices, failure);
}

/* ---- Slices ---- */

/* The CPU time of this thread, and of what sets and removes probes for us (shelter.h). */
static uint64_t own_cpu_ns(void)
{
	static const int whose[] = {RUSAGE_THREAD, RUSAGE_CHILDREN};
	uint64_t sum = 0;

	for (size_t at = 0; at < ARRAY_SIZE(whose); at++) {
		struct rusage usage = {0};

		(void)getrusage(whose[at], &usage);
		sum += (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND_NS;
		sum += (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
	}
	return sum;
}

/* Slices have what the steady leaves of the budget. */
static void limit_slices(const struct budget *budget, uint32_t at, struct budget_part *part)
{
	const uint64_t now = clock_ns(CLOCK_MONOTONIC), passed = now - part->steady_seen_ns;
	const double share = COUNTED_SHARE * part->share, least = SLICES_SHARE_LEAST * share;
	struct engine_account account;
	double left = share;

	engine_look(budget->engine, at, SET_STEADY, &account);
	if (passed > SECOND_NS / 10)
		left -= (double)(account.spent_ns - part->steady_ns) / (double)passed;
	engine_limit(budget->engine, at, SET_SLICED, left > least ? left : least, BURST_NS);
}

static int begin_slice(
    struct budget *budget, uint32_t at, struct budget_part *part, struct failure *failure)
{
	const uint64_t began = own_cpu_ns();
	int error;

	part->due_ns = slice_due(budget, at); /* others may have spent meanwhile */
	if (part->due_ns > clock_ns(CLOCK_MONOTONIC))
		return 0;
	limit_slices(budget, at, part);
	part->due_ns = clock_ns(CLOCK_MONOTONIC) + part->patience_ns; /* where it cannot begin */
	error = engine_begin_slice(budget->engine, at, failure);
	if (error)
		return error;
	part->due_ns = UINT64_MAX; /* it is on, until its account is overdrawn */
	engine_charge(budget->engine, at, SET_SLICED, own_cpu_ns() - began);
	return 0;
}

/* What it takes to set and remove the probes is paid from the same account. */
static int end_slice(
    struct budget *budget, uint32_t at, struct budget_part *part, struct failure *failure)
{
	const uint64_t began = own_cpu_ns();
	uint64_t took;

	engine_end_slice(budget->engine, at);
	took = own_cpu_ns() - began;
	part->slices++;
	engine_charge(budget->engine, at, SET_SLICED, took);
	part->since++;
	part->due_ns = slice_due(budget, at);
	if ((double)took <= part->share * (double)TAKING_MOST_NS)
		return 0;
	part->review_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_MOST_NS;
	return change_all(budget, at, part, STEP_AWAY, failure);
}

/* ---- What is due ---- */

/* To choose anew by; a slice that does not end shows enough. */
static bool enough_is_seen(const struct budget_part *part)
{
	return !part->slicing || part->since >= SLICES_LEAST || part->due_ns == UINT64_MAX;
}

static int tick_part(struct budget *budget, uint32_t at, struct budget_part *part,
    bool *ret_changed, struct failure *failure)
{
	struct engine_account steady, sliced;
	int error = 0;

	engine_look(budget->engine, at, SET_STEADY, &steady);
	engine_look(budget->engine, at, SET_SLICED, &sliced);
	if (steady.shut) {
		*ret_changed = true;
		return relieve(budget, at, part, failure);
	}
	if (part->whole)
		return 0;
	if (sliced.shut && part->due_ns == UINT64_MAX)
		error = end_slice(budget, at, part, failure);
	else if (part->slicing && clock_ns(CLOCK_MONOTONIC) >= part->due_ns)
		error = begin_slice(budget, at, part, failure);
	if (error || !enough_is_seen(part) || clock_ns(CLOCK_MONOTONIC) < part->review_ns)
		return error;
	return review(budget, at, part, ret_changed, failure);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int budget_tick(
    struct budget *budget, uint64_t *ret_next, bool *ret_changed, struct failure *failure)
{
	int result = 0;

	*ret_next = UINT64_MAX;
	*ret_changed = false;
	engine_take_alarms(budget->engine);
	for (uint32_t at = 0; at < budget->parts.count; at++) {
		struct budget_part *part = budget->parts.items[at];
		int error;

		if (!part || part->gave_up || !engine_part_lives(budget->engine, at))
			continue;
		error = tick_part(budget, at, part, ret_changed, failure);
		result = result ? result : error;
		if (part->whole)
			continue;
		*ret_next = earlier(*ret_next, part->due_ns);
		if (enough_is_seen(part))
			*ret_next = earlier(*ret_next, part->review_ns);
	}
	return result;
}
