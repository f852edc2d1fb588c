/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of an image, read from the front, as DWARF and its relatives write numbers. */
#ifndef LPROF_TARGET_BYTE_READER_H
#define LPROF_TARGET_BYTE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_reader {
	const uint8_t *at, *end;
	uint64_t address; /* of `at` in the image */
	bool failed;      /* once there was too little; all further numbers are 0 */
};

/* An integer of 1 to 8 bytes; signed ones come extended to 64 bits. */
uint64_t read_fixed(struct byte_reader *reader, size_t size, bool is_signed);

uint64_t read_leb128(struct byte_reader *reader, bool is_signed);

/*
 * A pointer in one of the encodings DW_EH_PE_* (Linux Standard Base, Core, 10.5.1); what needs the
 * running process fails. 0 stays 0, whatever it is relative to.
 */
uint64_t read_encoded(struct byte_reader *reader, uint8_t encoding);

/* As many bytes as the length before them says; their number goes to *ret_size. */
const uint8_t *read_block(struct byte_reader *reader, size_t *ret_size);

#endif
