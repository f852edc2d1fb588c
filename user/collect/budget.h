/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds what probes cost under a share of one CPU, by taking all of them away for part of the time.
 *
 * An account is paid in as time goes by and charged with what hits cost, as counted and calibrated.
 * While it is in credit the probes stand. When it is overdrawn they go, and come back, for slices
 * of time, as soon as there is credit for one. So the long-run cost is the budget, no second costs
 * much more than twice as much (the credit is at most a second's pay), and where the load goes down
 * the probes stand for good again. A profile tells how long they stood: what is counted is of that
 * time.
 */
#ifndef LPROF_COLLECT_BUDGET_H
#define LPROF_COLLECT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/engine.h"

struct budget {
	double share; /* of one CPU; 0: unlimited */
	int64_t credit_ns, credit_max_ns;
	double load; /* what the probes cost while they stood last, as a share of one CPU */
	uint64_t began_ns, began_charged_ns;
	uint64_t seen_ns, charged_ns; /* up to where the account is kept: time, cost */
	bool standing;
	uint64_t stood_ns; /* in slices that are over, and in this one up to seen_ns */
	uint64_t slices;   /* how often the probes came back */
};

/* Opens the account as measuring begins; `percent` of one CPU, 0: unlimited. */
void budget_open(struct budget *budget, double percent, const struct engine *engine);

/* To be called some dozen times a second; takes up to a tenth of one, the length of a slice. */
int budget_tick(struct budget *budget, struct engine *engine, struct failure *failure);

/* What the probes cost since measuring began, as a share of one CPU; 0 before `least_ns` passed. */
double budget_spent(const struct budget *budget, const struct engine *engine, uint64_t least_ns);

/* As measuring ends: what the profile tells of it. */
void budget_close(struct budget *budget, const struct engine *engine, struct profile_cost *cost);

#endif
