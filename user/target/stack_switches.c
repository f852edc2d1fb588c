// SPDX-License-Identifier: GPL-2.0-or-later
// Finds instructions that set the stack pointer to another stack's.
//
// Compilers count on it, or set it from the frame pointer, from their own frame, and, behind arrays
// of variable size, from registers that calls preserve. Where a frame was aligned it ends below any
// register that tells where it began. Clang makes arrays in any register, which was a copy of the
// stack pointer a few instructions before. Whatever else sets it is believed to switch. A switch
// through a preserved register, or through the frame pointer with `leave`, looks as what compilers
// do and is missed.
//
// Few bytes can begin such an instruction; only those are decoded. That they do not lie in the
// middle of another is told by decoding from a little before: wherever that starts, it soon falls
// in step with the true boundaries [M: all starts agree, for all of 61 places in Debian's
// programs]. One start that leads here is enough to believe it.
#include "target/stack_switches.h"

#include <string.h>

#include <Zydis/Zydis.h>

#define RSP               4
#define RBP               5
#define NO_NUMBER         16
#define POP_STACK_POINTER 0x5c
#define REX_W             0x48
#define REX_R             4
#define REX_B             1
#define COPY_BEFORE       64 /* bytes between a copy of the stack pointer and its return */
#define SYNC_BYTES        32 /* of code, in which decoding finds the boundaries from anywhere */
#define SYNC_STARTS       16
#define LONGEST           4 /* bytes that are looked at before an instruction is decoded */

struct operands_decoded {
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand all[ZYDIS_MAX_OPERAND_COUNT];
};

static bool names_stack_pointer(uint8_t rex, uint8_t modrm, bool in_rm)
{
	if (in_rm)
		return modrm >> 6 == 3 && (modrm & 7) == RSP && !(rex & REX_B);
	return (modrm >> 3 & 7) == RSP && !(rex & REX_R);
}

/* Whether an instruction that sets the stack pointer may begin with `REX.W`, at `code`. */
static bool may_set_whole(const uint8_t *code)
{
	switch (code[1]) {
	case 0x09: /* or, xor */
	case 0x31:
	case 0x89: /* mov */
	case 0x8f: /* pop */
	case 0xc7: /* mov of a constant */
		return names_stack_pointer(code[0], code[2], true);
	case 0x0b:
	case 0x33:
	case 0x8b:
	case 0x8d: /* lea */
		return names_stack_pointer(code[0], code[2], false);
	case 0x87: /* xchg */
		return names_stack_pointer(code[0], code[2], true) ||
		       names_stack_pointer(code[0], code[2], false);
	case 0x0f: /* cmov, movq of a vector register, xadd */
		return names_stack_pointer(code[0], code[3], true) ||
		       names_stack_pointer(code[0], code[3], false);
	case 0x94: /* xchg with %rax */
	case 0xbc: /* mov of a constant */
		return !(code[0] & REX_B);
	case 0xcf: /* iretq */
		return code[0] == REX_W;
	default:
		return false;
	}
}

/* Whether one may begin at `code`, behind `before` bytes and with LONGEST there. */
static bool may_set_stack_pointer(const uint8_t *code, size_t before)
{
	if ((code[0] & 0xf8) == REX_W && may_set_whole(code))
		return true;
	if (code[0] == 0x8f) /* pop */
		return code[1] == 0xc4;
	/* Behind REX.B it is `pop %r12`. */
	return code[0] == POP_STACK_POINTER && !(before && (code[-1] & 0xf1) == 0x41);
}

static bool is_preserved(uint8_t number)
{
	return number == 3 || number == RSP || number == RBP || (number >= 12 && number <= 15);
}

static uint8_t number_of(ZydisRegister name)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name);

	return whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15
		   ? (uint8_t)(whole - ZYDIS_REGISTER_RAX)
		   : NO_NUMBER;
}

static bool decode(const uint8_t *code, size_t size, struct operands_decoded *ret_decoded)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return ZYAN_SUCCESS(
	    ZydisDecoderDecodeFull(&decoder, code, size, &ret_decoded->decoded, ret_decoded->all));
}

static bool writes(const ZydisDecodedOperand *operand, uint8_t number)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
	       number_of(operand->reg.value) == number;
}

/* Whether the stack pointer and its copies stay such by the instruction that changes them. */
static bool counts_on(const ZydisDecodedInstruction *decoded)
{
	return decoded->mnemonic == ZYDIS_MNEMONIC_SUB || decoded->mnemonic == ZYDIS_MNEMONIC_AND ||
	       decoded->mnemonic == ZYDIS_MNEMONIC_ADD;
}

/* Whether what lies between a copy of the stack pointer and its return leaves it one. */
static bool stays_copy(const uint8_t *from, const uint8_t *to, uint8_t number)
{
	struct operands_decoded at;

	for (; from < to; from += at.decoded.length) {
		if (!decode(from, (size_t)(to - from), &at))
			return false;
		for (uint8_t index = 0; index < at.decoded.operand_count; index++)
			if (writes(&at.all[index], number) && !counts_on(&at.decoded))
				return false;
	}
	return true;
}

/* Whether `mov %rsp, number` begins at `code`. */
static bool is_copy(const uint8_t *code, uint8_t number)
{
	uint8_t reg = (code[2] >> 3 & 7) | (code[0] & REX_R ? 8 : 0);
	uint8_t rm = (code[2] & 7) | (code[0] & REX_B ? 8 : 0);

	return (code[0] & 0xf8) == REX_W && code[2] >> 6 == 3 &&
	       ((code[1] == 0x89 && reg == RSP && rm == number) ||
		   (code[1] == 0x8b && reg == number && rm == RSP));
}

/* Whether compilers would keep their own stack pointer in the register that is loaded at `code`. */
static bool is_own_register(const uint8_t *code, size_t before, uint8_t number)
{
	if (is_preserved(number))
		return true;
	for (size_t back = 3; back <= before && back <= COPY_BEFORE; back++)
		if (is_copy(code - back, number))
			return stays_copy(code - back + 3, code, number);
	return false;
}

static bool is_own_memory(const ZydisDecodedOperandMem *memory)
{
	uint8_t base = number_of(memory->base);

	return base == RSP || (base == RBP && memory->disp.value < 0);
}

/* Whether the stack pointer, which the instruction at `code` sets, becomes another stack's. */
static bool is_foreign(const struct operands_decoded *at, const uint8_t *code, size_t before)
{
	const ZydisDecodedOperand *from = &at->all[1];
	uint8_t base = number_of(from->mem.base);

	if (counts_on(&at->decoded))
		return false;
	if (at->decoded.mnemonic == ZYDIS_MNEMONIC_LEA)
		return base == NO_NUMBER ||
		       (from->mem.disp.value > 0 && !is_own_register(code, before, base));
	if (at->decoded.mnemonic != ZYDIS_MNEMONIC_MOV)
		return true;
	if (from->type == ZYDIS_OPERAND_TYPE_REGISTER)
		return !is_own_register(code, before, number_of(from->reg.value));
	return from->type != ZYDIS_OPERAND_TYPE_MEMORY || !is_own_memory(&from->mem);
}

static bool is_switch(const uint8_t *code, size_t before, size_t behind)
{
	struct operands_decoded at;

	if (!decode(code, behind, &at))
		return false;
	if (at.decoded.mnemonic == ZYDIS_MNEMONIC_IRETQ)
		return true;
	for (uint8_t index = 0; index < at.decoded.operand_count_visible; index++)
		if (writes(&at.all[index], RSP))
			return is_foreign(&at, code, before);
	return false;
}

/* Whether the bytes before an instruction's REX are prefixes of it. */
static bool are_prefixes(const uint8_t *code, size_t size)
{
	static const uint8_t prefixes[] = {0x64, 0x65, 0x66, 0xf2, 0xf3};

	for (size_t at = 0; at < size; at++)
		if (!memchr(prefixes, code[at], sizeof(prefixes)))
			return false;
	return true;
}

/* Of SYNC_STARTS places a little before, how many decoding leads from to `code`. */
static uint32_t count_ways(const uint8_t *code, size_t before, size_t behind)
{
	bool leads[SYNC_BYTES + SYNC_STARTS] = {true}; /* by distance from `code` */
	ZydisDecodedInstruction decoded;
	ZydisDecoderContext context;
	ZydisDecoder decoder;
	uint32_t count = 0;

	if (before < SYNC_BYTES + SYNC_STARTS)
		return SYNC_STARTS;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t back = 1; back < SYNC_BYTES + SYNC_STARTS; back++) {
		size_t length = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, &context,
				    code - back, (ZyanUSize)(back + behind), &decoded))
				    ? decoded.length
				    : 1;

		leads[back] =
		    length <= back ? leads[back - length] : are_prefixes(code - back, back);
		count += back >= SYNC_BYTES && leads[back];
	}
	return count;
}

/* Whether what follows a popped stack pointer takes more from there, or goes away. */
static bool resumes(const uint8_t *code, size_t size)
{
	struct operands_decoded at;

	if (!decode(code, size, &at) || *code == POP_STACK_POINTER)
		return false;
	return at.decoded.mnemonic == ZYDIS_MNEMONIC_POP ||
	       at.decoded.meta.category == ZYDIS_CATEGORY_RET ||
	       at.decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
}

/* Whether the stack pointer went back to the frame's begin just before, where the one before an
 * alignment is kept: `mov %rbp, %rsp` or `add $constant, %rsp`. */
static bool is_realigned(const uint8_t *code)
{
	return !memcmp(code - 3, (uint8_t[]){0x48, 0x89, 0xec}, 3) ||
	       !memcmp(code - 3, (uint8_t[]){0x48, 0x8b, 0xe5}, 3) ||
	       !memcmp(code - 4, (uint8_t[]){0x48, 0x83, 0xc4}, 3) ||
	       !memcmp(code - 7, (uint8_t[]){0x48, 0x81, 0xc4}, 3);
}

/* Whether the bytes that look like a switch are meant as one. What few bytes say is in many places
 * by chance, among data too. */
static bool is_meant(const uint8_t *code, size_t before, size_t behind)
{
	if ((*code & 0xf8) == REX_W && (code[1] == 0x89 || code[1] == 0x8b || code[1] == 0x87))
		return count_ways(code, before, behind) > 0;
	if (*code == POP_STACK_POINTER &&
	    (!resumes(code + 1, behind - 1) || (before >= 7 && is_realigned(code))))
		return false;
	return count_ways(code, before, behind) == SYNC_STARTS;
}

bool stack_switches_in(const uint8_t *code, size_t size)
{
	for (size_t at = 0; at + LONGEST <= size; at++)
		if (may_set_stack_pointer(code + at, at) && is_switch(code + at, at, size - at) &&
		    is_meant(code + at, at, size - at))
			return true;
	return false;
}
