// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the statements of a machine function and a site for each.
//
// A statement begins at every is_stmt row of its line. Within one basic block and one inlined
// instance, further rows of the same line and column are the same execution of it, so the first
// alone counts; copies in other blocks add up (plan_count in plan.h).
//
// Whatever a block holds runs as often as the block, up to a call that may not come back. So inside
// a *segment*, the stretch from one slow instruction to the next, any instruction counts any
// statement. A statement is given, in this order:
//	a site that stands in its own code anyway (an entry or exit);
//	the first emulated instruction in its own code, before the next statement;
//	its neighbours' site in the same segment, sharing time, which is nanoseconds there;
//	a single-stepped instruction, one for all statements of the segment.
#include "target/plan_builder.h"

#include <errno.h>
#include <stdlib.h>

static int collect_row(struct builder *builder, uint32_t at, const struct line_row *row)
{
	uint64_t address = builder->flow.instructions.items[at].address;
	uint32_t instance, owner, line;

	if (row->end_sequence || !row->line)
		return 0;
	owner = builder_row_owner(builder, address, row, &instance);
	if (owner == NO_FUNCTION)
		return 0;
	line = builder_line(builder, owner, row->file, row->line);
	if (line == INDEX_NONE)
		return -ENOMEM;
	if (!row->is_stmt)
		return 0;
	return ARRAY_APPEND(&builder->statements,
	    (struct statement){at, instance, line, row->column, FLOW_NONE, 0, 0});
}

static int collect_range(struct builder *builder, const struct address_range *range)
{
	const struct image_index *index = builder->index;

	for (size_t at = image_index_row_from(index, range->low);
	     at < index->rows.count && index->rows.items[at].address < range->high; at++) {
		const struct line_row *row = &index->rows.items[at];
		uint32_t instruction = flow_find(&builder->flow, row->address);
		int error;

		if (instruction >= builder->growth_first && instruction < builder->growth_end)
			continue; /* no call yet */
		if (instruction == FLOW_NONE)
			continue; /* between instructions: the table is about other code */
		error = collect_row(builder, instruction, row);
		if (error)
			return error;
	}
	return 0;
}

static int compare_statements(const void *left, const void *right)
{
	const struct statement *a = left, *b = right;

	return (a->at > b->at) - (a->at < b->at);
}

/* Keeps the first of the statements of a block that are one execution. `from`..`to` is the block's.
 */
static size_t unite(struct builder *builder, size_t from, size_t to, size_t kept)
{
	struct statement *all = builder->statements.items;
	size_t first = kept;

	for (size_t at = from; at < to; at++) {
		size_t same = first;

		while (same < kept &&
		       (all[same].line != all[at].line || all[same].column != all[at].column ||
			   all[same].instance != all[at].instance))
			same++;
		if (same == kept)
			all[kept++] = all[at];
	}
	return kept;
}

/* The instruction in whose block a statement runs: checks before the entry are one with it. */
static uint32_t statement_place(const struct builder *builder, uint32_t at)
{
	return builder_precedes_entry(builder, at) ? builder->entry_site : at;
}

/* Where Go's jump to growing the stack is not taken, what comes next runs as often as the entry. */
static uint32_t statement_block(const struct builder *builder, const struct statement *statement)
{
	uint32_t block = builder->flow.block_of[statement_place(builder, statement->at)], entry;
	const struct flow_block *at = &builder->flow.blocks.items[block];

	if (!builder->growth_end || at->jumped_to || at->unknown_entry)
		return block;
	entry = builder->flow.block_of[builder->entry_site];
	return builder->flow.blocks.items[entry].successors[1] == block ? entry : block;
}

static void unite_all(struct builder *builder)
{
	const struct statement *all = builder->statements.items;
	size_t kept = 0, from = 0;

	while (from < builder->statements.count) {
		size_t to = from + 1;

		while (to < builder->statements.count &&
		       statement_block(builder, &all[to]) == statement_block(builder, &all[from]))
			to++;
		kept = unite(builder, from, to, kept);
		from = to;
	}
	builder->statements.count = kept;
}

/* The statement's own code is [low, high]. A site in it that costs nothing more or little. */
static uint32_t own_place(const struct builder *builder, uint32_t low, uint32_t high)
{
	for (uint32_t at = low; at <= high; at++)
		if (builder->drafts[at].roles)
			return at;
	for (uint32_t at = low; at <= high; at++)
		if (builder->flow.instructions.items[at].emulated &&
		    !builder->flow.instructions.items[at].refused)
			return at;
	return FLOW_NONE;
}

static uint32_t any_place(const struct builder *builder, uint32_t low, uint32_t high)
{
	for (uint32_t at = low; at <= high; at++)
		if (!builder->flow.instructions.items[at].refused)
			return at;
	return FLOW_NONE;
}

/* The last instruction of the code that begins at statement `at` of [.., to). */
static uint32_t own_end(const struct statement *all, size_t at, size_t to, uint32_t segment_end)
{
	for (size_t next = at + 1; next < to; next++)
		if (all[next].at != all[at].at)
			return all[next].at - 1;
	return segment_end;
}

/* Gives those without a site their neighbours': the next one's, else the one before. */
static void share_places(struct builder *builder, size_t from, size_t to)
{
	struct statement *all = builder->statements.items;

	for (size_t at = to; at-- > from;)
		if (all[at].site == FLOW_NONE && at + 1 < to)
			all[at].site = all[at + 1].site;
	for (size_t at = from + 1; at < to; at++)
		if (all[at].site == FLOW_NONE)
			all[at].site = all[at - 1].site;
}

/* Places the statements [from, to) of one segment, which ends at `segment_end`. */
static void place_segment(
    struct builder *builder, size_t from, size_t to, uint32_t segment_begin, uint32_t segment_end)
{
	struct statement *all = builder->statements.items;
	uint32_t entry = builder->entry_site, place;

	/* Before the entry's probe there is no frame to count in. */
	if (entry == FLOW_NONE || entry < segment_begin || entry > segment_end)
		entry = segment_begin;
	for (size_t at = from; at < to; at++) {
		uint32_t low = all[at].at, high = own_end(all, at, to, segment_end);

		if (high < entry)
			continue;
		all[at].site = own_place(builder, low < entry ? entry : low, high);
	}
	share_places(builder, from, to);
	if (all[from].site != FLOW_NONE)
		return;
	place = any_place(builder, all[to - 1].at < entry ? entry : all[to - 1].at, segment_end);
	if (place == FLOW_NONE)
		place = any_place(builder, entry, segment_end);
	for (size_t at = from; at < to; at++)
		all[at].site = place;
}

/* The segment around an instruction, within its block. */
static void find_segment(
    const struct builder *builder, uint32_t at, uint32_t *ret_begin, uint32_t *ret_end)
{
	const struct flow_block *block = &builder->flow.blocks.items[builder->flow.block_of[at]];
	const struct instruction *all = builder->flow.instructions.items;
	uint32_t begin = at, end = at;

	while (begin > block->first && !all[begin - 1].slow)
		begin--;
	while (end + 1 < block->first + block->count && !all[end].slow)
		end++;
	*ret_begin = begin;
	*ret_end = end;
}

static void place_all(struct builder *builder)
{
	const struct statement *all = builder->statements.items;
	size_t from = 0;

	while (from < builder->statements.count) {
		uint32_t begin, end;
		size_t to = from;

		find_segment(builder, statement_place(builder, all[from].at), &begin, &end);
		while (to < builder->statements.count && all[to].at <= end)
			to++;
		place_segment(builder, from, to, begin, end);
		from = to;
	}
}

/* A line shares its time if its site stands in another line's code. */
static bool shares_time(struct builder *builder, const struct statement *statement)
{
	const struct draft *draft = builder_charges(builder, statement->site);

	for (uint32_t at = 0; draft && at < draft->charge_count; at++)
		if (draft->charges[at].line == statement->line)
			return false;
	return true;
}

static int settle(struct builder *builder, const struct statement *statement)
{
	const struct instruction *instructions = builder->flow.instructions.items;
	uint64_t from = instructions[statement->at].address, moved;
	struct draft *draft;

	if (statement->site == FLOW_NONE)
		return builder_leave_out(builder, from, statement->line,
		    "no instruction of its code can be probed safely");
	draft = &builder->drafts[statement->site];
	if (!draft->roles && statement->site > statement->at) {
		moved = instructions[statement->site].address - from;
		draft->moved = moved < UINT8_MAX ? (uint8_t)moved : UINT8_MAX;
	}
	draft->roles |= SITE_LINE;
	if (shares_time(builder, statement))
		builder->plan->lines.items[statement->line].shared = true;
	return 0;
}

int plan_statements(struct builder *builder)
{
	const struct function_copy *copy = &builder->index->copies.items[builder->copy];

	builder->statements.count = 0;
	for (uint32_t at = 0; at < copy->range_count; at++) {
		int error = collect_range(
		    builder, &builder->index->copy_ranges.items[copy->first_range + at]);
		if (error)
			return error;
	}
	ARRAY_SORT(&builder->statements, compare_statements);
	unite_all(builder);
	place_all(builder);
	ARRAY_FOREACH (statement, &builder->statements) {
		int error = settle(builder, statement);
		if (error)
			return error;
	}
	return 0;
}
