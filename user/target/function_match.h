/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which functions of one image a name or a place in the source means. */
#ifndef LPROF_TARGET_FUNCTION_MATCH_H
#define LPROF_TARGET_FUNCTION_MATCH_H

#include "base/array.h"
#include "target/image_index.h"

typedef ARRAY(uint32_t) source_array; /* ascending indexes of an index's functions, none twice */

/*
 * Appends the functions that go by `name`: a symbol, an alias, or a demangled name with or without
 * parameters, return type or hash. Only if there is none, `name` is taken as a glob, and
 * *ret_glob is set. 0 or -ENOMEM.
 */
int function_match_name(
    const struct image_index *index, const char *name, source_array *ret_found, bool *ret_glob);

/* Appends the innermost function around a line of the file with that id. 0 or -ENOMEM. */
int function_match_line(
    const struct image_index *index, uint32_t file, uint32_t line, source_array *ret_found);

/* Appends all functions defined in the file with that id. 0 or -ENOMEM. */
int function_match_file(const struct image_index *index, uint32_t file, source_array *ret_found);

/*
 * Appends the ids of the files that hold functions and whose paths are `typed` or end in it; the
 * full path alone if there is one. 0 or -ENOMEM.
 */
int function_match_files(
    const struct image_index *index, const char *typed, source_array *ret_files);

#endif
