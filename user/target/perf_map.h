/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What code made at run time is called: programs that make some write /tmp/perf-PID.map as they go,
 * a line "START SIZE NAME" for each function, numbers in hexadecimal (Linux, tools/perf/
 * Documentation/jit-interface.txt). Where lines overlap, the later one holds: code was made anew.
 */
#ifndef LPROF_TARGET_PERF_MAP_H
#define LPROF_TARGET_PERF_MAP_H

#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"

#define PERF_MAP_SIZE_MAX (64u << 20) /* bytes that are read of one */
#define PERF_MAP_NAME_MAX 1024        /* longer names are cut */

struct perf_map_symbol {
	uint64_t start, end;
	uint32_t order; /* line of the file */
	char *name;
};

struct perf_map {
	ARRAY(struct perf_map_symbol) symbols; /* by address, apart from each other */
};

/*
 * Opens a process's map, as it names itself in its own namespaces. It must be a regular file of the
 * process's user or root's, and no link. -ENOENT: there is none; others: not to be trusted.
 */
int perf_map_open(const char *proc, pid_t pid);

/* Reads what has been written so far; lines that make no sense are left out. -errno, -ENOMEM. */
int perf_map_read(int fd, struct perf_map *ret_map);
int perf_map_parse(const char *text, size_t size, struct perf_map *ret_map);

/* The name of what lies at an address; NULL: nothing that was told. */
const char *perf_map_find(const struct perf_map *map, uint64_t address);

void perf_map_fini(struct perf_map *map);

#endif
