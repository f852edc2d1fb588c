// SPDX-License-Identifier: GPL-2.0-or-later
// Opens and reads the maps of code made at run time, which their programs may write as they please.
#include "target/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/process.h"

#define DIGITS_MAX 16

/* ---- The file ---- */

/* Within the process's root, whatever links it has made there. */
static int open_within(const char *proc, pid_t pid, const char *path)
{
	struct open_how how = {
	    .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
	    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	CLEANUP_CLOSE int root = -1;
	char text[64];
	int fd;

	snprintf(text, sizeof(text), "%s/%d/root", proc, (int)pid);
	root = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int perf_map_open(const char *proc, pid_t pid)
{
	CLEANUP_CLOSE int fd = -1;
	struct process_status status;
	struct stat file;
	char path[64];
	int error = process_read_status(proc, pid, &status, NULL);

	if (error)
		return error;
	snprintf(path, sizeof(path), "tmp/perf-%d.map", (int)status.inner);
	fd = open_within(proc, pid, path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &file))
		return -errno;
	if (!S_ISREG(file.st_mode) ||
	    (file.st_uid && file.st_uid != status.user && file.st_uid != status.effective_user))
		return -EPERM;
	return TAKE_FD(fd);
}

/* ---- Its lines ---- */

static bool take_number(const char **at, const char *end, uint64_t *ret_number)
{
	const char *begin = *at;

	*ret_number = 0;
	if (end - *at > 2 && (*at)[0] == '0' && (*at)[1] == 'x')
		begin = *at += 2;
	for (; *at < end && *at - begin <= DIGITS_MAX; ++*at) {
		char digit = **at;
		unsigned value;

		if (digit >= '0' && digit <= '9')
			value = (unsigned)(digit - '0');
		else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
			value = (unsigned)((digit | 0x20) - 'a') + 10;
		else
			break;
		*ret_number = *ret_number << 4 | value;
	}
	return *at > begin && *at - begin <= DIGITS_MAX;
}

static bool take_space(const char **at, const char *end)
{
	const char *begin = *at;

	while (*at < end && **at == ' ')
		++*at;
	return *at > begin;
}

/* 1: it makes no sense. */
static int take_line(struct perf_map *map, const char *line, const char *end)
{
	struct perf_map_symbol symbol = {.order = (uint32_t)map->symbols.count};
	uint64_t size;

	if (!take_number(&line, end, &symbol.start) || !take_space(&line, end) ||
	    !take_number(&line, end, &size) || !take_space(&line, end) || line == end || !*line ||
	    !size || size > UINT64_MAX - symbol.start)
		return 1;
	symbol.end = symbol.start + size;
	if (end - line > PERF_MAP_NAME_MAX)
		end = line + PERF_MAP_NAME_MAX;
	symbol.name = strndup(line, (size_t)(end - line));
	if (!symbol.name || ARRAY_APPEND(&map->symbols, symbol)) {
		free(symbol.name);
		return -ENOMEM;
	}
	return 0;
}

/* ---- Which holds where ---- */

static int symbol_compare(const void *left, const void *right)
{
	const struct perf_map_symbol *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* What a later line took from the front or the end of an earlier one is the later one's. */
static void set_apart(struct perf_map *map)
{
	size_t kept = 0;

	ARRAY_SORT(&map->symbols, symbol_compare);
	for (size_t i = 0; i < map->symbols.count; i++) {
		struct perf_map_symbol symbol = map->symbols.items[i];

		while (kept && map->symbols.items[kept - 1].end > symbol.start) {
			struct perf_map_symbol *before = &map->symbols.items[kept - 1];

			if (before->order < symbol.order) {
				before->end = symbol.start;
				if (before->end > before->start)
					break;
				free(before->name);
				kept--;
			} else {
				symbol.start = before->end;
				break;
			}
		}
		if (symbol.start < symbol.end)
			map->symbols.items[kept++] = symbol;
		else
			free(symbol.name);
	}
	map->symbols.count = kept;
}

int perf_map_parse(const char *text, size_t size, struct perf_map *ret_map)
{
	const char *end = text + size;
	struct perf_map map = {0};

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		if (!newline)
			break; /* still being written */
		if (take_line(&map, text, newline) < 0) {
			perf_map_fini(&map);
			return -ENOMEM;
		}
		text = newline + 1;
	}
	set_apart(&map);
	*ret_map = map;
	return 0;
}

int perf_map_read(int fd, struct perf_map *ret_map)
{
	CLEANUP_FREE char *text = NULL;
	struct stat file;
	size_t size, used = 0;

	if (fstat(fd, &file))
		return -errno;
	size = file.st_size < PERF_MAP_SIZE_MAX ? (size_t)file.st_size : PERF_MAP_SIZE_MAX;
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	while (used < size) {
		ssize_t got = pread(fd, text + used, size - used, (off_t)used);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (!got)
			break;
		used += got > 0 ? (size_t)got : 0;
	}
	return perf_map_parse(text, used, ret_map);
}

const char *perf_map_find(const struct perf_map *map, uint64_t address)
{
	size_t low = 0, high = map->symbols.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct perf_map_symbol *symbol = &map->symbols.items[middle];

		if (address < symbol->start)
			high = middle;
		else if (address >= symbol->end)
			low = middle + 1;
		else
			return symbol->name;
	}
	return NULL;
}

void perf_map_fini(struct perf_map *map)
{
	ARRAY_FOREACH (symbol, &map->symbols)
		free(symbol->name);
	ARRAY_FREE(&map->symbols);
}
