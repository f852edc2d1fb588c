/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ELF files that a set of processes maps, each once. */
#ifndef LPROF_TARGET_PROCESS_IMAGES_H
#define LPROF_TARGET_PROCESS_IMAGES_H

#include "target/process.h"

/* A file with executable mappings, and one process and mapping to open it through. */
struct process_image {
	dev_t device;
	uint64_t inode;
	char *path; /* as that process sees it */
	bool deleted, main;
	pid_t pid;
	uint64_t start, end, offset;
};

struct process_images {
	ARRAY(struct process_image) images;
};

/*
 * The distinct images of the processes, in the order of their mappings; `main` marks the
 * executables. Fails on the first process that cannot be read.
 */
int process_images_read(const char *proc, const pid_t *pids, size_t count,
    struct process_images *ret_images, struct failure *failure);
void process_images_fini(struct process_images *images);

/*
 * Opens the very file that is mapped, however it is called by now: a descriptor for the caller to
 * close. -ESTALE: deleted or replaced on disk, and the process does not let it be opened.
 */
int process_image_open(
    const char *proc, const struct process_image *image, struct failure *failure);

#endif
