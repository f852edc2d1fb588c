/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timing programs and their maps as descriptors, wherever they come from: loaded by this
 * process, or adopted from pins in a BPF file system that a process before it left.
 */
#ifndef LPROF_COLLECT_KERNEL_OBJECTS_H
#define LPROF_COLLECT_KERNEL_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "collect/counters.h"
#include "collect/engine.h"

/* As the skeleton names them; pinned under these names. */
#define KERNEL_MAPS(MAP)       \
	MAP(sites)             \
	MAP(functions)         \
	MAP(site_hits)         \
	MAP(function_counters) \
	MAP(histograms)        \
	MAP(line_counters)     \
	MAP(shard_counters)    \
	MAP(edges)             \
	MAP(targets)           \
	MAP(threads)           \
	MAP(far_frames)        \
	MAP(empty_far)         \
	MAP(goroutines)        \
	MAP(empty_thread)      \
	MAP(off_cpu_lines)     \
	MAP(off_cpu_functions) \
	MAP(stands)            \
	MAP(accounts)          \
	MAP(alarms)            \
	MAP(data_settings)

#define KERNEL_PROGRAMS(PROGRAM) \
	PROGRAM(timing_session)  \
	PROGRAM(timing_site)     \
	PROGRAM(timing_return)   \
	PROGRAM(follow_fork)     \
	PROGRAM(follow_exit)     \
	PROGRAM(follow_exec)     \
	PROGRAM(off_cpu_switch)  \
	PROGRAM(off_cpu_wakeup)

enum kernel_map {
#define MAP(name) MAP_##name,
	KERNEL_MAPS(MAP)
#undef MAP
	    MAP_COUNT
};

enum kernel_program {
#define PROGRAM(name) PROGRAM_##name,
	KERNEL_PROGRAMS(PROGRAM)
#undef PROGRAM
	    PROGRAM_COUNT
};

struct kernel_objects {
	int maps[MAP_COUNT];
	int programs[PROGRAM_COUNT]; /* -1: the method does not use it */
	volatile struct settings *settings;
	volatile struct account *accounts; /* ACCOUNTS_MAX */
};
#define KERNEL_OBJECTS_CLOSED     \
	((struct kernel_objects){ \
	    .maps = {[0 ... MAP_COUNT - 1] = -1}, .programs = {[0 ... PROGRAM_COUNT - 1] = -1}})

struct kernel_options {
	enum attach_method method;       /* not BEST */
	const struct counters *counters; /* sizes of the tables */
	uint32_t goroutines;             /* whose frames can be kept at once */
	bool off_cpu;                    /* follow the scheduler */
};

/* Loads the programs that the method needs; settings are zero, but for the layout. */
int kernel_load(const struct kernel_options *options, struct kernel_objects *ret_objects,
    struct failure *failure);

/* Pins all of them into a directory that exists. On failure some may be pinned. */
int kernel_pin(
    const struct kernel_objects *objects, const char *directory, struct failure *failure);

/*
 * Opens what kernel_pin() left. -ENOENT: nothing is pinned there; -EPROTO: what stands there is
 * not this version's, or not all of it.
 */
int kernel_adopt(
    const char *directory, struct kernel_objects *ret_objects, struct failure *failure);

void kernel_close(struct kernel_objects *objects);

/* How many elements a map has room for. */
uint32_t kernel_map_entries(const struct kernel_objects *objects, enum kernel_map map);

/* Runs that the kernel left out because a program was running on the CPU already. */
uint64_t kernel_missed(const struct kernel_objects *objects);

#endif
