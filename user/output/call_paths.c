// SPDX-License-Identifier: GPL-2.0-or-later
// Follows edges upwards as far as they are certain.
#include "output/call_paths.h"

#include <string.h>

uint32_t call_path_caller(const struct profile *profile, uint32_t function)
{
	const struct profile_function *callee = &profile->functions.items[function];
	uint32_t found = CALL_PATH_SEVERAL;
	uint64_t calls = 0;

	if (!callee->callers.count)
		return PROFILE_NO_FUNCTION;
	ARRAY_FOREACH (caller, &callee->callers) {
		calls = profile_sum(calls, caller->calls);
		if (caller->function == function || found == caller->function)
			continue;
		if (found != CALL_PATH_SEVERAL)
			return CALL_PATH_SEVERAL;
		found = caller->function;
	}
	/* Edges are counted of timed calls; a full table loses some. */
	return calls < callee->timed_calls ? CALL_PATH_SEVERAL : found;
}

const struct profile_line *call_path_line(const struct profile_function *function)
{
	const struct profile_line *found = NULL;

	ARRAY_FOREACH (line, &function->lines) {
		if (line->total_ns == line->self_ns)
			continue;
		if (found || line->total_ns < line->self_ns ||
		    strcmp(line->file, function->file) != 0)
			return NULL;
		found = line;
	}
	return found;
}
