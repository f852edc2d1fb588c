/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One x86-64 instruction as a place for a uprobe: where control goes from it, whether the kernel
 * emulates or single-steps it, and whether probing it could hurt (KERNEL.md 1 and 3).
 */
#ifndef LPROF_TARGET_INSTRUCTION_H
#define LPROF_TARGET_INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum instruction_kind {
	INSTRUCTION_PLAIN,
	INSTRUCTION_JUMP,          /* unconditional, to `target` */
	INSTRUCTION_BRANCH,        /* conditional, to `target` or on */
	INSTRUCTION_INDIRECT_JUMP, /* to where a register or memory says */
	INSTRUCTION_CALL,          /* direct or not; control comes back behind it */
	INSTRUCTION_RETURN,
	INSTRUCTION_STOP, /* ud2, hlt: control ends */
};

struct instruction {
	uint64_t address;
	uint64_t target; /* of JUMP, BRANCH and direct CALL; else 0 */
	uint64_t data;   /* the constant address in its operand (rip-relative or disp32), else 0 */
	uint8_t length;
	uint8_t kind;        /* enum instruction_kind */
	uint8_t emulated;    /* by the kernel, without a single step */
	uint8_t slow;        /* may take long: calls, system calls, repeated string operations */
	uint8_t condition;   /* of BRANCH by flags: the opcode's low four bits; 0xff: none such */
	uint8_t switch_like; /* INDIRECT_JUMP by an indexed table in its own operand */
	/* Why no probe may stand here; NULL: it may. Static text. */
	const char *refused;
};

struct instruction_kernel {
	bool rewrites_nop5;
	bool emulates_all_nops;
	bool shadow_stack; /* the target's: a call that is emulated would not push there */
};

/* Decodes at `bytes`; -EILSEQ: no instruction there. */
int instruction_decode(const uint8_t *bytes, size_t available, uint64_t address,
    const struct instruction_kernel *kernel, struct instruction *ret_instruction);

/* What the instruction adds to the stack pointer; false: it cannot be told. */
bool instruction_stack_change(
    const uint8_t *bytes, size_t available, uint64_t address, int32_t *ret_change);

/* Intel-free, objdump-like text ("push %rbx"), cut to `size`. */
void instruction_format(
    const uint8_t *bytes, size_t available, uint64_t address, char *text, size_t size);

#endif
