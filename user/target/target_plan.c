// SPDX-License-Identifier: GPL-2.0-or-later
// Finds and opens the images of processes, and plans the probes for what the user named in them.
#include "target/target_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/strings.h"

#define PROC "/proc"

static int add_images(struct target_plan *target, struct failure *failure)
{
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

/* Through the process that maps it, or by its path if it was named itself. */
static int open_file(const struct process_image *file, struct failure *failure)
{
	int fd;

	if (file->pid)
		return process_image_open(PROC, file, failure);
	fd = open(file->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failure_set(
		    failure, errno, "cannot open %s: %s", file->path, strerror(errno));
	return fd;
}

static int open_as(struct target_plan *target, struct selection_image *image, bool symbols_only,
    struct failure *failure)
{
	const struct process_image *file =
	    &target->files.images.items[image - target->images.items];
	CLEANUP_CLOSE int fd = open_file(file, failure);
	char root[64];
	const struct image_index_options options = {.symbols_only = symbols_only,
	    .root = file->pid ? root_of(file->pid, root, sizeof(root)) : ""};
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

static int open_image(void *context, struct selection_image *image, struct failure *failure)
{
	return open_as(context, image, false, failure);
}

static bool is_loader(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return string_starts(name, "ld-linux") || string_starts(name, "ld-musl") ||
	       string_starts(name, "ld.so") || string_starts(name, "ld-2.");
}

/* The function that the dynamic linker calls for debuggers whenever images came or went (r_brk of
 * <link.h>); 0: not found. */
static uint64_t loader_word(const struct image_index *index)
{
	ARRAY_FOREACH (alias, &index->aliases)
		if (!strcmp(alias->name, "_dl_debug_state"))
			return index->copies.items[alias->copy].entry;
	ARRAY_FOREACH (copy, &index->copies)
		if (!strcmp(copy->linkage_name, "_dl_debug_state"))
			return copy->entry;
	return 0;
}

/* A target whose dynamic linker tells nothing may load anything unseen. */
static void find_loader(struct target_plan *target, struct plan_options *planning)
{
	ARRAY_FOREACH (image, &target->images) {
		if (!is_loader(image->path))
			continue;
		if (image->index || !open_as(target, image, true, NULL))
			planning->loader_address = loader_word(image->index);
		planning->loader_image = (uint32_t)(image - target->images.items);
		if (!planning->loader_address)
			planning->traits |= IMAGE_UNWINDS;
		return;
	}
}

/*
 * What any image of the target brings decides for all of its functions: an exception passes through
 * C code too. Images that nobody named are looked at and closed again; one that cannot be read may
 * bring anything.
 */
static uint32_t gather_traits(struct target_plan *target)
{
	uint32_t traits = 0;

	ARRAY_FOREACH (image, &target->images) {
		const struct process_image *file =
		    &target->files.images.items[image - target->images.items];
		const struct image_index_options options = {.root = "", .symbols_only = true};
		CLEANUP(image_index_free_p) struct image_index *index = NULL;
		CLEANUP_CLOSE int fd = -1;

		if (image->index) {
			traits |= image->index->traits;
			continue;
		}
		fd = open_file(file, NULL);
		if (fd < 0 || image_index_open(file->path, fd, &options, &index, NULL)) {
			traits |= IMAGE_UNWINDS;
			continue;
		}
		(void)TAKE_FD(fd);
		traits |= index->traits;
	}
	return traits;
}

static int find_shadow_stack(
    const pid_t *pids, size_t count, bool *ret_found, struct failure *failure)
{
	*ret_found = false;
	for (size_t at = 0; at < count; at++) {
		struct process_status status;
		int error = process_read_status(PROC, pids[at], &status, failure);

		if (error)
			return error;
		*ret_found |= status.shadow_stack;
	}
	return 0;
}

static int build(struct target_plan *target, const struct target_request *request,
    const struct plan_kernel *kernel, bool shadow_stack, struct failure *failure)
{
	const struct selection_options selection = {.open = open_image,
	    .context = target,
	    .marked = request->marked && !request->spec_count};
	struct plan_options planning = {
	    .exit = request->exit, .kernel = *kernel, .shadow_stack = shadow_stack};
	int error = selection_build(target->images.items, target->images.count, request->specs,
	    request->spec_count, &selection, &target->selection, failure);

	if (error)
		return error;
	if (!target->selection.functions.count && !request->sampled)
		return failure_set(failure, ENOENT,
		    "nothing to measure: name functions with -f or -l, or mark them with "
		    "LPROF_PROFILE (lprof.h)");
	if (planning.exit == PLAN_EXIT_AUTO && target->selection.functions.count)
		planning.traits = gather_traits(target) | (request->foreign ? IMAGE_UNWINDS : 0);
	if (planning.exit == PLAN_EXIT_AUTO && target->selection.functions.count &&
	    !planning.traits)
		find_loader(target, &planning);
	error = plan_build(target->images.items, target->images.count, &target->selection,
	    &planning, &target->plan, failure);
	if (error)
		return error;
	if (!target->plan->sites.count && target->selection.functions.count)
		return failure_set(failure, ENOENT, "no place for a probe in what was named: %s",
		    target->plan->left_out.count ? target->plan->left_out.items[0].reason
						 : "it has no machine code");
	return 0;
}

static bool has_file(const struct target_plan *target, const struct process_image *file)
{
	ARRAY_FOREACH (known, &target->files.images)
		if (known->device == file->device && known->inode == file->inode)
			return true;
	return false;
}

/* Takes over what the process maps and `planned` does not know. -ENOMEM, or 0. */
static int add_files(
    struct target_plan *target, const struct target_plan *planned, const pid_t *pid)
{
	struct process_images files = {0};
	int error = 0;

	if (process_images_read(PROC, pid, 1, &files, NULL))
		return 0; /* one that has ended brings nothing any more */
	ARRAY_FOREACH (file, &files.images) {
		if (error || has_file(planned, file) || has_file(target, file))
			continue;
		error = ARRAY_APPEND(&target->files.images, *file);
		if (!error)
			file->path = NULL;
	}
	process_images_fini(&files);
	return error;
}

bool target_plan_unwinds(const struct target_plan *target_plan, const pid_t *pids, size_t count)
{
	CLEANUP(target_plan_free_p) struct target_plan *target = calloc(1, sizeof(*target));

	if (!target)
		return true;
	for (size_t at = 0; at < count; at++)
		if (add_files(target, target_plan, &pids[at]))
			return true;
	return add_images(target, NULL) || gather_traits(target);
}

int target_plan_open(const pid_t *pids, size_t count, const struct target_request *request,
    const struct plan_kernel *kernel, struct target_plan **ret_target_plan, struct failure *failure)
{
	CLEANUP(target_plan_free_p) struct target_plan *target = calloc(1, sizeof(*target));
	bool shadow_stack;
	int error;

	if (!target)
		return failure_set(failure, ENOMEM, "out of memory");
	error = process_images_read(PROC, pids, count, &target->files, failure);
	if (!error)
		error = add_images(target, failure);
	if (!error)
		error = find_shadow_stack(pids, count, &shadow_stack, failure);
	if (!error)
		error = build(target, request, kernel, shadow_stack, failure);
	if (error)
		return error;
	*ret_target_plan = TAKE(target);
	return 0;
}

int target_plan_open_file(const char *path, const struct target_request *request,
    const struct plan_kernel *kernel, struct target_plan **ret_target_plan, struct failure *failure)
{
	CLEANUP(target_plan_free_p) struct target_plan *target = calloc(1, sizeof(*target));
	struct process_image file = {.path = target ? strdup(path) : NULL, .main = true};
	int error;

	if (!file.path || ARRAY_APPEND(&target->files.images, file)) {
		free(file.path);
		return failure_set(failure, ENOMEM, "out of memory");
	}
	error = add_images(target, failure);
	if (!error)
		error = build(target, request, kernel, false, failure);
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
