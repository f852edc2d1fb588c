// SPDX-License-Identifier: GPL-2.0-or-later
// Holds Python's plain data and walks it.
#include "input/python_values.h"

int python_append(struct python_values *values, uint32_t container, uint32_t value)
{
	uint32_t cell = (uint32_t)values->cells.count;
	struct python_value *into = &values->values.items[container];

	if (ARRAY_APPEND(&values->cells, (struct python_cell){value, PYTHON_END}))
		return -ENOMEM;
	if (into->last == PYTHON_END)
		into->first = cell;
	else
		values->cells.items[into->last].next = cell;
	into->last = cell;
	into->count++;
	return 0;
}

void python_values_fini(struct python_values *values)
{
	ARRAY_FREE(&values->values);
	ARRAY_FREE(&values->cells);
}

const struct python_value *python_walk_next(struct python_walk *walk)
{
	const struct python_cell *cell;

	if (walk->cell == PYTHON_END)
		return NULL;
	cell = &walk->values->cells.items[walk->cell];
	walk->cell = cell->next;
	return &walk->values->values.items[cell->value];
}

bool python_unpack(const struct python_values *values, const struct python_value *tuple,
    size_t count, const struct python_value **ret_members)
{
	struct python_walk walk = {values, tuple->first};

	if (tuple->type != PYTHON_TUPLE || tuple->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		ret_members[i] = python_walk_next(&walk);
	return true;
}

bool python_is_integer(const struct python_value *value, int64_t low, int64_t high)
{
	return value->type == PYTHON_INTEGER && value->integer >= low && value->integer <= high;
}

const char *python_intern(struct strings *strings, const struct python_value *text)
{
	return strings_intern_length(strings, text->text.bytes, text->text.length);
}
