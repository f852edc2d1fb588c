// SPDX-License-Identifier: GPL-2.0-or-later
// Reads source files and cuts them into lines.
#include "output/source.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"

#define SOURCE_SIZE_MAX (64u << 20)

/*
 * Opens a step of a path, if everybody may take it: search a folder, read a regular file. Links
 * were resolved before; one that took a step's place meanwhile is refused.
 */
static int open_step(int folder, const char *name, bool last)
{
	CLEANUP_CLOSE int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -1;
	if (last ? !S_ISREG(status.st_mode) || !(status.st_mode & S_IROTH)
		 : !S_ISDIR(status.st_mode) || !(status.st_mode & S_IXOTH))
		return -1;
	return TAKE_FD(fd);
}

/* The file as a descriptor that names it (O_PATH); negative: not everybody may read it. */
static int open_public(const char *path)
{
	CLEANUP_FREE char *real = realpath(path, NULL);
	CLEANUP_CLOSE int fd = open_step(AT_FDCWD, "/", false);
	char *rest = real, *name;

	while (fd >= 0 && rest && (name = strsep(&rest, "/"))) {
		int next = *name ? open_step(fd, name, !rest) : TAKE_FD(fd);

		cleanup_close(&fd);
		fd = next;
	}
	return real ? TAKE_FD(fd) : -1;
}

struct source *source_open(const char *path, bool public_only)
{
	CLEANUP(source_free_p) struct source *source = NULL;
	CLEANUP_CLOSE int fd = public_only ? open_public(path) : open(path, O_PATH | O_CLOEXEC);
	char opened[sizeof("/proc/self/fd/") + 10];
	struct stat status;
	size_t size;

	if (fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode))
		return NULL;
	snprintf(opened, sizeof(opened), "/proc/self/fd/%d", fd);
	source = calloc(1, sizeof(*source));
	if (!source || file_read(opened, SOURCE_SIZE_MAX, &source->text, &size, NULL))
		return NULL;
	source->path = path;
	source->modified = status.st_mtime;
	for (char *line = source->text, *end; line < source->text + size; line = end + 1) {
		end = memchr(line, '\n', (size_t)(source->text + size - line));
		if (!end)
			end = source->text + size; /* file_read puts a NUL there */
		*end = '\0';
		if (end > line && end[-1] == '\r')
			end[-1] = '\0';
		if (ARRAY_APPEND(&source->lines, line))
			return NULL;
	}
	return TAKE(source);
}

void source_free(struct source *source)
{
	if (!source)
		return;
	free(source->text);
	ARRAY_FREE(&source->lines);
	free(source);
}

const char *source_line(const struct source *source, uint64_t line)
{
	return source && line && line <= source->lines.count ? source->lines.items[line - 1] : NULL;
}

bool source_is_newer(const struct source *source, const struct profile *profile)
{
	return profile->started_ns && source->modified > profile->started_ns / 1000000000;
}
