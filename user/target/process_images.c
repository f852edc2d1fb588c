// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists and opens the files that processes run.
 *
 * The name in a mapping is only a hint: the file may have been replaced or deleted since, or the
 * name may mean something else in our mount namespace. /proc/PID/map_files leads to the mapped
 * inode itself, and so does /proc/PID/exe for the executable. Failing these (map_files needs
 * CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), the name is looked up in the process's own root, and
 * the inode number compared: while a file is mapped, no other one in its file system gets that
 * number. Device numbers are not compared, since overlayfs and btrfs show others in stat.
 */
#include "target/process_images.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static struct process_image *image_find(
    struct process_images *images, const struct process_mapping *mapping)
{
	ARRAY_FOREACH (image, &images->images)
		if (image->inode == mapping->inode && image->device == mapping->device)
			return image;
	return NULL;
}

static int image_add(
    struct process_images *images, pid_t pid, struct process_mapping *mapping, bool main)
{
	struct process_image *known = image_find(images, mapping);
	struct process_image image = {.device = mapping->device,
	    .inode = mapping->inode,
	    .path = mapping->path,
	    .deleted = mapping->deleted,
	    .main = main,
	    .pid = pid,
	    .start = mapping->start,
	    .end = mapping->end,
	    .offset = mapping->offset};

	if (known) {
		known->main |= main;
		return 0;
	}
	if (ARRAY_APPEND(&images->images, image))
		return -ENOMEM;
	mapping->path = NULL; /* now the image's */
	return 0;
}

static int process_add(
    const char *proc, pid_t pid, struct process_images *images, struct failure *failure)
{
	CLEANUP_FREE char *executable = NULL;
	struct process_maps maps;
	int result = process_read_maps(proc, pid, &maps, failure);

	if (result)
		return result;
	result = process_read_executable(proc, pid, &executable, failure);
	ARRAY_FOREACH (mapping, &maps.mappings) {
		if (result)
			break;
		result = image_add(images, pid, mapping, !strcmp(mapping->path, executable));
	}
	process_maps_fini(&maps);
	return result ? failure_set(failure, -result, "cannot list the images of process %d: %s",
			    (int)pid, strerror(-result))
		      : 0;
}

int process_images_read(const char *proc, const pid_t *pids, size_t count,
    struct process_images *ret_images, struct failure *failure)
{
	struct process_images images = {0};

	for (size_t i = 0; i < count; i++) {
		int result = process_add(proc, pids[i], &images, failure);

		if (result) {
			process_images_fini(&images);
			return result;
		}
	}
	*ret_images = images;
	return 0;
}

void process_images_fini(struct process_images *images)
{
	ARRAY_FOREACH (image, &images->images)
		free(image->path);
	ARRAY_FREE(&images->images);
}

/* Opens PATH if it is the image's inode; -1 if not. Never waits: what is there may be a pipe. */
static int open_inode(const char *path, const struct process_image *image)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_ino != image->inode) {
		errno = ESTALE;
		return -1;
	}
	return TAKE_FD(fd);
}

int process_image_open(const char *proc, const struct process_image *image, struct failure *failure)
{
	char path[PATH_MAX * 2];
	int fd;

	snprintf(path, sizeof(path), "%s/%d/map_files/%llx-%llx", proc, (int)image->pid,
	    (unsigned long long)image->start, (unsigned long long)image->end);
	fd = open_inode(path, image);
	if (fd < 0 && image->main) {
		snprintf(path, sizeof(path), "%s/%d/exe", proc, (int)image->pid);
		fd = open_inode(path, image);
	}
	if (fd < 0) {
		snprintf(path, sizeof(path), "%s/%d/root%s", proc, (int)image->pid, image->path);
		fd = open_inode(path, image);
	}
	if (fd >= 0)
		return fd;
	if (errno == EACCES || errno == EPERM)
		return failure_set(failure, errno,
		    "%s of process %d may not be read: run as root, or with CAP_SYS_PTRACE",
		    image->path, (int)image->pid);
	return failure_set(failure, ESTALE,
	    "%s of process %d was deleted or replaced and cannot be read any more; restart the "
	    "process",
	    image->path, (int)image->pid);
}
