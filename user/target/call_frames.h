/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entries of an image's .eh_frame, one for each stretch of code (Linux Standard Base, Core,
 * 10.6): where the stretch is, how to unwind it, and which exception table it has.
 */
#ifndef LPROF_TARGET_CALL_FRAMES_H
#define LPROF_TARGET_CALL_FRAMES_H

#include "target/byte_reader.h"
#include "target/elf_file.h"

/* What many entries have in common (CIE). */
struct call_frame_common {
	uint64_t offset; /* tells them apart */
	uint64_t code_factor;
	int64_t data_factor;
	uint64_t return_column;
	bool is_signal;                    /* the frame that a signal handler returns to */
	const uint8_t *instructions, *end; /* that every entry's begin with */
	bool has_augmentation;
	uint8_t code_encoding, table_encoding; /* DW_EH_PE_* */
};

/* One stretch of code (FDE); bytes are the image's. */
struct call_frame {
	const struct call_frame_common *common;
	uint64_t start, length;
	uint64_t table; /* address of its exception table, 0: none */
	const uint8_t *instructions, *end;
};

/*
 * Calls `take` for each entry, in the order of the file, until one gives an error; that error, or
 * 0. Entries that cannot be read are left out; the work is bounded by the image's size.
 */
int call_frames_read(const struct elf_file *file,
    int (*take)(void *context, const struct call_frame *frame), void *context);

#endif
