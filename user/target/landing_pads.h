/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where exceptions enter functions: handlers and clean-ups, which no jump leads to. */
#ifndef LPROF_TARGET_LANDING_PADS_H
#define LPROF_TARGET_LANDING_PADS_H

#include "target/elf_file.h"
#include "target/image_index.h"

/* Fills index->landing_pads from the image's unwind tables, as far as they can be read. 0 or
 * -ENOMEM. */
int landing_pads_read(struct image_index *index, const struct elf_file *file);

#endif
