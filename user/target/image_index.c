// SPDX-License-Identifier: GPL-2.0-or-later
// Opens images: runs the readers over ELF and DWARF in turn and answers look-ups afterwards.
#include "target/image_index.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "target/debug_file.h"
#include "target/dwarf_functions.h"
#include "target/elf_symbols.h"
#include "target/index_finish.h"
#include "target/line_rows.h"
#include "target/marks.h"

static int segments_read(
    struct image_index *index, const struct elf_file *file, struct failure *failure)
{
	size_t count;

	if (elf_getphdrnum(file->elf, &count))
		return failure_set(failure, EBADMSG,
		    "%s is damaged: it has no readable program headers; install it anew",
		    index->path);
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(file->elf, (int)i, &header))
			return failure_set(failure, EBADMSG,
			    "%s is damaged: its program headers are cut off; install it anew",
			    index->path);
		if (header.p_type != PT_LOAD || !(header.p_flags & PF_X) || !header.p_filesz)
			continue;
		if (header.p_offset > file->size ||
		    header.p_filesz > file->size - header.p_offset ||
		    header.p_vaddr > UINT64_MAX - header.p_filesz)
			return failure_set(failure, EBADMSG,
			    "%s is damaged: its code lies beyond the file's end; install it anew",
			    index->path);
		if (ARRAY_APPEND(
			&index->segments, (struct image_segment){header.p_vaddr, header.p_offset,
					      header.p_filesz, file->map + header.p_offset}))
			return -ENOMEM;
	}
	return 0;
}

static bool is_position_independent(const struct elf_file *file)
{
	return ((const Elf64_Ehdr *)(const void *)file->map)->e_type == ET_DYN;
}

static int header_read(struct image_index *index, const struct elf_file *file)
{
	char build_id[129];

	elf_file_build_id(file, build_id, sizeof(build_id));
	index->build_id = strdup(build_id);
	index->soname = "";
	index->entry = ((const Elf64_Ehdr *)(const void *)file->map)->e_entry;
	index->position_independent = is_position_independent(file);
	return index->build_id ? 0 : -ENOMEM;
}

/* Calls `read` for the lines of each unit whose table was not read before. */
static int unit_rows_read(
    struct index_builder *builder, struct id_map *tables, Dwarf_Die *unit, uint64_t *budget)
{
	Dwarf_Attribute attribute;
	Dwarf_Word table;
	uint32_t *known;

	if (!dwarf_attr(unit, DW_AT_stmt_list, &attribute) || dwarf_formudata(&attribute, &table))
		return 0;
	known = id_map_put(tables, table, 0);
	if (!known)
		return -ENOMEM;
	if (*known != INDEX_NONE)
		return 0;
	*known = 0;
	return line_rows_read_unit(builder, unit, budget);
}

/* One pass over all units: those of the dwz file for scopes, then the image's own. */
static int dwarf_read(struct index_builder *builder, struct debug_file *debug, uint64_t size)
{
	uint64_t dies = size, rows = size;
	struct id_map tables = {0};
	Dwarf_Die unit, inner;
	Dwarf_CU *at = NULL;
	uint8_t type;
	int result = 0;

	while (!result && debug->alternate &&
	       dwarf_get_units(debug->alternate, at, &at, NULL, NULL, &unit, NULL) == 0)
		if (dwarf_tag(&unit) != DW_TAG_type_unit)
			result = dwarf_functions_read_scopes(builder, &unit, &dies);
	at = NULL;
	while (!result && dwarf_get_units(debug->dwarf, at, &at, NULL, &type, &unit, &inner) == 0) {
		if (type == DW_UT_type || type == DW_UT_split_type ||
		    dwarf_tag(&unit) == DW_TAG_invalid)
			continue;
		result = unit_rows_read(builder, &tables, &unit, &rows);
		if (result)
			break;
		/* A skeleton's functions are in its .dwo file, if that is at hand. */
		if (type == DW_UT_skeleton && dwarf_tag(&inner) != DW_TAG_invalid)
			unit = inner;
		result = dwarf_functions_read_unit(builder, &unit, &dies);
	}
	id_map_fini(&tables);
	return result;
}

static int damaged(const char *path, int result, struct failure *failure)
{
	if (result == -EBADMSG)
		return failure_set(failure, EBADMSG,
		    "the debug information in %s is damaged: its parts overlap; install it anew",
		    path);
	if (result)
		return failure_set(failure, -result, "cannot read %s: %s", path, strerror(-result));
	return 0;
}

/* Functions, rows and symbols, from the image and its debug file. */
static int contents_read(struct index_builder *builder, const struct elf_file *file,
    const struct image_index_options *options, struct failure *failure)
{
	struct image_index *index = builder->index;
	struct debug_file debug = {0};
	int result = 0;

	if (!options->symbols_only)
		result = debug_file_open(index->path, file, options, &debug, failure);
	if (!result && debug.dwarf) {
		const struct elf_file *from = debug.path ? &debug.separate : file;

		index->debug_path =
		    strings_intern(index->strings, debug.path ? debug.path : index->path);
		result = damaged(debug.path ? debug.path : index->path,
		    dwarf_read(builder, &debug, from->unpacked_size + debug.dwz.unpacked_size),
		    failure);
	}
	if (!result)
		result = elf_symbols_read(builder, file);
	if (!result && debug.path)
		result = elf_symbols_read(builder, &debug.separate);
	debug_file_close(&debug);
	return result;
}

static int index_read(struct image_index *index, int fd, const struct image_index_options *options,
    struct failure *failure)
{
	struct index_builder builder = {.index = index};
	struct elf_file file = {0};
	int result = elf_file_open(index->path, fd, &file, failure);

	if (!result)
		result = header_read(index, &file);
	if (!result)
		result = segments_read(index, &file, failure);
	if (!result)
		result = elf_symbols_read_traits(&builder, &file);
	if (!result)
		result = contents_read(&builder, &file, options, failure);
	if (!result) {
		elf_symbols_sort(&builder);
		result = line_rows_sort(&builder);
	}
	if (!result)
		result = index_finish(&builder);
	if (!result)
		result = marks_read(index, &file);
	builder_fini(&builder);
	if (!result) {
		index->map = TAKE(file.map);
		index->map_size = file.size;
	}
	elf_file_close(&file);
	return result;
}

int image_index_open(const char *path, int fd, const struct image_index_options *options,
    struct image_index **ret_index, struct failure *failure)
{
	CLEANUP(image_index_free_p) struct image_index *index = calloc(1, sizeof(*index));
	static const struct image_index_options defaults = {0};
	int result = -ENOMEM;

	if (!index)
		return failure_set(failure, ENOMEM, "no memory to read %s", path);
	index->fd = -1;
	index->path = strdup(path);
	index->strings = strings_new();
	if (index->path && index->strings)
		result = index_read(index, fd, options ? options : &defaults, failure);
	if (result)
		return failure_set(failure, -result, "cannot read %s: %s", path, strerror(-result));
	index->fd = fd;
	*ret_index = TAKE(index);
	return 0;
}

void image_index_free(struct image_index *index)
{
	if (!index)
		return;
	free(index->path);
	free(index->build_id);
	if (index->fd >= 0)
		close(index->fd);
	if (index->map)
		munmap(index->map, index->map_size);
	ARRAY_FREE(&index->segments);
	ARRAY_FREE(&index->files);
	ARRAY_FREE(&index->functions);
	ARRAY_FREE(&index->copies);
	ARRAY_FREE(&index->copy_ranges);
	ARRAY_FREE(&index->aliases);
	ARRAY_FREE(&index->ranges);
	ARRAY_FREE(&index->rows);
	ARRAY_FREE(&index->inlined);
	ARRAY_FREE(&index->marks);
	strings_free(index->strings);
	free(index);
}

static const struct image_segment *segment_at(const struct image_index *index, uint64_t address)
{
	ARRAY_FOREACH (segment, &index->segments)
		if (address >= segment->address && address - segment->address < segment->size)
			return segment;
	return NULL;
}

int image_index_offset(const struct image_index *index, uint64_t address, uint64_t *ret_offset)
{
	const struct image_segment *segment = segment_at(index, address);

	if (!segment)
		return -ENOENT;
	*ret_offset = segment->offset + (address - segment->address);
	return 0;
}

const uint8_t *image_index_bytes(
    const struct image_index *index, uint64_t address, size_t *ret_available)
{
	const struct image_segment *segment = segment_at(index, address);

	if (!segment)
		return NULL;
	*ret_available = (size_t)(segment->size - (address - segment->address));
	return segment->bytes + (address - segment->address);
}

uint32_t image_index_copy_at(const struct image_index *index, uint64_t address)
{
	size_t low = 0, high = index->ranges.count;

	while (low < high) { /* the first range that ends after the address */
		size_t middle = low + (high - low) / 2;

		if (index->ranges.items[middle].high <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == index->ranges.count || index->ranges.items[low].low > address)
		return INDEX_NONE;
	return index->ranges.items[low].copy;
}

size_t image_index_row_from(const struct image_index *index, uint64_t address)
{
	size_t low = 0, high = index->rows.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->rows.items[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t image_index_inlined_at(const struct image_index *index, uint64_t address)
{
	size_t low = 0, high = index->inlined.count;
	uint32_t at;

	while (low < high) { /* the first range that begins after the address */
		size_t middle = low + (high - low) / 2;

		if (index->inlined.items[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	at = low ? (uint32_t)low - 1 : INDEX_NONE;
	/* Whatever else is around the address is around this range too. */
	for (int steps = 0; at != INDEX_NONE && steps < UINT16_MAX; steps++) {
		const struct inlined_range *range = &index->inlined.items[at];

		if (address >= range->low && address < range->high)
			return at;
		at = range->parent;
	}
	return INDEX_NONE;
}
