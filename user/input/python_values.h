/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Python's plain data, as pickles and marshals hold it.
 *
 * Values are numbered; containers hold numbers, so a container that holds itself is harmless here.
 */
#ifndef LPROF_INPUT_PYTHON_VALUES_H
#define LPROF_INPUT_PYTHON_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/strings.h"

#define PYTHON_VALUES_MAX 8000000 /* 40 bytes each; a line of a profile takes 4 */

enum python_type {
	PYTHON_NONE,
	PYTHON_BOOL,
	PYTHON_INTEGER,
	PYTHON_REAL,
	PYTHON_TEXT,
	PYTHON_TUPLE,
	PYTHON_LIST,
	PYTHON_DICT, /* cells: key, value, key, value ... */
	PYTHON_CLASS,
	PYTHON_OBJECT, /* cells: attribute, value ... */
	PYTHON_MARK    /* only on a pickle's stack */
};

#define PYTHON_END UINT32_MAX

struct python_value {
	enum python_type type;
	uint32_t first, last; /* containers: cells, PYTHON_END when empty */
	union {
		int64_t integer; /* also BOOL */
		double real;
		struct {
			const char *bytes; /* in the input */
			size_t length;
		} text;
		uint32_t count; /* containers: cells */
	};
};

struct python_cell {
	uint32_t value, next;
};

struct python_values {
	ARRAY(struct python_value) values;
	ARRAY(struct python_cell) cells;
	uint32_t root;
};

/* Appends the value to the container; 0 or -ENOMEM. */
int python_append(struct python_values *values, uint32_t container, uint32_t value);

void python_values_fini(struct python_values *values);

/* Walks the members of a container: start with {values, container->first}. */
struct python_walk {
	const struct python_values *values;
	uint32_t cell;
};

/* The next member, or NULL after the last. */
const struct python_value *python_walk_next(struct python_walk *walk);

/* Members of a tuple of exactly `count`; false: it is something else. */
bool python_unpack(const struct python_values *values, const struct python_value *tuple,
    size_t count, const struct python_value **ret_members);

/* A whole number from low to high. */
bool python_is_integer(const struct python_value *value, int64_t low, int64_t high);

/* The text as the pool's own; NULL: no memory. */
const char *python_intern(struct strings *strings, const struct python_value *text);

#endif
