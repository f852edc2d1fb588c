/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source functions, their copies and inlined ranges, from DWARF's tree of DIEs. */
#ifndef LPROF_TARGET_DWARF_FUNCTIONS_H
#define LPROF_TARGET_DWARF_FUNCTIONS_H

#include <elfutils/libdw.h>

#include "target/index_builder.h"

/*
 * Adds what one unit describes, in one walk over its DIEs. `budget` is how many DIEs and ranges
 * the whole file may still have; it is counted down. 0, -ENOMEM, or -EBADMSG: over the budget.
 */
int dwarf_functions_read_unit(struct index_builder *builder, Dwarf_Die *unit, uint64_t *budget);

/* Notes the scopes of one unit's declarations only: of a dwz file, which holds no code. */
int dwarf_functions_read_scopes(struct index_builder *builder, Dwarf_Die *unit, uint64_t *budget);

#endif
