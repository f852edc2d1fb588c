/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash table from two words to an id: how the index knows what it has seen already. */
#ifndef LPROF_TARGET_ID_MAP_H
#define LPROF_TARGET_ID_MAP_H

#include <stddef.h>
#include <stdint.h>

struct id_map {
	struct id_map_entry *entries;
	size_t capacity, count; /* capacity: 0 or a power of two */
};

/*
 * The value kept for the key, for reading and writing until the next call; a new key's value is
 * INDEX_NONE (UINT32_MAX). NULL: no memory.
 */
uint32_t *id_map_put(struct id_map *map, uint64_t first, uint64_t second);

/* The value of the key, or UINT32_MAX. */
uint32_t id_map_get(const struct id_map *map, uint64_t first, uint64_t second);

void id_map_fini(struct id_map *map);

#endif
