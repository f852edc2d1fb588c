// SPDX-License-Identifier: GPL-2.0-or-later
// Decodes x86-64 instructions and knows which of them the kernel's uprobes emulate, refuse or
// break.
//
// The lists follow arch/x86/kernel/uprobes.c: is_prefix_bad(), good_insns_64, good_2byte_insns,
// branch_setup_xol_ops() and push_setup_xol_ops(). Where that file leaves doubt, a probe is
// refused: there is nearly always another instruction in the same block.
#include "target/instruction.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <Zydis/Zydis.h>

static const ZydisDecoder *decoder(void)
{
	static ZydisDecoder shared;
	static bool ready;

	if (!ready) {
		ZydisDecoderInit(&shared, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
		ready = true;
	}
	return &shared;
}

static bool has_prefix(const ZydisDecodedInstruction *decoded, uint8_t prefix)
{
	for (uint8_t at = 0; at < decoded->raw.prefix_count; at++)
		if (decoded->raw.prefixes[at].value == prefix)
			return true;
	return false;
}

/* One-byte opcodes outside good_insns_64; the kernel tests VEX and EVEX opcodes by the same table.
 */
static bool opcode_is_bad(uint8_t opcode)
{
	static const uint8_t bad[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37,
	    0x3f, 0x60, 0x61, 0x62, 0x6c, 0x6d, 0x6e, 0x6f, 0x82, 0x9a, 0xcc, 0xcd, 0xce, 0xcf,
	    0xd4, 0xd5, 0xd6, 0xe4, 0xe5, 0xe6, 0xe7, 0xea, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf4,
	    0xfa, 0xfb};

	return memchr(bad, opcode, sizeof(bad)) != NULL;
}

/* Two-byte opcodes (0f xx) that are privileged, undefined, or enter the kernel. */
static bool opcode_0f_is_bad(uint8_t opcode)
{
	return opcode == 0x04 || opcode == 0x05 || opcode == 0x07 || opcode == 0x0a ||
	       opcode == 0x0b || (opcode >= 0x20 && opcode <= 0x27) ||
	       (opcode >= 0x30 && opcode <= 0x37) || opcode == 0xaa || opcode == 0xb9 ||
	       opcode == 0xff;
}

/*
 * Opcode bytes of VEX and EVEX instructions that the kernel takes for the one-byte opcode of the
 * same value: branches and nops, which it then emulates instead (vpcmpeqb's 74 as a je, vpor's eb
 * as a jmp), returns and calls (vcmppd's c2), after which it leaves the instruction pointer in the
 * copy, and popf (vfnmadd's 9d), after which it leaves the trap flag set.
 */
static bool opcode_is_mistaken(uint8_t opcode)
{
	return (opcode >= 0x70 && opcode <= 0x7f) || opcode == 0x90 || opcode == 0x9a ||
	       opcode == 0x9d || opcode == 0xc2 || opcode == 0xc3 || opcode == 0xca ||
	       opcode == 0xcb || (opcode >= 0xe8 && opcode <= 0xeb) || opcode == 0xff;
}

static bool is_string_operation(const ZydisDecodedInstruction *decoded)
{
	uint8_t opcode = decoded->opcode;

	return decoded->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
	       decoded->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
	       ((opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf));
}

static bool is_nop5(const ZydisDecodedInstruction *decoded)
{
	return decoded->length == 5 && decoded->mnemonic == ZYDIS_MNEMONIC_NOP;
}

static const char *legacy_refusal(const ZydisDecodedInstruction *decoded)
{
	if (decoded->opcode_map == ZYDIS_OPCODE_MAP_0F)
		return opcode_0f_is_bad(decoded->opcode) ? "enters the kernel or is refused by it"
							 : NULL;
	if (decoded->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT)
		return NULL;
	if (opcode_is_bad(decoded->opcode))
		return "refused by the kernel";
	switch (decoded->opcode) {
	case 0x90:
		return decoded->length == 1 ? NULL : "taken for a plain nop by the kernel";
	case 0x9c:
	case 0x9d:
		return "moves the flags, in which a single step shows";
	case 0x8e:
		return "delays the single step's trap";
	case 0xc6:
	case 0xc7:
		return decoded->raw.modrm.reg == 7 ? "a transaction" : NULL;
	case 0xff:
		return decoded->raw.modrm.reg == 3 || decoded->raw.modrm.reg == 5 ? "a far transfer"
										  : NULL;
	case 0xca:
	case 0xcb:
		return "a far transfer";
	default:
		return NULL;
	}
}

static const char *refusal(
    const ZydisDecodedInstruction *decoded, const struct instruction_kernel *kernel)
{
	static const uint8_t bad_prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0xf0};

	for (size_t at = 0; at < sizeof(bad_prefixes); at++)
		if (has_prefix(decoded, bad_prefixes[at]))
			return "has a prefix that the kernel refuses";
	if (decoded->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE && has_prefix(decoded, 0x66))
		return "a branch with an operand-size prefix";
	if (is_nop5(decoded) && kernel->rewrites_nop5)
		return "a 5-byte nop, which this kernel rewrites into a call";
	if (kernel->shadow_stack && decoded->meta.category == ZYDIS_CATEGORY_CALL)
		return "a call in a process with a shadow stack";
	if (is_string_operation(decoded) &&
	    (has_prefix(decoded, 0xf2) || has_prefix(decoded, 0xf3)))
		return "a repeated string operation";
	switch (decoded->mnemonic) {
	case ZYDIS_MNEMONIC_XBEGIN:
	case ZYDIS_MNEMONIC_XEND:
	case ZYDIS_MNEMONIC_XABORT:
	case ZYDIS_MNEMONIC_XTEST:
		return "a transaction";
	default:
		break;
	}
	switch (decoded->encoding) {
	case ZYDIS_INSTRUCTION_ENCODING_LEGACY:
		return legacy_refusal(decoded);
	case ZYDIS_INSTRUCTION_ENCODING_VEX:
	case ZYDIS_INSTRUCTION_ENCODING_EVEX:
		if (opcode_is_mistaken(decoded->opcode))
			return "a vector instruction that the kernel takes for another";
		return opcode_is_bad(decoded->opcode) ? "refused by the kernel" : NULL;
	default:
		return "an encoding that the kernel does not know";
	}
}

static bool is_near_branch_by_flags(const ZydisDecodedInstruction *decoded)
{
	if (decoded->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return false;
	if (decoded->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
		return decoded->opcode >= 0x70 && decoded->opcode <= 0x7f;
	return decoded->opcode_map == ZYDIS_OPCODE_MAP_0F && decoded->opcode >= 0x80 &&
	       decoded->opcode <= 0x8f;
}

static bool is_emulated(
    const ZydisDecodedInstruction *decoded, const struct instruction_kernel *kernel)
{
	uint8_t opcode = decoded->opcode;

	if (decoded->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return false;
	if (is_near_branch_by_flags(decoded))
		return true;
	if (kernel->emulates_all_nops && decoded->mnemonic == ZYDIS_MNEMONIC_NOP &&
	    decoded->opcode_map == ZYDIS_OPCODE_MAP_0F)
		return true;
	if (decoded->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT)
		return false;
	if (opcode == 0xe8 || opcode == 0xe9 || opcode == 0xeb)
		return true;
	if (opcode == 0x90)
		return decoded->length == 1;
	return opcode >= 0x50 && opcode <= 0x57 &&
	       (decoded->length == 1 || (decoded->length == 2 && decoded->raw.rex.B &&
					    !decoded->raw.rex.W && !decoded->raw.rex.R &&
					    !decoded->raw.rex.X && decoded->raw.prefix_count == 1));
}

static enum instruction_kind kind_of(const ZydisDecodedInstruction *decoded)
{
	bool relative = decoded->raw.imm[0].is_relative;

	switch (decoded->meta.category) {
	case ZYDIS_CATEGORY_CALL:
		return INSTRUCTION_CALL;
	case ZYDIS_CATEGORY_RET:
		return INSTRUCTION_RETURN;
	case ZYDIS_CATEGORY_COND_BR:
		return INSTRUCTION_BRANCH;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return relative ? INSTRUCTION_JUMP : INSTRUCTION_INDIRECT_JUMP;
	default:
		break;
	}
	if (decoded->mnemonic == ZYDIS_MNEMONIC_UD2 || decoded->mnemonic == ZYDIS_MNEMONIC_HLT ||
	    decoded->mnemonic == ZYDIS_MNEMONIC_INT3)
		return INSTRUCTION_STOP;
	return INSTRUCTION_PLAIN;
}

static bool is_slow(const ZydisDecodedInstruction *decoded)
{
	if (decoded->meta.category == ZYDIS_CATEGORY_CALL ||
	    decoded->meta.category == ZYDIS_CATEGORY_SYSCALL ||
	    decoded->meta.category == ZYDIS_CATEGORY_INTERRUPT)
		return true;
	if (is_string_operation(decoded))
		return has_prefix(decoded, 0xf2) || has_prefix(decoded, 0xf3);
	switch (decoded->mnemonic) {
	case ZYDIS_MNEMONIC_CPUID:
	case ZYDIS_MNEMONIC_PAUSE:
	case ZYDIS_MNEMONIC_TPAUSE:
	case ZYDIS_MNEMONIC_UMWAIT:
	case ZYDIS_MNEMONIC_RDRAND:
	case ZYDIS_MNEMONIC_RDSEED:
	case ZYDIS_MNEMONIC_SYSENTER:
		return true;
	default:
		return false;
	}
}

/* The address that a memory operand names by itself: rip-relative, or a 32-bit displacement. */
static uint64_t data_of(const ZydisDecodedInstruction *decoded, uint64_t address)
{
	if (!(decoded->attributes & ZYDIS_ATTRIB_HAS_MODRM) || decoded->raw.modrm.mod == 3)
		return 0;
	if (decoded->raw.modrm.mod == 0 && decoded->raw.modrm.rm == 5)
		return address + decoded->length + decoded->raw.disp.value;
	if (decoded->raw.disp.size == 32 && decoded->raw.disp.value > 0)
		return decoded->raw.disp.value;
	return 0;
}

int instruction_decode(const uint8_t *bytes, size_t available, uint64_t address,
    const struct instruction_kernel *kernel, struct instruction *ret_instruction)
{
	ZydisDecodedInstruction decoded;
	ZydisDecoderContext context;

	if (!ZYAN_SUCCESS(
		ZydisDecoderDecodeInstruction(decoder(), &context, bytes, available, &decoded)))
		return -EILSEQ;
	*ret_instruction = (struct instruction){
	    .address = address,
	    .length = decoded.length,
	    .kind = kind_of(&decoded),
	    .emulated = is_emulated(&decoded, kernel),
	    .slow = is_slow(&decoded),
	    .condition = is_near_branch_by_flags(&decoded) ? decoded.opcode & 0xf : 0xff,
	    .refused = refusal(&decoded, kernel),
	    .data = data_of(&decoded, address),
	};
	if (decoded.raw.imm[0].is_relative)
		ret_instruction->target = address + decoded.length + decoded.raw.imm[0].value.s;
	if (ret_instruction->kind == INSTRUCTION_INDIRECT_JUMP)
		ret_instruction->switch_like = decoded.raw.modrm.mod != 3 &&
					       decoded.raw.modrm.rm == 4 &&
					       decoded.raw.sib.index != 4;
	return 0;
}

static bool operand_is_stack_pointer(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand->reg.value) ==
		   ZYDIS_REGISTER_RSP;
}

bool instruction_stack_change(
    const uint8_t *bytes, size_t available, uint64_t address, int32_t *ret_change)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction decoded;
	bool writes = false;

	(void)address;
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder(), bytes, available, &decoded, operands)))
		return false;
	for (uint8_t at = 0; at < decoded.operand_count; at++)
		if (operand_is_stack_pointer(&operands[at]) &&
		    operands[at].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			writes = true;
	*ret_change = 0;
	if (!writes)
		return true;
	if (decoded.mnemonic == ZYDIS_MNEMONIC_PUSH && decoded.operand_width == 64) {
		*ret_change = -8;
		return true;
	}
	if (decoded.mnemonic == ZYDIS_MNEMONIC_SUB && operand_is_stack_pointer(&operands[0]) &&
	    operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].size == 64 &&
	    operands[1].imm.value.s >= 0 && operands[1].imm.value.s < 1 << 24) {
		*ret_change = (int32_t)-operands[1].imm.value.s;
		return true;
	}
	return false;
}

void instruction_format(
    const uint8_t *bytes, size_t available, uint64_t address, char *text, size_t size)
{
	static ZydisFormatter formatter;
	static bool ready;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction decoded;

	if (!ready) {
		ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT);
		ready = true;
	}
	if (!ZYAN_SUCCESS(
		ZydisDecoderDecodeFull(decoder(), bytes, available, &decoded, operands)) ||
	    !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &decoded, operands,
		decoded.operand_count_visible, text, size, address, NULL)))
		snprintf(text, size, "(bad)");
}
