/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a user reads when a spec matches nothing, or nothing with lines. */
#ifndef LPROF_TARGET_SELECTION_FAILURE_H
#define LPROF_TARGET_SELECTION_FAILURE_H

#include "target/function_match.h"
#include "target/selection.h"
#include "target/spec.h"

/* -ENOENT: no function goes by the spec's name in the image; names the nearest. */
int selection_no_function(
    const struct selection_image *image, const struct spec *spec, struct failure *failure);

/* -ENOENT: no such file in the image, or no function around its line; names the nearest. */
int selection_no_place(const struct selection_image *image, const struct spec *spec,
    const source_array *files, struct failure *failure);

/* -EINVAL: the spec's file is the end of several paths. */
int selection_ambiguous(const struct image_index *index, const struct spec *spec,
    const source_array *files, struct failure *failure);

/* -ENODATA: `what` in the image has no lines; says what to install or build. */
int selection_no_lines(
    const struct selection_image *image, const char *what, struct failure *failure);

#endif
