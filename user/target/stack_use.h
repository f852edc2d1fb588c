/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine function does with its stack beyond its own frame. A return probe stands in the
 * place of the return address (KERNEL.md 3.1): who looks there finds it, and who goes on with
 * another stack takes it away from the kernel.
 */
#ifndef LPROF_TARGET_STACK_USE_H
#define LPROF_TARGET_STACK_USE_H

#include "target/flow.h"

enum stack_use {
	/* Reads or writes its return address or its caller's frame pointer, or gives away where
	 * they are: __builtin_return_address, __builtin_frame_address. */
	STACK_USE_RETURN_ADDRESS = 1 << 0,
	/* Sets the stack pointer to what it did not compute from it. */
	STACK_USE_MOVES = 1 << 1,
};

/* Gives enum stack_use values, or'ed, of a machine function whose stack pointer is at the return
 * address where it begins: no cold part. -ENOMEM. */
int stack_use_find(
    const struct flow *flow, const struct image_index *index, uint32_t copy, uint32_t *ret_use);

#endif
