/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an image's debug information is: in itself, in a separate file, partly in a dwz file. */
#ifndef LPROF_TARGET_DEBUG_FILE_H
#define LPROF_TARGET_DEBUG_FILE_H

#include <elfutils/libdw.h>

#include "target/elf_file.h"
#include "target/image_index.h"

struct debug_file {
	Dwarf *dwarf;             /* NULL: there is no debug information */
	Elf *elf;                 /* of the file that holds it */
	Dwarf *alternate;         /* of a dwz file, set on `dwarf`; NULL without */
	char *path;               /* of the separate file; NULL: the image itself */
	struct elf_file separate; /* .elf NULL: none */
	struct elf_file dwz;
};

/*
 * Finds and opens the debug information of `image`. A separate file counts only if its build id
 * (or, without one, its checksum) says that it was made from this very image. No debug information
 * is no failure. Close also after failure.
 */
int debug_file_open(const char *path, const struct elf_file *image,
    const struct image_index_options *options, struct debug_file *ret_file,
    struct failure *failure);

/*
 * Lets go of all memory that libdw has taken so far: it keeps every table that it read. DIEs and
 * units must be looked up anew; their addresses in memory stay the same. 0 or -ENOMEM.
 */
int debug_file_reopen(struct debug_file *file);

void debug_file_close(struct debug_file *file);

#endif
