// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the sampler while probes want it, and keeps what it found.
#include "control/sampling.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "collect/cpu_sampler.h"
#include "cpu_wire.h"

/* Between two looks at what processes do, which may be thousands of things a second. */
#define PAUSE_US          2000
#define PAUSE_ACCURACY_US 1000

#define MIXED_EVENTS "mixed"

struct sampling {
	struct sampling_options options;
	struct sample_tables *tables; /* NULL: no samples are kept */
	struct cpu_sampler *sampler;  /* NULL: nobody is sampled */
	sd_event_source *news, *pause;
	uint64_t taken, live; /* slots that have samples, or may; and those being sampled */
	uint32_t hz;
	char event[SAMPLING_EVENT_MAX]; /* of the samples that are kept; "" not known */
};

_Static_assert(SAMPLING_SLOTS == 64, "bits of a set");

static uint64_t slot_bit(const struct probe_part *part)
{
	return part->slot < SAMPLING_SLOTS ? 1ull << part->slot : 0;
}

int sampling_new(const struct sampling_options *options, struct sampling **ret_sampling)
{
	struct sampling *sampling = calloc(1, sizeof(*sampling));

	if (!sampling)
		return -ENOMEM;
	sampling->options = *options;
	sampling->hz = options->hz;
	if (options->event_name)
		snprintf(sampling->event, sizeof(sampling->event), "%s", options->event_name);
	*ret_sampling = sampling;
	return 0;
}

static void stop_sampler(struct sampling *sampling)
{
	sampling->news = sd_event_source_disable_unref(sampling->news);
	sampling->pause = sd_event_source_disable_unref(sampling->pause);
	cpu_sampler_free(TAKE(sampling->sampler));
}

void sampling_free(struct sampling *sampling)
{
	if (!sampling)
		return;
	stop_sampler(sampling);
	sample_tables_free(sampling->tables);
	free(sampling);
}

/* ---- Slots ---- */

int sampling_check(
    const struct sampling *sampling, const struct probe_request *request, struct failure *failure)
{
	if (!request->cpu_hz)
		return 0;
	if (sampling->taken && sampling->hz != request->cpu_hz)
		return failure_set(failure, EBUSY,
		    "--cpu=%u: samples of %u Hz are %s: use --cpu=%u, or have them forgotten "
		    "(lprof remove, lprof reset)",
		    request->cpu_hz, sampling->hz, sampling->live ? "being taken" : "kept",
		    sampling->hz);
	if (sampling->taken == UINT64_MAX)
		return failure_set(failure, E2BIG,
		    "samples of %d probes are the most that are kept: lprof reset forgets those "
		    "of probes that ended",
		    SAMPLING_SLOTS);
	return 0;
}

int sampling_claim(struct sampling *sampling, const struct probe_request *request,
    struct probe_part *part, struct failure *failure)
{
	if (!request->cpu_hz)
		return 0;
	if (part->slot == NO_SLOT) {
		int error = sampling_check(sampling, request, failure);

		if (error)
			return error;
		part->slot = (uint32_t)__builtin_ctzll(~sampling->taken);
	}
	sampling->hz = request->cpu_hz;
	sampling->taken |= slot_bit(part);
	return 0;
}

void sampling_adopt(struct sampling *sampling, const struct probe_part *part)
{
	if (sampling->hz)
		sampling->taken |= slot_bit(part);
}

/* Without samples there is nothing to keep. */
void sampling_settle(struct sampling *sampling)
{
	if (sampling->taken)
		return;
	stop_sampler(sampling);
	sample_tables_free(TAKE(sampling->tables));
	sample_tables_unpin(sampling->options.pins);
	sampling->hz = 0;
	*sampling->event = '\0';
}

/* ---- The sampler ---- */

static int on_pause(sd_event_source *source, uint64_t now, void *context)
{
	struct sampling *sampling = context;

	(void)source;
	(void)now;
	cpu_sampler_follow(sampling->sampler, 0);
	sd_event_source_set_enabled(sampling->news, SD_EVENT_ON);
	return 0;
}

static int on_news(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct sampling *sampling = context;

	(void)fd;
	(void)events;
	cpu_sampler_follow(sampling->sampler, 0);
	if (sd_event_source_set_time_relative(sampling->pause, PAUSE_US) >= 0 &&
	    sd_event_source_set_enabled(sampling->pause, SD_EVENT_ONESHOT) >= 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static int open_events(struct sampling *sampling, struct failure *failure)
{
	sd_event *event = sampling->options.event;
	int error = sd_event_add_io(
	    event, &sampling->news, cpu_sampler_fd(sampling->sampler), EPOLLIN, on_news, sampling);

	if (error >= 0)
		error = sd_event_add_time_relative(event, &sampling->pause, CLOCK_MONOTONIC,
		    PAUSE_US, PAUSE_ACCURACY_US, on_pause, sampling);
	return error < 0 ? failure_set(failure, -error, "cannot follow what targets map: %s",
			       strerror(-error))
			 : 0;
}

static int open_tables(struct sampling *sampling, struct failure *failure)
{
	return sampling->tables
		   ? 0
		   : sample_tables_open(sampling->options.pins, &sampling->tables, failure);
}

/* Samples that are kept may be of another one: counters may have been taken meanwhile. */
static void note_event(struct sampling *sampling)
{
	const char *event = cpu_sampler_event(sampling->sampler);
	bool other = *sampling->event && strcmp(sampling->event, event) != 0;

	snprintf(sampling->event, sizeof(sampling->event), "%s", other ? MIXED_EVENTS : event);
}

static int start_sampler(struct sampling *sampling, struct failure *failure)
{
	int error = sampling->sampler ? 0 : open_tables(sampling, failure);

	if (error || sampling->sampler)
		return error;
	error = cpu_sampler_open(
	    &(struct cpu_sampler_options){
		.hz = sampling->hz,
		.threads = engine_threads_map(sampling->options.engine),
		.tables = sampling->tables,
	    },
	    &sampling->sampler, failure);
	if (!error)
		error = open_events(sampling, failure);
	if (error) {
		stop_sampler(sampling);
		return error;
	}
	note_event(sampling);
	cpu_sampler_activate(sampling->sampler);
	return 0;
}

static void stop_if_idle(struct sampling *sampling)
{
	if (sampling->live || !sampling->sampler)
		return;
	stop_sampler(sampling);
	code_images_rest(&sampling->tables->images);
}

/* ---- Parts ---- */

static int add_targets(struct sampling *sampling, const struct probe_request *request,
    const struct probe_part *part, struct failure *failure)
{
	pid_array pids = {0};
	int error = engine_list_targets(sampling->options.engine, &pids, failure);

	ARRAY_FOREACH (pid, &pids)
		if (!error && engine_part_has_target(sampling->options.engine, part->number, *pid))
			error = cpu_sampler_add(
			    sampling->sampler, part->slot, *pid, request->follow, failure);
	ARRAY_FREE(&pids);
	return error;
}

int sampling_begin(struct sampling *sampling, const struct probe_request *request,
    const struct probe_part *part, struct failure *failure)
{
	int error = 0;

	if (!request->cpu_hz)
		return 0;
	error = start_sampler(sampling, failure);
	if (error)
		return error;
	sampling->live |= slot_bit(part);
	if (request->image)
		error = cpu_sampler_add_file(sampling->sampler, part->slot, part->identity.device,
		    part->identity.inode, failure);
	else
		error = add_targets(sampling, request, part, failure);
	if (error)
		sampling_end(sampling, part);
	return error;
}

void sampling_end(struct sampling *sampling, const struct probe_part *part)
{
	if (!(sampling->live & slot_bit(part)))
		return;
	sampling->live &= ~slot_bit(part);
	cpu_sampler_remove(sampling->sampler, part->slot);
	stop_if_idle(sampling);
}

int sampling_reset(
    struct sampling *sampling, uint64_t slots, uint64_t ended, struct failure *failure)
{
	int error = slots & sampling->taken ? open_tables(sampling, failure) : 0;

	if (!error && slots & sampling->taken)
		error = sample_tables_reset(
		    sampling->tables, slots, !(sampling->taken & ~slots), failure);
	if (error)
		return error;
	sampling->taken &= ~ended;
	sampling_settle(sampling);
	return 0;
}

void sampling_stop(struct sampling *sampling)
{
	sampling->live = 0;
	stop_sampler(sampling);
}

void sampling_tick(struct sampling *sampling)
{
	if (sampling->sampler)
		cpu_sampler_follow(sampling->sampler, 0);
}

uint32_t sampling_hz(const struct sampling *sampling)
{
	return sampling->taken ? sampling->hz : 0;
}

const char *sampling_event(const struct sampling *sampling)
{
	return sampling->taken && *sampling->event ? sampling->event : NULL;
}

size_t sampling_targets(const struct sampling *sampling, const struct probe_part *part)
{
	return sampling->live & slot_bit(part) ? cpu_sampler_count(sampling->sampler, part->slot)
					       : 0;
}

/* ---- Profiles ---- */

int sampling_drain(const struct probes *probes, const bool *wanted, struct profile **ret_profile,
    struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	struct sampling *sampling = probes->options.sampling;
	uint64_t slots = 0;
	int error = engine_drain_parts(probes->options.engine, wanted, &profile, failure);

	ARRAY_FOREACH (probe, &probes->all)
		ARRAY_FOREACH (part, &(*probe)->parts)
			if ((!wanted || wanted[part->number]) &&
			    engine_part_shown(probes->options.engine, part->number))
				slots |= slot_bit(part);
	slots &= sampling->taken;
	if (!error && slots)
		error = open_tables(sampling, failure);
	if (!error && slots)
		error = sample_tables_drain(
		    sampling->tables, slots, 1000000000u / sampling->hz, profile, failure);
	if (!error && slots && sampling_event(sampling))
		profile->sampling_event = profile_intern(profile, sampling_event(sampling));
	if (!error && slots && !sampling->sampler)
		code_images_rest(&sampling->tables->images);
	if (error)
		return error;
	*ret_profile = TAKE(profile);
	return 0;
}
