// SPDX-License-Identifier: GPL-2.0-or-later
// Reads jump tables from an image's data segments.
#include "target/jump_table.h"

#include <elf.h>
#include <string.h>

#define ENTRIES_MAX 4096

/* The file's bytes for an address in any loaded segment, checked against the file's size. */
static const uint8_t *data_at(
    const struct image_index *index, uint64_t address, size_t *ret_available)
{
	const uint8_t *file = index->map;
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (!file || index->map_size < sizeof(header))
		return NULL;
	memcpy(&header, file, sizeof(header));
	for (uint32_t at = 0; at < header.e_phnum; at++) {
		uint64_t offset = header.e_phoff + at * sizeof(segment);

		if (offset > index->map_size || index->map_size - offset < sizeof(segment))
			return NULL;
		memcpy(&segment, file + offset, sizeof(segment));
		if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
		    address - segment.p_vaddr >= segment.p_filesz)
			continue;
		offset = segment.p_offset + (address - segment.p_vaddr);
		if (segment.p_offset > index->map_size || offset >= index->map_size)
			return NULL;
		*ret_available = segment.p_filesz - (address - segment.p_vaddr);
		if (*ret_available > index->map_size - offset)
			*ret_available = index->map_size - offset;
		return file + offset;
	}
	return NULL;
}

size_t jump_table_read(const struct image_index *index, uint64_t table,
    bool (*target)(void *context, uint64_t address), void *context)
{
	size_t available, taken = 0;
	const uint8_t *bytes = data_at(index, table, &available);
	int32_t distance;
	uint64_t address;

	if (!bytes)
		return 0;
	while (taken < ENTRIES_MAX && available >= (taken + 1) * sizeof(distance)) {
		memcpy(&distance, bytes + taken * sizeof(distance), sizeof(distance));
		if (!target(context, table + (int64_t)distance))
			break;
		taken++;
	}
	if (taken)
		return taken;
	while (taken < ENTRIES_MAX && available >= (taken + 1) * sizeof(address)) {
		memcpy(&address, bytes + taken * sizeof(address), sizeof(address));
		if (!target(context, address))
			break;
		taken++;
	}
	return taken;
}
