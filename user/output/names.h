/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names as the formats of other tools can take them: one printable line of bounded length, and for
 * functions one that no other function of the profile has.
 */
#ifndef LPROF_OUTPUT_NAMES_H
#define LPROF_OUTPUT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "model/profile.h"

#define NAME_CHARACTERS_MAX 1024

/*
 * A printable copy: control characters as ^X, malformed bytes as U+FFFD, tabs as spaces, each of
 * `forbidden` as a colon, "-" for nothing. Beyond NAME_CHARACTERS_MAX characters it ends in "..."
 * and a hash of the whole, and *shortened (may be NULL) is counted up. The caller frees it; NULL:
 * no memory.
 */
char *name_printable(const char *text, const char *forbidden, uint64_t *shortened);

struct names_options {
	const char *forbidden;
	bool by_line;      /* functions of equal names in one file are apart by their lines */
	bool mark_partial; /* " [timed 2 of 20 calls]" where times are of some calls only */
};

/* The names of a profile's functions. */
struct names {
	char **functions;   /* as many as the profile has */
	uint64_t shortened; /* of them */
	size_t count;
};

/* NULL: no memory. The second of two functions with one name is "name [2]". */
struct names *names_new(const struct profile *profile, const struct names_options *options);
void names_free(struct names *names);
DEFINE_CLEANUP(struct names *, names_free)

/* Says on stderr how many names a file shortened: for formats that have no place to say it. */
void names_report(const char *format, uint64_t shortened);

#endif
