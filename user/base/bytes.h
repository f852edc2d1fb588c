/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing run of bytes, for writers of millions of small pieces: stdio takes several times as
 * long for each. Running out of memory sticks in `failed`, so that only the end needs a look.
 */
#ifndef LPROF_BASE_BYTES_H
#define LPROF_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	char *data; /* not ended by a NUL */
	size_t size, room;
	bool failed;
};

void bytes_fini(struct bytes *bytes);

/* Gives room for `more`; false, and `failed`: no memory. */
bool bytes_grow(struct bytes *bytes, size_t more);

/* Appends the number in decimal digits. */
void bytes_add_number(struct bytes *bytes, uint64_t number);

static inline void bytes_add(struct bytes *bytes, const void *data, size_t size)
{
	if (size && (bytes->size + size <= bytes->room || bytes_grow(bytes, size))) {
		memcpy(bytes->data + bytes->size, data, size);
		bytes->size += size;
	}
}

static inline void bytes_add_text(struct bytes *bytes, const char *text)
{
	bytes_add(bytes, text, strlen(text));
}

#endif
