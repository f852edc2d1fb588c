/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Estimates what a part's probes would have counted while a budget had them away, and how far that
 * may be off.
 *
 * Time is cut into stretches that probes stood, and gaps. In a gap things went on as fast as in the
 * mean of the stretches before and after it: not as in the mean of all stretches, because these
 * last long while little happens and short while much does. How much the two differ tells the
 * error: for independent stretches half the square of the difference is the variance of their mean
 * as gaps use it, each stretch twice, and what goes on in the gap itself varies likewise, by the
 * less the longer it is; where the target changed its ways in the gap it is about the square of
 * what is not known. A sum of these over all gaps is the variance of the estimate.
 *
 * Work is measured by the CPU time that targets took, less what probes took of it: these slow a
 * busy target down, so that it does less while they stand. What their cost may be off is therefore
 * in the error. Of lines whose function's calls were counted all the while it is measured by calls,
 * which says more. Where whoever maps an image is a target, or before a restart, by the clock: as
 * if probes had slowed the only thread, and with an error that says they may not have.
 */
#ifndef LPROF_COLLECT_ESTIMATES_H
#define LPROF_COLLECT_ESTIMATES_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/counters.h"
#include "collect/steps.h"

struct estimates;
struct part;

/* What gaps add to what was counted; the truth lies within the error 19 times of 20. */
struct estimate {
	double count, count_error;
	double time_ns, time_error_ns; /* of functions: not corrected */
};

/* Of a part before its probes go for the first time, or whose estimates are lost: what was away
 * then is a gap like any other, but for its one neighbour. NULL: no memory. */
struct estimates *estimates_new(const struct part *part, const struct counters *counters);
void estimates_free(struct estimates *estimates);

/*
 * The probes of a set come, or have gone: their hits have not counted since `ended_ns`. Before
 * their stands and steps change. Reads what part->targets and part->spent_ns say.
 */
void estimates_turn(struct estimates *estimates, const struct part *part,
    const struct counters *counters, enum part_set set, bool come, uint64_t ended_ns);

/* Nothing of the part is to stand from now on: that is no gap. Before its stands change. */
void estimates_end(
    struct estimates *estimates, const struct part *part, const struct counters *counters);

/* Up to now; by the plan's numbers. */
struct estimates_told {
	struct estimate *functions, *lines;
};

/* `cost_error`: what probes' cost may be off, as a share of it. 0 or -ENOMEM. */
int estimates_tell(const struct estimates *estimates, const struct part *part,
    const struct counters *counters, double cost_error, struct estimates_told *ret_told);
void estimates_told_free(struct estimates_told *told);

#endif
