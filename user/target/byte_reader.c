// SPDX-License-Identifier: GPL-2.0-or-later
// Reads numbers from foreign bytes.
#include "target/byte_reader.h"

#include <dwarf.h>
#include <string.h>

#define ENCODING_FORMAT 0x0f
#define ENCODING_BASE   0x70

uint64_t read_fixed(struct byte_reader *reader, size_t size, bool is_signed)
{
	uint64_t value = 0;

	if ((size_t)(reader->end - reader->at) < size) {
		reader->failed = true;
		return 0;
	}
	memcpy(&value, reader->at, size);
	reader->at += size;
	reader->address += size;
	if (is_signed && size < sizeof(value) && value >> (size * 8 - 1))
		value |= ~0ull << size * 8;
	return value;
}

uint64_t read_leb128(struct byte_reader *reader, bool is_signed)
{
	uint64_t value = 0;
	uint8_t byte = 0;

	for (unsigned shift = 0; !reader->failed; shift += 7) {
		byte = (uint8_t)read_fixed(reader, 1, false);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (is_signed && byte & 0x40 && shift + 7 < 64)
			value |= ~0ull << (shift + 7);
		break;
	}
	return value;
}

/* A pointer in one of the encodings DW_EH_PE_*; what needs the running process fails. */
uint64_t read_encoded(struct byte_reader *reader, uint8_t encoding)
{
	uint64_t base = 0, value;

	switch (encoding & (ENCODING_BASE | DW_EH_PE_indirect)) {
	case DW_EH_PE_absptr:
		break;
	case DW_EH_PE_pcrel:
		base = reader->address;
		break;
	default:
		reader->failed = true;
		return 0;
	}
	switch (encoding & ENCODING_FORMAT) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		value = read_fixed(reader, 8, false);
		break;
	case DW_EH_PE_uleb128:
		value = read_leb128(reader, false);
		break;
	case DW_EH_PE_sleb128:
		value = read_leb128(reader, true);
		break;
	case DW_EH_PE_udata2:
		value = read_fixed(reader, 2, false);
		break;
	case DW_EH_PE_sdata2:
		value = read_fixed(reader, 2, true);
		break;
	case DW_EH_PE_udata4:
		value = read_fixed(reader, 4, false);
		break;
	case DW_EH_PE_sdata4:
		value = read_fixed(reader, 4, true);
		break;
	default:
		reader->failed = true;
		return 0;
	}
	return value ? base + value : 0;
}

const uint8_t *read_block(struct byte_reader *reader, size_t *ret_size)
{
	uint64_t size = read_leb128(reader, false);
	const uint8_t *block = reader->at;

	if (size > (size_t)(reader->end - reader->at)) {
		reader->failed = true;
		size = 0;
	}
	reader->at += size;
	reader->address += size;
	*ret_size = size;
	return block;
}
