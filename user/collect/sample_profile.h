/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the kernel's tables of sampled stacks to the samples of a profile. */
#ifndef LPROF_COLLECT_SAMPLE_PROFILE_H
#define LPROF_COLLECT_SAMPLE_PROFILE_H

#include <stdint.h>

#include "collect/code_images.h"
#include "model/profile.h"

struct sample_profile_input {
	struct code_images *images;
	int stacks, leaves, counts; /* the kernel's maps */
	uint64_t slots;             /* whose samples: of processes sampled for one of them */
	uint64_t period_ns;
	uint64_t missed; /* samples that the kernel dropped before the program ran */
};

/* Adds the samples to the profile's functions and lines, and to as many more as they need. */
int sample_profile(const struct sample_profile_input *input, struct profile *profile);

#endif
