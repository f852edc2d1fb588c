// SPDX-License-Identifier: GPL-2.0-or-later
// Adds up the CPU clocks of processes.
#include "collect/processor_time.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

static struct process_time *find(struct processor_time *time, pid_t pid)
{
	ARRAY_FOREACH (process, &time->processes)
		if (process->pid == pid)
			return process;
	return NULL;
}

/* False: it has ended. */
static bool read_clock(pid_t pid, uint64_t *ret_ns)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time) < 0)
		return false;
	*ret_ns = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
	return true;
}

/* What those took that are not among the targets any more. */
static double ended_ns(const struct processor_time *time, const pid_array *pids, uint64_t passed_ns)
{
	double sum = 0;

	ARRAY_FOREACH (process, &time->processes) {
		bool lives = false;
		clockid_t clock;

		ARRAY_FOREACH (pid, pids)
			lives = lives || (*pid == process->pid &&
					     !clock_getcpuclockid(process->pid, &clock));
		if (!lives && time->since_ns)
			sum +=
			    (double)process->grown_ns * (double)passed_ns / (double)time->since_ns;
	}
	return sum;
}

int processor_time_look(struct processor_time *time, const pid_array *pids, uint64_t now)
{
	struct processor_time next = {.seen_ns = now, .since_ns = now - time->seen_ns};

	if (ARRAY_RESERVE(&next.processes, pids->count + 1))
		return -ENOMEM;
	next.sum_ns = time->sum_ns + (time->seen_ns ? ended_ns(time, pids, next.since_ns) : 0);
	ARRAY_FOREACH (pid, pids) {
		const struct process_time *before = find(time, *pid);
		struct process_time process = {.pid = *pid};

		if (!read_clock(*pid, &process.taken_ns))
			continue;
		process.grown_ns = process.taken_ns - (before ? before->taken_ns : 0);
		next.sum_ns += time->seen_ns ? (double)process.grown_ns : 0;
		next.processes.items[next.processes.count++] = process;
	}
	ARRAY_FREE(&time->processes);
	*time = next;
	return 0;
}

void processor_time_fini(struct processor_time *time)
{
	ARRAY_FREE(&time->processes);
	*time = (struct processor_time){0};
}
