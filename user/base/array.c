// SPDX-License-Identifier: GPL-2.0-or-later
// Grows the arrays of base/array.h.
#include "base/array.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

int array_reserve(void **items, size_t *capacity, size_t count, size_t more, size_t item_size)
{
	size_t wanted, grown;
	void *moved;

	if (__builtin_add_overflow(count, more, &wanted))
		return -ENOMEM;
	if (wanted <= *capacity)
		return 0;
	grown = *capacity + *capacity / 2 + 8;
	if (grown < wanted)
		grown = wanted;
	moved = reallocarray(*items, grown, item_size);
	if (!moved)
		return -ENOMEM;
	*items = moved;
	*capacity = grown;
	return 0;
}
