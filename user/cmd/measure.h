/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `run` and `record` share: from processes to attached probes, from counters to reports. */
#ifndef LPROF_CMD_MEASURE_H
#define LPROF_CMD_MEASURE_H

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/failure.h"
#include "base/progress.h"
#include "cmd/options.h"
#include "collect/cpu_sampler.h"
#include "collect/engine.h"
#include "model/profile.h"
#include "collect/budget.h"
#include "target/target_plan.h"

struct measurement {
	struct target_plan *target;
	struct engine *engine;
	struct sample_tables *samples;
	struct cpu_sampler *sampler; /* NULL: CPU time is not sampled */
	uint64_t sampling_period_ns;
	struct progress progress;
	bool switched; /* to exit sites, because of images that came later */
	double budget_percent;
	struct budget budget;
	uint64_t began_ns, looked_ns; /* CLOCK_MONOTONIC: at measuring; at the cost */
	bool dear;                    /* that they cost much has been said */
	bool stuck; /* probes that were taken away did not come back, which has been said */
};

/* Says what can be known to be wrong before anything is started, and what the plan must know. */
int measure_check(
    const struct measure_options *options, struct plan_kernel *ret_kernel, struct failure *failure);

/* Plans, loads and attaches; the gate is closed. `marked` as in struct target_request. */
int measure_prepare(const struct measure_options *options, const pid_t *pids, size_t count,
    const struct plan_kernel *kernel, bool marked, struct measurement **ret_measurement,
    struct failure *failure);

/* Opens the gate: from here on hits and samples count. */
int measure_activate(struct measurement *measurement, struct failure *failure);

/* Readable when measure_tick() is due at once. */
int measure_alarm_fd(const struct measurement *measurement);

/*
 * To be called some dozen times a second while measuring, with the measurement: looks at images
 * that targets loaded since, and takes to exit sites if one of them may unwind the stack; holds the
 * budget, or says that much is spent where there is none.
 */
void measure_tick(void *measurement);

/* Detaches and gives what was measured. */
int measure_finish(
    struct measurement *measurement, struct profile **ret_profile, struct failure *failure);

/*
 * Writes the files that were asked for, or prints the report. What cannot be written is said, and
 * the report printed on stderr instead, so that no measurement is lost. STATUS_OK, or the status
 * of a failure of `command`.
 */
int measure_deliver(
    const char *command, const struct measure_options *options, const struct profile *profile);

void measure_free(struct measurement *measurement);
DEFINE_CLEANUP(struct measurement *, measure_free)

#endif
