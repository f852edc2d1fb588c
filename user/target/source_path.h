/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing the paths that people type with those of the debug information. */
#ifndef LPROF_TARGET_SOURCE_PATH_H
#define LPROF_TARGET_SOURCE_PATH_H

#include <stdbool.h>

/* Whether `path` is `typed`, or ends in "/" and `typed`; leading "./" of `typed` aside. */
bool source_path_matches(const char *path, const char *typed);

#endif
