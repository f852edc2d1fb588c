// SPDX-License-Identifier: GPL-2.0-or-later
// Reads source files and cuts them into lines.
#include "output/source.h"

#include <string.h>
#include <sys/stat.h>

#include "base/files.h"

#define SOURCE_SIZE_MAX (64u << 20)

struct source *source_open(const char *path)
{
	CLEANUP(source_free_p) struct source *source = NULL;
	struct stat status;
	size_t size;

	if (!*path || stat(path, &status) || !S_ISREG(status.st_mode))
		return NULL;
	source = calloc(1, sizeof(*source));
	if (!source || file_read(path, SOURCE_SIZE_MAX, &source->text, &size, NULL))
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
