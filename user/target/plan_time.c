// SPDX-License-Identifier: GPL-2.0-or-later
// Adds the sites that only move time, so that whatever takes long is charged to the line it is in.
//
// Time runs on the charges of the last site passed, its *position*. Between two statements' sites
// code of other lines may stand; a few instructions of it do not matter, a call does. The position
// that reaches each block is found by data flow; before a slow instruction whose own charges
// differ, a silent site is put.
//
// Where inlined code that is measured stands in a host whose lines are not, time must also stop
// when control leaves it: else it would run on until the inlined code is next entered. So a silent
// site without charges stands at the end of each block that leaves; what comes after has no
// position.
//
// A host that nobody asked for has no exits to end a stay. What a stay took is only known if
// another site follows, so one must before the host is left, if the stay holds something slow;
// otherwise it is nanoseconds, and BPF drops it with the frame.
#include "target/plan_builder.h"

#include <errno.h>
#include <stdlib.h>

/* A position is the instruction of a site, or one of these. */
#define POSITION_UNVISITED UINT32_MAX
#define POSITION_CONFLICT  (UINT32_MAX - 1)
#define POSITION_ENTRY     (UINT32_MAX - 2) /* the function's opening line */

/* What reaches the beginning of a block. */
struct arrival {
	uint32_t position;
	bool slow; /* something slow may have happened on its rows since */
};

static bool moves_time(const struct builder *builder, uint32_t at)
{
	return builder->drafts[at].roles & SITE_LINE;
}

/* The charges of the entry are those of the instruction at the entry. */
static uint32_t position_instruction(const struct builder *builder, uint32_t position)
{
	if (position != POSITION_ENTRY)
		return position;
	return flow_find(&builder->flow, builder->index->copies.items[builder->copy].entry);
}

static bool position_charges(struct builder *builder, uint32_t position, uint32_t at)
{
	uint32_t instruction = position_instruction(builder, position);

	if (position == POSITION_ENTRY && builder->function == NO_FUNCTION)
		return !builder_charges(builder, at)->charge_count;
	return position != POSITION_CONFLICT && position != POSITION_UNVISITED &&
	       instruction != FLOW_NONE && builder_same_charges(builder, instruction, at);
}

static uint32_t meet(struct builder *builder, uint32_t left, uint32_t right)
{
	if (left == POSITION_UNVISITED || left == right)
		return right;
	if (right == POSITION_UNVISITED)
		return left;
	if (left == POSITION_CONFLICT || right == POSITION_CONFLICT)
		return POSITION_CONFLICT;
	if (right == POSITION_ENTRY) {
		uint32_t swapped = left;

		left = right;
		right = swapped;
	}
	return position_charges(builder, left, right) ? left : POSITION_CONFLICT;
}

/* Whether time runs on some row. */
static bool is_charged(struct builder *builder, uint32_t position)
{
	if (position == POSITION_CONFLICT)
		return true;
	if (position == POSITION_UNVISITED ||
	    (position == POSITION_ENTRY && builder->function == NO_FUNCTION))
		return false;
	position = position_instruction(builder, position);
	return position == FLOW_NONE || !builder_charges(builder, position) ||
	       builder_charges(builder, position)->charge_count;
}

static struct arrival arrival_after(
    struct builder *builder, uint32_t block_id, struct arrival arrival)
{
	const struct flow_block *block = &builder->flow.blocks.items[block_id];

	for (uint32_t at = block->first; at < block->first + block->count; at++) {
		if (moves_time(builder, at))
			arrival = (struct arrival){at, false};
		if (builder->flow.instructions.items[at].slow)
			arrival.slow = is_charged(builder, arrival.position);
	}
	return arrival;
}

static bool begins_charged(struct builder *builder, uint32_t id)
{
	const struct draft *draft = builder_charges(builder, builder->flow.blocks.items[id].first);

	return !draft || draft->charge_count;
}

static bool holds_charged(struct builder *builder, const struct flow_block *block)
{
	for (uint32_t at = block->first; at < block->first + block->count; at++) {
		const struct draft *draft = builder_charges(builder, at);

		if (!draft || draft->charge_count)
			return true;
	}
	return false;
}

/* Control may come from nobody knows where; but into code of nobody's rows none that has time. */
static bool begins_unknown(struct builder *builder, uint32_t id)
{
	return builder->flow.blocks.items[id].unknown_entry && begins_charged(builder, id);
}

/* Finds what reaches each block. */
static void flow_arrivals(struct builder *builder, struct arrival *arrivals)
{
	uint64_t entry = builder->index->copies.items[builder->copy].entry;
	uint32_t first = flow_find(&builder->flow, entry);
	bool changed = true;

	for (uint32_t at = 0; at < builder->flow.blocks.count; at++)
		arrivals[at] = begins_unknown(builder, at)
				   ? (struct arrival){POSITION_CONFLICT, true}
				   : (struct arrival){POSITION_UNVISITED, false};
	if (first != FLOW_NONE)
		arrivals[builder->flow.block_of[first]].position = POSITION_ENTRY;
	for (uint32_t round = 0; changed && round < 64; round++) {
		changed = false;
		for (uint32_t at = 0; at < builder->flow.blocks.count; at++) {
			const struct flow_block *block = &builder->flow.blocks.items[at];
			struct arrival out = arrival_after(builder, at, arrivals[at]), met;

			for (uint32_t way = 0; way < 2; way++) {
				struct arrival *next = &arrivals[block->successors[way]];

				if (block->successors[way] == FLOW_NONE)
					continue;
				met.position = meet(builder, next->position, out.position);
				met.slow = next->slow || out.slow;
				changed |= met.position != next->position || met.slow != next->slow;
				*next = met;
			}
		}
	}
}

static bool can_stand(const struct builder *builder, uint32_t at)
{
	return !builder->flow.instructions.items[at].refused &&
	       !builder_precedes_entry(builder, at) &&
	       (builder->entry_site == FLOW_NONE || at >= builder->entry_site ||
		   builder->flow.block_of[at] != builder->flow.block_of[builder->entry_site]);
}

/* Where a silent site for instruction `at` best stands: in its block, behind the last slow
 * instruction, under the same charges. */
static uint32_t silent_place(struct builder *builder, uint32_t at)
{
	const struct instruction *all = builder->flow.instructions.items;
	uint32_t begin = builder->flow.blocks.items[builder->flow.block_of[at]].first;
	uint32_t place = can_stand(builder, at) ? at : FLOW_NONE;
	bool emulated = place != FLOW_NONE && all[at].emulated;

	for (uint32_t before = at; before-- > begin;) {
		if (all[before].slow || !builder_same_charges(builder, before, at))
			break;
		if (can_stand(builder, before) &&
		    (place == FLOW_NONE || (all[before].emulated && !emulated))) {
			place = before;
			emulated = all[before].emulated;
		}
	}
	return place;
}

/* Whether an instruction leaves a host that nobody asked for. */
static bool leaves_host(const struct builder *builder, const struct instruction *instruction)
{
	return builder->function == NO_FUNCTION &&
	       (instruction->kind == INSTRUCTION_RETURN ||
		   instruction->kind == INSTRUCTION_INDIRECT_JUMP ||
		   (instruction->kind == INSTRUCTION_JUMP &&
		       !flow_copy_holds(builder->index, builder->copy, instruction->target)));
}

/* Puts silent sites where time would go wrong in a block; true: some were put. */
static bool add_silent_sites(struct builder *builder, uint32_t id, struct arrival arrival)
{
	const struct flow_block *block = &builder->flow.blocks.items[id];
	bool added = false;

	for (uint32_t at = block->first; at < block->first + block->count; at++) {
		const struct instruction *instruction = &builder->flow.instructions.items[at];
		bool needed =
		    instruction->slow || (arrival.slow && leaves_host(builder, instruction));
		uint32_t place;

		if (moves_time(builder, at)) {
			arrival = (struct arrival){at, false};
		} else if (needed && arrival.position != POSITION_UNVISITED &&
			   !position_charges(builder, arrival.position, at)) {
			place = silent_place(builder, at);
			if (place != FLOW_NONE && !moves_time(builder, place)) {
				builder->drafts[place].roles |= SITE_LINE | SITE_SILENT;
				arrival = (struct arrival){place, false};
				added = true;
			}
		}
		arrival.slow |= instruction->slow && is_charged(builder, arrival.position);
	}
	return added;
}

/* Whether control goes from a block's code to code of nobody's rows. */
static bool leaves_rows(struct builder *builder, const struct flow_block *block)
{
	const struct instruction *last =
	    &builder->flow.instructions.items[block->first + block->count - 1];

	for (uint32_t way = 0; way < 2; way++)
		if (block->successors[way] != FLOW_NONE &&
		    !begins_charged(builder, block->successors[way]))
			return true;
	return last->kind == INSTRUCTION_INDIRECT_JUMP;
}

/* The last instruction of a block that may carry a site, behind its last slow one. */
static uint32_t leaving_place(const struct builder *builder, const struct flow_block *block)
{
	for (uint32_t at = block->first + block->count; at-- > block->first;) {
		if (can_stand(builder, at))
			return at;
		if (builder->flow.instructions.items[at].slow)
			break;
	}
	return FLOW_NONE;
}

static bool add_leaving_sites(struct builder *builder, const struct arrival *arrivals)
{
	bool added = false;

	for (uint32_t id = 0; id < builder->flow.blocks.count; id++) {
		const struct flow_block *block = &builder->flow.blocks.items[id];
		struct arrival out = arrival_after(builder, id, arrivals[id]);
		uint32_t place;

		if (!is_charged(builder, out.position) || !holds_charged(builder, block) ||
		    !leaves_rows(builder, block))
			continue;
		place = leaving_place(builder, block);
		if (place == FLOW_NONE)
			continue;
		if (!moves_time(builder, place))
			builder->drafts[place].roles |= SITE_LINE | SITE_SILENT;
		builder->drafts[place].charged = true;
		builder->drafts[place].charge_count = 0;
		added = true;
	}
	return added;
}

/* Whether code of the machine function belongs to nobody's rows: then rows can be left. */
static bool has_uncharged_code(const struct builder *builder)
{
	return builder->function == NO_FUNCTION ||
	       !builder->plan->functions.items[builder->function].lines;
}

int plan_time(struct builder *builder)
{
	CLEANUP_FREE struct arrival *arrivals =
	    calloc(builder->flow.blocks.count + 1, sizeof(*arrivals));
	bool added = true;

	if (!arrivals)
		return -ENOMEM;
	/* New sites change what reaches later blocks; they only become more, so this ends. */
	for (uint32_t round = 0; added && round < 16; round++) {
		flow_arrivals(builder, arrivals);
		added = has_uncharged_code(builder) && add_leaving_sites(builder, arrivals);
		if (added)
			flow_arrivals(builder, arrivals);
		for (uint32_t id = 0; id < builder->flow.blocks.count; id++)
			added |= add_silent_sites(builder, id, arrivals[id]);
	}
	return 0;
}
