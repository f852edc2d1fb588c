// SPDX-License-Identifier: GPL-2.0-or-later
// Reads gzip files with zlib, growing the result as it comes out.
#include "input/gunzip.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "base/array.h"
#include "base/cleanup.h"

#define WINDOW_BITS (15 + 16) /* zlib: gzip's head, any window */
#define STEP        65536

struct content {
	ARRAY(char) bytes;
};

bool gunzip_begins(const char *bytes, size_t size)
{
	return size >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
}

/* Runs until the end of the stream; Z_BUF_ERROR: beyond the limit, Z_MEM_ERROR, or what is wrong.
 */
static int run(z_stream *stream, size_t limit, struct content *content)
{
	int status = Z_OK;

	while (status == Z_OK) {
		/* one more than the limit, which shows that there is more */
		size_t room = limit + 1 - content->bytes.count;

		room = room < STEP ? room : STEP;
		if (ARRAY_RESERVE(&content->bytes, room))
			return Z_MEM_ERROR;
		stream->next_out = (unsigned char *)content->bytes.items + content->bytes.count;
		stream->avail_out = (unsigned)room;
		status = inflate(stream, Z_NO_FLUSH);
		content->bytes.count += room - stream->avail_out;
		if (content->bytes.count > limit)
			return Z_BUF_ERROR;
		if (status == Z_BUF_ERROR || (status == Z_OK && stream->avail_out))
			return Z_DATA_ERROR; /* it wants more than there is */
	}
	return status;
}

int gunzip(const char *name, const char *bytes, size_t size, size_t limit, char **ret_content,
    size_t *ret_size, struct failure *failure)
{
	z_stream stream = {.next_in = (unsigned char *)bytes, .avail_in = (unsigned)size};
	struct content content = {0};
	int status = size > UINT_MAX ? Z_DATA_ERROR : inflateInit2(&stream, WINDOW_BITS);

	if (status == Z_OK) {
		status = run(&stream, limit, &content);
		inflateEnd(&stream);
	}
	if (status == Z_STREAM_END) {
		*ret_content = content.bytes.items;
		*ret_size = content.bytes.count;
		return 0;
	}
	ARRAY_FREE(&content.bytes);
	if (status == Z_BUF_ERROR)
		return failure_set(
		    failure, EFBIG, "%s: is over %zu MiB when decompressed", name, limit >> 20);
	if (status == Z_MEM_ERROR)
		return failure_set(failure, ENOMEM, "%s: no memory to read it", name);
	return failure_set(
	    failure, EBADMSG, "%s: is a damaged gzip file, or one that is cut off", name);
}
