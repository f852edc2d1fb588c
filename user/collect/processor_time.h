/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CPU time that processes take together, while some come and others end. */
#ifndef LPROF_COLLECT_PROCESSOR_TIME_H
#define LPROF_COLLECT_PROCESSOR_TIME_H

#include <stdint.h>

#include "base/array.h"
#include "base/parse.h"

/* What a process had taken when it was looked at, and took between two looks. */
struct process_time {
	pid_t pid;
	uint64_t taken_ns, grown_ns;
};

struct processor_time {
	ARRAY(struct process_time) processes; /* by pid */
	uint64_t seen_ns;  /* CLOCK_MONOTONIC, when they were looked at; 0: never */
	uint64_t since_ns; /* between the last two looks */
	double sum_ns;     /* since the first look */
};

/*
 * Adds what `pids` took since they were looked at last; processes that are new began since then.
 * What one took that has ended is not told any more: it is taken to have gone on as before until
 * now. -ENOMEM: nothing was added.
 */
int processor_time_look(struct processor_time *time, const pid_array *pids, uint64_t now);
void processor_time_fini(struct processor_time *time);

#endif
