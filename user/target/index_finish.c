// SPDX-License-Identifier: GPL-2.0-or-later
// Sorts, links and renumbers the arrays of an index whose parts have all been read.
#include "target/index_finish.h"

#include <errno.h>
#include <string.h>

static int code_range_compare(const void *a, const void *b)
{
	const struct code_range *first = a, *second = b;

	if (first->low != second->low)
		return first->low < second->low ? -1 : 1;
	return first->copy < second->copy ? -1 : first->copy > second->copy;
}

int index_build_ranges(struct index_builder *builder)
{
	struct image_index *index = builder->index;
	uint64_t covered = 0;
	size_t kept = 0;

	index->ranges.count = 0;
	for (uint32_t i = 0; i < index->copies.count; i++) {
		const struct function_copy *copy = &index->copies.items[i];

		for (uint32_t r = 0; r < copy->range_count; r++) {
			struct address_range range =
			    index->copy_ranges.items[copy->first_range + r];

			if (ARRAY_APPEND(
				&index->ranges, (struct code_range){range.low, range.high, i}))
				return -ENOMEM;
		}
	}
	if (index->ranges.count == 0)
		return 0;
	qsort(index->ranges.items, index->ranges.count, sizeof(*index->ranges.items),
	    code_range_compare);
	ARRAY_FOREACH (range, &index->ranges) {
		if (range->low < covered)
			range->low = covered;
		if (range->low >= range->high)
			continue;
		covered = range->high;
		index->ranges.items[kept++] = *range;
	}
	index->ranges.count = kept;
	return 0;
}

struct function_order {
	struct source_function function;
	uint32_t old;
	bool used;
};

static int function_compare(const void *a, const void *b)
{
	const struct function_order *first = a, *second = b;
	int names = strcmp(first->function.name, second->function.name);

	if (names)
		return names;
	if (first->function.file != second->function.file)
		return first->function.file < second->function.file ? -1 : 1;
	if (first->function.line != second->function.line)
		return first->function.line < second->function.line ? -1 : 1;
	return first->old < second->old ? -1 : 1;
}

/* Instances whose declarations tell no place of their own are recognized late. */
static bool is_same_function(
    const struct source_function *first, const struct source_function *second)
{
	return first->name == second->name && first->file == second->file &&
	       first->line == second->line && first->file != INDEX_NONE;
}

/* Sorts the functions that have code; `ret_new` gets the new number by the old one. */
static int functions_sort(struct image_index *index, uint32_t *ret_new)
{
	size_t count = index->functions.count, kept = 0;
	CLEANUP_FREE struct function_order *order = calloc(count, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < index->copies.count; i++)
		order[index->copies.items[i].source].used = true;
	ARRAY_FOREACH (inlined, &index->inlined)
		order[inlined->source].used = true;
	for (uint32_t i = 0; i < count; i++) {
		bool used = order[i].used;

		ret_new[i] = INDEX_NONE;
		if (used)
			order[kept++] = (struct function_order){index->functions.items[i], i, true};
	}
	qsort(order, kept, sizeof(*order), function_compare);
	index->functions.count = 0;
	for (uint32_t i = 0; i < kept; i++) {
		if (i == 0 || !is_same_function(&order[i - 1].function, &order[i].function))
			index->functions.items[index->functions.count++] = order[i].function;
		ret_new[order[i].old] = (uint32_t)index->functions.count - 1;
	}
	return 0;
}

struct copy_order {
	struct function_copy copy;
	uint32_t old;
};

static int copy_compare(const void *a, const void *b)
{
	const struct copy_order *first = a, *second = b;

	if (first->copy.source != second->copy.source)
		return first->copy.source < second->copy.source ? -1 : 1;
	if (first->copy.kind != second->copy.kind)
		return first->copy.kind < second->copy.kind ? -1 : 1;
	if (first->copy.entry != second->copy.entry)
		return first->copy.entry < second->copy.entry ? -1 : 1;
	return first->old < second->old ? -1 : 1;
}

/* Puts copies in their functions' order; ranges, which already are final, and aliases follow. */
static int copies_sort(struct image_index *index)
{
	size_t count = index->copies.count;
	CLEANUP_FREE struct copy_order *order = malloc((count + 1) * sizeof(*order));
	CLEANUP_FREE uint32_t *new = malloc((count + 1) * sizeof(*new));

	if (!order || !new)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = (struct copy_order){index->copies.items[i], i};
	qsort(order, count, sizeof(*order), copy_compare);
	for (uint32_t i = 0; i < count; i++) {
		struct source_function *function = &index->functions.items[order[i].copy.source];

		if (function->copy_count++ == 0)
			function->first_copy = i;
		if (!order[i].copy.linkage_name) /* no symbol table was left */
			order[i].copy.linkage_name = function->linkage_name;
		index->copies.items[i] = order[i].copy;
		new[order[i].old] = i;
	}
	ARRAY_FOREACH (range, &index->ranges)
		range->copy = new[range->copy];
	ARRAY_FOREACH (alias, &index->aliases)
		alias->copy = new[alias->copy];
	return 0;
}

/* Rewrites copy_ranges in the copies' order, each one's entry range first, from index->ranges. */
static int copy_ranges_order(struct image_index *index)
{
	size_t next = 0;

	ARRAY_FOREACH (copy, &index->copies)
		copy->range_count = 0;
	ARRAY_FOREACH (range, &index->ranges)
		index->copies.items[range->copy].range_count++;
	ARRAY_FOREACH (copy, &index->copies) {
		copy->first_range = (uint32_t)next;
		next += copy->range_count;
		copy->range_count = 0;
	}
	index->copy_ranges.count = 0;
	if (ARRAY_RESERVE(&index->copy_ranges, next))
		return -ENOMEM;
	index->copy_ranges.count = next;
	ARRAY_FOREACH (range, &index->ranges) {
		struct function_copy *copy = &index->copies.items[range->copy];
		struct address_range *first = &index->copy_ranges.items[copy->first_range];
		struct address_range added = {range->low, range->high};

		if (copy->entry >= added.low && copy->entry < added.high) {
			memmove(first + 1, first, copy->range_count * sizeof(*first));
			*first = added;
		} else {
			first[copy->range_count] = added;
		}
		copy->range_count++;
	}
	return 0;
}

static int alias_compare(const void *a, const void *b)
{
	const struct function_alias *first = a, *second = b;
	int names = strcmp(first->name, second->name);

	return names ? names : first->copy < second->copy ? -1 : first->copy > second->copy;
}

/* Forgets copies whose addresses all went to others, such as functions folded into one. */
static void copies_drop_empty(struct image_index *index, uint32_t *new)
{
	size_t kept = 0, aliases = 0, old = index->copies.count;

	for (size_t i = 0; i < old; i++)
		new[i] = INDEX_NONE;
	ARRAY_FOREACH (range, &index->ranges)
		new[range->copy] = 0;
	for (size_t i = 0; i < old; i++) {
		if (new[i] == INDEX_NONE)
			continue;
		index->copies.items[kept] = index->copies.items[i];
		new[i] = (uint32_t)kept++;
	}
	index->copies.count = kept;
	ARRAY_FOREACH (range, &index->ranges)
		range->copy = new[range->copy];
	ARRAY_FOREACH (alias, &index->aliases) {
		if (new[alias->copy] == INDEX_NONE)
			continue;
		index->aliases.items[aliases] = *alias;
		index->aliases.items[aliases++].copy = new[alias->copy];
	}
	index->aliases.count = aliases;
}

int index_sort_functions(struct index_builder *builder)
{
	struct image_index *index = builder->index;
	size_t most = index->functions.count > index->copies.count ? index->functions.count
								   : index->copies.count;
	CLEANUP_FREE uint32_t *new = malloc((most + 1) * sizeof(*new));

	if (!new)
		return -ENOMEM;
	if (index->functions.count == 0)
		return 0;
	copies_drop_empty(index, new);
	if (functions_sort(index, new))
		return -ENOMEM;
	ARRAY_FOREACH (copy, &index->copies)
		copy->source = new[copy->source];
	ARRAY_FOREACH (inlined, &index->inlined)
		inlined->source = new[inlined->source];
	if (copies_sort(index) || copy_ranges_order(index))
		return -ENOMEM;
	if (index->aliases.count)
		qsort(index->aliases.items, index->aliases.count, sizeof(*index->aliases.items),
		    alias_compare);
	return 0;
}

static int inlined_compare(const void *a, const void *b)
{
	const struct inlined_range *first = a, *second = b;

	if (first->low != second->low)
		return first->low < second->low ? -1 : 1;
	if (first->depth != second->depth)
		return first->depth < second->depth ? -1 : 1;
	return first->instance < second->instance ? -1 : first->instance > second->instance;
}

int index_link_inlined(struct index_builder *builder)
{
	struct image_index *index = builder->index;
	CLEANUP_FREE uint32_t *last = malloc((builder->instances + (size_t)1) * sizeof(*last));

	if (!last)
		return -ENOMEM;
	if (index->inlined.count == 0)
		return 0;
	memset(last, 0xff, builder->instances * sizeof(*last));
	qsort(index->inlined.items, index->inlined.count, sizeof(*index->inlined.items),
	    inlined_compare);
	/* Backwards first: an instance whose own ranges begin later than its child's still is
	 * around it. */
	for (size_t i = index->inlined.count; i-- > 0;)
		last[index->inlined.items[i].instance] = (uint32_t)i;
	for (uint32_t i = 0; i < index->inlined.count; i++) {
		struct inlined_range *range = &index->inlined.items[i];

		last[range->instance] = i;
		if (range->parent != INDEX_NONE)
			range->parent = last[range->parent];
		index->functions.items[range->source].inlined_count++;
	}
	return 0;
}

/* Notes that a row belongs to the function. */
static void end_line_raise(struct source_function *function, const struct line_row *row)
{
	if (row->line && row->file == function->file && row->line > function->end_line)
		function->end_line = row->line;
}

/* Go does not say in which file an inlined function stands; its first row does. */
static void inlined_files_find(struct image_index *index)
{
	for (uint32_t i = 0; i < index->inlined.count; i++) {
		const struct inlined_range *range = &index->inlined.items[i];
		struct source_function *function = &index->functions.items[range->source];
		size_t row;

		if (function->file != INDEX_NONE || image_index_inlined_at(index, range->low) != i)
			continue;
		row = image_index_row_from(index, range->low);
		if (row == index->rows.count || index->rows.items[row].address != range->low ||
		    !index->rows.items[row].line)
			continue;
		function->file = index->rows.items[row].file;
		if (!function->line)
			function->line = index->rows.items[row].line;
	}
}

/* Rows of copies outside inlined ranges tell where a function ends; inlined ones serve functions
 * without copies. */
static void end_lines_read(struct image_index *index)
{
	size_t range = 0;

	ARRAY_FOREACH (row, &index->rows) {
		struct source_function *function;
		uint32_t inlined;

		while (
		    range < index->ranges.count && index->ranges.items[range].high <= row->address)
			range++;
		if (range == index->ranges.count)
			break;
		if (index->ranges.items[range].low > row->address)
			continue;
		inlined = image_index_inlined_at(index, row->address);
		if (inlined == INDEX_NONE)
			function = &index->functions
					.items[index->copies.items[index->ranges.items[range].copy]
						   .source];
		else
			function = &index->functions.items[index->inlined.items[inlined].source];
		if (inlined == INDEX_NONE || (function->copy_count == 0 && row->is_stmt))
			end_line_raise(function, row);
	}
}

static int place_compare(const void *a, const void *b, void *context)
{
	const struct source_function *functions = context;
	const struct source_function *first = &functions[*(const uint32_t *)a];
	const struct source_function *second = &functions[*(const uint32_t *)b];

	if (first->file != second->file)
		return first->file < second->file ? -1 : 1;
	return first->line < second->line ? -1 : first->line > second->line;
}

/* Optimized code mixes rows of the caller into inlined ranges: another function's line is too far.
 */
static int end_lines_clip(struct image_index *index)
{
	size_t count = index->functions.count;
	CLEANUP_FREE uint32_t *order = malloc((count + 1) * sizeof(*order));
	const struct source_function *next = NULL;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), place_compare, index->functions.items);
	for (size_t i = count; i-- > 0;) {
		struct source_function *function = &index->functions.items[order[i]];

		if (next && next->file == function->file && function->copy_count == 0 &&
		    next->line > function->line && function->end_line >= next->line)
			function->end_line = next->line - 1;
		if (function->file != INDEX_NONE && function->end_line < function->line)
			function->end_line = function->line;
		if (i > 0 && index->functions.items[order[i - 1]].line != function->line)
			next = function;
	}
	return 0;
}

int index_find_end_lines(struct index_builder *builder)
{
	inlined_files_find(builder->index);
	end_lines_read(builder->index);
	return end_lines_clip(builder->index);
}

int index_finish(struct index_builder *builder)
{
	int result = index_build_ranges(builder);

	if (!result)
		result = index_merge_symbols(builder);
	if (!result)
		result = index_build_ranges(builder);
	if (!result)
		result = index_name_functions(builder);
	if (!result)
		result = index_sort_functions(builder);
	if (!result)
		result = index_link_inlined(builder);
	if (!result)
		result = index_find_end_lines(builder);
	return result;
}
