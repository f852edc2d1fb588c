// SPDX-License-Identifier: GPL-2.0-or-later
// Feeds the readers of ELF and DWARF with files, and checks what the index promises about itself.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/image_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_functions(const struct image_index *index)
{
	ARRAY_FOREACH (function, &index->functions) {
		assert(function->file == INDEX_NONE || function->file < index->files.count);
		assert(function->first_copy + (size_t)function->copy_count <= index->copies.count);
		assert(function->copy_count || function->inlined_count);
		assert(function->name && function->full_name && function->linkage_name);
	}
	ARRAY_FOREACH (copy, &index->copies) {
		assert(copy->source < index->functions.count && copy->range_count > 0);
		assert(copy->first_range + (size_t)copy->range_count <= index->copy_ranges.count);
		assert(copy->linkage_name != NULL);
	}
	ARRAY_FOREACH (alias, &index->aliases)
		assert(alias->copy < index->copies.count);
}

static void check_code(const struct image_index *index)
{
	uint64_t last = 0;

	ARRAY_FOREACH (range, &index->ranges) {
		size_t available;

		assert(range->low >= last && range->low < range->high);
		assert(range->copy < index->copies.count);
		assert(image_index_copy_at(index, range->low) == range->copy);
		assert(image_index_bytes(index, range->high - 1, &available) && available > 0);
		last = range->high;
	}
	for (size_t i = 0; i < index->rows.count; i++) {
		const struct line_row *row = &index->rows.items[i];

		assert(i == 0 || row[-1].address <= row->address);
		assert(row->end_sequence || row->file < index->files.count);
	}
	for (uint32_t i = 0; i < index->inlined.count; i++) {
		const struct inlined_range *range = &index->inlined.items[i];

		assert(range->low < range->high && range->source < index->functions.count);
		assert(range->parent == INDEX_NONE || range->parent < index->inlined.count);
		image_index_inlined_at(index, range->low);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct image_index_options options = {
	    .root = "/nonexistent", .debug_directory = "/nonexistent"};
	CLEANUP(image_index_free_p) struct image_index *index = NULL;
	struct failure failure = {0};
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	if (image_index_open("fuzz", fd, &options, &index, &failure)) {
		assert(failure.text[0] && !index);
		close(fd);
		return 0;
	}
	check_functions(index);
	check_code(index);
	return 0;
}
