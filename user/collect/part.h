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
#include "target/plan.h"

struct part {
	const struct plan *plan;
	struct engine_place place;
	bool live;                          /* attached or about to be: its scope is its own */
	bool open;                          /* its hits count */
	bool shown;                         /* its data belongs into profiles */
	struct attachment *attachment;      /* NULL: not attached */
	ARRAY(struct attachment *) watches; /* of targets' dynamic linkers, one a process */
	pid_array watched;                  /* those processes, ended ones included */
	struct attachment *exits;           /* the exit sites that stood by, once called in */
};

/* Writes the plan into the tables, closed. -ENOMEM, or 0. */
int part_fill(const struct part *part, const struct counters *counters);

/* From here on its hits count, or do not. */
void part_open(struct part *part, const struct counters *counters);
void part_close(struct part *part, const struct counters *counters);

/* Its functions' exits are seen at exit sites from now on, no more by return probes. */
void part_switch_exits(const struct part *part, const struct counters *counters);

#endif
