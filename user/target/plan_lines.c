// SPDX-License-Identifier: GPL-2.0-or-later
// Decides whose a line row is, and to which table rows time at an instruction belongs.
//
// A row names a file and a line; the function whose text holds that line owns it. Optimized code of
// one function stands among that of others, so the inlined ranges around the address are asked
// first (innermost outwards), then all functions of the file.
#include "target/plan_builder.h"

#include <errno.h>
#include <stdlib.h>

static int compare_owners(const void *left, const void *right)
{
	const struct owner *a = left, *b = right;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return 0;
}

int builder_index_owners(struct builder *builder)
{
	const struct image_index *index = builder->index;

	builder->owners.count = 0;
	for (uint32_t source = 0; source < index->functions.count; source++) {
		const struct source_function *function = &index->functions.items[source];
		uint32_t last = function->end_line;
		int error;

		if (function->file == INDEX_NONE || !function->line)
			continue;
		if (last < function->line)
			last = function->line;
		error = ARRAY_APPEND(
		    &builder->owners, (struct owner){function->file, function->line, last, source});
		if (error)
			return error;
	}
	ARRAY_SORT(&builder->owners, compare_owners);
	return 0;
}

/* The function of the file that begins last at or before the line and reaches it. */
static uint32_t owner_of_line(const struct builder *builder, uint32_t file, uint32_t line)
{
	size_t low = 0, high = builder->owners.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct owner *owner = &builder->owners.items[middle];

		if (owner->file < file || (owner->file == file && owner->first <= line))
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t steps = 0; low > 0 && steps < 64; steps++) {
		const struct owner *owner = &builder->owners.items[--low];

		if (owner->file != file)
			break;
		if (owner->last >= line)
			return owner->source;
	}
	return INDEX_NONE;
}

static bool source_holds_line(
    const struct image_index *index, uint32_t source, uint32_t file, uint32_t line)
{
	const struct source_function *function = &index->functions.items[source];

	return function->file == file && line >= function->line && line <= function->end_line;
}

static uint32_t asked_with_lines(const struct builder *builder, uint32_t source)
{
	uint32_t function = builder->function_of[source];

	if (function == NO_FUNCTION || !builder->plan->functions.items[function].lines)
		return NO_FUNCTION;
	return function;
}

uint32_t builder_row_owner(
    struct builder *builder, uint64_t address, const struct line_row *row, uint32_t *ret_instance)
{
	const struct image_index *index = builder->index;
	uint32_t host = index->copies.items[builder->copy].source;
	uint32_t innermost = image_index_inlined_at(index, address);
	uint32_t source;

	for (uint32_t at = innermost; at != INDEX_NONE; at = index->inlined.items[at].parent) {
		const struct inlined_range *range = &index->inlined.items[at];

		if (source_holds_line(index, range->source, row->file, row->line)) {
			*ret_instance = range->instance;
			return asked_with_lines(builder, range->source);
		}
	}
	*ret_instance = INDEX_NONE;
	if (source_holds_line(index, host, row->file, row->line))
		return asked_with_lines(builder, host);
	source = owner_of_line(builder, row->file, row->line);
	if (source != INDEX_NONE)
		return asked_with_lines(builder, source);
	/* Text of no function (a macro's file, an included table): its user's. */
	if (innermost != INDEX_NONE)
		*ret_instance = index->inlined.items[innermost].instance;
	return asked_with_lines(
	    builder, innermost != INDEX_NONE ? index->inlined.items[innermost].source : host);
}

uint32_t builder_line(struct builder *builder, uint32_t function, uint32_t file, uint32_t line)
{
	uint32_t *id = id_map_put(&builder->lines, (uint64_t)function << 32 | file, line);
	struct plan_line made = {.function = function, .line = line};

	if (!id)
		return INDEX_NONE;
	if (*id != INDEX_NONE)
		return *id;
	made.file = strings_intern(
	    builder->plan->strings, file == INDEX_NONE ? "" : builder->index->files.items[file]);
	if (!made.file || ARRAY_APPEND(&builder->plan->lines, made))
		return INDEX_NONE;
	*id = (uint32_t)builder->plan->lines.count - 1;
	return *id;
}

/* The row that an address's code belongs to, or NULL. */
static const struct line_row *row_around(const struct image_index *index, uint64_t address)
{
	size_t next = image_index_row_from(index, address + 1);
	const struct line_row *row = next ? &index->rows.items[next - 1] : NULL;

	return row && !row->end_sequence && row->line ? row : NULL;
}

static bool add_charge(struct builder *builder, struct draft *draft, uint32_t source, uint32_t file,
    uint32_t line_number)
{
	uint32_t function = asked_with_lines(builder, source), line;

	if (function == NO_FUNCTION || !line_number || draft->charge_count == CHARGES_MAX)
		return true;
	for (uint32_t at = 0; at < draft->charge_count; at++)
		if (draft->charges[at].function == function)
			return true; /* inlined into itself: the outer call has the time */
	line = builder_line(builder, function, file, line_number);
	if (line == INDEX_NONE)
		return false;
	draft->charges[draft->charge_count++] = (struct charge){line, function};
	return true;
}

#define INLINE_DEPTH_MAX 64

struct draft *builder_charges(struct builder *builder, uint32_t at)
{
	const struct image_index *index = builder->index;
	uint64_t address = builder->flow.instructions.items[at].address;
	uint32_t chain[INLINE_DEPTH_MAX], depth = 0,
					  source = index->copies.items[builder->copy].source;
	struct draft *draft = &builder->drafts[at];
	const struct line_row *row;

	if (draft->charged)
		return draft;
	row = row_around(index, address);
	for (uint32_t inlined = image_index_inlined_at(index, address);
	     inlined != INDEX_NONE && depth < INLINE_DEPTH_MAX;
	     inlined = index->inlined.items[inlined].parent)
		chain[depth++] = inlined;
	while (depth > 0) {
		const struct inlined_range *call = &index->inlined.items[chain[--depth]];

		if (!add_charge(builder, draft, source, call->call_file, call->call_line))
			return NULL;
		source = call->source;
	}
	if (row && !add_charge(builder, draft, source, row->file, row->line))
		return NULL;
	draft->charged = true;
	return draft;
}

bool builder_same_charges(struct builder *builder, uint32_t left, uint32_t right)
{
	const struct draft *a = builder_charges(builder, left);
	const struct draft *b = builder_charges(builder, right);

	if (!a || !b || a->charge_count != b->charge_count)
		return false;
	for (uint32_t at = 0; at < a->charge_count; at++)
		if (a->charges[at].line != b->charges[at].line)
			return false;
	return true;
}

int builder_leave_out(struct builder *builder, uint64_t address, uint32_t line, const char *reason)
{
	const struct plan_line *of = line == INDEX_NONE ? NULL : &builder->plan->lines.items[line];

	return ARRAY_APPEND(
	    &builder->plan->left_out, (struct plan_left_out){
					  .image = builder->image,
					  .function = of ? of->function : builder->function,
					  .address = address,
					  .file = of ? of->file : "",
					  .line = of ? of->line : 0,
					  .reason = reason,
				      });
}
