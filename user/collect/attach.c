// SPDX-License-Identifier: GPL-2.0-or-later
// Ties the timing programs to the plan's sites and finds out which ones the kernel refuses.
#include "collect/attach.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "collect/shelter.h"
#include "collect/uprobe_link.h"

#define KERNEL_ENOTSUPP     524 /* include/linux/errno.h: leaks to user space from uprobes */
#define DESCRIPTORS_RESERVE 64  /* for everything that is not a site's */
#define PROGRESS_STEP       256

/* Sites of one image that share a program, as the parallel arrays that the kernel takes. */
struct batch {
	const char *path; /* of the image, for people */
	int fd;
	int program;
	uint32_t attach_type;
	bool return_probe;
	ARRAY(uint64_t) offsets;
	ARRAY(uint64_t) cookies; /* the kernel's numbers of sites */
};

struct attach_run {
	const struct plan *plan;
	const struct attach_options *options;
	struct attachment *attachment;
	struct failure *failure;
	size_t done, all; /* probes, for progress */
};

const char *attach_method_name(enum attach_method method)
{
	static const char *const names[] = {
	    [ATTACH_BEST] = "best",
	    [ATTACH_SESSION] = "session",
	    [ATTACH_MULTI] = "multi",
	    [ATTACH_PERF] = "perf",
	};

	return names[method];
}

const char *attach_refusal_reason(int error)
{
	switch (error) {
	case KERNEL_ENOTSUPP:
	case EOPNOTSUPP:
		return "the kernel refuses to probe this instruction";
	case EINVAL:
		return "the kernel finds no code to probe at this offset of the file";
	case EBUSY:
		return "another probe of another kind stands there";
	default:
		return "the kernel could not set this probe";
	}
}

int attach_choose(const struct features *features, enum attach_method wanted,
    enum attach_method *ret_method, struct failure *failure)
{
	static const struct {
		enum attach_method method;
		enum feature feature;
	} ways[] = {
	    {ATTACH_SESSION, FEATURE_UPROBE_SESSION},
	    {ATTACH_MULTI, FEATURE_UPROBE_MULTI},
	    {ATTACH_PERF, FEATURE_PERF_UPROBE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (wanted != ATTACH_BEST && wanted != ways[i].method)
			continue;
		if (features->has[ways[i].feature]) {
			*ret_method = ways[i].method;
			return 0;
		}
		if (wanted != ATTACH_BEST)
			return failure_set(failure, ENOSYS, "cannot attach by %s: %s",
			    attach_method_name(wanted), feature_reason(features, ways[i].feature));
	}
	return failure_set(failure, ENOSYS, "%s", feature_reason(features, FEATURE_PERF_UPROBE));
}

static void batch_fini(struct batch *batch)
{
	ARRAY_FREE(&batch->offsets);
	ARRAY_FREE(&batch->cookies);
}

static void progress(struct attach_run *run, size_t more)
{
	size_t before = run->done / PROGRESS_STEP;

	run->done += more;
	if (run->options->progress &&
	    (run->done / PROGRESS_STEP != before || run->done == run->all))
		run->options->progress(run->options->context, "Attaching", run->done, run->all);
}

/* Errors that tell about one site rather than about the whole undertaking. */
static bool is_refusal(int error)
{
	return error == KERNEL_ENOTSUPP || error == EOPNOTSUPP || error == EINVAL ||
	       error == EBUSY || error == EIO || error == ENOEXEC;
}

static int attach_failed(const struct attach_run *run, const struct batch *batch, int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return failure_set(run->failure, error,
		    "may not probe %s: run lprof as root, or with CAP_BPF, CAP_PERFMON and, for "
		    "single probes, CAP_SYS_ADMIN",
		    batch->path);
	case EMFILE:
	case ENFILE:
		return failure_set(run->failure, error,
		    "no descriptors left to probe %s: raise ulimit -n, or measure fewer functions",
		    batch->path);
	case ESRCH:
		return failure_set(run->failure, error,
		    "process %d ended while probes were being attached", (int)run->options->pid);
	default:
		return failure_set(
		    run->failure, error, "cannot probe %s: %s", batch->path, strerror(error));
	}
}

static int refuse(struct attach_run *run, uint64_t cookie, int error)
{
	uint32_t site = (uint32_t)cookie - run->options->first_site;

	ARRAY_FOREACH (refusal, &run->attachment->refusals)
		if (refusal->site == site)
			return 0;
	if (ARRAY_APPEND(&run->attachment->refusals, (struct attach_refusal){site, error}))
		return failure_set(run->failure, ENOMEM, "out of memory");
	return 0;
}

/* Links sites [first, first + count), halving on refusal. */
static int link_range(struct attach_run *run, const struct batch *batch, size_t first, size_t count)
{
	char path[UPROBE_PATH_MAX];
	int fd, error;

	uprobe_path(batch->fd, path);
	if (ARRAY_RESERVE(&run->attachment->multi_links, 1))
		return failure_set(run->failure, ENOMEM, "out of memory");
	fd = uprobe_link_multi(&(struct uprobe_multi_options){
	    .program = batch->program,
	    .attach_type = batch->attach_type,
	    .path = path,
	    .offsets = batch->offsets.items + first,
	    .cookies = batch->cookies.items + first,
	    .count = (uint32_t)count,
	    .return_probe = batch->return_probe,
	    .pid = run->options->pid,
	});
	if (fd >= 0) {
		run->attachment->multi_links.items[run->attachment->multi_links.count++] = fd;
		progress(run, count);
		return 0;
	}
	if (!is_refusal(-fd))
		return attach_failed(run, batch, -fd);
	if (count == 1)
		return refuse(run, batch->cookies.items[first], -fd);
	error = link_range(run, batch, first, count / 2);
	if (error)
		return error;
	return link_range(run, batch, first + count / 2, count - count / 2);
}

static int link_batch(struct attach_run *run, const struct batch *batch)
{
	for (size_t first = 0; first < batch->offsets.count; first += UPROBE_SITES_PER_LINK) {
		size_t count = batch->offsets.count - first;
		int error = link_range(run, batch, first,
		    count < UPROBE_SITES_PER_LINK ? count : UPROBE_SITES_PER_LINK);

		if (error)
			return error;
	}
	return 0;
}

static int link_batch_by_perf(struct attach_run *run, const struct batch *batch)
{
	char path[UPROBE_PATH_MAX];
	int error = 0;

	uprobe_path(batch->fd, path);
	for (size_t i = 0; i < batch->offsets.count && !error; i++) {
		int fd;

		if (ARRAY_RESERVE(&run->attachment->perf_links, 1))
			return failure_set(run->failure, ENOMEM, "out of memory");
		fd = uprobe_link_perf(&(struct uprobe_perf_options){
		    .program = batch->program,
		    .path = path,
		    .offset = batch->offsets.items[i],
		    .cookie = batch->cookies.items[i],
		    .return_probe = batch->return_probe,
		    .pid = run->options->pid,
		});
		if (fd >= 0)
			run->attachment->perf_links.items[run->attachment->perf_links.count++] = fd;
		else if (is_refusal(-fd))
			error = refuse(run, batch->cookies.items[i], -fd);
		else
			error = attach_failed(run, batch, -fd);
		progress(run, 1);
	}
	return error;
}

/*
 * Which program serves a site. In this order they are attached and removed, also by the kernel, if
 * we are killed: removal waits until no return that was awaited before is so still, and a busy
 * target awaits new ones for ever while probes that make it do so stand.
 */
enum pass { PASS_SESSION, PASS_RETURN, PASS_SITE, PASS_COUNT };

static bool site_in_pass(
    const struct plan_site *site, const struct attach_options *options, enum pass pass)
{
	enum attach_method method = options->method;
	bool returns = (site->roles & SITE_ENTRY) && (site->roles & SITE_RETURN);
	bool session = returns && method == ATTACH_SESSION;

	if (options->images || site->roles & SITE_IMAGES)
		return pass == PASS_SITE && options->images && site->roles & SITE_IMAGES;
	if (options->standby)
		return pass == PASS_SITE && !site->roles && site->standby;
	if (!site->roles)
		return false;
	switch (pass) {
	case PASS_SESSION:
		return session;
	case PASS_SITE:
		return !session;
	default:
		return returns && !session;
	}
}

static bool is_wanted(const struct plan *plan, const struct plan_site *site,
    const struct attach_options *options, enum pass pass)
{
	if (options->sets && options->sets[site - plan->sites.items] != options->set)
		return false;
	return site_in_pass(site, options, pass);
}

static int batch_fill(
    struct batch *batch, const struct attach_run *run, enum pass pass, uint32_t image)
{
	const struct plan *plan = run->plan;
	const uint64_t first = run->options->first_site;

	ARRAY_FOREACH (site, &plan->sites) {
		if (site->image != image || !is_wanted(plan, site, run->options, pass))
			continue;
		if (ARRAY_APPEND(&batch->offsets, site->offset) ||
		    ARRAY_APPEND(&batch->cookies, first + (uint64_t)(site - plan->sites.items)))
			return -ENOMEM;
	}
	return 0;
}

static int attach_pass(struct attach_run *run, enum pass pass, uint32_t image)
{
	const struct attach_options *options = run->options;
	const int programs[PASS_COUNT] = {
	    [PASS_SESSION] = options->programs.session,
	    [PASS_RETURN] = options->programs.returns,
	    [PASS_SITE] = options->programs.site,
	};
	struct batch batch CLEANUP(batch_fini) = {
	    .path = run->plan->images.items[image].path,
	    .fd = run->plan->images.items[image].fd,
	    .program = programs[pass],
	    .attach_type = pass == PASS_SESSION ? UPROBE_ATTACH_SESSION : UPROBE_ATTACH_MULTI,
	    .return_probe = pass == PASS_RETURN,
	};
	int error = batch_fill(&batch, run, pass, image);

	if (error)
		return failure_set(run->failure, ENOMEM, "out of memory");
	if (!batch.offsets.count)
		return 0;
	assert(batch.program >= 0);
	return options->method == ATTACH_PERF ? link_batch_by_perf(run, &batch)
					      : link_batch(run, &batch);
}

static int attach_passes(void *given)
{
	struct attach_run *run = given;

	for (enum pass pass = 0; pass < PASS_COUNT; pass++)
		for (uint32_t image = 0; image < run->plan->images.count; image++) {
			int error = attach_pass(run, pass, image);

			if (error)
				return error;
		}
	return 0;
}

static size_t count_probes(const struct plan *plan, const struct attach_options *options)
{
	size_t probes = 0;

	ARRAY_FOREACH (site, &plan->sites)
		for (int pass = 0; pass < PASS_COUNT; pass++)
			probes += is_wanted(plan, site, options, pass);
	return probes;
}

/*
 * Single probes hold a descriptor each. The limit is raised only after `lprof run` has started its
 * command, which therefore never inherits it.
 */
static int raise_descriptor_limit(size_t probes, struct failure *failure)
{
	rlim_t needed = probes + DESCRIPTORS_RESERVE;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return failure_set(failure, errno, "cannot read the limit of open files");
	if (limit.rlim_cur >= needed)
		return 0;
	limit.rlim_cur = needed;
	if (limit.rlim_max < needed)
		limit.rlim_max = needed;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return 0;
	return failure_set(failure, EMFILE,
	    "%zu single probes need as many open files, more than this process may have: raise "
	    "the hard limit (ulimit -Hn, LimitNOFILE=), or measure fewer functions or lines",
	    probes);
}

int attach_open(const struct plan *plan, const struct attach_options *options,
    struct attachment **ret_attachment, struct failure *failure)
{
	CLEANUP(attach_free_p) struct attachment *attachment = calloc(1, sizeof(*attachment));
	struct attach_run run = {
	    .plan = plan,
	    .options = options,
	    .attachment = attachment,
	    .failure = failure,
	    .all = count_probes(plan, options),
	};
	int error = 0;

	if (!attachment)
		return failure_set(failure, ENOMEM, "out of memory");
	if (options->method == ATTACH_PERF)
		error = raise_descriptor_limit(run.all, failure);
	ARRAY_FOREACH (site, &plan->sites)
		uprobe_touch(plan->images.items[site->image].fd, site->offset);
	if (!error)
		error = shelter_call(attach_passes, &run);
	if (error)
		return error;
	if (run.all && !attachment->multi_links.count && !attachment->perf_links.count)
		return failure_set(failure,
		    attachment->refusals.items[0].error == KERNEL_ENOTSUPP
			? ENOTSUP
			: attachment->refusals.items[0].error,
		    "none of %zu probes could be set: %s", run.all,
		    attach_refusal_reason(attachment->refusals.items[0].error));
	*ret_attachment = TAKE(attachment);
	return 0;
}

int attach_join(struct attachment *attachment, struct attachment *more)
{
	if (ARRAY_RESERVE(&attachment->multi_links, more->multi_links.count) ||
	    ARRAY_RESERVE(&attachment->perf_links, more->perf_links.count))
		return -ENOMEM;
	ARRAY_FOREACH (link, &more->multi_links)
		attachment->multi_links.items[attachment->multi_links.count++] = *link;
	ARRAY_FOREACH (link, &more->perf_links)
		attachment->perf_links.items[attachment->perf_links.count++] = *link;
	more->multi_links.count = more->perf_links.count = 0;
	attach_free(more);
	return 0;
}

void attach_close(struct attachment *attachment)
{
	shelter_close(attachment->multi_links.items, attachment->multi_links.count);
	shelter_close(attachment->perf_links.items, attachment->perf_links.count);
	attachment->multi_links.count = attachment->perf_links.count = 0;
}

void attach_free(struct attachment *attachment)
{
	if (!attachment)
		return;
	attach_close(attachment);
	ARRAY_FREE(&attachment->multi_links);
	ARRAY_FREE(&attachment->perf_links);
	ARRAY_FREE(&attachment->refusals);
	free(attachment);
}
