/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells the kernel where the targets' code is mapped (cpu_wire.h). A process is read when it is
 * added, and again whenever it maps code or executes another program; a forked child shares its
 * parent's address space until then.
 */
#ifndef LPROF_COLLECT_ADDRESS_SPACES_H
#define LPROF_COLLECT_ADDRESS_SPACES_H

#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "collect/code_images.h"
#include "cpu_wire.h"

struct address_space {
	uint32_t id;
	pid_t owner; /* whose mappings these are */
	ARRAY(struct mapping) mappings;
};

struct address_spaces {
	struct code_images *images;
	int spaces, mappings; /* the kernel's maps, borrowed */
	ARRAY(struct address_space) items;
	uint32_t last_id;
	uint64_t failed; /* mappings that found no room */
};

/* Reads a process's mappings, again if it is known; one that has ended is left as it is. */
int address_spaces_refresh(struct address_spaces *spaces, pid_t pid);

/* Frees the spaces that no process has any more. */
void address_spaces_sweep(struct address_spaces *spaces);

void address_spaces_fini(struct address_spaces *spaces);

#endif
