// SPDX-License-Identifier: GPL-2.0-or-later
// Reads landing pads from .eh_frame and .gcc_except_table.
//
// .eh_frame has an entry (FDE) for each stretch of code, whose augmentation names its exception
// table (LSDA): Linux Standard Base, Core, 10.6. The table's layout is that of GCC's
// libgcc/unwind-pe.h and libstdc++-v3/libsupc++/eh_personality.cc, which Clang and rustc follow:
//
//	lpstart's encoding [lpstart] types' encoding [their offset] sites' encoding, size of the
// sites 	sites: start, length, landing pad (0: none), action
#include "target/landing_pads.h"

#include <dwarf.h>
#include <errno.h>

#include "target/call_frames.h"

#define SITE_BYTES_LEAST 4

struct pads {
	struct image_index *index;
	Elf_Data *tables;
	uint64_t tables_address;
	size_t budget; /* sites that the tables can hold */
};

/* The sites of the table at `address`, which belongs to code from `code` on. */
static int read_table(struct pads *pads, uint64_t address, uint64_t code)
{
	uint64_t offset = address - pads->tables_address, start = code, size;
	const uint8_t *bytes = pads->tables->d_buf;
	struct byte_reader reader = {.end = bytes + pads->tables->d_size, .address = address};
	uint8_t encoding;

	if (address < pads->tables_address || offset >= pads->tables->d_size)
		return 0;
	reader.at = bytes + offset;
	encoding = (uint8_t)read_fixed(&reader, 1, false);
	if (encoding != DW_EH_PE_omit)
		start = read_encoded(&reader, encoding);
	if (read_fixed(&reader, 1, false) != DW_EH_PE_omit)
		read_leb128(&reader, false);
	encoding = (uint8_t)read_fixed(&reader, 1, false);
	size = read_leb128(&reader, false);
	if (reader.failed || size > (size_t)(reader.end - reader.at))
		return 0;
	reader.end = reader.at + size;
	while (reader.at < reader.end && pads->budget) {
		uint64_t pad;

		pads->budget--;
		read_encoded(&reader, encoding);
		read_encoded(&reader, encoding);
		pad = read_encoded(&reader, encoding);
		read_leb128(&reader, false);
		if (reader.failed)
			break;
		if (pad && ARRAY_APPEND(&pads->index->landing_pads, start + pad))
			return -ENOMEM;
	}
	return 0;
}

static int take_frame(void *context, const struct call_frame *frame)
{
	return frame->table ? read_table(context, frame->table, frame->start) : 0;
}

static int compare_addresses(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

int landing_pads_read(struct image_index *index, const struct elf_file *file)
{
	GElf_Shdr tables;
	Elf_Scn *tables_section = elf_file_section(file, ".gcc_except_table", &tables);
	struct pads pads = {.index = index};
	int error;

	pads.tables = tables_section ? elf_getdata(tables_section, NULL) : NULL;
	if (!pads.tables || !pads.tables->d_buf)
		return 0;
	pads.tables_address = tables.sh_addr;
	pads.budget = pads.tables->d_size / SITE_BYTES_LEAST;
	error = call_frames_read(file, take_frame, &pads);
	ARRAY_SORT(&index->landing_pads, compare_addresses);
	return error;
}
