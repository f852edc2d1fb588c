// SPDX-License-Identifier: GPL-2.0-or-later
// Maps pairs of words to ids, by open addressing.
#include "target/id_map.h"

#include <stdbool.h>
#include <stdlib.h>

struct id_map_entry {
	uint64_t first, second;
	uint32_t value;
	bool used;
};

static struct id_map_entry *entry_find(const struct id_map *map, uint64_t first, uint64_t second)
{
	uint64_t hash = (first ^ (second << 29 | second >> 35)) * 0x9e3779b97f4a7c15u;
	size_t at = (hash ^ hash >> 32) & (map->capacity - 1);

	while (map->entries[at].used &&
	       (map->entries[at].first != first || map->entries[at].second != second))
		at = (at + 1) & (map->capacity - 1);
	return &map->entries[at];
}

static bool map_grow(struct id_map *map)
{
	struct id_map grown = {.capacity = map->capacity ? map->capacity * 2 : 64};

	grown.entries = calloc(grown.capacity, sizeof(*grown.entries));
	if (!grown.entries)
		return false;
	for (size_t i = 0; i < map->capacity; i++) {
		const struct id_map_entry *old = &map->entries[i];

		if (old->used)
			*entry_find(&grown, old->first, old->second) = *old;
	}
	grown.count = map->count;
	free(map->entries);
	*map = grown;
	return true;
}

uint32_t *id_map_put(struct id_map *map, uint64_t first, uint64_t second)
{
	struct id_map_entry *entry;

	if (map->count * 2 >= map->capacity && !map_grow(map))
		return NULL;
	entry = entry_find(map, first, second);
	if (!entry->used) {
		*entry = (struct id_map_entry){first, second, UINT32_MAX, true};
		map->count++;
	}
	return &entry->value;
}

uint32_t id_map_get(const struct id_map *map, uint64_t first, uint64_t second)
{
	const struct id_map_entry *entry;

	if (!map->capacity)
		return UINT32_MAX;
	entry = entry_find(map, first, second);
	return entry->used ? entry->value : UINT32_MAX;
}

void id_map_fini(struct id_map *map)
{
	free(map->entries);
	*map = (struct id_map){0};
}
