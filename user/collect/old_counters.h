/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters that another version of lprof left pinned, in a layout that this one does not know. The
 * kernel keeps the types of each map (BTF), so that they can be written out by the names of their
 * fields all the same.
 */
#ifndef LPROF_COLLECT_OLD_COUNTERS_H
#define LPROF_COLLECT_OLD_COUNTERS_H

#include <stdio.h>

#include "base/cleanup.h"

struct old_counters;

/*
 * Holds the maps that are pinned in the directory: they stay when their pins and programs go. NULL:
 * none, or no memory.
 */
struct old_counters *old_counters_open(const char *pins);
void old_counters_free(struct old_counters *old);
DEFINE_CLEANUP(struct old_counters *, old_counters_free)

/* Pins them again, for the next start. */
void old_counters_pin(const struct old_counters *old, const char *pins);

/*
 * Writes each element that is not zero: "function_counters[3] = (struct function_counters){...}".
 * Where the kernel does not tell a map's types, its elements are hexadecimal words. Errors are the
 * stream's; 0 or -ENOMEM.
 */
int old_counters_write(const struct old_counters *old, FILE *stream);

#endif
