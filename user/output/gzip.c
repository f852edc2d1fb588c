// SPDX-License-Identifier: GPL-2.0-or-later
// Writes gzip files with zlib.
#include "output/gzip.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>

#define WINDOW_BITS  (15 + 16) /* zlib: the largest window, with gzip's head */
#define MEMORY_LEVEL 8

int gzip_init(struct gzip *gzip, FILE *file)
{
	*gzip = (struct gzip){.file = file};
	return deflateInit2(&gzip->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS,
		   MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK
		   ? 0
		   : -ENOMEM;
}

static void run(struct gzip *gzip, int flush)
{
	unsigned char room[16384];
	int status;

	do {
		gzip->stream.next_out = room;
		gzip->stream.avail_out = sizeof(room);
		status = deflate(&gzip->stream, flush);
		assert(status != Z_STREAM_ERROR);
		fwrite(room, 1, sizeof(room) - gzip->stream.avail_out, gzip->file);
	} while (!gzip->stream.avail_out);
}

void gzip_write(struct gzip *gzip, const void *data, size_t size)
{
	assert(size <= UINT_MAX);
	gzip->stream.next_in = (unsigned char *)data;
	gzip->stream.avail_in = (unsigned)size;
	run(gzip, Z_NO_FLUSH);
}

void gzip_end(struct gzip *gzip)
{
	run(gzip, Z_FINISH);
	deflateEnd(&gzip->stream);
}
