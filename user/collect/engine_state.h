/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the engine share, and nobody else sees. */
#ifndef LPROF_COLLECT_ENGINE_STATE_H
#define LPROF_COLLECT_ENGINE_STATE_H

#include <bpf/libbpf.h>

#include "base/array.h"
#include "collect/costs.h"
#include "collect/counters.h"
#include "collect/engine.h"
#include "collect/features.h"
#include "collect/kernel_objects.h"
#include "collect/part.h"
#include "collect/scheduler_links.h"

struct engine_target {
	pid_t pid;
	char *command;
};

/* What of the scheduler's tracepoints the programs follow. */
enum follow { FOLLOW_EXIT, FOLLOW_FORK, FOLLOW_EXEC, FOLLOW_COUNT };

struct engine {
	struct engine_options options;
	char *pins; /* a copy; NULL: none */
	struct features features;
	enum attach_method method;
	struct kernel_objects kernel;
	int follow_links[FOLLOW_COUNT];
	struct scheduler_links scheduler;
	struct ring_buffer *alarms;
	struct counters counters;
	struct costs costs;
	ARRAY(struct part *) parts;
	struct engine_fill fill; /* of the tables, by all parts */
	uint32_t next_scope;
	ARRAY(struct engine_target) targets; /* ever added, each process once */
	int64_t started_ns;                  /* CLOCK_REALTIME */
	uint64_t activated_ns;               /* CLOCK_MONOTONIC, 0: not yet */
	uint64_t stopped_ns;                 /* 0: not yet */
};

#define PART_NAME_MAX 32

/* The name of a part's pins. */
void engine_part_name(const struct part *part, char name[PART_NAME_MAX]);

void engine_free_parts(struct engine *engine);

/* How the probes of a part are attached. */
struct attach_options engine_attaching(const struct engine *engine, const struct part *part);

/* Links, and pins, what is steady of a part; it is closed. */
int engine_attach_steady(struct engine *engine, struct part *part, struct failure *failure);

/* What a part's targets and its probes have taken of CPUs, before its sites open or close. */
void engine_look_at_targets(struct engine *engine, uint32_t part);

/*
 * Follows the scheduler if calls of a set that is about to open are to be split by it. Left again
 * when the last such set closes.
 */
int engine_follow_scheduler(
    struct engine *engine, const struct part *part, enum part_set set, struct failure *failure);

/* Closes a part, and removes all of its probes. */
void engine_take_away(struct engine *engine, struct part *part);

/* Writes one step for all functions of a part that is detached. */
int engine_set_all(
    struct engine *engine, uint32_t part, enum part_step step, struct failure *failure);

#endif
