/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples where the engine's targets spend CPU time: open, activate, stop, drain.
 *
 * The kernel does the work of each sample (bpf/cpu_sampling.bpf.c); a thread of ours only tells it
 * of code that targets map meanwhile.
 */
#ifndef LPROF_COLLECT_CPU_SAMPLER_H
#define LPROF_COLLECT_CPU_SAMPLER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/failure.h"
#include "model/profile.h"

struct cpu_sampler;

struct cpu_sampler_options {
	uint32_t hz;          /* samples a second of CPU time */
	int targets, threads; /* the engine's own: engine_targets_map(), engine_threads_map() */
	const pid_t *pids;    /* those that are targets already */
	size_t pid_count;
};

/*
 * Loads and attaches; nothing is counted yet. -EPERM: which capability is missing; -ENOSYS: this
 * kernel cannot; -ERANGE: it does not sample so often.
 */
int cpu_sampler_open(const struct cpu_sampler_options *options, struct cpu_sampler **ret_sampler,
    struct failure *failure);
void cpu_sampler_free(struct cpu_sampler *sampler);
DEFINE_CLEANUP(struct cpu_sampler *, cpu_sampler_free)

int cpu_sampler_activate(struct cpu_sampler *sampler, struct failure *failure);

/* What was sampled can still be drained. */
void cpu_sampler_stop(struct cpu_sampler *sampler);

/* Adds the samples to a profile: to its functions and lines, and to more of them. After stop. */
int cpu_sampler_drain(
    struct cpu_sampler *sampler, struct profile *profile, struct failure *failure);

#endif
