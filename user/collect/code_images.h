/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files whose code samples can lie in, each once, held open from the moment it was first seen
 * mapped: when its samples are looked up, the process may be gone and the file replaced.
 */
#ifndef LPROF_COLLECT_CODE_IMAGES_H
#define LPROF_COLLECT_CODE_IMAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "target/process_maps.h"

struct code_segment {
	uint64_t offset, size, address;
};

struct code_image {
	dev_t device;
	uint64_t inode;
	char *path; /* as the first process saw it */
	int fd;     /* -1: it could not be opened */
	ARRAY(struct code_segment) segments;
	bool unwound; /* its table was made, if it can be */
};

struct code_images {
	ARRAY(struct code_image) items;
	int images, unwind_tables; /* the kernel's maps, borrowed */
};

/*
 * The image of a process's mapping as an index into items, opened if it is new. -ENOSPC: there are
 * too many.
 */
int code_images_find(struct code_images *images, pid_t pid, const struct process_mapping *mapping);

/* What to subtract from an address in the mapping to have the image's own. */
uint64_t code_image_bias(const struct code_image *image, const struct process_mapping *mapping);

/* Gives the kernel the unwinding tables of new images: some 10 ms for a large library. */
void code_images_unwind(struct code_images *images);

void code_images_fini(struct code_images *images);

#endif
