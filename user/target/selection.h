/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Specs to functions: parses what the user typed to name functions (DESIGN.md 2.1) and finds them
 * in the images of a target.
 */
#ifndef LPROF_TARGET_SELECTION_H
#define LPROF_TARGET_SELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/failure.h"
#include "target/image_index.h"

/* What the user asked of one spec. */
struct spec_request {
	const char *text; /* [IMAGE:]FUNCTION */
	bool lines;       /* -l rather than -f */
	double rate;      /* 0.0 to 1.0 */
};

struct selected_function {
	uint32_t image;  /* index into the images given to selection_build */
	uint32_t source; /* index into that image's functions */
	bool lines;
	double rate;
};

/* No function twice: the later spec wins for rate, lines if any spec asked for them. Ordered by
 * image and source. */
struct selection {
	ARRAY(struct selected_function) functions;
};

/* An image of the target, opened on demand: specs without IMAGE never open the libraries. */
struct selection_image {
	const char *path;          /* as mapped */
	const char *soname;        /* file name until opened */
	bool main;                 /* the main executable */
	struct image_index *index; /* NULL until opened; owned by whoever made the array */
};

struct selection_options {
	/* Opens images[i].index; -errno with failure set. */
	int (*open)(void *context, struct selection_image *image, struct failure *failure);
	void *context;
	bool marked; /* also select all functions with marks in the main executable */
};

/*
 * -EINVAL: a spec is malformed. -ENOENT: one matches nothing; failure names the nearest matches.
 * -ENODATA: lines are asked of a function without line information; failure says what to install.
 */
int selection_build(struct selection_image *images, size_t image_count,
    const struct spec_request *requests, size_t request_count,
    const struct selection_options *options, struct selection *ret_selection,
    struct failure *failure);
void selection_fini(struct selection *selection);

#endif
