// SPDX-License-Identifier: GPL-2.0-or-later
// Grows runs of bytes.
#include "base/bytes.h"

#include <stdlib.h>

#include "base/array.h"

void bytes_fini(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

bool bytes_grow(struct bytes *bytes, size_t more)
{
	if (!bytes->failed &&
	    array_reserve((void **)&bytes->data, &bytes->room, bytes->size, more, 1))
		bytes->failed = true;
	return !bytes->failed;
}

void bytes_add_number(struct bytes *bytes, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	bytes_add(bytes, digits + at, sizeof(digits) - at);
}
