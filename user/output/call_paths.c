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

static bool is_in(const struct call_path *path, uint32_t function)
{
	ARRAY_FOREACH (known, &path->functions)
		if (*known == function)
			return true;
	return false;
}

int call_path_find(const struct profile *profile, uint32_t function, struct call_path *path)
{
	uint32_t caller = call_path_caller(profile, function);

	path->functions.count = 0;
	for (; caller < CALL_PATH_SEVERAL; caller = call_path_caller(profile, caller)) {
		if (caller == function || is_in(path, caller))
			break; /* each other's only callers: what called the first is lost */
		if (ARRAY_APPEND(&path->functions, caller))
			return -ENOMEM;
	}
	path->open = caller != PROFILE_NO_FUNCTION;
	return 0;
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

struct profile_line call_path_rest(const struct profile_function *function)
{
	struct profile_line rest = {
	    .file = function->file,
	    .line = function->line,
	    .total_ns = function->total_ns,
	    .self_ns = function->self_ns,
	};
	uint64_t samples = 0, total_samples = 0, blocked = 0, waiting = 0;

	ARRAY_FOREACH (line, &function->lines) {
		rest.total_ns = profile_sum_ns(rest.total_ns, -line->total_ns);
		rest.self_ns = profile_sum_ns(rest.self_ns, -line->self_ns);
		samples = profile_sum(samples, line->cpu_samples);
		total_samples = profile_sum(total_samples, line->cpu_total_samples);
		blocked = profile_sum(blocked, line->blocked_ns);
		waiting = profile_sum(waiting, line->waiting_ns);
	}
	rest.total_ns = rest.total_ns > 0 ? rest.total_ns : 0;
	rest.self_ns = rest.self_ns > 0 ? rest.self_ns : 0;
	if (samples < function->cpu_samples)
		rest.cpu_samples = function->cpu_samples - samples;
	if (total_samples < function->cpu_total_samples)
		rest.cpu_total_samples = function->cpu_total_samples - total_samples;
	if (blocked < function->blocked_ns)
		rest.blocked_ns = function->blocked_ns - blocked;
	if (waiting < function->waiting_ns)
		rest.waiting_ns = function->waiting_ns - waiting;
	return rest;
}
