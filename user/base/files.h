/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole files: reading with a bound, and writing so that a reader sees the old or the new one. */
#ifndef LPROF_BASE_FILES_H
#define LPROF_BASE_FILES_H

#include <stddef.h>

#include "base/failure.h"

/*
 * Reads a file of at most `limit` bytes, also one without a size of its own (/proc, a pipe). The
 * caller frees *ret_data, which has a NUL behind its last byte. Fails with errno's code, -EISDIR,
 * or -EFBIG: larger than the limit.
 */
int file_read(
    const char *path, size_t limit, char **ret_data, size_t *ret_size, struct failure *failure);

/*
 * Replaces or creates `path`: writes a temporary file beside it, syncs, renames, syncs the
 * directory. A file that was there keeps its mode; a symbolic link keeps pointing, its file is
 * replaced; a device or pipe (/dev/stdout) is written directly. On failure the old file is
 * untouched and no temporary file stays behind.
 */
int file_write_atomically(const char *path, const void *data, size_t size, struct failure *failure);

#endif
