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
#include "target/image_index.h"
#include "target/perf_map.h"
#include "target/process_maps.h"

struct code_segment {
	uint64_t offset, size, address;
};

struct code_image {
	dev_t device;
	uint64_t inode; /* 0: no mapping is of it any more */
	char *path;     /* as the first process saw it */
	int fd;         /* -1: it could not be opened */
	ARRAY(struct code_segment) segments;
	bool unwound; /* its table was made, if it can be */
	struct image_index *index;
	struct perf_map names; /* of a process's code made at run time: no ELF file, but its map */
	int64_t names_size;    /* of the map when they were read */
	bool is_map;
	bool indexed; /* the index was opened, if it can be */
};

struct code_images {
	ARRAY(struct code_image) items;
	int files;                 /* the kernel's map that keeps what they are, borrowed */
	int images, unwind_tables; /* of the present sampler, borrowed */
};

/*
 * Opens the files that are kept in the kernel's map, at their numbers; one that is not there any
 * more, or not the same, keeps its number. -ENOMEM.
 */
int code_images_adopt(struct code_images *images);

/*
 * The image of a process's mapping as an index into items, opened if it is new. -ENOSPC: there are
 * too many.
 */
int code_images_find(struct code_images *images, pid_t pid, const struct process_mapping *mapping);

/*
 * The map of what a process's code made at run time is called, as an image whose addresses are the
 * process's. -ENOENT: it has written none; others as above.
 */
int code_images_find_map(struct code_images *images, pid_t pid);

/* What to subtract from an address in the mapping to have the image's own. */
uint64_t code_image_bias(const struct code_image *image, const struct process_mapping *mapping);

/* What the image's addresses are, kept until code_images_rest(); NULL: it cannot be read. */
const struct image_index *code_image_index(struct code_image *image);

/* The name of code in an image that is a map; NULL: none. */
const char *code_image_name(struct code_image *image, uint64_t address);

/* Has names read again where a process has told of more code since. */
void code_images_look_again(struct code_images *images);

/* Gives the memory of all indexes back. */
void code_images_rest(struct code_images *images);

/* The unwinding tables are made for another sampler. */
void code_images_renew(struct code_images *images, int images_map, int unwind_tables_map);

/* Gives the kernel the unwinding tables of new images: some 10 ms for a large library. */
void code_images_unwind(struct code_images *images);

void code_images_fini(struct code_images *images);

#endif
