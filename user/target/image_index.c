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
#include "target/landing_pads.h"
#include "target/line_rows.h"
#include "target/marks.h"
#include "target/stack_switches.h"

#define ROWS_BETWEEN_OPENINGS    100000
#define BYTES_BETWEEN_FORGETTING (2 << 20)

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

struct dwarf_reading {
	struct index_builder *builder;
	struct debug_file *debug;
	const struct elf_file *image;
	struct id_map tables;  /* line tables read already, by offset */
	uint64_t dies, rows;   /* budgets: how many may still come */
	uint64_t forgotten_at; /* offset of the unit that was current when pages were given back */
	uint64_t rows_at_opening; /* what `rows` was when libdw's memory was last let go */
};

/* The lines of a unit, unless another unit with the same table has brought them. */
static int unit_rows_read(struct dwarf_reading *reading, Dwarf_Die *unit)
{
	Dwarf_Attribute attribute;
	Dwarf_Word table;
	uint32_t *known;

	if (!dwarf_attr(unit, DW_AT_stmt_list, &attribute) || dwarf_formudata(&attribute, &table))
		return 0;
	known = id_map_put(&reading->tables, table, 0);
	if (!known)
		return -ENOMEM;
	if (*known != INDEX_NONE)
		return 0;
	*known = 0;
	return line_rows_read_unit(reading->builder, unit, &reading->rows);
}

static int alternate_read(struct dwarf_reading *reading)
{
	Dwarf_CU *at = NULL;
	Dwarf_Die unit;
	int result = 0;

	while (!result && reading->debug->alternate &&
	       dwarf_get_units(reading->debug->alternate, at, &at, NULL, NULL, &unit, NULL) == 0)
		if (dwarf_tag(&unit) != DW_TAG_type_unit)
			result =
			    dwarf_functions_read_scopes(reading->builder, &unit, &reading->dies);
	return result;
}

static int unit_read(struct dwarf_reading *reading, uint8_t type, Dwarf_Die *unit, Dwarf_Die *inner)
{
	int result;

	if (type == DW_UT_type || type == DW_UT_split_type || dwarf_tag(unit) == DW_TAG_invalid)
		return 0;
	result = unit_rows_read(reading, unit);
	if (result)
		return result;
	/* A skeleton's functions are in its .dwo file, if that is at hand. */
	if (type == DW_UT_skeleton && dwarf_tag(inner) != DW_TAG_invalid)
		unit = inner;
	return dwarf_functions_read_unit(reading->builder, unit, &reading->dies);
}

/* The file's own pages count as our memory while they are mapped. */
static void pages_forget(struct dwarf_reading *reading, Dwarf_Die *unit)
{
	uint64_t offset = dwarf_dieoffset(unit);

	if (offset - reading->forgotten_at < BYTES_BETWEEN_FORGETTING)
		return;
	reading->forgotten_at = offset;
	elf_file_forget_pages(&reading->debug->separate);
	elf_file_forget_pages(reading->image);
}

/* libdw keeps 40 bytes a row and more: starts it afresh. The next unit is the `done`th. */
static int units_resume(struct dwarf_reading *reading, size_t done, Dwarf_CU **ret_at)
{
	*ret_at = NULL;
	reading->rows_at_opening = reading->rows;
	if (debug_file_reopen(reading->debug))
		return -ENOMEM;
	for (size_t i = 0; i < done; i++)
		if (dwarf_get_units(reading->debug->dwarf, *ret_at, ret_at, NULL, NULL, NULL, NULL))
			return -EBADMSG;
	return 0;
}

/* One pass over all units: those of the dwz file for scopes, then the image's own. */
static int dwarf_read(struct dwarf_reading *reading)
{
	int result = alternate_read(reading);
	Dwarf_Die unit, inner;
	Dwarf_CU *at = NULL;
	size_t done = 0;
	uint8_t type;

	while (!result &&
	       dwarf_get_units(reading->debug->dwarf, at, &at, NULL, &type, &unit, &inner) == 0) {
		result = unit_read(reading, type, &unit, &inner);
		done++;
		pages_forget(reading, &unit);
		if (!result && reading->rows_at_opening - reading->rows > ROWS_BETWEEN_OPENINGS)
			result = units_resume(reading, done, &at);
	}
	id_map_fini(&reading->tables);
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
		const char *path = debug.path ? debug.path : index->path;
		uint64_t most =
		    (debug.path ? debug.separate : *file).unpacked_size + debug.dwz.unpacked_size;
		struct dwarf_reading reading = {.builder = builder,
		    .debug = &debug,
		    .image = file,
		    .dies = most,
		    .rows = most,
		    .rows_at_opening = most};

		index->debug_path = strings_intern(index->strings, path);
		result = damaged(path, dwarf_read(&reading), failure);
	}
	if (!result)
		result = elf_symbols_read(builder, file);
	if (!result && debug.path)
		result = elf_symbols_read(builder, &debug.separate);
	debug_file_close(&debug);
	return result;
}

/* Of the C library and the dynamic linker, only who asks them for another stack has one. */
static bool is_system(const struct image_index *index)
{
	return string_starts(index->soname, "libc.") || string_starts(index->soname, "ld-") ||
	       string_starts(index->soname, "ld.so");
}

/* Where functions that make calls have no return probes anyway, nothing more can be learned. */
static void traits_read_code(struct image_index *index)
{
	if (index->traits || is_system(index))
		return;
	ARRAY_FOREACH (segment, &index->segments)
		if (stack_switches_in(segment->bytes, segment->size))
			index->traits |= IMAGE_SWITCHES_STACKS;
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
	if (!result) {
		traits_read_code(index);
		result = contents_read(&builder, &file, options, failure);
	}
	if (!result) {
		elf_symbols_sort(&builder);
		result = line_rows_sort(&builder);
	}
	if (!result)
		result = index_finish(&builder);
	if (!result && !options->symbols_only)
		result = landing_pads_read(index, &file);
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
	ARRAY_FREE(&index->landing_pads);
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

size_t image_index_pad_from(const struct image_index *index, uint64_t address)
{
	size_t low = 0, high = index->landing_pads.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->landing_pads.items[middle] < address)
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
