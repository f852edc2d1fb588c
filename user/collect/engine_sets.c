// SPDX-License-Identifier: GPL-2.0-or-later
// Takes part of a part's probes away, and brings them back: for budgets.
//
// Of each part some sites stand all the time (and, with pins, without us), some for slices of time,
// some not at all. Pins outlive lprofd, slices never do.
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "collect/attach_pins.h"
#include "collect/engine_state.h"

/* Links the sites of a set; those that stood by for exits too, once they were called in. */
static int attach_set(struct engine *engine, struct part *part, enum part_set set,
    struct attachment **ret_attachment, struct failure *failure)
{
	struct attach_options options = engine_attaching(engine, part);
	CLEANUP(attach_free_p) struct attachment *attachment = NULL;
	struct attachment *exits = NULL;
	int error;

	options.sets = part->sets;
	options.set = set;
	if (part->sets)
		options.progress = NULL;
	error = attach_open(part->plan, &options, &attachment, failure);
	if (!error && part->switched) {
		options.standby = true;
		error = attach_open(part->plan, &options, &exits, failure);
		if (!error && attach_join(attachment, exits)) {
			attach_free(exits);
			error = failure_set(failure, ENOMEM, "out of memory");
		}
	}
	if (error)
		return error;
	*ret_attachment = TAKE(attachment);
	return 0;
}

/* Without probes there is nothing to pin, and the part's name is that of the next one. */
static bool is_pinned(const struct engine *engine, const struct part *part)
{
	return engine->pins && part->plan->sites.count;
}

static void unpin(const struct engine *engine, const struct part *part)
{
	char name[PART_NAME_MAX];

	engine_part_name(part, name);
	if (is_pinned(engine, part))
		attach_pins_remove(engine->pins, name);
}

static int pin(const struct engine *engine, const struct part *part, struct failure *failure)
{
	char name[PART_NAME_MAX];

	engine_part_name(part, name);
	return is_pinned(engine, part)
		   ? attach_pins_make(part->attachment, engine->pins, name, failure)
		   : 0;
}

int engine_attach_steady(struct engine *engine, struct part *part, struct failure *failure)
{
	struct attachment *attachment;
	int error;

	unpin(engine, part);
	error = attach_set(engine, part, SET_STEADY, &attachment, failure);
	if (error)
		return error;
	if (!part->attachment) {
		part->attachment = attachment;
	} else if (attach_join(part->attachment, attachment)) { /* whose refusals stay */
		attach_free(attachment);
		return failure_set(failure, ENOMEM, "out of memory");
	}
	return pin(engine, part, failure);
}

/* An account that was shut while its probes went is open for when they come again. */
static void reopen_account(const struct engine *engine, uint32_t account)
{
	__atomic_store_n(&engine->kernel.accounts[account].shut, 0, __ATOMIC_SEQ_CST);
}

/* Since when an account that is shut ignores hits; 0: it is open. */
static uint64_t shut_since(const struct engine *engine, const struct part *part, enum part_set set)
{
	const volatile struct account *account =
	    &engine->kernel.accounts[part->account + (set == SET_SLICED)];

	return account->shut ? account->shut_ns : 0;
}

static void pids_free(pid_array *pids)
{
	ARRAY_FREE(pids);
}

void engine_look_at_targets(struct engine *engine, uint32_t at)
{
	struct part *part = engine->parts.items[at];
	const volatile struct account *accounts = &engine->kernel.accounts[part->account];
	CLEANUP(pids_free) pid_array all = {0};
	CLEANUP(pids_free) pid_array pids = {0};
	uint64_t spent_ns;

	if (part->place.scope == SCOPE_ALL || engine_list_targets(engine, &all, NULL))
		return;
	ARRAY_FOREACH (pid, &all)
		if (engine_part_has_target(engine, at, *pid) && ARRAY_APPEND(&pids, *pid))
			return;
	spent_ns = accounts[0].spent_ns + accounts[1].spent_ns;
	if (!part->targets.seen_ns)
		part->spent_before_ns = spent_ns;
	if (!processor_time_look(&part->targets, &pids, clock_ns(CLOCK_MONOTONIC)))
		part->spent_ns = spent_ns - part->spent_before_ns;
}

/* ---- The scheduler ---- */

static bool splits_calls(const struct engine *engine, const struct part *part, enum part_set set)
{
	if (!part->live || !part->off_cpu)
		return false;
	for (uint32_t at = 0; at < part->plan->functions.count; at++)
		if (part_calls_are_in(part_step(part, &engine->counters, at), set))
			return true;
	return false;
}

/*
 * The account that pays for switches of threads that nobody measures: of a set whose calls are
 * split now, without a limit if there is one, as they do not end before its probes do. 0: there is
 * none.
 */
static uint32_t choose_payer(const struct engine *engine)
{
	uint32_t payer = 0;

	for (enum part_set set = SET_STEADY; set <= SET_SLICED; set++)
		ARRAY_FOREACH (at, &engine->parts) {
			const struct part *part = *at;
			const uint32_t account = part->account + (set == SET_SLICED);

			if (!part->open[set] || !splits_calls(engine, part, set))
				continue;
			if (!engine->kernel.accounts[account].price)
				return account;
			payer = payer ? payer : account;
		}
	return payer;
}

int engine_follow_scheduler(
    struct engine *engine, const struct part *part, enum part_set set, struct failure *failure)
{
	const uint32_t account = part->account + (set == SET_SLICED);
	uint32_t payer = choose_payer(engine);

	if (!splits_calls(engine, part, set))
		return 0;
	if (!payer || !engine->kernel.accounts[account].price)
		payer = account;
	engine->kernel.settings->off_cpu_payer = payer;
	return scheduler_follow(&engine->scheduler, &engine->kernel, engine->pins, failure);
}

/* What a process before this one pinned stays until some part of it was adopted. */
static void leave_scheduler(struct engine *engine)
{
	const uint32_t payer = choose_payer(engine);

	if (engine->scheduler.links[0] < 0)
		return;
	engine->kernel.settings->off_cpu_payer = payer;
	if (!payer)
		scheduler_unpin(&engine->scheduler, engine->pins);
}

/* ---- Open and close ---- */

static void close_set(struct engine *engine, struct part *part, enum part_set set)
{
	part_close(part, &engine->counters, set, shut_since(engine, part, set));
}

void engine_end_slice(struct engine *engine, uint32_t at)
{
	struct part *part = engine->parts.items[at];

	if (!part->slice)
		return;
	engine_look_at_targets(engine, at);
	if (!engine_wake(engine, NULL))
		close_set(engine, part, SET_SLICED);
	leave_scheduler(engine);
	attach_free(TAKE(part->slice));
}

int engine_begin_slice(struct engine *engine, uint32_t at, struct failure *failure)
{
	struct part *part = engine->parts.items[at];
	int error = engine_wake(engine, failure);

	if (error || part->slice)
		return error;
	error = engine_follow_scheduler(engine, part, SET_SLICED, failure);
	if (!error)
		error = attach_set(engine, part, SET_SLICED, &part->slice, failure);
	if (error) {
		leave_scheduler(engine);
		return error;
	}
	engine_look_at_targets(engine, at);
	reopen_account(engine, part->account + 1);
	part_open(part, &engine->counters, SET_SLICED);
	return 0;
}

void engine_take_away(struct engine *engine, struct part *part)
{
	const bool awake = !engine_wake(engine, NULL);

	for (enum part_set set = SET_STEADY; set <= SET_SLICED && awake; set++)
		close_set(engine, part, set);
	leave_scheduler(engine);
	unpin(engine, part);
	if (part->attachment)
		attach_close(part->attachment);
	attach_free(TAKE(part->slice));
}

static bool has_files(const struct plan *plan)
{
	ARRAY_FOREACH (site, &plan->sites)
		if (plan->images.items[site->image].fd < 0)
			return false;
	return true;
}

bool engine_part_can_change(const struct engine *engine, uint32_t at)
{
	return has_files(engine->parts.items[at]->plan);
}

int engine_choose(
    struct engine *engine, uint32_t at, struct part_choice *choices, struct failure *failure)
{
	struct part *part = engine->parts.items[at];
	int error = engine_wake(engine, failure);

	if (error)
		return error;
	engine_look_at_targets(engine, at);
	engine_take_away(engine, part);
	if (part_choose(part, &engine->counters, choices))
		return failure_set(failure, ENOMEM, "out of memory");
	error = engine_follow_scheduler(engine, part, SET_STEADY, failure);
	if (!error)
		error = engine_attach_steady(engine, part, failure);
	if (error) {
		engine_take_away(engine, part);
		return error;
	}
	engine_look_at_targets(engine, at);
	reopen_account(engine, part->account);
	part_open(part, &engine->counters, SET_STEADY);
	return 0;
}

int engine_set_all(struct engine *engine, uint32_t at, enum part_step step, struct failure *failure)
{
	struct part *part = engine->parts.items[at];
	const size_t count = part->plan->functions.count;
	CLEANUP_FREE struct part_choice *choices = calloc(count + 1, sizeof(*choices));

	for (size_t function = 0; function < count && choices; function++)
		choices[function].step = step;
	if (!choices || part_choose(part, &engine->counters, choices))
		return failure_set(failure, ENOMEM, "out of memory");
	return 0;
}

int engine_switch_exits(struct engine *engine, uint32_t at, struct failure *failure)
{
	struct part *part = engine->parts.items[at];
	struct attach_options options = engine_attaching(engine, part);
	struct attachment *exits = NULL;
	int error;

	if (part->switched)
		return 0;
	part->switched = true;
	options.standby = true;
	options.sets = part->sets;
	options.set = SET_STEADY;
	error = engine_wake(engine, failure);
	engine_end_slice(engine, at);
	if (!error)
		error = attach_open(part->plan, &options, &exits, failure);
	if (!error && attach_join(part->attachment, exits)) {
		attach_free(exits);
		error = failure_set(failure, ENOMEM, "out of memory");
	}
	if (!error)
		part_switch_exits(part, &engine->counters);
	return error;
}

void engine_part_step(const struct engine *engine, uint32_t at, uint32_t function,
    enum part_step *ret_step, struct function_stands *ret_stands)
{
	const struct part *part = engine->parts.items[at];

	*ret_step = part_step(part, &engine->counters, function);
	part_stands(part, &engine->counters, function, ret_stands);
}
