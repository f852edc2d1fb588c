/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source files as lines. The path comes out of a profile: whatever is no regular file is missing.
 */
#ifndef LPROF_OUTPUT_SOURCE_H
#define LPROF_OUTPUT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "model/profile.h"

struct source {
	const char *path; /* the caller's */
	char *text;
	time_t modified;
	ARRAY(const char *) lines; /* without their line ends; lines.items[0] is line 1 */
};

/*
 * NULL: missing, unreadable or beyond 64 MiB. With `public_only` also what not everybody may read,
 * by the modes of the file and of all folders above it: for a process that reads for others, who
 * could name any file as the source of a program of theirs.
 */
struct source *source_open(const char *path, bool public_only);
void source_free(struct source *source);
DEFINE_CLEANUP(struct source *, source_free)

/* The text of a line from 1, or NULL: the file has no such line. `source` may be NULL. */
const char *source_line(const struct source *source, uint64_t line);

/* The file was changed after the profile began: its lines may be others than those measured. */
bool source_is_newer(const struct source *source, const struct profile *profile);

#endif
