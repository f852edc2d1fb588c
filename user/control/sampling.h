/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples of CPU time for the probes that ask for them, by one sampler for all.
 *
 * A part whose probe asks for samples takes a slot (collect/cpu_sampler.h) and keeps it, with its
 * samples, until `reset`. The sampler runs as long as some part is sampled; its tables stay as long
 * as some slot has samples, pinned beside the engine's, so that killing lprofd loses none: only
 * what is not sampled while there is none. All slots are sampled at one frequency.
 */
#ifndef LPROF_CONTROL_SAMPLING_H
#define LPROF_CONTROL_SAMPLING_H

#include <systemd/sd-event.h>

#include "control/probes.h"

#define SAMPLING_EVENT_MAX 32

struct sampling;

struct sampling_options {
	struct engine *engine;
	sd_event *event;
	const char *pins;
	uint32_t hz;            /* of the samples that are pinned, 0: none */
	const char *event_name; /* that took them, "" or NULL: not known */
};

/* Samples nothing yet. -ENOMEM. */
int sampling_new(const struct sampling_options *options, struct sampling **ret_sampling);
void sampling_free(struct sampling *sampling); /* what is pinned stays */

/*
 * Whether what is asked for can be sampled beside what is: -EBUSY: other samples are taken, or
 * kept, at another frequency; -E2BIG: no slot is free.
 */
int sampling_check(
    const struct sampling *sampling, const struct probe_request *request, struct failure *failure);

/* Gives the part a slot, if its probe asks for samples and it has none. Fails as the check does. */
int sampling_claim(struct sampling *sampling, const struct probe_request *request,
    struct probe_part *part, struct failure *failure);

/*
 * Samples the part's targets, or the users of its image, from now on, if its probe asks for that:
 * for a part that was sampled before lprofd was started again, too.
 */
int sampling_begin(struct sampling *sampling, const struct probe_request *request,
    const struct probe_part *part, struct failure *failure);

/* Samples nobody for the part any more; its samples stay. */
void sampling_end(struct sampling *sampling, const struct probe_part *part);

/* Forgets the samples of the parts that have these slots; `ended`: their slots are free again. */
int sampling_reset(
    struct sampling *sampling, uint64_t slots, uint64_t ended, struct failure *failure);

/* The slot of a part from before a restart is taken; when all are, settle: the rest is forgotten.
 */
void sampling_adopt(struct sampling *sampling, const struct probe_part *part);
void sampling_settle(struct sampling *sampling);

/* Ends all sampling, for lprofd's end. */
void sampling_stop(struct sampling *sampling);

/* To be called now and then. */
void sampling_tick(struct sampling *sampling);

/* Samples a second, as long as some are taken or kept; 0: none are. */
uint32_t sampling_hz(const struct sampling *sampling);

/* The event that took those that are kept, by perf's name, "mixed" for two; NULL: not known. */
const char *sampling_event(const struct sampling *sampling);

/* How many processes are sampled for the part. */
size_t sampling_targets(const struct sampling *sampling, const struct probe_part *part);

/* A profile of parts, as engine_drain_parts() gives it, with their samples. */
int sampling_drain(const struct probes *probes, const bool *wanted, struct profile **ret_profile,
    struct failure *failure);

#endif
