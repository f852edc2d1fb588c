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
#include <elfutils/libdw.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENCODING_FORMAT  0x0f
#define ENCODING_BASE    0x70
#define SITE_BYTES_LEAST 4

/* Bytes of a section, read from the front. */
struct reader {
	const uint8_t *at, *end;
	uint64_t address; /* of `at` in the image */
	bool failed;
};

struct pads {
	struct image_index *index;
	const unsigned char *ident;
	Elf_Data *frames, *tables;
	uint64_t frames_address, tables_address;
	size_t budget; /* sites that the tables can hold */
	/* Of the last CIE. */
	Dwarf_Off cie;
	uint8_t code_encoding, table_encoding;
};

static uint64_t read_fixed(struct reader *reader, size_t size, bool is_signed)
{
	uint64_t value = 0;

	if ((size_t)(reader->end - reader->at) < size) {
		reader->failed = true;
		return 0;
	}
	memcpy(&value, reader->at, size);
	reader->at += size;
	reader->address += size;
	if (is_signed && size < sizeof(value) && value >> (size * 8 - 1))
		value |= ~0ull << size * 8;
	return value;
}

static uint64_t read_leb128(struct reader *reader, bool is_signed)
{
	uint64_t value = 0;
	uint8_t byte = 0;

	for (unsigned shift = 0; !reader->failed; shift += 7) {
		byte = (uint8_t)read_fixed(reader, 1, false);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (is_signed && byte & 0x40 && shift + 7 < 64)
			value |= ~0ull << (shift + 7);
		break;
	}
	return value;
}

/* A pointer in one of the encodings DW_EH_PE_*; what needs the running process fails. */
static uint64_t read_encoded(struct reader *reader, uint8_t encoding)
{
	uint64_t base = 0, value;

	switch (encoding & (ENCODING_BASE | DW_EH_PE_indirect)) {
	case DW_EH_PE_absptr:
		break;
	case DW_EH_PE_pcrel:
		base = reader->address;
		break;
	default:
		reader->failed = true;
		return 0;
	}
	switch (encoding & ENCODING_FORMAT) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		value = read_fixed(reader, 8, false);
		break;
	case DW_EH_PE_uleb128:
		value = read_leb128(reader, false);
		break;
	case DW_EH_PE_sleb128:
		value = read_leb128(reader, true);
		break;
	case DW_EH_PE_udata2:
		value = read_fixed(reader, 2, false);
		break;
	case DW_EH_PE_sdata2:
		value = read_fixed(reader, 2, true);
		break;
	case DW_EH_PE_udata4:
		value = read_fixed(reader, 4, false);
		break;
	case DW_EH_PE_sdata4:
		value = read_fixed(reader, 4, true);
		break;
	default:
		reader->failed = true;
		return 0;
	}
	return value ? base + value : 0;
}

/* The sites of the table at `address`, which belongs to code from `code` on. */
static int read_table(struct pads *pads, uint64_t address, uint64_t code)
{
	uint64_t offset = address - pads->tables_address, start = code, size;
	const uint8_t *bytes = pads->tables->d_buf;
	struct reader reader = {.end = bytes + pads->tables->d_size, .address = address};
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

/* How the CIE at `offset` encodes pointers to code and to tables. */
static bool read_cie(struct pads *pads, Dwarf_Off offset)
{
	struct reader reader;
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	if (offset == pads->cie)
		return true;
	if (dwarf_next_cfi(pads->ident, pads->frames, true, offset, &next, &entry) ||
	    !dwarf_cfi_cie_p(&entry))
		return false;
	pads->cie = offset;
	pads->code_encoding = DW_EH_PE_absptr;
	pads->table_encoding = DW_EH_PE_omit;
	if (entry.cie.augmentation[0] != 'z')
		return true;
	reader = (struct reader){.at = entry.cie.augmentation_data,
	    .end = entry.cie.augmentation_data + entry.cie.augmentation_data_size};
	for (const char *kind = entry.cie.augmentation + 1; *kind && !reader.failed; kind++) {
		uint8_t encoding;

		if (*kind == 'S' || *kind == 'B')
			continue;
		encoding = (uint8_t)read_fixed(&reader, 1, false);
		if (*kind == 'R')
			pads->code_encoding = encoding;
		else if (*kind == 'L')
			pads->table_encoding = encoding;
		else if (*kind == 'P') /* where it leads is no matter, its size is */
			read_encoded(&reader, encoding & ENCODING_FORMAT);
		else
			return false;
	}
	return !reader.failed;
}

static int read_fde(struct pads *pads, const Dwarf_FDE *fde)
{
	const uint8_t *begin = pads->frames->d_buf;
	struct reader reader = {.at = fde->start,
	    .end = fde->end,
	    .address = pads->frames_address + (uint64_t)(fde->start - begin)};
	uint64_t code, table;

	if (!read_cie(pads, fde->CIE_pointer) || pads->table_encoding == DW_EH_PE_omit)
		return 0;
	code = read_encoded(&reader, pads->code_encoding);
	read_encoded(&reader, pads->code_encoding & ENCODING_FORMAT); /* how long it is */
	read_leb128(&reader, false);
	table = read_encoded(&reader, pads->table_encoding);
	return reader.failed || !table ? 0 : read_table(pads, table, code);
}

static int compare_addresses(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

int landing_pads_read(struct image_index *index, const struct elf_file *file)
{
	GElf_Shdr frames, tables;
	Elf_Scn *frames_section = elf_file_section(file, ".eh_frame", &frames);
	Elf_Scn *tables_section = elf_file_section(file, ".gcc_except_table", &tables);
	struct pads pads = {.index = index, .cie = (Dwarf_Off)-1};
	Dwarf_Off at = 0, next = 0;
	Dwarf_CFI_Entry entry;
	int error = 0, found;

	pads.ident = (const unsigned char *)elf_getident(file->elf, NULL);
	pads.frames = frames_section ? elf_getdata(frames_section, NULL) : NULL;
	pads.tables = tables_section ? elf_getdata(tables_section, NULL) : NULL;
	if (!pads.ident || !pads.frames || !pads.frames->d_buf || !pads.tables ||
	    !pads.tables->d_buf)
		return 0;
	pads.frames_address = frames.sh_addr;
	pads.tables_address = tables.sh_addr;
	pads.budget = pads.tables->d_size / SITE_BYTES_LEAST;
	while (!error) {
		found = dwarf_next_cfi(pads.ident, pads.frames, true, at, &next, &entry);
		if (found > 0 || next <= at)
			break;
		if (found == 0 && !dwarf_cfi_cie_p(&entry))
			error = read_fde(&pads, &entry.fde);
		at = next;
	}
	ARRAY_SORT(&index->landing_pads, compare_addresses);
	return error;
}
