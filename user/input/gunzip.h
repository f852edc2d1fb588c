/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decompresses gzip files (RFC 1952) of foreign origin, up to a bound. */
#ifndef LPROF_INPUT_GUNZIP_H
#define LPROF_INPUT_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

bool gunzip_begins(const char *bytes, size_t size); /* they are of a gzip file */

/*
 * The content, which the caller frees. -EBADMSG: damaged, or cut off; -EFBIG: more than `limit`
 * bytes come out of it. `name` is for messages.
 */
int gunzip(const char *name, const char *bytes, size_t size, size_t limit, char **ret_content,
    size_t *ret_size, struct failure *failure);

#endif
