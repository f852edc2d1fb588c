// SPDX-License-Identifier: GPL-2.0-or-later
// Places the probes at a machine function's entry and, where returns are not probed, at its exits.
//
// An entry probe need not stand on the first instruction. Any instruction of the first block serves
// as long as nothing slow came before it, and the stack pointer's distance from the return address
// is known there; a return probe even needs it to be zero, for the kernel replaces what it points
// at.
//
// Go functions begin by comparing the stack pointer with the stack's end. If there is no room, they
// jump to where the stack grows and begin again. That happens deeper than frames are kept, too, so
// nothing that is remembered could tell a beginning from the one before: the probe stands on the
// jump, whose condition tells.
#include "target/plan_builder.h"

#include <errno.h>

static bool exits_by_return(const struct builder *builder)
{
	return builder->plan->functions.items[builder->function].exit == PLAN_EXIT_RETURN;
}

/* Follows the stack pointer over one instruction; false: it cannot be followed. */
static bool follow_stack(
    struct builder *builder, const struct instruction *instruction, int32_t *offset)
{
	size_t available;
	const uint8_t *bytes = image_index_bytes(builder->index, instruction->address, &available);
	int32_t change;

	if (!bytes || !instruction_stack_change(bytes, available, instruction->address, &change))
		return false;
	*offset -= change;
	return true;
}

/* The cheapest safe instruction for the entry, or FLOW_NONE. */
static uint32_t entry_place(
    struct builder *builder, const struct flow_block *block, int32_t *ret_stack_offset)
{
	bool at_return_address = exits_by_return(builder);
	uint32_t place = FLOW_NONE;
	int32_t offset = 0;

	for (uint32_t at = block->first; at < block->first + block->count; at++) {
		const struct instruction *instruction = &builder->flow.instructions.items[at];

		if (!instruction->refused && (place == FLOW_NONE || instruction->emulated)) {
			place = at;
			*ret_stack_offset = offset;
			if (instruction->emulated)
				break;
		}
		if (instruction->slow || !follow_stack(builder, instruction, &offset) ||
		    (at_return_address && offset))
			break;
	}
	return place;
}

bool builder_precedes_entry(const struct builder *builder, uint32_t at)
{
	uint32_t entry =
	    flow_find(&builder->flow, builder->index->copies.items[builder->copy].entry);

	return builder->growth_end &&
	       ((at >= entry && at < builder->entry_site) ||
		   (at >= builder->growth_first && at < builder->growth_end));
}

/* The end of what begins at instruction `at`, calls something and goes to the entry; 0: other
 * code. */
static uint32_t growth_end(const struct builder *builder, uint32_t at)
{
	uint64_t entry = builder->index->copies.items[builder->copy].entry;
	bool calls = false;

	for (; at < builder->flow.instructions.count; at++) {
		const struct instruction *instruction = &builder->flow.instructions.items[at];

		if (instruction->kind == INSTRUCTION_JUMP)
			return calls && instruction->target == entry ? at + 1 : 0;
		calls |= instruction->kind == INSTRUCTION_CALL;
		if (instruction->kind != INSTRUCTION_PLAIN && instruction->kind != INSTRUCTION_CALL)
			break;
	}
	return 0;
}

/* The last jump to growing the stack, from instruction `entry` on; FLOW_NONE: none. */
static uint32_t growth_jump(struct builder *builder, uint32_t entry)
{
	const struct instruction *all = builder->flow.instructions.items;
	uint32_t jump = FLOW_NONE;
	int32_t offset = 0;

	if (!(builder->index->traits & IMAGE_GO))
		return FLOW_NONE;
	for (uint32_t at = entry; at < builder->flow.instructions.count; at++) {
		uint32_t target = flow_find(&builder->flow, all[at].target), end;

		if (all[at].slow || !follow_stack(builder, &all[at], &offset) || offset)
			break;
		if (all[at].kind == INSTRUCTION_PLAIN)
			continue;
		if (all[at].kind != INSTRUCTION_BRANCH || all[at].condition == 0xff ||
		    all[at].refused || target == FLOW_NONE)
			break;
		end = growth_end(builder, target);
		if (!end || (jump != FLOW_NONE && target != builder->growth_first))
			break;
		jump = at;
		builder->growth_first = target;
		builder->growth_end = end;
	}
	return jump;
}

static void place_growing_entry(struct builder *builder, uint32_t entry, uint32_t jump)
{
	const struct instruction *all = builder->flow.instructions.items;
	struct draft *draft = &builder->drafts[jump];

	builder->entry_site = jump;
	draft->roles |= SITE_ENTRY | SITE_GROWS | all[jump].condition << SITE_CONDITION_SHIFT;
	draft->moved = (uint8_t)(all[jump].address - all[entry].address);
}

static int place_entry(struct builder *builder)
{
	const struct function_copy *copy = &builder->index->copies.items[builder->copy];
	uint32_t entry = flow_find(&builder->flow, copy->entry), place;
	const struct flow_block *block;
	int32_t stack_offset = 0;
	struct draft *draft;

	if (entry == FLOW_NONE)
		return builder_leave_out(
		    builder, copy->entry, INDEX_NONE, "its first bytes are no instruction");
	place = growth_jump(builder, entry);
	if (place != FLOW_NONE) {
		place_growing_entry(builder, entry, place);
		return 0;
	}
	block = &builder->flow.blocks.items[builder->flow.block_of[entry]];
	place = entry_place(builder, block, &stack_offset);
	if (place == FLOW_NONE)
		return builder_leave_out(builder, copy->entry, INDEX_NONE,
		    "no instruction at its entry can be probed safely");
	builder->entry_site = place;
	draft = &builder->drafts[place];
	draft->roles |= SITE_ENTRY;
	draft->stack_offset = stack_offset;
	draft->moved = (uint8_t)(builder->flow.instructions.items[place].address - copy->entry);
	if (exits_by_return(builder))
		draft->roles |= SITE_RETURN;
	if (copy->kind == COPY_PART)
		draft->roles |= SITE_PART;
	if (block->jumped_to)
		draft->roles |= SITE_LOOP;
	return 0;
}

/* Whether a jump out of the copy stays in its source function: then no call ends. */
static bool stays_in_function(const struct builder *builder, uint64_t target)
{
	uint32_t other;

	if (flow_copy_holds(builder->index, builder->copy, target))
		return true;
	other = image_index_copy_at(builder->index, target);
	return other != INDEX_NONE && builder->index->copies.items[other].kind != COPY_WHOLE &&
	       builder->index->copies.items[other].source ==
		   builder->index->copies.items[builder->copy].source;
}

static bool is_exit(const struct builder *builder, const struct instruction *instruction)
{
	switch (instruction->kind) {
	case INSTRUCTION_RETURN:
		return true;
	case INSTRUCTION_JUMP:
	case INSTRUCTION_BRANCH:
		return !stays_in_function(builder, instruction->target);
	case INSTRUCTION_INDIRECT_JUMP:
		/* A refused one is `notrack`: a switch. Others are told at the hit, by the stack.
		 */
		return !instruction->switch_like && !instruction->refused;
	default:
		return false;
	}
}

/* Where returns are probed for now, the exit sites stand by. */
static int place_exits(struct builder *builder, bool stand_by)
{
	for (uint32_t at = 0; at < builder->flow.instructions.count; at++) {
		const struct instruction *instruction = &builder->flow.instructions.items[at];
		struct draft *draft = &builder->drafts[at];
		bool by_flags = instruction->condition != 0xff;
		uint16_t roles = SITE_EXIT;
		int error = 0;

		if (!is_exit(builder, instruction))
			continue;
		if (instruction->refused)
			error = builder_leave_out(
			    builder, instruction->address, INDEX_NONE, instruction->refused);
		else if (instruction->kind == INSTRUCTION_BRANCH && !by_flags)
			error = builder_leave_out(builder, instruction->address, INDEX_NONE,
			    "a conditional jump out of the function that tests no flags");
		else if (instruction->kind == INSTRUCTION_BRANCH)
			roles |= SITE_CONDITIONAL | instruction->condition << SITE_CONDITION_SHIFT;
		if (error)
			return error;
		if (instruction->refused || (instruction->kind == INSTRUCTION_BRANCH && !by_flags))
			continue;
		if (builder->index->copies.items[builder->copy].kind == COPY_PART)
			roles |= SITE_PART;
		if (stand_by)
			draft->standby = roles;
		else
			draft->roles |= roles;
	}
	return 0;
}

int plan_entries(struct builder *builder)
{
	int error;

	builder->entry_site = FLOW_NONE;
	builder->growth_first = builder->growth_end = 0;
	if (builder->function == NO_FUNCTION)
		return 0;
	if (builder->index->copies.items[builder->copy].kind != COPY_COLD) {
		error = place_entry(builder);
		if (error || builder->entry_site == FLOW_NONE)
			return error;
	}
	if (!exits_by_return(builder))
		return place_exits(builder, false);
	if (builder->plan->functions.items[builder->function].switchable)
		return place_exits(builder, true);
	return 0;
}
