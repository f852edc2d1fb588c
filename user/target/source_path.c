// SPDX-License-Identifier: GPL-2.0-or-later
// Says whether a file's path is the one that somebody named by its end.
#include "target/source_path.h"

#include <string.h>

bool source_path_matches(const char *path, const char *typed)
{
	size_t length, ending;

	while (typed[0] == '.' && typed[1] == '/')
		typed += 2;
	length = strlen(path);
	ending = strlen(typed);
	if (ending == 0 || ending > length || strcmp(path + length - ending, typed) != 0)
		return false;
	return length == ending || path[length - ending - 1] == '/' || typed[0] == '/';
}
