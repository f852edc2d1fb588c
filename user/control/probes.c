// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps the wanted probes and has the engine do what they ask.
#include "control/probes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/files.h"
#include "base/log.h"
#include "control/probes_plan.h"
#include "control/sampling.h"

#define BUILDS_MAX 4 /* of one image attached at once: older ones end */

void probes_init(struct probes *probes, const struct probes_options *options)
{
	*probes = (struct probes){.options = *options, .next_id = 1, .next_file = 1};
}

static void close_files(const struct plan *plan)
{
	ARRAY_FOREACH (image, &plan->images)
		cleanup_close(&image->fd);
	ARRAY_FOREACH (image, &plan->images)
		image->fd = -1;
}

/* The plan's descriptors are another's: from here on they are its own, or -1 where there is none
 * left. */
static void own_files(const struct plan *plan)
{
	ARRAY_FOREACH (image, &plan->images)
		if (image->fd >= 0)
			image->fd = fcntl(image->fd, F_DUPFD_CLOEXEC, 3);
}

static void probe_free(struct probe *probe)
{
	ARRAY_FOREACH (part, &probe->parts) {
		close_files(part->plan);
		plan_free(part->plan);
	}
	ARRAY_FREE(&probe->parts);
	request_fini(&probe->request);
	free(probe->problem);
	free(probe);
}

void probes_fini(struct probes *probes)
{
	ARRAY_FOREACH (probe, &probes->all)
		probe_free(*probe);
	ARRAY_FREE(&probes->all);
}

static int save(const struct probes *probes, struct failure *failure)
{
	return probes->options.save(probes->options.context, failure);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

char *probes_plan_path(const struct probes *probes, uint64_t file)
{
	char *path;

	if (asprintf(&path, "%s/plan-%llu.json", probes->options.directory,
		(unsigned long long)file) < 0)
		return NULL;
	return path;
}

struct probe *probes_append(
    struct probes *probes, struct probe_request *request, uid_t user, uint64_t id)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe || ARRAY_APPEND(&probes->all, probe)) {
		free(probe);
		return NULL;
	}
	probe->id = id;
	probe->user = user;
	probe->request = *request;
	*request = (struct probe_request){0};
	if (id >= probes->next_id)
		probes->next_id = id + 1;
	return probe;
}

struct probe *probes_find(const struct probes *probes, uint64_t id)
{
	ARRAY_FOREACH (probe, &probes->all)
		if ((*probe)->id == id)
			return *probe;
	return NULL;
}

static struct probe *find_equal(
    const struct probes *probes, const struct probe_request *request, uid_t user)
{
	ARRAY_FOREACH (probe, &probes->all)
		if ((*probe)->active && (*probe)->user == user &&
		    request_equal(&(*probe)->request, request))
			return *probe;
	return NULL;
}

bool probes_have(const struct probes *probes, const struct probe_request *request, uid_t user)
{
	return find_equal(probes, request, user);
}

/* ---- Parts ---- */

/*
 * A part of the same plan that ended: its place and its counts are taken up again. *ret_other: it
 * was another probe's.
 */
static bool take_ended_part(struct probes *probes, const struct probe *probe, uint64_t hash,
    struct probe_part *ret_part, bool *ret_other)
{
	ARRAY_FOREACH (other, &probes->all) {
		if ((*other)->user != probe->user || ((*other)->active && *other != probe))
			continue;
		ARRAY_FOREACH (part, &(*other)->parts) {
			if (part->phase != PART_ENDED || part->hash != hash ||
			    engine_part_off_cpu(probes->options.engine, part->number) !=
				probe->request.off_cpu)
				continue;
			*ret_part = *part;
			*ret_other = *other != probe;
			memmove(part, part + 1,
			    (size_t)((*other)->parts.items + (*other)->parts.count - part - 1) *
				sizeof(*part));
			(*other)->parts.count--;
			return true;
		}
	}
	return false;
}

static int store_plan(const struct probes *probes, const struct prepared_plan *prepared,
    uint64_t file, struct failure *failure)
{
	CLEANUP_FREE char *path = probes_plan_path(probes, file);

	if (!path)
		return failure_set(failure, ENOMEM, "out of memory");
	return file_write_atomically(path, prepared->text, prepared->size, failure);
}

static struct engine_part_options part_options(const struct probe *probe)
{
	return (struct engine_part_options){.everyone = probe->request.image,
	    .off_cpu = probe->request.off_cpu,
	    .follow = probe->request.follow};
}

/* As planned: what was set meanwhile was set for another probe. */
static int restore_rates(
    struct engine *engine, const struct probe_part *part, struct failure *failure)
{
	int error = 0;

	for (uint32_t at = 0; at < part->plan->functions.count && !error; at++)
		error = engine_set_part_rate(
		    engine, part->number, at, part->plan->functions.items[at].rate, failure);
	return error;
}

/* Gives the plan a place in the engine: one that an equal plan had, or a new one. */
static int place_part(struct probes *probes, const struct probe *probe,
    struct prepared_plan *prepared, struct probe_part *ret_part, struct failure *failure)
{
	const struct engine_part_options options = part_options(probe);
	struct engine *engine = probes->options.engine;
	bool other;
	int error;

	/* Plans without probes are all the same, and say nothing of whom they are. */
	if (prepared->plan->sites.count &&
	    take_ended_part(probes, probe, prepared->hash, ret_part, &other)) {
		for (size_t at = 0; at < ret_part->plan->images.count; at++)
			ret_part->plan->images.items[at].fd = prepared->plan->images.items[at].fd;
		engine_show_part(engine, ret_part->number, true);
		error = engine_revive(engine, ret_part->number, &options, failure);
		return error || !other ? error : restore_rates(engine, ret_part, failure);
	}
	*ret_part = (struct probe_part){
	    .slot = NO_SLOT, .hash = prepared->hash, .file = probes->next_file++};
	error = store_plan(probes, prepared, ret_part->file, failure);
	if (!error)
		error = engine_add(engine, prepared->plan, &options, &ret_part->number, failure);
	if (!error)
		ret_part->plan = TAKE(prepared->plan);
	return error;
}

static int add_targets(
    struct probes *probes, const struct probe *probe, uint32_t part, struct failure *failure)
{
	int error = 0;

	ARRAY_FOREACH (pid, &probe->request.pids) {
		error = engine_add_part_target(probes->options.engine, part, *pid, failure);
		if (error)
			break;
	}
	return error;
}

double probes_budget(const struct probes *probes, const struct probe *probe)
{
	return probe->request.budget > 0 ? probe->request.budget : probes->options.budget_percent;
}

static int set_budget(
    const struct probes *probes, const struct probe *probe, uint32_t part, struct failure *failure)
{
	if (budget_set(probes->options.budget, part, probes_budget(probes, probe)))
		return failure_set(failure, ENOMEM, "out of memory");
	return 0;
}

static void end_part(struct probes *probes, struct probe_part *part)
{
	sampling_end(probes->options.sampling, part);
	if (part->phase != PART_ENDED)
		engine_detach_part(probes->options.engine, part->number);
	budget_forget(probes->options.budget, part->number);
	close_files(part->plan);
	part->phase = PART_ENDED;
}

/* The part is durable as "attaching" before a probe stands, and as attached after. */
static int attach_part(
    struct probes *probes, struct probe *probe, size_t at, struct failure *failure)
{
	struct probe_part *part = &probe->parts.items[at];
	int error;

	part->phase = PART_ATTACHING;
	error = sampling_claim(probes->options.sampling, &probe->request, part, failure);
	if (!error)
		error = save(probes, failure);
	if (!error)
		error = add_targets(probes, probe, part->number, failure);
	if (!error)
		error = set_budget(probes, probe, part->number, failure);
	if (!error)
		error = engine_attach_part(probes->options.engine, part->number, failure);
	if (!error)
		error = sampling_begin(probes->options.sampling, &probe->request, part, failure);
	if (error) {
		end_part(probes, part);
		return error;
	}
	part->phase = PART_ATTACHED;
	return save(probes, failure);
}

int probes_attach(struct probes *probes, struct probe *probe, struct failure *failure)
{
	struct prepared_plan prepared CLEANUP(prepared_plan_fini) = {0};
	struct probe_part part = {0};
	int error = sampling_check(probes->options.sampling, &probe->request, failure);

	if (!error)
		error = prepared_plan_open(probes, &probe->request, &prepared, failure);
	if (!error)
		error = prepared_plan_check(probes, &prepared, &probe->request, probe, failure);
	if (!error && ARRAY_RESERVE(&probe->parts, 1))
		error = failure_set(failure, ENOMEM, "out of memory");
	if (!error)
		error = place_part(probes, probe, &prepared, &part, failure);
	if (part.plan)
		own_files(part.plan);
	if (error && part.plan) { /* taken from another probe, with its counts */
		part.phase = PART_ENDED;
		probe->parts.items[probe->parts.count++] = part;
	}
	if (error)
		return error;
	part.identity = prepared.identity;
	probe->parts.items[probe->parts.count++] = part;
	return attach_part(probes, probe, probe->parts.count - 1, failure);
}

/* ---- Add and remove ---- */

static void set_end(struct probe *probe)
{
	uint64_t for_ns = probe->request.for_ns;

	probe->ends_ns =
	    for_ns ? now_ns() + (int64_t)(for_ns < INT64_MAX / 4 ? for_ns : INT64_MAX / 4) : 0;
}

/* Of an equal request, rates may differ. What each spec's functions are is not known any more. */
static int renew_rates(struct probes *probes, struct probe *probe,
    const struct probe_request *request, struct failure *failure)
{
	const struct spec_request *specs = request->specs.items;
	bool changed = false, mixed = false;
	ssize_t done;

	for (size_t at = 0; at < request->specs.count; at++) {
		changed = changed || specs[at].rate != probe->request.specs.items[at].rate;
		mixed = mixed || specs[at].rate != specs[0].rate;
	}
	if (changed && mixed)
		return failure_set(failure, EEXIST,
		    "probe %llu has other rates: change them by lprof rate, or remove it first",
		    (unsigned long long)probe->id);
	if (!changed)
		return 0;
	done = probe_set_rate(probes, probe, NULL, specs[0].rate, failure);
	return done < 0 ? (int)done : 0;
}

static int renew(struct probes *probes, struct probe *probe, struct probe_request *request,
    struct failure *failure)
{
	struct probe_request old = probe->request;
	int error = renew_rates(probes, probe, request, failure);

	if (error)
		return error;
	probe->request = *request;
	*request = old; /* the caller frees it */
	set_end(probe);
	ARRAY_FOREACH (part, &probe->parts)
		if (part->phase == PART_ATTACHED &&
		    set_budget(probes, probe, part->number, failure))
			return -ENOMEM;
	return save(probes, failure);
}

static void end_probe(struct probes *probes, struct probe *probe)
{
	ARRAY_FOREACH (part, &probe->parts)
		end_part(probes, part);
	probe->active = false;
	if (probe->parts.count)
		probes->options.ended(probes->options.context, probe);
}

/* What could not be attached leaves nothing to show, but keeps the places it got. */
static void forget_failed(struct probes *probes, struct probe *probe)
{
	end_probe(probes, probe);
	(void)save(probes, NULL);
	if (probe->parts.count)
		return;
	probes->all.count--; /* it is the last one */
	probe_free(probe);
}

/* Ended probes whose parts were all taken up again by later ones have nothing more to show. */
static void forget_emptied(struct probes *probes)
{
	size_t kept = 0;

	ARRAY_FOREACH (probe, &probes->all) {
		if ((*probe)->active || (*probe)->parts.count)
			probes->all.items[kept++] = *probe;
		else
			probe_free(*probe);
	}
	probes->all.count = kept;
}

int probes_add(struct probes *probes, struct probe_request *request, uid_t user,
    struct probe **ret_probe, bool *ret_created, struct failure *failure)
{
	struct probe *probe = find_equal(probes, request, user);
	int error;

	*ret_created = !probe;
	*ret_probe = probe;
	if (probe)
		return renew(probes, probe, request, failure);
	probe = probes_append(probes, request, user, probes->next_id);
	if (!probe)
		return failure_set(failure, ENOMEM, "out of memory");
	probe->active = true;
	set_end(probe);
	error = probes_attach(probes, probe, failure);
	if (error) {
		forget_failed(probes, probe);
		return error;
	}
	forget_emptied(probes);
	*ret_probe = probe;
	return 0;
}

int probes_remove(struct probes *probes, struct probe *probe, struct failure *failure)
{
	end_probe(probes, probe);
	return save(probes, failure);
}

int probes_reset(struct probes *probes, uid_t user, struct failure *failure)
{
	uint64_t slots = 0, ended = 0;
	int error = 0;

	ARRAY_FOREACH (each, &probes->all) {
		struct probe *probe = *each;

		if (user && probe->user != user)
			continue;
		ARRAY_FOREACH (part, &probe->parts) {
			if (part->slot != NO_SLOT)
				slots |= 1ull << part->slot;
			if (part->phase == PART_ENDED) {
				engine_show_part(probes->options.engine, part->number, false);
				ended |= part->slot == NO_SLOT ? 0 : 1ull << part->slot;
				part->slot = NO_SLOT;
			}
			if (!error)
				error = engine_reset_part(
				    probes->options.engine, part->number, failure);
		}
	}
	if (!error)
		error = sampling_reset(probes->options.sampling, slots, ended, failure);
	return error ? error : save(probes, failure);
}

static bool is_named(const struct plan_function *function, const char *pattern)
{
	return string_matches(pattern, function->name) ||
	       string_matches(pattern, function->linkage_name);
}

ssize_t probe_set_rate(struct probes *probes, struct probe *probe, const char *function,
    double rate, struct failure *failure)
{
	ssize_t changed = 0;

	ARRAY_FOREACH (part, &probe->parts) {
		for (uint32_t at = 0; at < part->plan->functions.count; at++) {
			int error;

			if (function && !is_named(&part->plan->functions.items[at], function))
				continue;
			error = engine_set_part_rate(
			    probes->options.engine, part->number, at, rate, failure);
			if (error)
				return error;
			changed++;
		}
	}
	if (!function)
		ARRAY_FOREACH (spec, &probe->request.specs)
			spec->rate = rate;
	return changed;
}

int probes_select(const struct probes *probes, uid_t user, const struct probe *only,
    bool **ret_wanted, struct failure *failure)
{
	size_t count = 0;

	ARRAY_FOREACH (probe, &probes->all)
		count += (*probe)->parts.count;
	/* Parts are numbered in the order they were added, each is some probe's. */
	*ret_wanted = calloc(count + 1, sizeof(**ret_wanted));
	if (!*ret_wanted)
		return failure_set(failure, ENOMEM, "out of memory");
	ARRAY_FOREACH (probe, &probes->all) {
		if ((only && *probe != only) || (user && (*probe)->user != user))
			continue;
		ARRAY_FOREACH (part, &(*probe)->parts)
			if (part->number < count)
				(*ret_wanted)[part->number] = true;
	}
	return 0;
}

/* ---- Time ---- */

static bool processes_ended(const struct probes *probes, const struct probe *probe)
{
	if (probe->request.image)
		return false;
	ARRAY_FOREACH (part, &probe->parts)
		if (part->phase == PART_ATTACHED &&
		    engine_part_targets(probes->options.engine, part->number))
			return false;
	return true;
}

/* Ends what the file no longer holds: parts of its inode when it was changed in place. */
static void end_overwritten(
    struct probes *probes, struct probe *probe, const struct file_identity *identity)
{
	size_t attached = 0;

	for (size_t at = probe->parts.count; at-- > 0;) {
		struct probe_part *part = &probe->parts.items[at];

		if (part->phase != PART_ATTACHED)
			continue;
		if ((part->identity.device == identity->device &&
			part->identity.inode == identity->inode) ||
		    ++attached >= BUILDS_MAX)
			end_part(probes, part);
	}
}

static bool is_attached(const struct probe *probe, const struct file_identity *identity)
{
	ARRAY_FOREACH (part, &probe->parts)
		if (part->phase == PART_ATTACHED && file_identity_equal(&part->identity, identity))
			return true;
	return false;
}

/*
 * After a restart the files of probes that went on are not open: when a budget took their probes,
 * all is planned anew to bring part of them back.
 */
static bool come_back(struct probes *probes, struct probe *probe)
{
	struct failure failure = {0};
	bool gave_up = false;

	ARRAY_FOREACH (part, &probe->parts)
		gave_up = gave_up || (part->phase == PART_ATTACHED &&
					 budget_gave_up(probes->options.budget, part->number));
	if (!gave_up)
		return false;
	ARRAY_FOREACH (part, &probe->parts)
		end_part(probes, part);
	if (!probes_attach(probes, probe, &failure))
		return true;
	log_probe(LOG_LEVEL_WARNING, probe->id,
	    "its probes cost more than its budget, and cannot come back in part: %s", failure.text);
	end_probe(probes, probe);
	(void)save(probes, NULL);
	return true;
}

/* Plans an image that was replaced since. True: it was. */
static bool follow_image(struct probes *probes, struct probe *probe)
{
	struct file_identity identity;
	struct failure failure = {0};
	struct stat status;

	if (!probe->request.image || stat(probe->request.image, &status) < 0)
		return false;
	file_identity_from(&status, &identity);
	if (is_attached(probe, &identity) || file_identity_equal(&probe->refused, &identity))
		return false;
	end_overwritten(probes, probe, &identity);
	free(TAKE(probe->problem));
	if (!probes_attach(probes, probe, &failure)) {
		log_probe(LOG_LEVEL_NOTE, probe->id, "%s was replaced, and is planned anew",
		    probe->request.image);
		return true;
	}
	probe->refused = identity;
	probe->problem = strdup(failure.text);
	log_probe(LOG_LEVEL_WARNING, probe->id, "%s was replaced, and cannot be probed: %s",
	    probe->request.image, failure.text);
	return true;
}

bool probes_tick(struct probes *probes, int64_t now)
{
	bool changed = false;

	/* By index: planning may append. */
	for (size_t at = 0; at < probes->all.count; at++) {
		struct probe *probe = probes->all.items[at];

		if (!probe->active)
			continue;
		if ((probe->ends_ns && now >= probe->ends_ns) || processes_ended(probes, probe)) {
			end_probe(probes, probe);
			(void)save(probes, NULL);
			changed = true;
		} else {
			changed = come_back(probes, probe) || changed;
			changed = follow_image(probes, probe) || changed;
		}
	}
	return changed;
}
