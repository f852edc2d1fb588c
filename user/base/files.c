// SPDX-License-Identifier: GPL-2.0-or-later
// Reads and replaces whole files.
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int fail_reading(struct failure *failure, int code, const char *path)
{
	return failure_set(failure, code, "cannot read %s: %s", path, strerror(code));
}

/* Room for size + 1 bytes, at least doubled, at most limit + 2: one to notice excess, one for NUL.
 */
static int grow(char **data, size_t *capacity, size_t limit)
{
	size_t wanted = *capacity ? *capacity * 2 : 65536;
	char *moved;

	if (wanted > limit + 2)
		wanted = limit + 2;
	moved = realloc(*data, wanted);
	if (!moved)
		return -ENOMEM;
	*data = moved;
	*capacity = wanted;
	return 0;
}

int file_read(
    const char *path, size_t limit, char **ret_data, size_t *ret_size, struct failure *failure)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	CLEANUP_FREE char *data = NULL;
	size_t size = 0, capacity = 0;
	ssize_t got;

	if (fd < 0)
		return fail_reading(failure, errno, path);
	do {
		if (size + 1 >= capacity && grow(&data, &capacity, limit))
			return fail_reading(failure, ENOMEM, path);
		got = read(fd, data + size, capacity - 1 - size);
		if (got < 0 && errno != EINTR)
			return fail_reading(failure, errno, path);
		if (got > 0)
			size += got;
		if (size > limit)
			return failure_set(failure, EFBIG,
			    "cannot read %s: larger than the %zu bytes allowed", path, limit);
	} while (got);
	data[size] = '\0';
	*ret_data = TAKE(data);
	*ret_size = size;
	return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t written = write(fd, data, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		if (!written)
			return -EIO;
		data += written;
		size -= written;
	}
	return 0;
}

static int fail_writing(struct failure *failure, int code, const char *path)
{
	const char *remedy = code == ENOSPC || code == EDQUOT
				 ? "; free some space or write elsewhere with -o"
			     : code == EACCES || code == EROFS || code == ENOENT
				 ? "; write to another directory with -o"
				 : "";

	return failure_set(failure, code, "cannot write %s: %s%s", path, strerror(code), remedy);
}

/* Makes the rename durable. A file system that cannot sync directories (EINVAL) has done its best.
 */
static int sync_directory_of(const char *path)
{
	CLEANUP_FREE char *directory = strdup(path);
	CLEANUP_CLOSE int fd = -1;
	char *slash;

	if (!directory)
		return -ENOMEM;
	slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory ? 1 : 0] = '\0';
	fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? 0 : -errno; /* writable, not readable: cannot be synced */
	return fsync(fd) && errno != EINVAL ? -errno : 0;
}

/* A new file's mode: that of the file it replaces, or what umask allows. */
static mode_t new_mode(const struct stat *old, bool exists)
{
	mode_t mask;

	if (exists)
		return old->st_mode & 07777;
	mask = umask(077);
	umask(mask);
	return 0666 & ~mask;
}

static int write_synced(int fd, const void *data, size_t size, mode_t mode)
{
	int result = write_all(fd, data, size);

	if (!result && fchmod(fd, mode))
		result = -errno;
	if (!result && fsync(fd))
		result = -errno;
	return result;
}

static int replace(const char *path, const void *data, size_t size, mode_t mode)
{
	CLEANUP_FREE char *temporary = NULL;
	CLEANUP_CLOSE int fd = -1;
	int result;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	result = write_synced(fd, data, size, mode);
	if (!result && close(TAKE_FD(fd))) /* some network file systems report a full disk here */
		result = -errno;
	if (!result && rename(temporary, path))
		result = -errno;
	if (result) {
		unlink(temporary);
		return result;
	}
	return sync_directory_of(path);
}

static int write_directly(const char *path, const void *data, size_t size)
{
	CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : write_all(fd, data, size);
}

int file_write_atomically(const char *path, const void *data, size_t size, struct failure *failure)
{
	CLEANUP_FREE char *real = realpath(path, NULL); /* NULL: not there yet */
	const char *destination = real ? real : path;
	struct stat old;
	bool exists = !stat(destination, &old);
	int result;

	if (exists && S_ISDIR(old.st_mode))
		result = -EISDIR;
	else if (exists && !S_ISREG(old.st_mode))
		result = write_directly(destination, data, size);
	else
		result = replace(destination, data, size, new_mode(&old, exists));
	return result ? fail_writing(failure, -result, path) : 0;
}
