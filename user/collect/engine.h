/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: from plans to a profile. load, add, attach, activate, drain, stop. `lprof run`,
 * `lprof record` and `lprofd` all drive it; nobody else talks to the kernel's BPF side.
 *
 * `run` and `record` measure one plan, which engine_open() takes. lprofd opens an engine without
 * one, with room for plans to come: each is a part, added and removed while the others go on.
 */
#ifndef LPROF_COLLECT_ENGINE_H
#define LPROF_COLLECT_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/failure.h"
#include "base/parse.h"
#include "collect/steps.h"
#include "model/profile.h"
#include "target/plan.h"
#include "wire.h"

enum attach_method { ATTACH_BEST, ATTACH_SESSION, ATTACH_MULTI, ATTACH_PERF };

struct engine_options {
	enum attach_method
	    method;      /* BEST: session, then multi, then perf, whichever the kernel has */
	bool follow;     /* children forked by targets become targets; of engine_open()'s plan */
	uint32_t shards; /* 0: by the number of CPUs */
	uint32_t edges;  /* capacity of the table of callers, 0: EDGES_MAX */
	bool off_cpu;    /* split times by the scheduler; with pins: be able to, if the kernel is */
	bool correct;    /* subtract calibrated costs (on except in tests) */
	/* What all plans together may need; 0: what the first one does. */
	uint32_t functions, sites, lines;
	/* A directory in a BPF file system: everything is pinned there and goes on without this
	 * process, until engine_purge(). NULL: all ends with the engine. */
	const char *pins;
	void (*progress)(
	    void *context, const char *what, size_t done, size_t all); /* may be NULL */
	void *context;
};

struct engine;

/*
 * Loads BPF. A plan, which must outlive the engine, becomes part 0; nothing is attached yet.
 * -EPERM: which capability is missing; -ENOSYS: this kernel cannot; -E2BIG: over a capacity.
 */
int engine_open(const struct plan *plan, const struct engine_options *options,
    struct engine **ret_engine, struct failure *failure);
void engine_free(struct engine *engine); /* stops, detaches, frees; what is pinned goes on */
DEFINE_CLEANUP(struct engine *, engine_free)

/* Makes a process a target of part 0 (its later children too if following). */
int engine_add_target(struct engine *engine, pid_t pid, struct failure *failure);

/* How many targets live, children that were followed included. */
size_t engine_count_targets(const struct engine *engine);

/* The kernel's map from processes that are targets to their scopes; the engine's own. */
int engine_targets_map(const struct engine *engine);

/* The kernel's map of what is kept of each thread; the engine's own. */
int engine_threads_map(const struct engine *engine);

/* Appends the targets that live. */
int engine_list_targets(const struct engine *engine, pid_array *pids, struct failure *failure);

/* Attaches every site of part 0. */
int engine_attach(struct engine *engine, struct failure *failure);

/* Opens the gate: from here on hits count. */
void engine_activate(struct engine *engine);

/* The share of calls to time, live: function id of part 0, 0.0 to 1.0. */
int engine_set_rate(struct engine *engine, uint32_t function, double rate, struct failure *failure);

/* A profile of everything so far; may be called at any time, also after stop. */
int engine_drain(struct engine *engine, struct profile **ret_profile, struct failure *failure);

/* Closes the gate, then detaches. What was measured can still be drained. */
void engine_stop(struct engine *engine);

/*
 * Gives the memory of the kernel's tables back, which counts as this process's as long as they are
 * mapped; counting goes on. What needs them next maps them again, in a fraction of a millisecond.
 */
void engine_rest(struct engine *engine);

/* Maps them again: for who reads them by functions that take a const engine. -ENOMEM. */
int engine_wake(struct engine *engine, struct failure *failure);

/* ---- Parts ---- */

/* Where a part's ids begin in the kernel's tables, and whose hits it counts (wire.h). */
struct engine_place {
	uint32_t functions, sites, lines;
	uint32_t scope;
};

struct engine_part_options {
	bool everyone; /* whoever maps the images; else processes made targets */
	bool off_cpu;  /* split times by the scheduler */
	bool follow;   /* children of its targets are targets */
};

/*
 * Finds room for a plan, which must outlive the engine, and fills the tables; nothing is attached
 * yet. Parts are numbered from 0 on. -E2BIG: a table is full.
 */
int engine_add(struct engine *engine, const struct plan *plan,
    const struct engine_part_options *options, uint32_t *ret_part, struct failure *failure);

/* Whether a part's times are split by the scheduler. */
bool engine_part_off_cpu(const struct engine *engine, uint32_t part);

/* Gives a part that was detached a scope anew, so that it can be attached again. */
int engine_revive(struct engine *engine, uint32_t part, const struct engine_part_options *options,
    struct failure *failure);

int engine_add_part_target(
    struct engine *engine, uint32_t part, pid_t pid, struct failure *failure);

/* Names a process in profiles, as engine_add_part_target() does. */
int engine_note_target(
    struct engine *engine, pid_t pid, const char *command, struct failure *failure);

/* How many targets the part has now. */
size_t engine_part_targets(const struct engine *engine, uint32_t part);

/* Whether a process is a target of the part. */
bool engine_part_has_target(const struct engine *engine, uint32_t part, pid_t pid);

/* Attaches a part's sites, then opens them. On failure nothing of it stays attached. */
int engine_attach_part(struct engine *engine, uint32_t part, struct failure *failure);

/* Closes a part's sites and detaches them. Its data stays in profiles. */
void engine_detach_part(struct engine *engine, uint32_t part);

int engine_set_part_rate(
    struct engine *engine, uint32_t part, uint32_t function, double rate, struct failure *failure);

/* Whether the part's data belongs into profiles: true from engine_add() on. */
void engine_show_part(struct engine *engine, uint32_t part, bool shown);

bool engine_part_shown(const struct engine *engine, uint32_t part);

/* Calls `visit` with each process that was ever made a target. */
void engine_visit_targets(const struct engine *engine,
    void (*visit)(void *context, pid_t pid, const char *command), void *context);

/* What a hit of a site of this class costs on this machine, 0: not measured. */
uint64_t engine_price_ns(const struct engine *engine, enum cost_class class);

/* What measuring one function cost, as counted and calibrated. */
struct engine_cost {
	uint64_t calls, hits, line_hits; /* hits: all, those of lines among them */
	uint64_t entries_ns;             /* of all calls; with the exit sites, if it has those */
	uint64_t returns_ns;             /* of timed calls: return probes */
	uint64_t lines_ns;               /* in timed calls */
	uint64_t entry_price_ns, exit_price_ns; /* of one */
	double timed_share; /* of the calls to be timed, that are now; 1 without a budget */
};

/* Of each of a part's functions; the tables must be mapped. */
void engine_function_costs(
    const struct engine *engine, uint32_t part, struct engine_cost *ret_costs);
uint64_t engine_cost_ns(const struct engine_cost *cost); /* all of it */

/* What all hits so far cost, in ns, but for a few us a thread. 0: not calibrated. */
uint64_t engine_spent_ns(const struct engine *engine);

/* ---- Budgets: see budget.h, which is who uses this ---- */

#define ENGINE_ALL UINT32_MAX /* the account of all parts, as a part */

/*
 * Limits what a part's steady or sliced sites may cost to a share of one CPU, 0: no limit. Time
 * pays for it, at most burst_ns of it are saved up. An account that is overdrawn is shut: its hits
 * are ignored until its probes go.
 */
void engine_limit(
    struct engine *engine, uint32_t part, enum part_set set, double share, uint64_t burst_ns);

struct engine_account {
	uint64_t spent_ns;
	uint64_t paid_until_ns; /* CLOCK_MONOTONIC; 0: no limit */
	bool shut;
};
void engine_look(const struct engine *engine, uint32_t part, enum part_set set,
    struct engine_account *ret_account);

/* Lets a set pay for what its probes cost otherwise. */
void engine_charge(struct engine *engine, uint32_t part, enum part_set set, uint64_t cost_ns);

/* Readable when an account was shut, until engine_take_alarms(). */
int engine_alarm_fd(const struct engine *engine);
void engine_take_alarms(struct engine *engine);

/* Whether a part's probes can go and come: not where the files of its images are not open. */
bool engine_part_can_change(const struct engine *engine, uint32_t part);

/*
 * Gives each function of a part its step; functions that share a site get the larger one. What runs
 * meanwhile has ended for the accounts (unwound). If that fails nothing of the part stands.
 */
int engine_choose(
    struct engine *engine, uint32_t part, struct part_choice *choices, struct failure *failure);

/* The sliced sites come, and go. */
int engine_begin_slice(struct engine *engine, uint32_t part, struct failure *failure);
void engine_end_slice(struct engine *engine, uint32_t part);

/* Where a function stands, and how long it did. The tables must be mapped (engine_wake). */
void engine_part_step(const struct engine *engine, uint32_t part, uint32_t function,
    enum part_step *ret_step, struct function_stands *ret_stands);

/* How many parts there ever were; whether one is attached, or about to be; its plan. */
size_t engine_part_count(const struct engine *engine);
bool engine_part_lives(const struct engine *engine, uint32_t part);
const struct plan *engine_part_plan(const struct engine *engine, uint32_t part);

/* Starts the part's counters from zero; calls that run are calls of the new time. */
int engine_reset_part(struct engine *engine, uint32_t part, struct failure *failure);

/* A profile of some parts, of those that are shown: part i if `wanted` is NULL or wanted[i]. */
int engine_drain_parts(struct engine *engine, const bool *wanted, struct profile **ret_profile,
    struct failure *failure);

/* Probes of a part: how many stand, and how many the kernel refused. */
void engine_part_probes(
    const struct engine *engine, uint32_t part, size_t *ret_links, size_t *ret_refused);

struct engine_fill {
	uint32_t functions, functions_max, sites, sites_max, lines, lines_max;
};
void engine_fill(const struct engine *engine, struct engine_fill *ret_fill);

/* ---- Images that come later ---- */

/*
 * Watches the dynamic linkers of all targets that are not watched yet: once attached, call it
 * often, for children that are forked. Until then their functions lose return probes if they map
 * other code. Appends to *ret_news (NULL: at another time) whom it told of no time before: somebody
 * is to look at their images, and then to call engine_know_images() with *ret_forks.
 */
int engine_watch_images(struct engine *engine, uint32_t part, pid_array *ret_news,
    uint64_t *ret_forks, struct failure *failure);

/* Children up to fork number `forks` are watched, and what they mapped before unwinds no stacks. */
void engine_know_images(struct engine *engine, uint64_t forks);

/*
 * Whether return probes of switchable functions are held, because images of a target came or went;
 * *ret_changes says how often they did. Whoever sees it looks at the targets' images, and then
 * either releases the returns or switches the parts.
 */
bool engine_holds_returns(const struct engine *engine, uint32_t *ret_changes);

/* The images of change number `changes` unwind no stacks; a later change holds the returns anew. */
void engine_release_returns(struct engine *engine, uint32_t changes);

/* From now on the exits of a part's switchable functions are seen at exit sites. */
int engine_switch_exits(struct engine *engine, uint32_t part, struct failure *failure);

/* ---- Across restarts ---- */

/*
 * Takes over what a process before this one left pinned: it goes on counting all the while.
 * -ENOENT: nothing is pinned; -EPROTO: what is there is not this version's.
 */
int engine_adopt(
    const struct engine_options *options, struct engine **ret_engine, struct failure *failure);

struct engine_place engine_part_place(const struct engine *engine, uint32_t part);

/*
 * Makes a plan that was added before the next part, at its old place. `links` of it are pinned;
 * 0: it is detached. -ENOENT: not all of them are; the part is there, closed, and can be attached
 * anew.
 */
int engine_adopt_part(struct engine *engine, const struct plan *plan,
    const struct engine_place *place, size_t links, uint32_t *ret_part, struct failure *failure);

/* When measuring began, CLOCK_REALTIME: kept by the caller across restarts. */
int64_t engine_started(const struct engine *engine);
void engine_set_started(struct engine *engine, int64_t started_ns);

/* Removes every pin in the directory, and with them all probes that no process holds. */
void engine_purge(const char *pins);

#endif
