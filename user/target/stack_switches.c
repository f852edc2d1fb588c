// SPDX-License-Identifier: GPL-2.0-or-later
// Finds instructions that set the stack pointer to another stack's.
//
// Compilers set it from the frame pointer, from their own frame, and, behind arrays of variable
// size, from registers that calls preserve. Clang makes such arrays in any register, which was a
// copy of the stack pointer a few instructions before.
//
// Bytes that look so in the middle of another instruction are told by decoding from a little
// before: wherever that starts, it soon falls in step with the true boundaries [M: all starts
// agree, for all of 61 places in Debian's programs]. One start that leads here is enough to believe
// it.
#include "target/stack_switches.h"

#include <Zydis/Zydis.h>

#define RSP         4
#define RBP         5
#define NO_BASE     16 /* an address by itself */
#define REX_W       0x48
#define REX_R       4
#define REX_B       1
#define COPY_BEFORE 64 /* bytes between a copy of the stack pointer and its return */
#define SYNC_BYTES  32 /* of code, in which decoding finds the boundaries from anywhere */
#define SYNC_STARTS 16

/* The parts of `REX.W opcode ModRM [SIB]`. */
struct encoded {
	uint8_t opcode, mode, reg, rm;
};

static struct encoded encoded_at(const uint8_t *code)
{
	struct encoded at = {
	    .opcode = code[1],
	    .mode = code[2] >> 6,
	    .reg = (code[2] >> 3 & 7) | (code[0] & REX_R ? 8 : 0),
	    .rm = (code[2] & 7) | (code[0] & REX_B ? 8 : 0),
	};
	uint8_t base = (code[3] & 7) | (code[0] & REX_B ? 8 : 0);

	if (at.mode == 3)
		return at;
	if ((at.rm & 7) == 4)
		at.rm = at.mode == 0 && (base & 7) == 5 ? NO_BASE : base;
	else if ((at.rm & 7) == 5 && at.mode == 0)
		at.rm = NO_BASE;
	return at;
}

static bool is_preserved(uint8_t number)
{
	return number == 3 || number == RSP || number == RBP || number >= 12;
}

static ZydisRegister name_of(uint8_t number)
{
	return (ZydisRegister)(ZYDIS_REGISTER_RAX + number);
}

/* Whether the instruction keeps the register a stack pointer's copy. */
static bool keeps_copy(
    const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *operands, uint8_t number)
{
	if (decoded->mnemonic == ZYDIS_MNEMONIC_SUB || decoded->mnemonic == ZYDIS_MNEMONIC_AND ||
	    decoded->mnemonic == ZYDIS_MNEMONIC_ADD)
		return true;
	for (uint8_t at = 0; at < decoded->operand_count; at++)
		if (operands[at].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    operands[at].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(
			ZYDIS_MACHINE_MODE_LONG_64, operands[at].reg.value) == name_of(number))
			return false;
	return true;
}

/* Whether what lies between a copy of the stack pointer and its return leaves it one. */
static bool stays_copy(const uint8_t *from, const uint8_t *to, uint8_t number)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction decoded;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (; from < to; from += decoded.length)
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(
			&decoder, from, (ZyanUSize)(to - from), &decoded, operands)) ||
		    !keeps_copy(&decoded, operands, number))
			return false;
	return true;
}

/* Whether register `number`, which is loaded at `code`, was made from the stack pointer just
 * before. */
static bool is_own_copy(const uint8_t *code, size_t before, uint8_t number)
{
	for (size_t back = 3; back <= before && back <= COPY_BEFORE; back++) {
		struct encoded copy = encoded_at(code - back);

		if ((code[-(ptrdiff_t)back] & 0xf8) == REX_W && copy.mode == 3 &&
		    ((copy.opcode == 0x89 && copy.reg == RSP && copy.rm == number) ||
			(copy.opcode == 0x8b && copy.reg == number && copy.rm == RSP)))
			return stays_copy(code - back + 3, code, number);
	}
	return false;
}

static bool is_switch(const uint8_t *code, size_t before)
{
	struct encoded at = encoded_at(code);
	uint8_t from;

	if (at.opcode == 0x87) /* xchg */
		return at.reg == RSP || (at.mode == 3 && at.rm == RSP);
	if (at.opcode == 0x8b && at.reg == RSP && at.mode != 3)
		return at.rm != RSP && at.rm != RBP;
	if (at.mode != 3 || (at.opcode == 0x8b ? at.reg : at.rm) != RSP)
		return false;
	from = at.opcode == 0x8b ? at.rm : at.reg;
	return !is_preserved(from) && !is_own_copy(code, before, from);
}

static bool is_instruction(const uint8_t *code, size_t before, size_t behind)
{
	ZydisDecodedInstruction decoded;
	ZydisDecoderContext context;
	ZydisDecoder decoder;

	if (before < SYNC_BYTES + SYNC_STARTS)
		return true;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t start = 1; start <= SYNC_STARTS; start++) {
		const uint8_t *at = code - SYNC_BYTES - start;

		while (at < code)
			at += ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, &context, at,
				  (ZyanUSize)(code - at) + behind, &decoded))
				  ? decoded.length
				  : 1;
		if (at == code)
			return true;
	}
	return false;
}

bool stack_switches_in(const uint8_t *code, size_t size)
{
	for (size_t at = 0; at + 4 <= size; at++)
		if ((code[at] & 0xf8) == REX_W &&
		    (code[at + 1] == 0x89 || code[at + 1] == 0x8b || code[at + 1] == 0x87) &&
		    is_switch(code + at, at) && is_instruction(code + at, at, size - at))
			return true;
	return false;
}
