/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether line_profiler's viewer survives a source.
 *
 * The viewer runs Python's tokenizer over a source from the function's first line to the end of the
 * file. C is not Python: of most it makes harmless nonsense, but an apostrophe in a comment, or a
 * bracket in one that has no partner, ends the viewer with TokenError.
 */
#ifndef LPROF_OUTPUT_PYTHON_READS_H
#define LPROF_OUTPUT_PYTHON_READS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strings.h"
#include "output/source.h"

/*
 * True: no Python from 3.6 on fails on the lines from `first_line` to the end. Errs towards false.
 */
bool python_reads(const struct source *source, uint64_t first_line);

#endif
