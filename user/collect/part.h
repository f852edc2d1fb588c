/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A part: one plan's place in the kernel's tables. Ids of a plan are indexes into its own arrays;
 * the kernel's are those plus the part's base. The tables of a load are filled from the front, and
 * a place is never given to another plan, so that a frame that some thread still holds of a part
 * that was removed can never be charged to a newcomer.
 *
 * A site counts for the processes of its part's scope (wire.h). It is closed while probes are being
 * attached or removed, and opened entries last: a call that the opening finds half-way looks like
 * one that was running before.
 */
#ifndef LPROF_COLLECT_PART_H
#define LPROF_COLLECT_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/attach.h"
#include "collect/counters.h"
#include "collect/engine.h"
#include "collect/estimates.h"
#include "collect/processor_time.h"
#include "collect/steps.h"
#include "target/plan.h"

/* A target whose dynamic linker has a probe. */
struct watched_process {
	pid_t pid;
	struct attachment *probe; /* NULL: it ended before that */
	bool told;                /* as news */
};

struct part {
	const struct plan *plan;
	struct engine_place place;
	bool live;                     /* attached or about to be: its scope is its own */
	bool open[SET_NONE];           /* hits count, by set */
	bool shown;                    /* its data belongs into profiles */
	bool off_cpu;                  /* its times are split by the scheduler */
	struct attachment *attachment; /* what is steady; NULL: not attached */
	struct attachment *slice;      /* NULL: none is on */
	bool switched;                 /* exit sites that stood by are among them */
	uint8_t *sets;                 /* enum part_set by site; NULL: all are steady */
	uint32_t account;              /* of the steady; the next is of the sliced */
	struct processor_time targets; /* what they took */
	uint64_t spent_ns;             /* what its probes cost meanwhile */
	uint64_t spent_before_ns;      /* of its accounts, when that began */
	struct estimates *estimates;   /* of what was not seen; NULL: nothing was away, or before */
	ARRAY(struct watched_process) watched;
};

/* Writes the plan into the tables, closed. -ENOMEM, or 0. */
int part_fill(const struct part *part, const struct counters *counters);

/*
 * From here on hits of a set's sites count, or do not: what runs then is not gone on with.
 * `ended_ns`: since when they have not counted any more, CLOCK_MONOTONIC; 0: they still did.
 */
void part_open(struct part *part, const struct counters *counters, enum part_set set);
void part_close(
    struct part *part, const struct counters *counters, enum part_set set, uint64_t ended_ns);

enum part_step part_step(const struct part *part, const struct counters *counters, uint32_t at);

/* Whether a set is what a function's calls, or its lines, stand in. */
bool part_calls_are_in(enum part_step step, enum part_set set);
bool part_lines_are_in(enum part_step step, enum part_set set);

/* Whether they stand now. */
void part_is_open(const struct part *part, enum part_step step, bool *ret_calls, bool *ret_lines);

/*
 * Gives each function its step; the part is closed. A site that serves several functions makes them
 * share the larger one, which `choices` tells then. -ENOMEM: nothing changed.
 */
int part_choose(struct part *part, const struct counters *counters, struct part_choice *choices);

/* The share of a function's calls to time that is asked for; the budget may allow less. */
void part_set_rate(
    const struct part *part, const struct counters *counters, uint32_t at, double rate);

/* The function that a site is of, first of all; NO_FUNCTION: of none. */
uint32_t part_function_of(const struct plan_site *site);

/* Its probes are gone, and are not to stand any more. */
void part_end(struct part *part, const struct counters *counters);

/* Up to now. */
void part_stands(const struct part *part, const struct counters *counters, uint32_t at,
    struct function_stands *ret_stands);

/* Its functions' exits are seen at exit sites from now on, no more by return probes. */
void part_switch_exits(const struct part *part, const struct counters *counters);

#endif
