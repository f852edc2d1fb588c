/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers texts in the order in which they are first seen, for formats that name each text once. */
#ifndef LPROF_OUTPUT_TEXT_TABLE_H
#define LPROF_OUTPUT_TEXT_TABLE_H

#include <stdint.h>

#include "base/array.h"
#include "base/strings.h"

/* Zero to start with. */
struct text_table {
	struct strings *strings;
	ARRAY(const char *) texts; /* by number */
	uint32_t *slots;           /* numbers + 1 by hash; a power of two, at most half full */
	size_t slot_count;
};

/* The number of `text`, a new one if it was not seen before; 0 or -ENOMEM. */
int text_table_number(struct text_table *table, const char *text, uint32_t *ret_number);

void text_table_fini(struct text_table *table);

#endif
