/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: one measurement from a plan to a profile. prepare, load, attach, activate, drain,
 * stop. `lprof run`, `lprof record` and `lprofd` all drive it; nobody else talks to the kernel's
 * BPF side.
 */
#ifndef LPROF_COLLECT_ENGINE_H
#define LPROF_COLLECT_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/failure.h"
#include "model/profile.h"
#include "target/plan.h"

enum attach_method { ATTACH_BEST, ATTACH_SESSION, ATTACH_MULTI, ATTACH_PERF };

struct engine_options {
	enum attach_method
	    method;      /* BEST: session, then multi, then perf, whichever the kernel has */
	bool follow;     /* children forked by targets become targets */
	uint32_t shards; /* 0: by the number of CPUs */
	uint32_t edges;  /* capacity of the table of callers, 0: EDGES_MAX */
	bool correct;    /* subtract calibrated costs (on except in tests) */
	void (*progress)(
	    void *context, const char *what, size_t done, size_t all); /* may be NULL */
	void *context;
};

struct engine;

/*
 * Loads BPF and fills its tables; nothing is attached yet. `plan` must outlive the engine.
 * -EPERM: which capability is missing; -ENOSYS: this kernel cannot; -E2BIG: over a capacity.
 */
int engine_open(const struct plan *plan, const struct engine_options *options,
    struct engine **ret_engine, struct failure *failure);
void engine_free(struct engine *engine); /* stops, detaches, frees */
DEFINE_CLEANUP(struct engine *, engine_free)

/* Makes a process a target (its later children too if following). */
int engine_add_target(struct engine *engine, pid_t pid, struct failure *failure);

/* How many targets live, children that were followed included. */
size_t engine_count_targets(const struct engine *engine);

/* Attaches every site; the gate stays closed. */
int engine_attach(struct engine *engine, struct failure *failure);

/* Opens the gate: from here on hits count. */
void engine_activate(struct engine *engine);

/* The share of calls to time, live: plan function id, 0.0 to 1.0. */
void engine_set_rate(struct engine *engine, uint32_t function, double rate);

/* A profile of everything so far; may be called at any time, also after stop. */
int engine_drain(struct engine *engine, struct profile **ret_profile, struct failure *failure);

/* Closes the gate, then detaches. What was measured can still be drained. */
void engine_stop(struct engine *engine);

#endif
