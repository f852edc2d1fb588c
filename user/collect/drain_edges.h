/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of callers: which function called which how often, as the profile has it. */
#ifndef LPROF_COLLECT_DRAIN_EDGES_H
#define LPROF_COLLECT_DRAIN_EDGES_H

#include <stddef.h>
#include <stdint.h>

#include "model/profile.h"
#include "wire.h"

struct drain_edges_input {
	struct edge *edges; /* put in another order */
	size_t count;
	/* The profile's functions by the kernel's ids; PROFILE_NO_FUNCTION: not in the profile. */
	const uint32_t *functions;
	uint32_t function_count; /* of the kernel's */
};

/* Adds the callers to the profile's functions, sorted by caller. 0 or -ENOMEM. */
int drain_edges(const struct drain_edges_input *input, struct profile *profile);

#endif
