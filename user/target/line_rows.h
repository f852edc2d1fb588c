/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of DWARF's line tables. */
#ifndef LPROF_TARGET_LINE_ROWS_H
#define LPROF_TARGET_LINE_ROWS_H

#include <elfutils/libdw.h>

#include "target/index_builder.h"

/*
 * Adds the rows of one unit's line table, sequence by sequence. `budget` is how many rows the
 * whole file may still have. 0, -ENOMEM, or -EBADMSG: over the budget.
 */
int line_rows_read_unit(struct index_builder *builder, Dwarf_Die *unit, uint64_t *budget);

/*
 * Brings all rows into the order of their addresses. Where sequences overlap (identical code
 * folding), the first unit's rows stay. 0 or -ENOMEM.
 */
int line_rows_sort(struct index_builder *builder);

#endif
