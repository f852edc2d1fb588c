// SPDX-License-Identifier: GPL-2.0-or-later
// Follows the stack pointer and its copies in registers through a machine function, to find what it
// does with the stack beyond its own frame.
//
// A *place* is the distance from the return address, which is place 0 and is where the stack
// pointer stands at the entry. Each register holds a known place or none. Blocks are visited with
// what reaches them first, and again while that becomes less; what any visit finds counts, so that
// more is found than there is, but not less. Copies in memory are not followed: what takes them
// there is found.
#include "target/stack_use.h"

#include <errno.h>
#include <stdlib.h>

#include <Zydis/Zydis.h>

#define REGISTERS      16
#define NOWHERE        INT32_MIN
#define PLACES_MOST    (1 << 24) /* farther is none */
#define WORD           8
#define FRAME_POINTER  (-WORD) /* the place of the caller's, after `push %rbp` */
#define RSP            (ZYDIS_REGISTER_RSP - ZYDIS_REGISTER_RAX)
#define RBP            (ZYDIS_REGISTER_RBP - ZYDIS_REGISTER_RAX)
#define RAX            0
#define NUMBER(letter) (ZYDIS_REGISTER_R##letter - ZYDIS_REGISTER_RAX)

struct places {
	int32_t of[REGISTERS];
};

struct instruction_operands {
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand all[ZYDIS_MAX_OPERAND_COUNT];
};

struct search {
	const struct flow *flow;
	const struct image_index *index;
	ZydisDecoder decoder;
	struct places *arriving; /* by block */
	bool *reached, *waiting;
	uint32_t use;
};

static void search_fini(struct search *search)
{
	free(search->arriving);
	free(search->reached);
	free(search->waiting);
}

/* The number of the general register that holds `name`, or REGISTERS. */
static uint32_t number_of(ZydisRegister name)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name);

	return whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15
		   ? (uint32_t)(whole - ZYDIS_REGISTER_RAX)
		   : REGISTERS;
}

static int32_t place_plus(int32_t place, int64_t more)
{
	if (place == NOWHERE || more > PLACES_MOST || more < -PLACES_MOST ||
	    place + more > PLACES_MOST || place + more < -PLACES_MOST)
		return NOWHERE;
	return place + (int32_t)more;
}

/* The place of a register operand's whole value. */
static int32_t place_in(const struct places *places, const ZydisDecodedOperand *operand)
{
	uint32_t number = operand->type == ZYDIS_OPERAND_TYPE_REGISTER && operand->size == 64
			      ? number_of(operand->reg.value)
			      : REGISTERS;

	return number < REGISTERS ? places->of[number] : NOWHERE;
}

/* The place that a memory operand names. */
static int32_t place_at(const struct places *places, const ZydisDecodedOperand *operand)
{
	uint32_t number = number_of(operand->mem.base);

	if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || number == REGISTERS ||
	    operand->mem.index != ZYDIS_REGISTER_NONE)
		return NOWHERE;
	return place_plus(places->of[number], operand->mem.disp.value);
}

/* Whether the function has nothing of its own at a place: its return address, or its caller's frame
 * pointer. */
static bool is_foreign(const struct places *places, int32_t place, int32_t size)
{
	int32_t lowest = places->of[RBP] == FRAME_POINTER ? FRAME_POINTER : 0;

	return place != NOWHERE && place < WORD && place + size > lowest;
}

/* Whether the register's value tells others where the return address is. */
static bool tells(const struct places *places, uint32_t number)
{
	return is_foreign(places, places->of[number], 1);
}

static void look_at_operands(
    struct search *search, const struct places *places, const struct instruction_operands *operands)
{
	const ZydisDecodedOperand *all = operands->all;
	bool stores = operands->decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
		      all[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
	int32_t value = stores ? place_in(places, &all[1]) : NOWHERE;

	for (uint8_t at = 0; at < operands->decoded.operand_count_visible; at++)
		if (all[at].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    all[at].mem.type == ZYDIS_MEMOP_TYPE_MEM &&
		    is_foreign(places, place_at(places, &all[at]), all[at].size / 8))
			search->use |= STACK_USE_RETURN_ADDRESS;
	if (value != NOWHERE && is_foreign(places, value, 1))
		search->use |= STACK_USE_RETURN_ADDRESS;
	if (operands->decoded.mnemonic == ZYDIS_MNEMONIC_POP && places->of[RSP] == 0)
		search->use |= STACK_USE_RETURN_ADDRESS;
}

/* Where control goes to others: what they are given, and what they leave. */
static void look_at_leaving(
    struct search *search, struct places *places, const struct instruction_operands *operands)
{
	static const uint32_t arguments[] = {
	    NUMBER(DI), NUMBER(SI), NUMBER(DX), NUMBER(CX), NUMBER(8), NUMBER(9)};
	static const uint32_t clobbered[] = {RAX, NUMBER(DI), NUMBER(SI), NUMBER(DX), NUMBER(CX),
	    NUMBER(8), NUMBER(9), NUMBER(10), NUMBER(11)};

	if (operands->decoded.meta.category == ZYDIS_CATEGORY_RET && tells(places, RAX))
		search->use |= STACK_USE_RETURN_ADDRESS;
	if (operands->decoded.meta.category != ZYDIS_CATEGORY_CALL &&
	    operands->decoded.meta.category != ZYDIS_CATEGORY_UNCOND_BR)
		return;
	for (size_t at = 0; at < sizeof(arguments) / sizeof(*arguments); at++)
		if (tells(places, arguments[at]))
			search->use |= STACK_USE_RETURN_ADDRESS;
	if (operands->decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR)
		return;
	for (size_t at = 0; at < sizeof(clobbered) / sizeof(*clobbered); at++)
		places->of[clobbered[at]] = NOWHERE;
}

/* The place of the first operand afterwards, where it is a register's whole. */
static int32_t place_after(const struct places *places, const struct instruction_operands *operands)
{
	const ZydisDecodedOperand *all = operands->all;
	bool constant = all[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;

	switch (operands->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return place_in(places, &all[1]);
	case ZYDIS_MNEMONIC_LEA:
		return all[0].size == 64 ? place_at(places, &all[1]) : NOWHERE;
	case ZYDIS_MNEMONIC_ADD:
		return constant ? place_plus(place_in(places, &all[0]), all[1].imm.value.s)
				: NOWHERE;
	case ZYDIS_MNEMONIC_SUB:
		return constant ? place_plus(place_in(places, &all[0]), -all[1].imm.value.s)
				: NOWHERE;
	default:
		return NOWHERE;
	}
}

/* Whether an instruction made the stack pointer, which is nowhere known then, from what it was, or
 * from what the function kept in its frame: an alignment, an array of variable size. */
static bool stays_on_stack(const struct places *places, const struct instruction_operands *operands)
{
	const ZydisDecodedOperand *from = &operands->all[1];

	switch (operands->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_SUB:
		return true;
	case ZYDIS_MNEMONIC_ADD:
		return from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	case ZYDIS_MNEMONIC_LEA:
		return number_of(from->mem.base) == RSP;
	case ZYDIS_MNEMONIC_MOV:
		return from->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		       (number_of(from->mem.base) == RSP || place_at(places, from) != NOWHERE);
	default:
		return false;
	}
}

/* Whether the stack pointer is an operand that is written, as opposed to what a push does, or all
 * of it comes from elsewhere. */
static bool sets_stack_pointer(const struct instruction_operands *operands)
{
	for (uint8_t at = 0; at < operands->decoded.operand_count_visible; at++)
		if (operands->all[at].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    number_of(operands->all[at].reg.value) == RSP &&
		    operands->all[at].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			return true;
	return operands->decoded.mnemonic == ZYDIS_MNEMONIC_LEAVE ||
	       operands->decoded.mnemonic == ZYDIS_MNEMONIC_IRETQ;
}

static void move_registers(
    struct search *search, struct places *places, const struct instruction_operands *operands)
{
	int32_t first = place_after(places, operands), stack = places->of[RSP];
	const ZydisDecodedOperand *all = operands->all;
	struct places after = *places;

	for (uint8_t at = 0; at < operands->decoded.operand_count; at++) {
		uint32_t number = all[at].type == ZYDIS_OPERAND_TYPE_REGISTER &&
					  all[at].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE
				      ? number_of(all[at].reg.value)
				      : REGISTERS;

		if (number < REGISTERS)
			after.of[number] = at == 0 ? first : NOWHERE;
	}
	switch (operands->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_PUSHFQ:
		after.of[RSP] = place_plus(stack, -(int32_t)operands->decoded.operand_width / 8);
		break;
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_POPFQ:
		after.of[RSP] = place_plus(stack, operands->decoded.operand_width / 8);
		break;
	case ZYDIS_MNEMONIC_LEAVE:
		after.of[RSP] = place_plus(places->of[RBP], WORD);
		break;
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_RET:
		after.of[RSP] = stack;
		break;
	default:
		break;
	}
	if (sets_stack_pointer(operands) &&
	    (operands->decoded.mnemonic == ZYDIS_MNEMONIC_POP ||
		(after.of[RSP] == NOWHERE && !stays_on_stack(places, operands))))
		search->use |= STACK_USE_MOVES;
	*places = after;
}

static void step(struct search *search, struct places *places, uint64_t address)
{
	struct instruction_operands operands;
	size_t available;
	const uint8_t *bytes = image_index_bytes(search->index, address, &available);

	if (!bytes || !ZYAN_SUCCESS(ZydisDecoderDecodeFull(
			  &search->decoder, bytes, available, &operands.decoded, operands.all)))
		return;
	look_at_operands(search, places, &operands);
	look_at_leaving(search, places, &operands);
	move_registers(search, places, &operands);
}

/* What reaches the block by one more way. */
static void arrive(struct search *search, uint32_t block, const struct places *places)
{
	struct places *known = &search->arriving[block];

	if (!search->reached[block]) {
		*known = *places;
		search->reached[block] = search->waiting[block] = true;
		return;
	}
	for (uint32_t at = 0; at < REGISTERS; at++) {
		if (known->of[at] == NOWHERE || known->of[at] == places->of[at])
			continue;
		known->of[at] = NOWHERE;
		search->waiting[block] = true;
	}
}

static void visit(struct search *search, uint32_t id)
{
	const struct flow *flow = search->flow;
	const struct flow_block *block = &flow->blocks.items[id];
	struct places places = search->arriving[id];
	uint32_t last = block->first + block->count - 1;

	for (uint32_t at = block->first; at <= last; at++)
		step(search, &places, flow->instructions.items[at].address);
	for (uint32_t way = 0; way < 2; way++)
		if (block->successors[way] != FLOW_NONE)
			arrive(search, block->successors[way], &places);
	if (flow->instructions.items[last].kind != INSTRUCTION_INDIRECT_JUMP)
		return;
	for (uint32_t at = 0; at < flow->blocks.count; at++)
		if (flow->blocks.items[at].unknown_entry)
			arrive(search, at, &places);
}

static void visit_all(struct search *search)
{
	bool more = true;

	while (more) {
		more = false;
		for (uint32_t id = 0; id < search->flow->blocks.count; id++) {
			if (!search->waiting[id])
				continue;
			search->waiting[id] = false;
			visit(search, id);
			more = true;
		}
	}
}

int stack_use_find(
    const struct flow *flow, const struct image_index *index, uint32_t copy, uint32_t *ret_use)
{
	CLEANUP(search_fini) struct search search = {.flow = flow, .index = index};
	uint32_t entry = flow_find(flow, index->copies.items[copy].entry);
	struct places places;

	*ret_use = 0;
	if (entry == FLOW_NONE)
		return 0;
	search.arriving = calloc(flow->blocks.count, sizeof(*search.arriving));
	search.reached = calloc(flow->blocks.count, sizeof(*search.reached));
	search.waiting = calloc(flow->blocks.count, sizeof(*search.waiting));
	if (!search.arriving || !search.reached || !search.waiting)
		return -ENOMEM;
	ZydisDecoderInit(&search.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (uint32_t at = 0; at < REGISTERS; at++)
		places.of[at] = NOWHERE;
	places.of[RSP] = 0;
	arrive(&search, flow->block_of[entry], &places);
	visit_all(&search);
	*ret_use = search.use;
	return 0;
}
