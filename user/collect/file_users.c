// SPDX-License-Identifier: GPL-2.0-or-later
// Looks through /proc for the processes that map a file's code.
#include "collect/file_users.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "target/process.h"
#include "target/process_images.h"

#define PROC "/proc"

/* Mappings tell a device of their own on some file systems: the file itself decides. */
static bool is_file(pid_t pid, const struct process_mapping *mapping, uint64_t device)
{
	const struct process_image image = {
	    .device = mapping->device,
	    .inode = mapping->inode,
	    .path = mapping->path,
	    .pid = pid,
	    .start = mapping->start,
	    .end = mapping->end,
	    .offset = mapping->offset,
	};
	CLEANUP_CLOSE int fd = process_image_open(PROC, &image, NULL);
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 && status.st_dev == device;
}

bool file_is_mapped(pid_t pid, uint64_t device, uint64_t inode)
{
	struct process_maps maps = {0};
	bool found = false;

	if (process_read_maps(PROC, pid, &maps, NULL))
		return false;
	ARRAY_FOREACH (mapping, &maps.mappings)
		found = found || (mapping->inode == inode && is_file(pid, mapping, device));
	process_maps_fini(&maps);
	return found;
}

int file_list_users(uint64_t device, uint64_t inode, pid_array *pids, struct failure *failure)
{
	DIR *directory = opendir(PROC);
	const struct dirent *entry;
	int error = 0;

	if (!directory)
		return failure_set(failure, errno, "cannot list " PROC ": %s", strerror(errno));
	while (!error && (entry = readdir(directory))) {
		uint64_t pid;

		if (!parse_integer(entry->d_name, 1, INT32_MAX, &pid) &&
		    file_is_mapped((pid_t)pid, device, inode))
			error = ARRAY_APPEND(pids, (pid_t)pid);
	}
	closedir(directory);
	return error ? failure_set(failure, ENOMEM, "out of memory") : 0;
}
