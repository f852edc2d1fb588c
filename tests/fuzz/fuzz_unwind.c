// SPDX-License-Identifier: GPL-2.0-or-later
// Feeds the reader of call frame information: bytes become .eh_frame, behind so many of its header
// as the first byte says, in an ELF file that is else as it should be, with section headers where
// there is no header; rows must be fit for a binary search.
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/unwind_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define FRAME_ADDRESS 0x2000 /* of what the file has from here on; code lies before */

/* Where each part of the file is. */
struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2]; /* the second one: .eh_frame_hdr */
	Elf64_Shdr sections[3]; /* none, .eh_frame, names */
	char names[24];
};

static struct image image_of(size_t table, size_t frame)
{
	const uint64_t at = sizeof(struct image);
	struct image image = {
	    .header =
		{
		    .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			EV_CURRENT},
		    .e_type = ET_EXEC,
		    .e_machine = EM_X86_64,
		    .e_version = EV_CURRENT,
		    .e_phoff = offsetof(struct image, segments),
		    .e_shoff = table ? 0 : offsetof(struct image, sections),
		    .e_ehsize = sizeof(Elf64_Ehdr),
		    .e_phentsize = sizeof(Elf64_Phdr),
		    .e_phnum = table ? 2 : 1,
		    .e_shentsize = sizeof(Elf64_Shdr),
		    .e_shnum = table ? 0 : 3,
		    .e_shstrndx = table ? 0 : 2,
		},
	    .segments =
		{
		    {PT_LOAD, PF_R | PF_X, at, FRAME_ADDRESS, FRAME_ADDRESS, table + frame,
			table + frame, 8},
		    {PT_GNU_EH_FRAME, PF_R, at, FRAME_ADDRESS, FRAME_ADDRESS, table, table, 4},
		},
	    .sections =
		{
		    [1] = {.sh_name = 1,
			.sh_type = SHT_PROGBITS,
			.sh_flags = SHF_ALLOC,
			.sh_addr = FRAME_ADDRESS + table,
			.sh_offset = at + table,
			.sh_size = frame},
		    [2] = {.sh_name = 11,
			.sh_type = SHT_STRTAB,
			.sh_offset = offsetof(struct image, names),
			.sh_size = sizeof(image.names)},
		},
	    .names = "\0.eh_frame\0.shstrtab",
	};

	return image;
}

static void check(const unwind_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct unwind_row *row = &rows->items[i];

		assert(i == 0 || row[-1].address < row->address);
		assert(row->cfa <= UNWIND_SIGNAL && row->rbp <= UNWIND_RBP_BY_RBP);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t table = size ? *bytes : 0, parts = size ? size - 1 : 0;
	struct failure failure = {0};
	unwind_rows rows = {0};
	struct elf_file file;
	struct image image;
	int fd, error;

	if (table > parts)
		table = parts;
	image = image_of(table, parts - table);
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	assert(fd >= 0 && write(fd, &image, sizeof(image)) == (ssize_t)sizeof(image));
	assert(!parts || write(fd, bytes + 1, parts) == (ssize_t)parts);
	assert(!elf_file_open("fuzz", fd, &file, &failure));
	error = unwind_table_read(&file, &rows);
	assert(!error || error == -E2BIG || error == -ENOMEM);
	check(&rows);
	ARRAY_FREE(&rows);
	elf_file_close(&file);
	close(fd);
	return 0;
}
