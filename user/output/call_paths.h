/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the counted edges between functions say for certain about the stacks above them.
 *
 * Exact measurements know of each call its nearest measured caller, not the whole stack. Where all
 * calls of a function came from one caller, that caller stood above each of them, and so on
 * upwards; where they came from several, what stood above these is not known. Nothing deeper is
 * made up.
 */
#ifndef LPROF_OUTPUT_CALL_PATHS_H
#define LPROF_OUTPUT_CALL_PATHS_H

#include "model/profile.h"

#define CALL_PATH_SEVERAL (PROFILE_NO_FUNCTION - 1) /* callers, or some that were not counted */

/*
 * The function that all calls of a function came from, but for its own: an index,
 * PROFILE_NO_FUNCTION (from outside of all measured functions), or CALL_PATH_SEVERAL.
 */
uint32_t call_path_caller(const struct profile *profile, uint32_t function);

/* The certain callers of a function, nearest first. Zero to start with. */
struct call_path {
	ARRAY(uint32_t) functions;
	bool open; /* what called the last of them is not known */
};

/* Replaces what `path` holds; 0 or -ENOMEM. The caller frees path->functions. */
int call_path_find(const struct profile *profile, uint32_t function, struct call_path *path);

/*
 * The line of its own file where a function can have called: the one line whose time with callees
 * is longer than that without. NULL: not known.
 */
const struct profile_line *call_path_line(const struct profile_function *function);

/*
 * What of a function's times and samples belongs to none of its lines: all of it where lines were
 * not measured, nothing otherwise but in sums of both kinds. It stands at the function's own line.
 */
struct profile_line call_path_rest(const struct profile_function *function);

#endif
