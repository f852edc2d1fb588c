/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the comparison of two profiles, for people and as JSON. */
#ifndef LPROF_OUTPUT_DIFF_H
#define LPROF_OUTPUT_DIFF_H

#include <stdio.h>

#include "model/profile_diff.h"
#include "output/report.h"

/* Uses the options' unit and color. */
void diff_print(const struct profile_diff *diff, const struct profile *base,
    const struct profile *new, FILE *stream, const struct report_options *options);

/*
 * {"format": "lprof-diff", "version": 1, "functions": [{"name", "file", "line", "base", "new",
 * "delta_ns", "time_changed", "lines": [{"file", "line", "base", "new", "delta_ns", "time_changed",
 * "hits_changed"}]}]}; base and new hold what the native profile holds, or null.
 */
void diff_print_json(const struct profile_diff *diff, FILE *stream);

#endif
