/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The source function that a DIE stands for, through abstract origins and specifications. */
#ifndef LPROF_TARGET_DWARF_ORIGIN_H
#define LPROF_TARGET_DWARF_ORIGIN_H

#include <elfutils/libdw.h>

#include "target/index_builder.h"

/* An attribute of that very DIE; NULL without. */
const char *dwarf_origin_string(Dwarf_Die *die, unsigned int attribute);
uint64_t dwarf_origin_number(Dwarf_Die *die, unsigned int attribute); /* 0 without */

/* DW_AT_linkage_name or its older spelling, of that very DIE. */
const char *dwarf_origin_linkage(Dwarf_Die *die);

/* The file of the DIE's own DW_AT_decl_file; untouched without. 0 or -ENOMEM. */
int dwarf_origin_file(struct index_builder *builder, Dwarf_Die *die, uint32_t *ret_file);

/* The source function of a DW_TAG_subprogram or DW_TAG_inlined_subroutine. 0 or -ENOMEM. */
int dwarf_origin_source(struct index_builder *builder, Dwarf_Die *die, uint32_t *ret_source);

#endif
