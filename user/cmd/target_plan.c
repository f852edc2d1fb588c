// SPDX-License-Identifier: GPL-2.0-or-later
// Finds and opens the images of processes, and plans the probes for what the user named in them.
#include "cmd/target_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PROC "/proc"

static int read_images(
    struct target_plan *target, const pid_t *pids, size_t count, struct failure *failure)
{
	int error = process_images_read(PROC, pids, count, &target->files, failure);

	if (error)
		return error;
	ARRAY_FOREACH (file, &target->files.images) {
		const char *slash = strrchr(file->path, '/');
		struct selection_image image = {
		    .path = file->path,
		    .soname = slash ? slash + 1 : file->path,
		    .main = file->main,
		};

		if (ARRAY_APPEND(&target->images, image))
			return failure_set(failure, ENOMEM, "out of memory");
	}
	return 0;
}

/* Where the process finds its files: "" if that is where we find ours. */
static const char *root_of(pid_t pid, char *path, size_t size)
{
	struct stat ours, theirs;

	snprintf(path, size, PROC "/%d/root", (int)pid);
	if (stat("/", &ours) == 0 && stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
	    ours.st_ino == theirs.st_ino)
		return "";
	return path;
}

static int open_image(void *context, struct selection_image *image, struct failure *failure)
{
	struct target_plan *target = context;
	const struct process_image *file =
	    &target->files.images.items[image - target->images.items];
	CLEANUP_CLOSE int fd = process_image_open(PROC, file, failure);
	char root[64];
	const struct image_index_options options = {.root = root_of(file->pid, root, sizeof(root))};
	int error;

	if (fd < 0)
		return fd;
	error = image_index_open(file->path, fd, &options, &image->index, failure);
	if (error)
		return error;
	(void)TAKE_FD(fd);
	if (*image->index->soname)
		image->soname = image->index->soname;
	return 0;
}

static int build(struct target_plan *target, const struct measure_options *options,
    const struct plan_kernel *kernel, bool marked, struct failure *failure)
{
	const struct selection_options selection = {
	    .open = open_image, .context = target, .marked = marked && !options->specs.count};
	const struct plan_options planning = {.exit = options->exit, .kernel = *kernel};
	int error = selection_build(target->images.items, target->images.count,
	    options->specs.items, options->specs.count, &selection, &target->selection, failure);

	if (error)
		return error;
	if (!target->selection.functions.count)
		return failure_set(failure, ENOENT,
		    "nothing to measure: name functions with -f or -l, or mark them with "
		    "LPROF_PROFILE (lprof.h)");
	error = plan_build(target->images.items, target->images.count, &target->selection,
	    &planning, &target->plan, failure);
	if (error)
		return error;
	if (!target->plan->sites.count)
		return failure_set(failure, ENOENT, "no place for a probe in what was named: %s",
		    target->plan->left_out.count ? target->plan->left_out.items[0].reason
						 : "it has no machine code");
	return 0;
}

int target_plan_open(const pid_t *pids, size_t count, const struct measure_options *options,
    const struct plan_kernel *kernel, bool marked, struct target_plan **ret_target_plan,
    struct failure *failure)
{
	CLEANUP(target_plan_free_p) struct target_plan *target = calloc(1, sizeof(*target));
	int error;

	if (!target)
		return failure_set(failure, ENOMEM, "out of memory");
	error = read_images(target, pids, count, failure);
	if (!error)
		error = build(target, options, kernel, marked, failure);
	if (error)
		return error;
	*ret_target_plan = TAKE(target);
	return 0;
}

void target_plan_free(struct target_plan *target)
{
	if (!target)
		return;
	plan_free(target->plan);
	selection_fini(&target->selection);
	ARRAY_FOREACH (image, &target->images)
		image_index_free(image->index);
	ARRAY_FREE(&target->images);
	process_images_fini(&target->files);
	free(target);
}
