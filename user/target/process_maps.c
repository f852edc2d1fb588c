// SPDX-License-Identifier: GPL-2.0-or-later
// Parses /proc/PID/maps (proc(5)): "start-end perms offset major:minor inode   path".
#include "target/process_maps.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/strings.h"

/* A number followed by `after`, which is skipped too; false if there is none. */
static bool take_number(const char **at, const char *end, unsigned base, char after, uint64_t *ret)
{
	uint64_t value = 0;
	const char *c = *at;

	for (; c < end && isxdigit((unsigned char)*c); c++) {
		unsigned digit = isdigit((unsigned char)*c)
				     ? (unsigned)(*c - '0')
				     : (unsigned)(tolower((unsigned char)*c) - 'a' + 10);

		if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	if (c == *at || c == end || *c != after)
		return false;
	*at = c + 1;
	*ret = value;
	return true;
}

/* The kernel writes a line feed in a path as \012. */
static void path_unescape(char *path)
{
	char *write = path;

	while (*path) {
		if (!strncmp(path, "\\012", 4)) {
			*write++ = '\n';
			path += 4;
		} else {
			*write++ = *path++;
		}
	}
	*write = '\0';
}

static int mapping_set_path(struct process_mapping *mapping, const char *path, size_t length)
{
	static const char gone[] = " (deleted)";

	mapping->deleted =
	    length > strlen(gone) && !memcmp(path + length - strlen(gone), gone, strlen(gone));
	if (mapping->deleted)
		length -= strlen(gone);
	mapping->path = strndup(path, length);
	if (!mapping->path)
		return -ENOMEM;
	path_unescape(mapping->path);
	return 0;
}

static int line_parse(const char *at, const char *end, bool all, struct process_maps *maps)
{
	struct process_mapping mapping = {0};
	uint64_t major_number, minor_number;
	bool executable;

	if (!take_number(&at, end, 16, '-', &mapping.start) ||
	    !take_number(&at, end, 16, ' ', &mapping.end) || end - at < 5 || at[4] != ' ')
		return 0;
	executable = at[2] == 'x';
	at += 5;
	if (!take_number(&at, end, 16, ' ', &mapping.offset) ||
	    !take_number(&at, end, 16, ':', &major_number) ||
	    !take_number(&at, end, 16, ' ', &minor_number) ||
	    !take_number(&at, end, 10, ' ', &mapping.inode))
		return 0;
	while (at < end && *at == ' ')
		at++;
	if (!executable || mapping.start >= mapping.end)
		return 0;
	if (!all && (mapping.inode == 0 || at == end || *at != '/'))
		return 0;
	mapping.device = makedev((unsigned)major_number, (unsigned)minor_number);
	if (mapping_set_path(&mapping, at, (size_t)(end - at)))
		return -ENOMEM;
	if (ARRAY_APPEND(&maps->mappings, mapping)) {
		free(mapping.path);
		return -ENOMEM;
	}
	return 0;
}

static int maps_parse(const char *text, bool all, struct process_maps *ret_maps)
{
	struct process_maps maps = {0};

	while (*text) {
		size_t length = strcspn(text, "\n");

		if (line_parse(text, text + length, all, &maps)) {
			process_maps_fini(&maps);
			return -ENOMEM;
		}
		text += length;
		text += *text == '\n';
	}
	*ret_maps = maps;
	return 0;
}

int process_maps_parse(const char *text, struct process_maps *ret_maps)
{
	return maps_parse(text, false, ret_maps);
}

int process_maps_parse_code(const char *text, struct process_maps *ret_maps)
{
	return maps_parse(text, true, ret_maps);
}

void process_maps_fini(struct process_maps *maps)
{
	ARRAY_FOREACH (mapping, &maps->mappings)
		free(mapping->path);
	ARRAY_FREE(&maps->mappings);
}
