/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a switch jumps to: finds the tables of addresses that compilers put beside a function.
 *
 * Two shapes exist on x86-64: 4-byte distances from the table's own address (position-independent
 * switches of GCC and clang) and 8-byte absolute addresses (non-PIC switches, computed goto). A
 * table is read until an entry is no instruction of the function; an entry too many does no harm,
 * it only begins a basic block where none begins.
 */
#ifndef LPROF_TARGET_JUMP_TABLE_H
#define LPROF_TARGET_JUMP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/image_index.h"

/*
 * Calls `target` for every entry of the table at `table`, for as long as it gives true. Gives the
 * number of entries taken.
 */
size_t jump_table_read(const struct image_index *index, uint64_t table,
    bool (*target)(void *context, uint64_t address), void *context);

#endif
