// SPDX-License-Identifier: GPL-2.0-or-later
// Tells by a file's first bytes which reader it is for.
#include "input/input.h"

#include <string.h>

#include "base/files.h"
#include "input/gunzip.h"

#define HEAD_SIZE 200

/* A marshalled dict whose first key is a tuple, or that has none; JSON goes on otherwise. */
static bool is_pstats(const char *bytes, size_t size)
{
	const unsigned char first = (unsigned char)bytes[0] & 0x7f;

	return first == '{' && ((unsigned char)bytes[0] != first || (size > 1 && bytes[1] &&
									strchr("()\xa8\xa9"
									       "0",
									    bytes[1])));
}

static bool begins(const char *bytes, size_t size, const char *text)
{
	return size >= strlen(text) && memcmp(bytes, text, strlen(text)) == 0;
}

static int refuse_written(const char *name, const char *whose, struct failure *failure)
{
	return failure_set(failure, EBADMSG,
	    "%s: is in %s format, which lprof writes but does not read: keep a .json or .lprof "
	    "beside it",
	    name, whose);
}

int input_read_bytes(const char *name, const char *bytes, size_t size, struct profile **ret_profile,
    struct failure *failure)
{
	size_t at = 0;

	if (!size)
		return failure_set(failure, EBADMSG, "%s: is empty, not a profile", name);
	if ((unsigned char)bytes[0] == 0x80)
		return input_read_pickle(name, bytes, size, ret_profile, failure);
	if (gunzip_begins(bytes, size))
		return input_read_pprof(name, bytes, size, ret_profile, failure);
	if (is_pstats(bytes, size))
		return input_read_pstats(name, bytes, size, ret_profile, failure);
	if (begins(bytes, size, "# callgrind format"))
		return refuse_written(name, "callgrind's", failure);
	if (memmem(bytes, size < HEAD_SIZE ? size : HEAD_SIZE, "www.speedscope.app", 18))
		return refuse_written(name, "speedscope's", failure);
	while (at < size && strchr(" \t\r\n", bytes[at]) && bytes[at])
		at++;
	if (at < size && bytes[at] == '{')
		return input_read_json(name, bytes, size, ret_profile, failure);
	return failure_set(failure, EBADMSG,
	    "%s: is not a profile: lprof reads its own .json, .lprof, .prof and "
	    ".pb.gz, line_profiler's .lprof, cProfile's .prof and pprof's CPU profiles",
	    name);
}

int input_read(const char *path, struct profile **ret_profile, struct failure *failure)
{
	CLEANUP_FREE char *bytes = NULL;
	size_t size;
	int error = file_read(path, INPUT_SIZE_MAX, &bytes, &size, failure);

	if (error)
		return error;
	return input_read_bytes(path, bytes, size, ret_profile, failure);
}
