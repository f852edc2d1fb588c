// SPDX-License-Identifier: GPL-2.0-or-later
// Builds a machine function's basic blocks from its bytes.
#include "target/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/jump_table.h"

void flow_fini(struct flow *flow)
{
	ARRAY_FREE(&flow->instructions);
	ARRAY_FREE(&flow->blocks);
	free(flow->block_of);
	*flow = (struct flow){};
}

uint32_t flow_find(const struct flow *flow, uint64_t address)
{
	size_t low = 0, high = flow->instructions.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (flow->instructions.items[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < flow->instructions.count && flow->instructions.items[low].address == address)
		return (uint32_t)low;
	return FLOW_NONE;
}

bool flow_copy_holds(const struct image_index *index, uint32_t copy, uint64_t address)
{
	const struct function_copy *function = &index->copies.items[copy];

	for (uint32_t at = 0; at < function->range_count; at++) {
		const struct address_range *range =
		    &index->copy_ranges.items[function->first_range + at];

		if (address >= range->low && address < range->high)
			return true;
	}
	return false;
}

static int decode_range(struct flow *flow, const struct image_index *index,
    const struct address_range *range, const struct instruction_kernel *kernel)
{
	uint64_t address = range->low;
	size_t available;
	const uint8_t *bytes = image_index_bytes(index, address, &available);

	if (!bytes)
		return 0;
	if (available > range->high - range->low)
		available = range->high - range->low;
	while (available) {
		struct instruction instruction;
		int error;

		if (instruction_decode(bytes, available, address, kernel, &instruction)) {
			if (!flow->undecoded)
				flow->undecoded = address;
			break;
		}
		error = ARRAY_APPEND(&flow->instructions, instruction);
		if (error)
			return error;
		flow->has_calls |= instruction.kind == INSTRUCTION_CALL;
		flow->has_unknown_jumps |= instruction.kind == INSTRUCTION_INDIRECT_JUMP;
		bytes += instruction.length;
		address += instruction.length;
		available -= instruction.length;
	}
	return 0;
}

static int compare_instructions(const void *left, const void *right)
{
	const struct instruction *a = left, *b = right;

	return (a->address > b->address) - (a->address < b->address);
}

enum leader { LEADER = 1, LEADER_TARGET = 2, LEADER_UNKNOWN = 4 };

static void mark_targets(const struct flow *flow, uint8_t *leaders)
{
	for (uint32_t at = 0; at < flow->instructions.count; at++) {
		const struct instruction *instruction = &flow->instructions.items[at];
		uint32_t target;

		switch (instruction->kind) {
		case INSTRUCTION_JUMP:
		case INSTRUCTION_BRANCH:
			target = flow_find(flow, instruction->target);
			if (target != FLOW_NONE)
				leaders[target] |= LEADER | LEADER_TARGET;
			leaders[at + 1] |= LEADER;
			break;
		case INSTRUCTION_INDIRECT_JUMP:
		case INSTRUCTION_RETURN:
		case INSTRUCTION_STOP:
			leaders[at + 1] |= LEADER;
			break;
		default:
			break;
		}
		if (at + 1 < flow->instructions.count &&
		    instruction[1].address != instruction->address + instruction->length)
			leaders[at + 1] |= LEADER;
	}
}

/* Exceptions enter there, whatever stands before. */
static void mark_pads(const struct flow *flow, const struct image_index *index,
    const struct function_copy *function, uint8_t *leaders)
{
	for (uint32_t range = 0; range < function->range_count; range++) {
		const struct address_range *code =
		    &index->copy_ranges.items[function->first_range + range];

		for (size_t at = image_index_pad_from(index, code->low);
		     at < index->landing_pads.count && index->landing_pads.items[at] < code->high;
		     at++) {
			uint32_t pad = flow_find(flow, index->landing_pads.items[at]);

			if (pad != FLOW_NONE)
				leaders[pad] |= LEADER | LEADER_UNKNOWN;
		}
	}
}

struct table_reader {
	const struct flow *flow;
	uint8_t *leaders;
};

static bool mark_table_target(void *context, uint64_t address)
{
	struct table_reader *reader = context;
	uint32_t target = flow_find(reader->flow, address);

	if (target == FLOW_NONE)
		return false;
	reader->leaders[target] |= LEADER | LEADER_UNKNOWN;
	return true;
}

/* Marks what the function's jump tables name; false: no table was found. */
static bool mark_tables(const struct flow *flow, const struct image_index *index, uint8_t *leaders)
{
	struct table_reader reader = {flow, leaders};
	size_t entries = 0, available;

	ARRAY_FOREACH (instruction, &flow->instructions)
		if (instruction->data && !image_index_bytes(index, instruction->data, &available))
			entries +=
			    jump_table_read(index, instruction->data, mark_table_target, &reader);
	return entries > 0;
}

/* What a switch selects begins a statement. */
static void mark_rows(const struct flow *flow, const struct image_index *index, uint8_t *leaders)
{
	uint32_t at = 0;

	while (at < flow->instructions.count) {
		size_t row = image_index_row_from(index, flow->instructions.items[at].address);

		if (row >= index->rows.count)
			break;
		while (at < flow->instructions.count &&
		       flow->instructions.items[at].address < index->rows.items[row].address)
			at++;
		if (at < flow->instructions.count &&
		    flow->instructions.items[at].address == index->rows.items[row].address) {
			leaders[at] |= LEADER | LEADER_UNKNOWN;
			at++;
		}
	}
}

static int cut_blocks(struct flow *flow, const uint8_t *leaders)
{
	for (uint32_t at = 0; at < flow->instructions.count; at++) {
		if (leaders[at]) {
			int error = ARRAY_APPEND(
			    &flow->blocks, (struct flow_block){
					       .first = at,
					       .successors = {FLOW_NONE, FLOW_NONE},
					       .jumped_to = leaders[at] & LEADER_TARGET,
					       .unknown_entry = leaders[at] & LEADER_UNKNOWN,
					   });
			if (error)
				return error;
		}
		flow->blocks.items[flow->blocks.count - 1].count++;
		flow->block_of[at] = (uint32_t)flow->blocks.count - 1;
	}
	return 0;
}

static void link_blocks(struct flow *flow)
{
	for (uint32_t at = 0; at < flow->blocks.count; at++) {
		struct flow_block *block = &flow->blocks.items[at];
		const struct instruction *last =
		    &flow->instructions.items[block->first + block->count - 1];
		uint32_t target = FLOW_NONE, next = block->first + block->count;

		if (last->kind == INSTRUCTION_JUMP || last->kind == INSTRUCTION_BRANCH)
			target = flow_find(flow, last->target);
		if (target != FLOW_NONE)
			block->successors[0] = flow->block_of[target];
		if (last->kind == INSTRUCTION_JUMP || last->kind == INSTRUCTION_RETURN ||
		    last->kind == INSTRUCTION_STOP || last->kind == INSTRUCTION_INDIRECT_JUMP)
			continue;
		if (next < flow->instructions.count &&
		    flow->instructions.items[next].address == last->address + last->length)
			block->successors[1] = flow->block_of[next];
	}
}

static void empty(struct flow *flow)
{
	flow->instructions.count = flow->blocks.count = 0;
	free(flow->block_of);
	flow->block_of = NULL;
	flow->has_calls = flow->has_unknown_jumps = false;
	flow->undecoded = 0;
}

int flow_build(struct flow *flow, const struct image_index *index, uint32_t copy,
    const struct instruction_kernel *kernel)
{
	const struct function_copy *function = &index->copies.items[copy];
	CLEANUP_FREE uint8_t *leaders = NULL;
	uint32_t entry;
	int error;

	empty(flow);
	for (uint32_t at = 0; at < function->range_count; at++) {
		error = decode_range(
		    flow, index, &index->copy_ranges.items[function->first_range + at], kernel);
		if (error)
			return error;
	}
	if (!flow->instructions.count)
		return 0;
	ARRAY_SORT(&flow->instructions, compare_instructions);
	leaders = calloc(flow->instructions.count + 1, 1);
	flow->block_of = calloc(flow->instructions.count, sizeof(*flow->block_of));
	if (!leaders || !flow->block_of)
		return -ENOMEM;
	leaders[0] = LEADER;
	entry = flow_find(flow, function->entry);
	if (entry != FLOW_NONE)
		leaders[entry] |= LEADER;
	mark_targets(flow, leaders);
	mark_pads(flow, index, function, leaders);
	if (flow->has_unknown_jumps && mark_tables(flow, index, leaders))
		flow->has_unknown_jumps = false;
	if (flow->has_unknown_jumps)
		mark_rows(flow, index, leaders);
	error = cut_blocks(flow, leaders);
	if (!error)
		link_blocks(flow);
	return error;
}
