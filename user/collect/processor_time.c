// SPDX-License-Identifier: GPL-2.0-or-later
// Adds up the CPU clocks of processes.
#include "collect/processor_time.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

static int compare_processes(const void *left, const void *right)
{
	const struct process_time *a = left, *b = right;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

static const struct process_time *find(const struct processor_time *time, pid_t pid)
{
	const struct process_time key = {.pid = pid};

	return time->processes.count ? bsearch(&key, time->processes.items, time->processes.count,
					   sizeof(key), compare_processes)
				     : NULL;
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

/* What those of before took since that are not among the present ones. */
static double ended_ns(const struct processor_time *before, const struct processor_time *next)
{
	double sum = 0;

	ARRAY_FOREACH (process, &before->processes)
		if (before->since_ns && !find(next, process->pid))
			sum += (double)process->grown_ns * (double)next->since_ns /
			       (double)before->since_ns;
	return sum;
}

/* Since it was looked at last, or began: also as another one's successor by its number. */
static uint64_t grown_ns(const struct processor_time *before, const struct process_time *process)
{
	const struct process_time *same = find(before, process->pid);

	return same && same->taken_ns <= process->taken_ns ? process->taken_ns - same->taken_ns
							   : process->taken_ns;
}

int processor_time_look(struct processor_time *time, const pid_array *pids, uint64_t now)
{
	struct processor_time next = {
	    .seen_ns = now, .since_ns = now - time->seen_ns, .sum_ns = time->sum_ns};

	if (ARRAY_RESERVE(&next.processes, pids->count + 1))
		return -ENOMEM;
	ARRAY_FOREACH (pid, pids) {
		struct process_time process = {.pid = *pid};

		if (!read_clock(*pid, &process.taken_ns))
			continue;
		process.grown_ns = grown_ns(time, &process);
		next.sum_ns += time->seen_ns ? (double)process.grown_ns : 0;
		next.processes.items[next.processes.count++] = process;
	}
	ARRAY_SORT(&next.processes, compare_processes);
	next.sum_ns += time->seen_ns ? ended_ns(time, &next) : 0;
	ARRAY_FREE(&time->processes);
	*time = next;
	return 0;
}

void processor_time_fini(struct processor_time *time)
{
	ARRAY_FREE(&time->processes);
	*time = (struct processor_time){0};
}
