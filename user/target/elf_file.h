/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ELF file in memory, checked to be one that lprof can measure. */
#ifndef LPROF_TARGET_ELF_FILE_H
#define LPROF_TARGET_ELF_FILE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/failure.h"

struct elf_file {
	Elf *elf;
	uint8_t *map;     /* the whole file as it is on disk, read-only */
	uint8_t *scratch; /* where sections are compressed: a copy on write for libelf; else NULL */
	size_t size;
	/* The size with all sections unpacked: nothing in the file can count more items. */
	uint64_t unpacked_size;
};

/* Maps the file open at `fd`, which stays the caller's. -ENOEXEC: not a 64-bit x86 executable or
 * library (or its debug file); -EBADMSG: damaged. */
int elf_file_open(const char *path, int fd, struct elf_file *ret_file, struct failure *failure);
void elf_file_close(struct elf_file *file);

/* Likewise for a dwz file, which is an object file in form, holding nothing but DWARF. */
int elf_file_open_dwz(const char *path, int fd, struct elf_file *ret_file, struct failure *failure);

/* Gives the pages read so far back to the system, which brings them again when needed. */
void elf_file_forget_pages(const struct elf_file *file);

/* The first section of that name; NULL without. */
Elf_Scn *elf_file_section(const struct elf_file *file, const char *name, GElf_Shdr *ret_header);

/* The build id in lower-case hexadecimal; "" without. `size` >= 41 holds the usual ones. */
void elf_file_build_id(const struct elf_file *file, char *ret_text, size_t size);

#endif
