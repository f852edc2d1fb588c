// SPDX-License-Identifier: GPL-2.0-or-later
// Adds plans to a running engine and takes them away: places, scopes, targets, probes.
#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "collect/attach_pins.h"
#include "collect/counters_reset.h"
#include "collect/engine_state.h"
#include "target/process.h"

void engine_part_name(const struct part *part, char name[PART_NAME_MAX])
{
	/* No two parts begin at the same site. */
	snprintf(name, PART_NAME_MAX, "probes_%u", part->place.sites);
}

static void part_free(struct part *part)
{
	attach_free(part->attachment);
	attach_free(part->slice);
	free(part->sets);
	estimates_free(part->estimates);
	processor_time_fini(&part->targets);
	ARRAY_FOREACH (watched, &part->watched)
		attach_free(watched->probe);
	ARRAY_FREE(&part->watched);
	free(part);
}

void engine_free_parts(struct engine *engine)
{
	ARRAY_FOREACH (part, &engine->parts)
		part_free(*part);
	ARRAY_FREE(&engine->parts);
}

/* ---- Targets ---- */

static uint32_t scope_bit(uint32_t scope)
{
	return scope == SCOPE_ALL ? 0 : 1u << scope % SCOPES_MAX;
}

/* Calls `visit` with each target and its scopes; gives how many have one of `bits`. */
static size_t visit_targets(const struct engine *engine, uint32_t bits,
    void (*visit)(int map, uint32_t pid, uint32_t scopes, uint32_t bits))
{
	int map = engine->kernel.maps[MAP_targets];
	uint32_t pid, next, scopes, *previous = NULL;
	size_t count = 0;
	bool more = bpf_map_get_next_key(map, NULL, &next) == 0;

	for (size_t seen = 0; more && seen < TARGETS_MAX; seen++) {
		pid = next;
		previous = &pid;
		more = bpf_map_get_next_key(map, previous, &next) == 0;
		if (bpf_map_lookup_elem(map, &pid, &scopes) < 0 || !(scopes & bits))
			continue;
		count++;
		if (visit)
			visit(map, pid, scopes, bits);
	}
	return count;
}

static void leave_scope(int map, uint32_t pid, uint32_t scopes, uint32_t bits)
{
	scopes &= ~bits;
	if (scopes)
		(void)bpf_map_update_elem(map, &pid, &scopes, BPF_EXIST);
	else
		(void)bpf_map_delete_elem(map, &pid);
}

size_t engine_count_targets(const struct engine *engine)
{
	return visit_targets(engine, UINT32_MAX, NULL);
}

int engine_list_targets(const struct engine *engine, pid_array *pids, struct failure *failure)
{
	uint32_t key, *previous = NULL;

	for (size_t at = 0; at < TARGETS_MAX; at++) {
		if (bpf_map_get_next_key(engine->kernel.maps[MAP_targets], previous, &key) < 0)
			break;
		if (ARRAY_APPEND(pids, (pid_t)key))
			return failure_set(failure, ENOMEM, "out of memory");
		previous = &key;
	}
	return 0;
}

int engine_targets_map(const struct engine *engine)
{
	return engine->kernel.maps[MAP_targets];
}

int engine_threads_map(const struct engine *engine)
{
	return engine->kernel.maps[MAP_threads];
}

size_t engine_part_targets(const struct engine *engine, uint32_t part)
{
	return visit_targets(engine, scope_bit(engine->parts.items[part]->place.scope), NULL);
}

bool engine_part_has_target(const struct engine *engine, uint32_t part, pid_t pid)
{
	uint32_t key = (uint32_t)pid, scopes = 0;

	if (bpf_map_lookup_elem(engine->kernel.maps[MAP_targets], &key, &scopes) < 0)
		return false;
	return scopes & scope_bit(engine->parts.items[part]->place.scope);
}

int engine_note_target(
    struct engine *engine, pid_t pid, const char *command, struct failure *failure)
{
	struct engine_target target = {.pid = pid};

	ARRAY_FOREACH (known, &engine->targets)
		if (known->pid == pid && !strcmp(known->command, command))
			return 0;
	target.command = strdup(command);
	if (!target.command || ARRAY_APPEND(&engine->targets, target)) {
		free(target.command);
		return failure_set(failure, ENOMEM, "out of memory");
	}
	return 0;
}

int engine_add_part_target(struct engine *engine, uint32_t part, pid_t pid, struct failure *failure)
{
	int map = engine->kernel.maps[MAP_targets];
	uint32_t key = (uint32_t)pid, scopes = 0;
	CLEANUP_FREE char *command = NULL;

	if (kill(pid, 0) < 0 && errno == ESRCH)
		return failure_set(failure, ESRCH, "there is no process %d", (int)pid);
	(void)bpf_map_lookup_elem(map, &key, &scopes);
	scopes |= scope_bit(engine->parts.items[part]->place.scope);
	if (bpf_map_update_elem(map, &key, &scopes, BPF_ANY) < 0)
		return failure_set(failure, errno, "cannot add process %d to the targets: %s",
		    (int)pid, strerror(errno));
	if (process_read_command("/proc", pid, &command, NULL))
		command = strdup(""); /* a namespace may hide it */
	return engine_note_target(engine, pid, command ? command : "", failure);
}

int engine_add_target(struct engine *engine, pid_t pid, struct failure *failure)
{
	return engine_add_part_target(engine, 0, pid, failure);
}

/* ---- Places and scopes ---- */

static uint32_t scopes_in_use(const struct engine *engine)
{
	uint32_t bits = 0;

	ARRAY_FOREACH (part, &engine->parts)
		if ((*part)->live)
			bits |= scope_bit((*part)->place.scope);
	return bits;
}

static int choose_scope(struct engine *engine, const struct engine_part_options *options,
    uint32_t *ret_scope, struct failure *failure)
{
	uint32_t used = scopes_in_use(engine), bit;

	*ret_scope = SCOPE_ALL;
	if (options->everyone)
		return 0;
	if (used == UINT32_MAX)
		return failure_set(failure, E2BIG,
		    "%d probes of single processes are the most at once: remove one, or probe the "
		    "image",
		    SCOPES_MAX);
	while (used & scope_bit(engine->next_scope))
		engine->next_scope++;
	*ret_scope = engine->next_scope++;
	bit = scope_bit(*ret_scope);
	(void)visit_targets(engine, bit, leave_scope); /* of a part before */
	if (options->follow)
		engine->kernel.settings->follow_forks |= bit;
	else
		engine->kernel.settings->follow_forks &= ~bit;
	return 0;
}

static int check_room(
    const struct engine_fill *fill, const struct plan *plan, struct failure *failure)
{
	const struct {
		const char *what;
		size_t used, more, most;
	} tables[] = {
	    {"functions", fill->functions, plan->functions.count, fill->functions_max},
	    {"sites", fill->sites, plan->sites.count, fill->sites_max},
	    {"lines", fill->lines, plan->lines.count, fill->lines_max},
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (tables[i].more > tables[i].most - tables[i].used)
			return failure_set(failure, E2BIG,
			    "%zu more %s do not fit: %zu of %zu were used since the tables were "
			    "loaded; restart lprofd, or raise `%s` in its configuration",
			    tables[i].more, tables[i].what, tables[i].used, tables[i].most,
			    tables[i].what);
	return 0;
}

static uint32_t larger(uint32_t a, size_t b)
{
	return a > b ? a : (uint32_t)b;
}

/* What another part, or another lprofd, left in a pair of accounts is nothing to the next. */
static void clear_accounts(const struct engine *engine, uint32_t first)
{
	for (uint32_t account = first; account < first + 2; account++) {
		engine->kernel.accounts[account].paid_until_ns = 0;
		engine->kernel.accounts[account].price = 0;
		engine->kernel.accounts[account].shut = 0;
	}
}

/* A pair of accounts that no live part has; 0: there is none. */
static uint32_t choose_account(const struct engine *engine)
{
	bool used[ACCOUNTS_MAX] = {0};

	ARRAY_FOREACH (part, &engine->parts)
		if ((*part)->live)
			used[(*part)->account] = true;
	for (uint32_t account = 1; account + 1 < ACCOUNTS_MAX; account += 2)
		if (!used[account])
			return account;
	return 0;
}

static int fail_full(struct failure *failure)
{
	return failure_set(
	    failure, E2BIG, "%d probes are the most at once: remove one", ACCOUNTS_MAX / 2);
}

/* The part at its place, counted as part of what is full. */
static int append_part(struct engine *engine, const struct plan *plan,
    const struct engine_place *place, uint32_t *ret_part, struct failure *failure)
{
	struct part *part = calloc(1, sizeof(*part));
	const uint32_t account = choose_account(engine);
	struct engine_fill *fill = &engine->fill;

	if (!account) {
		free(part);
		return fail_full(failure);
	}
	if (!part || ARRAY_APPEND(&engine->parts, part)) {
		free(part);
		return failure_set(failure, ENOMEM, "out of memory");
	}
	*part = (struct part){.plan = plan, .place = *place, .shown = true};
	clear_accounts(engine, account);
	part->account = account;
	part->live = true;
	fill->functions = larger(fill->functions, place->functions + plan->functions.count);
	fill->sites = larger(fill->sites, place->sites + plan->sites.count);
	fill->lines = larger(fill->lines, place->lines + plan->lines.count);
	*ret_part = (uint32_t)engine->parts.count - 1;
	return 0;
}

int engine_add(struct engine *engine, const struct plan *plan,
    const struct engine_part_options *options, uint32_t *ret_part, struct failure *failure)
{
	struct engine_place place = {.functions = engine->fill.functions,
	    .sites = engine->fill.sites,
	    .lines = engine->fill.lines};
	int error = check_room(&engine->fill, plan, failure);

	if (!error)
		error = engine_wake(engine, failure);
	if (!error)
		error = choose_scope(engine, options, &place.scope, failure);
	if (!error)
		error = append_part(engine, plan, &place, ret_part, failure);
	if (error)
		return error;
	engine->parts.items[*ret_part]->off_cpu = options->off_cpu;
	if (part_fill(engine->parts.items[*ret_part], &engine->counters))
		return failure_set(failure, ENOMEM, "out of memory");
	return 0;
}

int engine_revive(struct engine *engine, uint32_t part, const struct engine_part_options *options,
    struct failure *failure)
{
	struct part *revived = engine->parts.items[part];
	const uint32_t account = choose_account(engine);
	int error = account ? engine_wake(engine, failure) : fail_full(failure);

	if (!error)
		error = choose_scope(engine, options, &revived->place.scope, failure);
	if (error)
		return error;
	revived->account = account;
	clear_accounts(engine, account);
	revived->live = true;
	return engine_set_all(engine, part, STEP_FULL, failure);
}

/* ---- Probes ---- */

/* The one process that the kernel itself can limit a part's probes to, or 0. */
static pid_t only_process(const struct engine *engine, const struct part *part)
{
	uint32_t bit = scope_bit(part->place.scope);

	if (!bit || engine->kernel.settings->follow_forks & bit || engine->parts.count > 1 ||
	    engine->targets.count != 1)
		return 0;
	if (engine->method != ATTACH_PERF && !engine->features.has[FEATURE_PROCESS_FILTER])
		return 0;
	return engine->targets.items[0].pid;
}

struct attach_options engine_attaching(const struct engine *engine, const struct part *part)
{
	const int *programs = engine->kernel.programs;

	return (struct attach_options){
	    .method = engine->method,
	    .programs = {.session = programs[PROGRAM_timing_session],
		.site = programs[PROGRAM_timing_site],
		.returns = programs[PROGRAM_timing_return]},
	    .pid = only_process(engine, part),
	    .first_site = part->place.sites,
	    .progress = engine->options.progress,
	    .context = engine->options.context,
	};
}

/* In a pid namespace BPF sees other ids than we do: only the kernel's filter can tell. */
static int check_scope(struct engine *engine, struct part *part, struct failure *failure)
{
	if (engine->features.has[FEATURE_HOST_PIDS] || !scope_bit(part->place.scope))
		return 0;
	if (!only_process(engine, part))
		return failure_set(failure, ENOSYS, "%s; or measure one process with --no-follow",
		    feature_reason(&engine->features, FEATURE_HOST_PIDS));
	part->place.scope = SCOPE_ALL;
	return 0;
}

int engine_attach_part(struct engine *engine, uint32_t at, struct failure *failure)
{
	struct part *part = engine->parts.items[at];
	int error = engine_wake(engine, failure);

	if (!error)
		error = check_scope(engine, part, failure);
	attach_free(TAKE(part->attachment));
	if (!error)
		error = engine_follow_scheduler(engine, part, SET_STEADY, failure);
	if (!error)
		error = engine_attach_steady(engine, part, failure);
	if (!error)
		error = engine_watch_images(engine, at, NULL, NULL, failure);
	if (error) {
		engine_detach_part(engine, at);
		return error;
	}
	engine_look_at_targets(engine, at);
	part_open(part, &engine->counters, SET_STEADY);
	return 0;
}

int engine_attach(struct engine *engine, struct failure *failure)
{
	return engine_attach_part(engine, 0, failure);
}

/*
 * The refusals stay, because they say why lines have no counts. Without memory for the tables the
 * probes go all the same, and calls that are half-way then stay open.
 */
void engine_detach_part(struct engine *engine, uint32_t at)
{
	struct part *part = engine->parts.items[at];

	if (part->live)
		engine_look_at_targets(engine, at);
	if (part->live && !engine_wake(engine, NULL))
		part_end(part, &engine->counters); /* before: what removing takes is nobody's */
	part->live = false;
	engine_take_away(engine, part);
	ARRAY_FOREACH (watched, &part->watched)
		if (watched->probe)
			attach_close(watched->probe);
}

void engine_part_probes(
    const struct engine *engine, uint32_t part, size_t *ret_links, size_t *ret_refused)
{
	const struct attachment *attachment = engine->parts.items[part]->attachment;

	*ret_links = attachment ? attach_pin_count(attachment) : 0;
	*ret_refused = attachment ? attachment->refusals.count : 0;
}

/* ---- Across restarts ---- */

struct engine_place engine_part_place(const struct engine *engine, uint32_t part)
{
	return engine->parts.items[part]->place;
}

static int check_place(const struct engine_fill *fill, const struct engine_place *place,
    const struct plan *plan, struct failure *failure)
{
	if (place->functions <= fill->functions_max && place->sites <= fill->sites_max &&
	    place->lines <= fill->lines_max &&
	    plan->functions.count <= fill->functions_max - place->functions &&
	    plan->sites.count <= fill->sites_max - place->sites &&
	    plan->lines.count <= fill->lines_max - place->lines)
		return 0;
	return failure_set(failure, EPROTO, "a probe's place is outside the pinned tables");
}

static bool is_full(const struct part *part, const struct counters *counters)
{
	for (uint32_t at = 0; at < part->plan->functions.count; at++)
		if (part_step(part, counters, at) != STEP_FULL)
			return false;
	return true;
}

int engine_adopt_part(struct engine *engine, const struct plan *plan,
    const struct engine_place *place, size_t links, uint32_t *ret_part, struct failure *failure)
{
	char name[PART_NAME_MAX];
	struct part *part;
	int error = check_place(&engine->fill, place, plan, failure);

	if (!error)
		error = append_part(engine, plan, place, ret_part, failure);
	if (error)
		return error;
	part = engine->parts.items[*ret_part];
	part->live = part->open[SET_STEADY] = links;
	if (place->scope != SCOPE_ALL && place->scope >= engine->next_scope)
		engine->next_scope = place->scope + 1;
	if (plan->sites.count)
		part->account = engine->counters.sites[place->sites].account;
	part->off_cpu = plan->functions.count &&
			engine->counters.functions[place->functions].flags & FUNCTION_OFF_CPU;
	if (links)
		error = engine_follow_scheduler(engine, part, SET_STEADY, failure);
	engine_part_name(part, name);
	if (!error && links && !is_full(part, &engine->counters))
		error = -ENOENT;                       /* a budget had taken part of it away */
	else if (!error && links && plan->sites.count) /* without probes there are no pins */
		error = attach_pins_open(engine->pins, name, links, &part->attachment, failure);
	if (error || !links)
		engine_detach_part(engine, *ret_part);
	return error;
}

/* ---- The rest ---- */

int engine_set_part_rate(
    struct engine *engine, uint32_t part, uint32_t function, double rate, struct failure *failure)
{
	int error = engine_wake(engine, failure);

	if (!error)
		part_set_rate(engine->parts.items[part], &engine->counters, function, rate);
	return error;
}

int engine_set_rate(struct engine *engine, uint32_t function, double rate, struct failure *failure)
{
	return engine_set_part_rate(engine, 0, function, rate, failure);
}

void engine_show_part(struct engine *engine, uint32_t part, bool shown)
{
	engine->parts.items[part]->shown = shown;
}

bool engine_part_shown(const struct engine *engine, uint32_t part)
{
	return engine->parts.items[part]->shown;
}

void engine_visit_targets(const struct engine *engine,
    void (*visit)(void *context, pid_t pid, const char *command), void *context)
{
	ARRAY_FOREACH (target, &engine->targets)
		visit(context, target->pid, target->command);
}

int engine_reset_part(struct engine *engine, uint32_t part, struct failure *failure)
{
	int error = engine_wake(engine, failure);

	if (!error)
		counters_reset(&engine->counters, engine->parts.items[part]);
	if (error)
		return error;
	estimates_free(TAKE(engine->parts.items[part]->estimates));
	processor_time_fini(&engine->parts.items[part]->targets);
	if (engine->parts.items[part]->live)
		engine_look_at_targets(engine, part);
	return error;
}

bool engine_part_off_cpu(const struct engine *engine, uint32_t part)
{
	return engine->parts.items[part]->off_cpu;
}

size_t engine_part_count(const struct engine *engine)
{
	return engine->parts.count;
}

bool engine_part_lives(const struct engine *engine, uint32_t part)
{
	return engine->parts.items[part]->live;
}

const struct plan *engine_part_plan(const struct engine *engine, uint32_t part)
{
	return engine->parts.items[part]->plan;
}

void engine_fill(const struct engine *engine, struct engine_fill *ret_fill)
{
	*ret_fill = engine->fill;
}
