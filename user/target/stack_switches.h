/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether code goes on with another stack by itself, as fibers in assembly do. */
#ifndef LPROF_TARGET_STACK_SWITCHES_H
#define LPROF_TARGET_STACK_SWITCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Looks for an instruction that loads the stack pointer from memory outside the frame, or from a
 * register that no compiler would keep its own stack pointer in. Costs a millisecond a few MB.
 */
bool stack_switches_in(const uint8_t *code, size_t size);

#endif
