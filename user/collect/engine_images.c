// SPDX-License-Identifier: GPL-2.0-or-later
// Watches what images come to the targets, which may forbid return probes from then on.
#include <errno.h>

#include "collect/engine_state.h"

static bool is_among(const pid_array *pids, pid_t pid)
{
	ARRAY_FOREACH (one, pids)
		if (*one == pid)
			return true;
	return false;
}

static bool is_watched(const struct part *part, pid_t pid)
{
	ARRAY_FOREACH (watched, &part->watched)
		if (watched->pid == pid)
			return true;
	return false;
}

/*
 * The dynamic linker is everybody's: a probe on it must strike the targets alone, so it is attached
 * by process. A process that has ended meanwhile needs none.
 */
static int watch_process(
    struct engine *engine, struct part *part, pid_t pid, struct failure *failure)
{
	struct attach_options options = engine_attaching(engine, part);
	struct watched_process watched = {.pid = pid};
	int error;

	options.images = true;
	options.pid = pid;
	if (ARRAY_RESERVE(&part->watched, 1))
		return failure_set(failure, ENOMEM, "out of memory");
	error = attach_open(part->plan, &options, &watched.probe, failure);
	if (error && error != -ESRCH)
		return error;
	part->watched.items[part->watched.count++] = watched;
	return 0;
}

/* Another process may get the same id. */
static void forget_ended(struct part *part, const pid_array *pids)
{
	size_t kept = 0;

	ARRAY_FOREACH (watched, &part->watched) {
		if (is_among(pids, watched->pid))
			part->watched.items[kept++] = *watched;
		else
			attach_free(watched->probe);
	}
	part->watched.count = kept;
}

static int watch_all(
    struct engine *engine, struct part *part, const pid_array *pids, struct failure *failure)
{
	ARRAY_FOREACH (pid, pids) {
		int error = is_watched(part, *pid) ? 0 : watch_process(engine, part, *pid, failure);

		if (error)
			return error;
	}
	return 0;
}

static int tell_news(struct part *part, pid_array *news, struct failure *failure)
{
	ARRAY_FOREACH (watched, &part->watched) {
		if (!watched->told && ARRAY_APPEND(news, watched->pid))
			return failure_set(failure, ENOMEM, "out of memory");
		watched->told = true;
	}
	return 0;
}

static bool wants_images(const struct part *part)
{
	ARRAY_FOREACH (site, &part->plan->sites)
		if (site->roles & SITE_IMAGES)
			return true;
	return false;
}

int engine_watch_images(struct engine *engine, uint32_t at, pid_array *ret_news,
    uint64_t *ret_forks, struct failure *failure)
{
	volatile struct settings *settings = engine->kernel.settings;
	struct part *part = engine->parts.items[at];
	pid_array pids = {0};
	int error;

	if (!wants_images(part)) {
		settings->forks_watched = NEVER_WATCHED;
		return 0;
	}
	if (ret_forks)
		*ret_forks = settings->forks; /* children are targets before they are counted */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	error = engine_list_targets(engine, &pids, failure);
	if (!error)
		error = watch_all(engine, part, &pids, failure);
	if (!error)
		forget_ended(part, &pids);
	if (!error && ret_news)
		error = tell_news(part, ret_news, failure);
	ARRAY_FREE(&pids);
	return error;
}

void engine_know_images(struct engine *engine, uint64_t forks)
{
	engine->kernel.settings->forks_watched = forks;
}

bool engine_holds_returns(const struct engine *engine, uint32_t *ret_changes)
{
	*ret_changes = engine->kernel.settings->image_changes;
	return engine->kernel.settings->hold_returns;
}

void engine_release_returns(struct engine *engine, uint32_t changes)
{
	engine->kernel.settings->hold_returns = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (engine->kernel.settings->image_changes != changes)
		engine->kernel.settings->hold_returns = 1;
}
