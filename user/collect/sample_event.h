/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which event takes the samples: the processor's cycles where it counts them, so that samples come
 * also where the kernel keeps interrupts waiting; else the kernel's clock of each CPU.
 *
 * A sample stands for as many cycles as a CPU of this machine makes in the period when it is busy,
 * measured at the start; at another clock frequency it stands for another time.
 */
#ifndef LPROF_COLLECT_SAMPLE_EVENT_H
#define LPROF_COLLECT_SAMPLE_EVENT_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>

#define SAMPLE_EVENT_CLOCK  "cpu-clock"
#define SAMPLE_EVENT_CYCLES "cycles"

struct sample_event {
	struct perf_event_attr attributes; /* one a CPU, for all processes */
	const char *name;                  /* as perf has it */
	bool is_timer;
};

/* What the machine says; tests say something else. */
struct sample_event_machine {
	/* Whether a CPU has the event: 0, -ENODEV: it is not online, or why not. */
	int (*try_event)(void *context, const struct perf_event_attr *attributes, int cpu);
	/* Cycles that a busy CPU makes in a second; -errno. */
	int (*count_cycles)(void *context, uint64_t *ret_rate);
	int cpus;
	void *context;
};

/* The event for so many samples a second of CPU time. `machine` NULL: this one. */
struct sample_event sample_event_choose(uint32_t hz, const struct sample_event_machine *machine);

#endif
