// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps the kernel's table of the targets' mappings.
#include "collect/address_spaces.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/process.h"

#define ADDRESS_BITS 64

static struct mapping_key key_of(uint32_t space, uint64_t address, unsigned bits)
{
	struct mapping_key key = {.bits = 32 + bits, .space = space};

	for (int byte = 0; byte < 8; byte++)
		key.address[byte] = (uint8_t)(address >> (56 - 8 * byte));
	return key;
}

/* Calls `change` for each of the few aligned blocks that make up the mapping. */
static int for_each_block(const struct address_spaces *spaces, uint32_t space,
    const struct mapping *mapping,
    int (*change)(int map, const struct mapping_key *key, const struct mapping *mapping))
{
	uint64_t at = mapping->start;
	int error = 0;

	while (at < mapping->end && !error) {
		unsigned order = at ? (unsigned)__builtin_ctzll(at) : ADDRESS_BITS - 1;
		struct mapping_key key;

		while (mapping->end - at < 1ull << order)
			order--;
		key = key_of(space, at, ADDRESS_BITS - order);
		error = change(spaces->mappings, &key, mapping);
		at += 1ull << order;
	}
	return error;
}

static int block_add(int map, const struct mapping_key *key, const struct mapping *mapping)
{
	return bpf_map_update_elem(map, key, mapping, BPF_ANY) < 0 ? -errno : 0;
}

static int block_remove(int map, const struct mapping_key *key, const struct mapping *mapping)
{
	(void)mapping;
	(void)bpf_map_delete_elem(map, key);
	return 0;
}

static bool mapping_is(const struct mapping *a, const struct mapping *b)
{
	return a->start == b->start && a->end == b->end && a->bias == b->bias &&
	       a->image == b->image;
}

static bool space_has(const struct address_space *space, const struct mapping *mapping)
{
	ARRAY_FOREACH (known, &space->mappings)
		if (mapping_is(known, mapping))
			return true;
	return false;
}

static bool is_vdso(const struct process_mapping *mapping)
{
	return !strcmp(mapping->path, "[vdso]");
}

static uint32_t kind_of(const struct process_mapping *mapping)
{
	return MAPPING_OF_KIND + (is_vdso(mapping) ? PLACE_VDSO : PLACE_ANONYMOUS);
}

/* What the process maps now, as the kernel's table has it. */
static int read_space(const struct address_spaces *spaces, pid_t pid, struct address_space *ret)
{
	struct process_maps maps = {0};
	int error = process_read_code("/proc", pid, &maps, NULL);
	int names = -EAGAIN; /* of code made at run time: looked for once */

	ARRAY_FOREACH (mapping, &maps.mappings) {
		struct mapping copy = {.start = mapping->start, .end = mapping->end};
		int image = -ENOENT;

		if (mapping->inode)
			image = code_images_find(spaces->images, pid, mapping);
		else if (!is_vdso(mapping))
			image = names =
			    names == -EAGAIN ? code_images_find_map(spaces->images, pid) : names;
		if (image >= 0 && mapping->inode)
			copy.bias = code_image_bias(&spaces->images->items.items[image], mapping);
		copy.image = image >= 0       ? (uint32_t)image
			     : mapping->inode ? MAPPING_OF_KIND + PLACE_UNKNOWN
					      : kind_of(mapping);
		if (ARRAY_APPEND(&ret->mappings, copy)) {
			error = -ENOMEM;
			break;
		}
	}
	process_maps_fini(&maps);
	return error;
}

/* Goes from the mappings that the kernel's table has to others: removed ones first. */
static void space_change(
    struct address_spaces *spaces, struct address_space *space, const struct address_space *wanted)
{
	ARRAY_FOREACH (mapping, &space->mappings)
		if (!space_has(wanted, mapping))
			(void)for_each_block(spaces, space->id, mapping, block_remove);
	ARRAY_FOREACH (mapping, &wanted->mappings)
		if (!space_has(space, mapping) &&
		    for_each_block(spaces, space->id, mapping, block_add))
			spaces->failed++;
}

static struct address_space *space_find(const struct address_spaces *spaces, uint32_t id)
{
	ARRAY_FOREACH (space, &spaces->items)
		if (space->id == id)
			return space;
	return NULL;
}

int address_spaces_refresh(struct address_spaces *spaces, pid_t pid)
{
	struct address_space wanted = {.owner = pid}, *known = NULL;
	uint32_t key = (uint32_t)pid, id = 0;
	int error = read_space(spaces, pid, &wanted);

	if (error) {
		ARRAY_FREE(&wanted.mappings);
		return error;
	}
	if (!bpf_map_lookup_elem(spaces->spaces, &key, &id))
		known = space_find(spaces, id);
	if (!known || known->owner != pid) {
		wanted.id = ++spaces->last_id;
		if (ARRAY_APPEND(
			&spaces->items, (struct address_space){.id = wanted.id, .owner = pid})) {
			ARRAY_FREE(&wanted.mappings);
			return -ENOMEM;
		}
		known = &spaces->items.items[spaces->items.count - 1];
	}
	space_change(spaces, known, &wanted);
	ARRAY_FREE(&known->mappings);
	wanted.id = known->id;
	*known = wanted;
	return bpf_map_update_elem(spaces->spaces, &key, &known->id, BPF_ANY) < 0 ? -errno : 0;
}

static bool space_is_used(const struct address_spaces *spaces, uint32_t wanted)
{
	uint32_t key, id, *previous = NULL;

	for (size_t seen = 0; seen < SPACES_MAX; seen++) {
		if (bpf_map_get_next_key(spaces->spaces, previous, &key) < 0)
			return false;
		if (!bpf_map_lookup_elem(spaces->spaces, &key, &id) && id == wanted)
			return true;
		previous = &key;
	}
	return true;
}

void address_spaces_sweep(struct address_spaces *spaces)
{
	size_t kept = 0;

	ARRAY_FOREACH (space, &spaces->items) {
		if (space_is_used(spaces, space->id)) {
			spaces->items.items[kept++] = *space;
			continue;
		}
		ARRAY_FOREACH (mapping, &space->mappings)
			(void)for_each_block(spaces, space->id, mapping, block_remove);
		ARRAY_FREE(&space->mappings);
	}
	spaces->items.count = kept;
}

void address_spaces_fini(struct address_spaces *spaces)
{
	ARRAY_FOREACH (space, &spaces->items)
		ARRAY_FREE(&space->mappings);
	ARRAY_FREE(&spaces->items);
}
