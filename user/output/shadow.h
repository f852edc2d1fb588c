/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Companion sources for line_profiler's viewer.
 *
 * The viewer finds a function's lines with Python's tokenizer, which makes nothing of C. A
 *companion has the same line numbers, is blank outside the measured functions, and holds each
 *function inside a Python string, so that the tokenizer takes all of it for one block:
 *
 *	class _: r"""		<- the line before the function: first_line for the viewer
 *	int f(void)
 *	{
 *		return 1;
 *	}  """
 */
#ifndef LPROF_OUTPUT_SHADOW_H
#define LPROF_OUTPUT_SHADOW_H

#include "base/failure.h"
#include "model/profile.h"

/* Where the viewer shall look for one function of one source file. */
struct shadow_place {
	const char *file;    /* the companion, or the source itself where it is missing */
	uint32_t first_line; /* of the opener */
};

/* The rows of a function that stand in one file: of a function that is one place in the viewer. */
struct shadow_block {
	const char *file;
	uint32_t first_line, last_line;
};

/*
 * Writes the companions of `count` blocks into `directory` (made if missing) and stores where each
 * block stands. Strings belong to `strings`.
 */
int shadow_write(const char *directory, const struct shadow_block *blocks, size_t count,
    struct strings *strings, struct shadow_place *ret_places, struct failure *failure);

#endif
