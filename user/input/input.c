// SPDX-License-Identifier: GPL-2.0-or-later
// Tells by a file's first byte which reader it is for.
#include "input/input.h"

#include <string.h>

#include "base/files.h"

int input_read_bytes(const char *name, const char *bytes, size_t size, struct profile **ret_profile,
    struct failure *failure)
{
	size_t at = 0;

	if (!size)
		return failure_set(failure, EBADMSG, "%s: is empty, not a profile", name);
	if ((unsigned char)bytes[0] == 0x80)
		return input_read_pickle(name, bytes, size, ret_profile, failure);
	while (at < size && strchr(" \t\r\n", bytes[at]) && bytes[at])
		at++;
	if (at < size && bytes[at] == '{')
		return input_read_json(name, bytes, size, ret_profile, failure);
	return failure_set(failure, EBADMSG,
	    "%s: is not a profile: lprof reads its own .json and .lprof, and line_profiler's "
	    ".lprof",
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
