/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mappings of a process, as in /proc/PID/maps. */
#ifndef LPROF_TARGET_PROCESS_MAPS_H
#define LPROF_TARGET_PROCESS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"

struct process_mapping {
	uint64_t start, end, offset;
	dev_t device;
	uint64_t inode;
	char *path;   /* as the process sees it, without " (deleted)"; "" without a file */
	bool deleted; /* no file has that name any more */
};

struct process_maps {
	ARRAY(struct process_mapping) mappings;
};

/*
 * Reads text in the format of /proc/PID/maps and keeps the executable mappings of files. Lines
 * that are not in that format are left out. 0 or -ENOMEM.
 */
int process_maps_parse(const char *text, struct process_maps *ret_maps);

/* Likewise, with the executable mappings that no file is behind ("" or "[vdso]"). */
int process_maps_parse_code(const char *text, struct process_maps *ret_maps);
void process_maps_fini(struct process_maps *maps);

#endif
