// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers texts: interned ones are equal if their addresses are, so that addresses are hashed.
#include "output/text_table.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t *find_slot(const struct text_table *table, const char *interned)
{
	size_t at = (size_t)((uintptr_t)interned * 0x9e3779b97f4a7c15u >> 20);

	for (;; at++) {
		uint32_t *slot = &table->slots[at & (table->slot_count - 1)];

		if (!*slot || table->texts.items[*slot - 1] == interned)
			return slot;
	}
}

static int grow(struct text_table *table)
{
	size_t count = table->slot_count ? 2 * table->slot_count : 64;
	uint32_t *slots;

	if (2 * (table->texts.count + 1) <= table->slot_count)
		return 0;
	slots = calloc(count, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(table->slots);
	table->slots = slots;
	table->slot_count = count;
	for (uint32_t i = 0; i < table->texts.count; i++)
		*find_slot(table, table->texts.items[i]) = i + 1;
	return 0;
}

int text_table_number(struct text_table *table, const char *text, uint32_t *ret_number)
{
	const char *interned;
	uint32_t *slot;

	if (!table->strings)
		table->strings = strings_new();
	interned = table->strings ? strings_intern(table->strings, text) : NULL;
	if (!interned || grow(table))
		return -ENOMEM;
	slot = find_slot(table, interned);
	if (!*slot) {
		if (ARRAY_APPEND(&table->texts, interned))
			return -ENOMEM;
		*slot = (uint32_t)table->texts.count;
	}
	*ret_number = *slot - 1;
	return 0;
}

void text_table_fini(struct text_table *table)
{
	strings_free(table->strings);
	ARRAY_FREE(&table->texts);
	free(table->slots);
}
