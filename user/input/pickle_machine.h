/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pickle machine: turns the bytes of a pickle into values, executing nothing.
 *
 * A pickle is a program for a stack machine. This one knows the opcodes that line_profiler's files
 * need (protocols 2 to 5) and the one class LineStats; every other opcode or class is refused, with
 * its offset. Memory is bounded by the input's size: an opcode makes at most one value.
 */
#ifndef LPROF_INPUT_PICKLE_MACHINE_H
#define LPROF_INPUT_PICKLE_MACHINE_H

#include "base/failure.h"
#include "input/python_values.h"

/*
 * Runs the pickle to its STOP. `name` is for messages; texts point into `bytes`. The caller ends
 * *ret_values with python_values_fini().
 */
int pickle_run(const char *name, const char *bytes, size_t size, struct python_values *ret_values,
    struct failure *failure);

#endif
