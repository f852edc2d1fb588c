/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The function symbols of an ELF file, and what else its dynamic part says. */
#ifndef LPROF_TARGET_ELF_SYMBOLS_H
#define LPROF_TARGET_ELF_SYMBOLS_H

#include "target/index_builder.h"

/*
 * Adds the function symbols of `file`'s .symtab and .dynsym: those of the image itself or of its
 * debug file. Without versions; PLT stubs and the resolvers of indirect functions are left out.
 * 0 or -ENOMEM.
 */
int elf_symbols_read(struct index_builder *builder, const struct elf_file *file);

/* Sorts what was read by address, preferred names first, and drops doubles. */
void elf_symbols_sort(struct index_builder *builder);

/* Fills the index's soname and traits from the image. 0 or -ENOMEM. */
int elf_symbols_read_traits(struct index_builder *builder, const struct elf_file *file);

#endif
