/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What somebody who mistyped a name probably meant. */
#ifndef LPROF_BASE_NEAREST_H
#define LPROF_BASE_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

#define NEAREST_LENGTH_MAX 128 /* longer texts are compared by their first characters */

/*
 * How many characters must be inserted, deleted, replaced or swapped with their neighbour to turn
 * one text into the other (optimal string alignment), letters of both cases alike.
 */
unsigned edit_distance(const char *a, const char *b);

/* Whether `distance` is small enough for `text` to be a slip of the fingers. */
bool is_near(const char *text, unsigned distance);

/* The nearest of `count` candidates, or NULL: none is near. */
const char *nearest_match(const char *text, const char *const *candidates, size_t count);

#endif
