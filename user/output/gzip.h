/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compresses what is written, into a gzip file (RFC 1952) without name or date: equal content gives
 * equal files. */
#ifndef LPROF_OUTPUT_GZIP_H
#define LPROF_OUTPUT_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <zlib.h>

struct gzip {
	z_stream stream;
	FILE *file;
};

/* Writes to `file`, whose errors are the caller's. 0 or -ENOMEM. */
int gzip_init(struct gzip *gzip, FILE *file);
void gzip_write(struct gzip *gzip, const void *data, size_t size);

/* Writes what is left and frees; once after gzip_init(). */
void gzip_end(struct gzip *gzip);

#endif
