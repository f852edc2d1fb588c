/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples where processes spend CPU time: open, add processes, activate, stop.
 *
 * Who asks for samples has a slot; a process is sampled for one slot or for several, and samples
 * are told apart by them (cpu_wire.h). The kernel does the work of each sample
 * (bpf/cpu_sampling.bpf.c); we only tell it of code that the processes map meanwhile, in a thread
 * or in the caller's event loop.
 */
#ifndef LPROF_COLLECT_CPU_SAMPLER_H
#define LPROF_COLLECT_CPU_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/failure.h"
#include "collect/sample_tables.h"

struct cpu_sampler;

struct cpu_sampler_options {
	uint32_t hz;                  /* samples a second of CPU time */
	int threads;                  /* the engine's own: engine_threads_map() */
	struct sample_tables *tables; /* where samples go; they outlive the sampler */
};

/*
 * Loads and attaches; nothing is counted yet. -EPERM: which capability is missing; -ENOSYS: this
 * kernel cannot; -ERANGE: it does not sample so often.
 */
int cpu_sampler_open(const struct cpu_sampler_options *options, struct cpu_sampler **ret_sampler,
    struct failure *failure);
void cpu_sampler_free(struct cpu_sampler *sampler);
DEFINE_CLEANUP(struct cpu_sampler *, cpu_sampler_free)

/* Samples a process for a slot too, and, if following, those that it forks. */
int cpu_sampler_add(
    struct cpu_sampler *sampler, uint32_t slot, pid_t pid, bool follow, struct failure *failure);

/* Samples for a slot whoever maps code of this file (of stat()), now or later. */
int cpu_sampler_add_file(struct cpu_sampler *sampler, uint32_t slot, uint64_t device,
    uint64_t inode, struct failure *failure);

/* Samples nobody for the slot any more. */
void cpu_sampler_remove(struct cpu_sampler *sampler, uint32_t slot);

/* How many processes are sampled for the slot. */
size_t cpu_sampler_count(const struct cpu_sampler *sampler, uint32_t slot);

/* From here on samples count. Whoever has no thread that follows calls cpu_sampler_follow(). */
void cpu_sampler_activate(struct cpu_sampler *sampler);

/* Starts a thread that follows what processes map. Until it ends nobody else touches the sampler.
 */
int cpu_sampler_start_thread(struct cpu_sampler *sampler, struct failure *failure);

/* Readable when there is something to follow. */
int cpu_sampler_fd(const struct cpu_sampler *sampler);

/* Follows what processes mapped meanwhile; waits so long for news. */
void cpu_sampler_follow(struct cpu_sampler *sampler, int timeout_ms);

/* The event that takes its samples, by perf's name. */
const char *cpu_sampler_event(const struct cpu_sampler *sampler);

/* No sample counts any more, and the thread has ended. */
void cpu_sampler_stop(struct cpu_sampler *sampler);

#endif
