/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which images of a target the IMAGE of a spec means. */
#ifndef LPROF_TARGET_IMAGE_MATCH_H
#define LPROF_TARGET_IMAGE_MATCH_H

#include "target/selection.h"

typedef ARRAY(size_t) image_array;

/*
 * Appends the images whose path, file name or soname is `typed`, or matches it as a glob; with
 * `typed` NULL the main executable. Opens images only where the soname may differ from the file
 * name. 0 (perhaps with nothing appended), -ENOMEM, or what opening said.
 */
int image_match(struct selection_image *images, size_t count, const char *typed,
    const struct selection_options *options, image_array *ret_images, struct failure *failure);

/* Opens the image unless it is open. 0, or what opening said. */
int image_match_open(struct selection_image *image, const struct selection_options *options,
    struct failure *failure);

/* -ENOENT: none of the images is `typed`; names those that are there. */
int image_match_missing(
    const struct selection_image *images, size_t count, const char *typed, struct failure *failure);

/* The last part of an image's path. */
const char *image_match_file_name(const struct selection_image *image);

#endif
