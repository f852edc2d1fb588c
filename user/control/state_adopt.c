// SPDX-License-Identifier: GPL-2.0-or-later
// Goes on with what a daemon before this one was doing.
#include <errno.h>

#include "base/files.h"
#include "base/log.h"
#include "control/plan_store.h"
#include "control/sampling.h"
#include "control/state.h"

static int read_plan(const struct probes *probes, const struct stored_part *part,
    struct plan **ret_plan, struct failure *failure)
{
	CLEANUP_FREE char *path = probes_plan_path(probes, part->file);
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int error;

	if (!path)
		return failure_set(failure, ENOMEM, "out of memory");
	error = file_read(path, STATE_SIZE_MAX, &text, &size, failure);
	if (error)
		return error;
	if (plan_store_hash(text, size) >> 1 != part->hash)
		return failure_set(failure, EBADMSG, "%s: was changed", path);
	return plan_store_read(path, text, size, ret_plan, failure);
}

/* -ENOENT from the engine: its probes do not all stand, and it must be attached again. */
static int adopt_part(struct probes *probes, struct probe *probe, const struct stored_part *stored,
    struct failure *failure)
{
	CLEANUP(plan_free_p) struct plan *plan = NULL;
	struct probe_part part = {.slot = stored->slot,
	    .hash = stored->hash << 1,
	    .file = stored->file,
	    .phase = stored->phase,
	    .identity = stored->identity};
	int error = read_plan(probes, stored, &plan, failure);
	size_t links;

	if (error || ARRAY_RESERVE(&probe->parts, 1))
		return error ? error : failure_set(failure, ENOMEM, "out of memory");
	/* A plan without probes has no links, and stands all the same. */
	links = stored->phase != PART_ATTACHED ? 0 : plan->sites.count ? stored->links : 1;
	error = engine_adopt_part(
	    probes->options.engine, plan, &stored->place, links, &part.number, failure);
	if (error && error != -ENOENT)
		return error;
	part.plan = TAKE(plan);
	sampling_adopt(probes->options.sampling, &part);
	engine_show_part(probes->options.engine, part.number, stored->shown);
	if (error || stored->phase == PART_ATTACHING || !stored->links) /* all stood for slices */
		part.phase = PART_ENDED;
	probe->parts.items[probe->parts.count++] = part;
	if (part.phase == PART_ATTACHED &&
	    budget_set(probes->options.budget, part.number, probes_budget(probes, probe)))
		return failure_set(failure, ENOMEM, "out of memory");
	return 0;
}

static struct probe *restore_probe(
    struct probes *probes, struct stored_probe *stored, struct failure *failure)
{
	struct probe *probe =
	    probes_append(probes, &stored->request, (uid_t)stored->user, stored->id);

	if (!probe) {
		failure_set(failure, ENOMEM, "out of memory");
		return NULL;
	}
	probe->active = stored->active;
	probe->ends_ns = stored->ends_ns;
	return probe;
}

static bool is_attached(const struct probe *probe)
{
	ARRAY_FOREACH (part, &probe->parts)
		if (part->phase == PART_ATTACHED)
			return true;
	return false;
}

/* Its targets are those that the kernel has followed meanwhile. */
static void sample_again(struct probes *probes, struct probe *probe)
{
	struct failure failure = {0};

	ARRAY_FOREACH (part, &probe->parts)
		if (part->phase == PART_ATTACHED &&
		    sampling_begin(probes->options.sampling, &probe->request, part, &failure)) {
			log_probe(LOG_LEVEL_WARNING, probe->id, "is not sampled: %s", failure.text);
			failure_clear(&failure);
		}
}

static void attach_again(struct probes *probes, struct probe *probe)
{
	struct failure failure = {0};

	if (!probe->active)
		return;
	if (is_attached(probe)) {
		sample_again(probes, probe);
		return;
	}
	if (!probes_attach(probes, probe, &failure))
		return;
	log_probe(LOG_LEVEL_WARNING, probe->id, "cannot be set again: %s", failure.text);
	probe->active = false;
}

static void restore_numbers(const struct state *state, struct probes *probes)
{
	if (state->next_id > probes->next_id)
		probes->next_id = state->next_id;
	if (state->next_file > probes->next_file)
		probes->next_file = state->next_file;
}

int state_adopt(struct state *state, struct probes *probes, struct failure *failure)
{
	int error = 0;

	restore_numbers(state, probes);
	engine_set_started(probes->options.engine, state->started_ns);
	ARRAY_FOREACH (target, &state->targets)
		if (!error)
			error = engine_note_target(
			    probes->options.engine, (pid_t)target->pid, target->command, failure);
	ARRAY_FOREACH (stored, &state->probes) {
		struct probe *probe = error ? NULL : restore_probe(probes, stored, failure);

		if (!probe)
			return error ? error : -ENOMEM;
		ARRAY_FOREACH (part, &stored->parts)
			if (!error)
				error = adopt_part(probes, probe, part, failure);
	}
	for (size_t at = 0; at < probes->all.count && !error; at++)
		attach_again(probes, probes->all.items[at]);
	sampling_settle(probes->options.sampling);
	return error;
}

/* Probes of processes do not outlive them; the ids of others may be someone else's by now. */
void state_renew(struct state *state, struct probes *probes)
{
	restore_numbers(state, probes);
	ARRAY_FOREACH (stored, &state->probes) {
		struct failure failure = {0};
		struct probe *probe;

		if (!stored->active || !stored->request.image)
			continue;
		probe = restore_probe(probes, stored, &failure);
		if (probe)
			attach_again(probes, probe);
	}
}
