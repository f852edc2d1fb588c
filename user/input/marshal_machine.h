/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads Python's marshal format, versions 0 to 4, as far as plain data goes: what cProfile and
 * pstats write from Python 2.7 on. Code objects and whatever else is not plain data are refused
 * with their offset. Memory is bounded by the input's size: a byte makes at most one value.
 *
 * A value's type is a byte. Its highest bit says that the value is numbered, for later references;
 * a container gets its number before its members, and may not be named before it is complete.
 */
#ifndef LPROF_INPUT_MARSHAL_MACHINE_H
#define LPROF_INPUT_MARSHAL_MACHINE_H

#include "base/failure.h"
#include "input/python_values.h"

/*
 * Reads the one value that the bytes are; `name` is for messages, texts point into `bytes`. The
 * caller ends *ret_values with python_values_fini().
 */
int marshal_run(const char *name, const char *bytes, size_t size, struct python_values *ret_values,
    struct failure *failure);

#endif
