/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interned strings: equal strings are stored once, live as long as the pool, and compare equal by
 * pointer. Also the one matcher of globs that the specs use.
 */
#ifndef LPROF_BASE_STRINGS_H
#define LPROF_BASE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

struct strings;

struct strings *strings_new(void); /* NULL: no memory */
void strings_free(struct strings *strings);

/* The pool's copy of `text`, or NULL: no memory. */
const char *strings_intern(struct strings *strings, const char *text);
const char *strings_intern_length(struct strings *strings, const char *text, size_t length);

bool string_is_glob(const char *pattern); /* has *, ? or [ */
bool string_matches(const char *pattern, const char *text);
bool string_starts(const char *text, const char *prefix);
bool string_ends(const char *text, const char *suffix);

#endif
