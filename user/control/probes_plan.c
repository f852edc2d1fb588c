// SPDX-License-Identifier: GPL-2.0-or-later
// Plans what a request asks for, and finds the probes that it would collide with.
#include "control/probes_plan.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "control/plan_store.h"

void file_identity_from(const struct stat *status, struct file_identity *ret_identity)
{
	*ret_identity = (struct file_identity){
	    .device = status->st_dev,
	    .inode = status->st_ino,
	    .size = (uint64_t)status->st_size,
	    .changed_ns = (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec,
	};
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed_ns == b->changed_ns;
}

static int plan_request(const struct probes *probes, const struct probe_request *request,
    struct target_plan **ret_target, struct failure *failure)
{
	const struct target_request wanted = {
	    .specs = request->specs.items,
	    .spec_count = request->specs.count,
	    .exit = request->exit,
	    .marked = !request->cpu_hz,
	    .sampled = request->cpu_hz,
	    /* Of images that come later nobody is asked: exits are seen at exit sites. */
	    .foreign = true,
	};

	if (request->image)
		return target_plan_open_file(
		    request->image, &wanted, &probes->options.kernel, ret_target, failure);
	return target_plan_open(request->pids.items, request->pids.count, &wanted,
	    &probes->options.kernel, ret_target, failure);
}

static int identify(
    const struct probe_request *request, struct prepared_plan *prepared, struct failure *failure)
{
	const struct plan *plan = prepared->target->plan;
	struct stat status;
	int fd;

	if (!request->image)
		return 0;
	fd = plan->images.count ? plan->images.items[0].fd : -1; /* unopened without specs */
	if (fd >= 0 ? fstat(fd, &status) < 0 : stat(request->image, &status) < 0)
		return failure_set(failure, errno, "cannot look at %s", request->image);
	file_identity_from(&status, &prepared->identity);
	return 0;
}

/* The plan goes through its text, so that what runs is what a restart would find. */
static int copy_plan(struct prepared_plan *prepared, struct failure *failure)
{
	const struct plan *planned = prepared->target->plan;
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	int error = memory_text_init(&text);

	if (!error) {
		plan_store_write(planned, text.file);
		error = memory_text_end(&text);
	}
	if (error)
		return failure_set(failure, ENOMEM, "out of memory");
	prepared->hash = plan_store_hash(text.text, text.size);
	error = plan_store_read("plan", text.text, text.size, &prepared->plan, failure);
	if (error)
		return error;
	for (size_t at = 0; at < planned->images.count; at++)
		prepared->plan->images.items[at].fd = planned->images.items[at].fd;
	prepared->size = text.size;
	prepared->text = TAKE(text.text);
	return 0;
}

int prepared_plan_open(const struct probes *probes, const struct probe_request *request,
    struct prepared_plan *ret_prepared, struct failure *failure)
{
	int error;

	*ret_prepared = (struct prepared_plan){0};
	error = plan_request(probes, request, &ret_prepared->target, failure);
	if (!error)
		error = identify(request, ret_prepared, failure);
	if (!error)
		error = copy_plan(ret_prepared, failure);
	return error;
}

void prepared_plan_fini(struct prepared_plan *prepared)
{
	target_plan_free(prepared->target);
	plan_free(prepared->plan);
	free(prepared->text);
	*prepared = (struct prepared_plan){0};
	malloc_trim(0); /* indexing takes much for a moment; a daemon gives it back */
}

/* ---- Collisions ---- */

/* The same build: however it is named, its functions are at the same places. */
static bool same_image(const struct plan_image *a, const struct plan_image *b)
{
	if (*a->build_id || *b->build_id)
		return !strcmp(a->build_id, b->build_id);
	return *a->path && !strcmp(a->path, b->path);
}

static bool has_host(const struct plan *plan, uint32_t image, uint32_t host)
{
	ARRAY_FOREACH (site, &plan->sites)
		if (site->image == image && site->host == host)
			return true;
	return false;
}

/* A site of `plan` in a machine function of an image that `other` has sites in too; NULL: none. */
static const struct plan_site *shared_host(
    const struct plan *plan, uint32_t image, const struct plan *other, uint32_t other_image)
{
	uint32_t asked = UINT32_MAX;

	ARRAY_FOREACH (site, &plan->sites) {
		if (site->image != image || site->host == asked)
			continue;
		asked = site->host; /* sites of a host mostly follow each other */
		if (has_host(other, other_image, site->host))
			return site;
	}
	return NULL;
}

static const struct plan_site *find_collision(const struct plan *plan, const struct plan *other)
{
	for (uint32_t image = 0; image < plan->images.count; image++) {
		for (uint32_t other_image = 0; other_image < other->images.count; other_image++) {
			const struct plan_site *site;

			if (!same_image(
				&plan->images.items[image], &other->images.items[other_image]))
				continue;
			site = shared_host(plan, image, other, other_image);
			if (site)
				return site;
		}
	}
	return NULL;
}

static bool processes_overlap(const struct probes *probes, const struct probe_request *request,
    const struct probe *other, const struct probe_part *part)
{
	if (request->image || other->request.image)
		return true;
	ARRAY_FOREACH (pid, &request->pids)
		if (engine_part_has_target(probes->options.engine, part->number, *pid))
			return true;
	return false;
}

static const char *name_site(const struct plan *plan, const struct plan_site *site)
{
	uint32_t function = site->function;

	if (function == NO_FUNCTION && site->charge_count)
		function = site->charges[site->charge_count - 1].function;
	return function == NO_FUNCTION ? "a function" : plan->functions.items[function].name;
}

int prepared_plan_check(const struct probes *probes, const struct prepared_plan *prepared,
    const struct probe_request *request, const struct probe *own, struct failure *failure)
{
	ARRAY_FOREACH (each, &probes->all) {
		const struct probe *other = *each;

		if (other == own)
			continue;
		ARRAY_FOREACH (part, &other->parts) {
			const struct plan_site *site;

			if (part->phase != PART_ATTACHED ||
			    !processes_overlap(probes, request, other, part))
				continue;
			site = find_collision(prepared->plan, part->plan);
			if (site)
				return failure_set(failure, EEXIST,
				    "probe %llu stands in the code of %s already: remove it first, "
				    "or "
				    "name all functions in one request",
				    (unsigned long long)other->id, name_site(prepared->plan, site));
		}
	}
	return 0;
}
