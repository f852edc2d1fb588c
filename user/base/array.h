/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growable arrays of any type, as three members of any struct:
 *	struct { struct thing *items; size_t count, capacity; } things;
 */
#ifndef LPROF_BASE_ARRAY_H
#define LPROF_BASE_ARRAY_H

#include <stddef.h>
#include <stdlib.h>

#define ARRAY(type)                     \
	struct {                        \
		type *items;            \
		size_t count, capacity; \
	}

/* Room for `more` further items; 0 or -ENOMEM, with the array unchanged. */
#define ARRAY_RESERVE(array, more)                                                          \
	array_reserve((void **)&(array)->items, &(array)->capacity, (array)->count, (more), \
	    sizeof(*(array)->items))

/* Appends a copy; 0 or -ENOMEM. `...` is an expression or a compound literal. */
#define ARRAY_APPEND(array, ...)                                          \
	({                                                                \
		int reserved_ = ARRAY_RESERVE(array, 1);                  \
		if (!reserved_)                                           \
			(array)->items[(array)->count++] = (__VA_ARGS__); \
		reserved_;                                                \
	})

#define ARRAY_FOREACH(item, array)                               \
	for (__typeof__(*(array)->items) *item = (array)->items; \
	     item && item < (array)->items + (array)->count; item++)

/* qsort() that takes empty arrays, which have no items to point to. */
#define ARRAY_SORT(array, compare)                                                               \
	do {                                                                                     \
		if ((array)->count)                                                              \
			qsort((array)->items, (array)->count, sizeof(*(array)->items), compare); \
	} while (0)

#define ARRAY_FREE(array)                               \
	do {                                            \
		free((array)->items);                   \
		(array)->items = NULL;                  \
		(array)->count = (array)->capacity = 0; \
	} while (0)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))

/* Gives room for count + more items, growing by half; 0 or -ENOMEM. */
int array_reserve(void **items, size_t *capacity, size_t count, size_t more, size_t item_size);

#endif
