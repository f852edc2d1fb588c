/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How to unwind an image's code, address by address, as a table that a BPF program can walk. */
#ifndef LPROF_TARGET_UNWIND_TABLE_H
#define LPROF_TARGET_UNWIND_TABLE_H

#include "base/array.h"
#include "cpu_wire.h"
#include "target/elf_file.h"

typedef ARRAY(struct unwind_row) unwind_rows;

/*
 * The rows of .eh_frame, sorted by address; none where the image has no such section or lies beyond
 * 4 GiB. Code that is left out becomes UNWIND_NONE.
 * -ENOMEM; -E2BIG: more than UNWIND_ROWS_MAX.
 */
int unwind_table_read(const struct elf_file *file, unwind_rows *ret_rows);

#endif
