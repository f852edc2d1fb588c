/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of a file of Python's, taken from the front: numbers are little-endian. */
#ifndef LPROF_INPUT_PYTHON_BYTES_H
#define LPROF_INPUT_PYTHON_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct python_bytes {
	const unsigned char *data; /* the file's, all of them */
	size_t size, at;
};

/* The next `length` bytes, or NULL, and nothing is taken: there are fewer. */
static inline const unsigned char *python_bytes_take(struct python_bytes *bytes, uint64_t length)
{
	const unsigned char *taken = bytes->data + bytes->at;

	if (length > bytes->size - bytes->at)
		return NULL;
	bytes->at += (size_t)length;
	return taken;
}

/* The number that 1 to 8 bytes make. */
static inline uint64_t python_bytes_number(const unsigned char *bytes, size_t length)
{
	uint64_t number = 0;

	for (size_t i = length; i--;)
		number = number << 8 | bytes[i];
	return number;
}

#endif
