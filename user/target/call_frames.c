// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the entries of .eh_frame: libdw finds them, what is in them is read here.
#include "target/call_frames.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

#define ENCODING_FORMAT 0x0f
#define HEADER_POINTER  4 /* in .eh_frame_hdr, behind its version and three encodings */

/* Each entry can name another common part, and each of them be as large as the section. */
#define COMMON_BYTES_FACTOR 8
#define COMMON_BYTES_LEAST  65536

struct reading {
	const unsigned char *identity;
	Elf_Data *data;
	uint64_t address; /* of the data in the image */
	struct call_frame_common common;
	uint64_t budget; /* bytes of common parts that may still be read */
};

/* ---- Where .eh_frame is ---- */

static bool find_section(const struct elf_file *file, struct reading *reading)
{
	GElf_Shdr header;
	Elf_Scn *section = elf_file_section(file, ".eh_frame", &header);

	if (!section || header.sh_type == SHT_NOBITS || header.sh_flags & SHF_COMPRESSED)
		return false;
	reading->data = elf_getdata(section, NULL);
	reading->address = header.sh_addr;
	return reading->data && reading->data->d_buf;
}

/* The part of a loaded segment from an address on. */
static bool find_loaded(const struct elf_file *file, uint64_t address, Elf_Data *ret_data)
{
	size_t count = 0;

	(void)elf_getphdrnum(file->elf, &count);
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(file->elf, (int)i, &header) || header.p_type != PT_LOAD ||
		    address < header.p_vaddr || address - header.p_vaddr >= header.p_filesz)
			continue;
		if (header.p_offset > file->size || header.p_filesz > file->size - header.p_offset)
			return false;
		*ret_data = (Elf_Data){
		    .d_buf = file->map + header.p_offset + (address - header.p_vaddr),
		    .d_size = header.p_filesz - (address - header.p_vaddr),
		    .d_type = ELF_T_BYTE,
		    .d_version = EV_CURRENT,
		};
		return true;
	}
	return false;
}

/* Without section headers: .eh_frame_hdr, a segment of its own, says where. */
static bool find_segment(const struct elf_file *file, struct reading *reading, Elf_Data *storage)
{
	size_t count = 0;

	(void)elf_getphdrnum(file->elf, &count);
	for (size_t i = 0; i < count; i++) {
		struct byte_reader reader = {0};
		GElf_Phdr header;

		if (!gelf_getphdr(file->elf, (int)i, &header) || header.p_type != PT_GNU_EH_FRAME)
			continue;
		if (header.p_offset > file->size ||
		    header.p_filesz > file->size - header.p_offset ||
		    header.p_filesz < HEADER_POINTER)
			return false;
		reader.at = file->map + header.p_offset + HEADER_POINTER;
		reader.end = file->map + header.p_offset + header.p_filesz;
		reader.address = header.p_vaddr + HEADER_POINTER;
		reading->address = read_encoded(&reader, file->map[header.p_offset + 1]);
		reading->data = storage;
		return !reader.failed && find_loaded(file, reading->address, storage);
	}
	return false;
}

/* ---- What is in it ---- */

/* How the entries write addresses: a letter for each thing that the augmentation data begin with.
 */
static bool read_augmentation(const Dwarf_CIE *cie, struct call_frame_common *common)
{
	struct byte_reader reader = {.at = cie->augmentation_data,
	    .end = cie->augmentation_data + cie->augmentation_data_size};

	common->code_encoding = DW_EH_PE_absptr;
	common->table_encoding = DW_EH_PE_omit;
	common->has_augmentation = cie->augmentation[0] == 'z';
	if (!common->has_augmentation)
		return !cie->augmentation[0];
	for (const char *kind = cie->augmentation + 1; *kind && !reader.failed; kind++) {
		uint8_t encoding;

		common->is_signal = common->is_signal || *kind == 'S';
		if (*kind == 'S' || *kind == 'B')
			continue;
		encoding = (uint8_t)read_fixed(&reader, 1, false);
		if (*kind == 'R')
			common->code_encoding = encoding;
		else if (*kind == 'L')
			common->table_encoding = encoding;
		else if (*kind == 'P') /* where it leads is no matter, its size is */
			read_encoded(&reader, encoding & ENCODING_FORMAT);
		else
			return false;
	}
	return !reader.failed;
}

static bool read_common(struct reading *reading, Dwarf_Off offset)
{
	struct call_frame_common *common = &reading->common;
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	if (offset == common->offset)
		return true;
	if (dwarf_next_cfi(reading->identity, reading->data, true, offset, &next, &entry) ||
	    !dwarf_cfi_cie_p(&entry) || next - offset > reading->budget)
		return false;
	reading->budget -= next - offset;
	*common = (struct call_frame_common){
	    .offset = offset,
	    .code_factor = entry.cie.code_alignment_factor,
	    .data_factor = entry.cie.data_alignment_factor,
	    .return_column = entry.cie.return_address_register,
	    .instructions = entry.cie.initial_instructions,
	    .end = entry.cie.initial_instructions_end,
	};
	if (read_augmentation(&entry.cie, common))
		return true;
	common->offset = UINT64_MAX;
	return false;
}

static bool read_frame(struct reading *reading, const Dwarf_FDE *fde, struct call_frame *ret_frame)
{
	const uint8_t *begin = reading->data->d_buf;
	struct byte_reader reader = {.at = fde->start,
	    .end = fde->end,
	    .address = reading->address + (uint64_t)(fde->start - begin)};
	const struct call_frame_common *common = &reading->common;

	if (!read_common(reading, fde->CIE_pointer))
		return false;
	*ret_frame = (struct call_frame){.common = common, .end = fde->end};
	ret_frame->start = read_encoded(&reader, common->code_encoding);
	ret_frame->length = read_encoded(&reader, common->code_encoding & ENCODING_FORMAT);
	if (common->has_augmentation) {
		struct byte_reader data = reader;
		size_t size;

		data.at = read_block(&reader, &size);
		data.end = data.at + size;
		data.address = reading->address + (uint64_t)(data.at - begin);
		if (common->table_encoding != DW_EH_PE_omit && !reader.failed)
			ret_frame->table = read_encoded(&data, common->table_encoding);
		if (data.failed)
			ret_frame->table = 0;
	}
	ret_frame->instructions = reader.at;
	return !reader.failed;
}

int call_frames_read(const struct elf_file *file,
    int (*take)(void *context, const struct call_frame *frame), void *context)
{
	struct reading reading = {
	    .identity = (const unsigned char *)elf_getident(file->elf, NULL),
	    .common.offset = UINT64_MAX,
	};
	Dwarf_Off at = 0, next = 0;
	Elf_Data storage;
	int error = 0;

	if (!reading.identity ||
	    (!find_section(file, &reading) && !find_segment(file, &reading, &storage)))
		return 0;
	reading.budget = reading.data->d_size * COMMON_BYTES_FACTOR + COMMON_BYTES_LEAST;
	while (!error) {
		struct call_frame frame;
		Dwarf_CFI_Entry entry;
		int found = dwarf_next_cfi(reading.identity, reading.data, true, at, &next, &entry);

		if (found > 0 || next <= at)
			break;
		if (!found && !dwarf_cfi_cie_p(&entry) && read_frame(&reading, &entry.fde, &frame))
			error = take(context, &frame);
		at = next;
	}
	return error;
}
