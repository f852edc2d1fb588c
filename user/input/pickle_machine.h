/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pickle machine: turns the bytes of a pickle into values, executing nothing.
 *
 * A pickle is a program for a stack machine. This one knows the opcodes that line_profiler's files
 * need (protocols 2 to 5) and the one class LineStats; every other opcode or class is refused, with
 * its offset. Values are numbered; containers hold numbers, so a container that holds itself is
 * harmless here. Memory is bounded by the input's size: an opcode makes at most one value.
 */
#ifndef LPROF_INPUT_PICKLE_MACHINE_H
#define LPROF_INPUT_PICKLE_MACHINE_H

#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/failure.h"

enum pickle_type {
	PICKLE_NONE,
	PICKLE_BOOL,
	PICKLE_INTEGER,
	PICKLE_REAL,
	PICKLE_TEXT,
	PICKLE_TUPLE,
	PICKLE_LIST,
	PICKLE_DICT, /* cells: key, value, key, value ... */
	PICKLE_CLASS,
	PICKLE_OBJECT, /* cells: attribute, value ... */
	PICKLE_MARK    /* only on the stack */
};

#define PICKLE_END UINT32_MAX

struct pickle_value {
	enum pickle_type type;
	uint32_t first, last; /* containers: cells, PICKLE_END when empty */
	union {
		int64_t integer; /* also BOOL */
		double real;
		struct {
			const char *bytes; /* in the input */
			size_t length;
		} text;
		uint32_t count; /* containers */
	};
};

struct pickle_cell {
	uint32_t value, next;
};

struct pickle {
	ARRAY(struct pickle_value) values;
	ARRAY(struct pickle_cell) cells;
	uint32_t root;
};

/* Runs the pickle to its STOP. `name` is for messages; texts point into `bytes`. */
int pickle_run(const char *name, const char *bytes, size_t size, struct pickle *ret_pickle,
    struct failure *failure);
void pickle_fini(struct pickle *pickle);

#endif
