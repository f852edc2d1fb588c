/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds what probes cost under shares of one CPU: of each part, and of all together.
 *
 * What hits cost is charged to accounts in the kernel, which time pays for (wire.h); at most a
 * second's pay is saved up. A part that overdraws its account is shut by the BPF program on the
 * spot, and we are woken to remove its probes. From then on they come for slices of time, each as
 * long as the credit lasts. Once slices have shown what each function costs while it stands,
 * budget_choose() lets as many functions as possible stand whole again, and the others in part.
 * What was counted tells the time for which it was (struct function_stands).
 *
 * So in the long run the cost is the budget, in no second it is twice as much, and what is within
 * the budget is never touched.
 */
#ifndef LPROF_COLLECT_BUDGET_H
#define LPROF_COLLECT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "collect/engine.h"

struct budget_part;

struct budget {
	struct engine *engine;
	double share;                      /* of all parts, 0: unlimited */
	ARRAY(struct budget_part *) parts; /* by the engine's numbers, NULL: without a limit */
};

/* `percent` of one CPU for all parts together, 0: unlimited. */
void budget_init(struct budget *budget, struct engine *engine, double percent);
void budget_fini(struct budget *budget);

/* Limits a part that is attached, or is to be; also one that has another limit. 0: unlimited but
 * for that of all. -ENOMEM. */
int budget_set(struct budget *budget, uint32_t part, double percent);

/* The part was detached. */
void budget_forget(struct budget *budget, uint32_t part);

/*
 * Does what is due: to be called when engine_alarm_fd() is readable, and at *ret_next at the latest
 * (CLOCK_MONOTONIC, UINT64_MAX: no time). *ret_changed: parts have other pins than before.
 */
int budget_tick(
    struct budget *budget, uint64_t *ret_next, bool *ret_changed, struct failure *failure);

/* Tells a profile of all parts what was allowed, and how often probes went. */
void budget_tell(const struct budget *budget, struct profile *profile);

/*
 * Whether a part overdrew its account and cannot come back in part: its images' files are not open
 * (after a restart). Its probes are gone; it is to be detached, and planned and attached anew.
 */
bool budget_gave_up(const struct budget *budget, uint32_t part);

#endif
