/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From sampled places (cpu_wire.h) to frames of a profile: function, line, and what is inlined. */
#ifndef LPROF_COLLECT_SAMPLE_PLACES_H
#define LPROF_COLLECT_SAMPLE_PLACES_H

#include "base/array.h"
#include "collect/code_images.h"
#include "model/profile.h"
#include "target/id_map.h"
#include "target/image_index.h"

/* An image as the resolver has it, once its first place has come. */
struct resolved_image {
	const struct image_index *index; /* NULL: it cannot be read */
	bool opened;
	uint32_t image; /* in the profile */
};

/* What stands at one place, outermost first: frames of the profile. */
struct place_frames {
	uint32_t first, count; /* into resolver.chain */
};

struct place_resolver {
	struct profile *profile;
	struct code_images *images;          /* opens their indexes */
	ARRAY(struct resolved_image) opened; /* parallel to images */
	struct id_map functions, frames, places;
	ARRAY(struct place_frames) found;
	ARRAY(uint32_t) chain;
	ARRAY(uint32_t) function_of; /* by frame: the function of the profile, or none */
	size_t planned;              /* functions that the profile had before */
};

/* All that is found goes to `profile`, whose functions and images so far are used again. */
int place_resolver_init(
    struct place_resolver *resolver, struct profile *profile, struct code_images *images);

/* The frames at a place, good until the next call. */
int place_resolve(struct place_resolver *resolver, uint64_t place, struct place_frames *ret_frames);

void place_resolver_fini(struct place_resolver *resolver);

#endif
