/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that a program marks with LPROF_PROFILE (include/lprof.h tells the format). */
#ifndef LPROF_TARGET_MARKS_H
#define LPROF_TARGET_MARKS_H

#include "target/elf_file.h"
#include "target/image_index.h"

/* Fills index->marks from the notes in `file`; the index is otherwise finished. 0 or -ENOMEM. */
int marks_read(struct image_index *index, const struct elf_file *file);

#endif
