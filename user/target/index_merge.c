// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Merges the symbol table into what DWARF described.
 *
 * At the entry of a copy that DWARF knows, symbols only give names. Elsewhere they are functions
 * that DWARF leaves out: all of them, in an image without debug information. There GCC's clones
 * (f.constprop.0, f.part.0) belong to the source function f, of the same source file if f is
 * local, and f.cold is a range of f. So plain names come first, clones next, cold parts last.
 */
#include <errno.h>
#include <string.h>

#include "target/demangle.h"
#include "target/index_finish.h"

enum stage { STAGE_PLAIN, STAGE_CLONES, STAGE_COLD, STAGES };

/* The symbols of one address: [first, first + count). */
struct symbol_group {
	const struct building_symbol *first;
	size_t count;
	uint64_t limit; /* where the next group begins */
};

struct merge {
	struct index_builder *builder;
	struct id_map copies; /* by name and file group */
};

static bool is_cold(const char *name)
{
	const char *found = strstr(name, ".cold");

	return found && (found[5] == '\0' || found[5] == '.');
}

static enum stage name_stage(const char *name)
{
	if (is_cold(name))
		return STAGE_COLD;
	return name[demangle_base_length(name)] ? STAGE_CLONES : STAGE_PLAIN;
}

static enum copy_kind name_kind(const char *name)
{
	return is_cold(name) ? COPY_COLD : strstr(name, ".part.") ? COPY_PART : COPY_WHOLE;
}

static int aliases_add(struct merge *merge, const struct symbol_group *group, uint32_t copy)
{
	struct image_index *index = merge->builder->index;

	for (size_t i = 0; i < group->count; i++) {
		const struct building_symbol *symbol = &group->first[i];
		uint32_t *known =
		    id_map_put(&merge->copies, (uintptr_t)symbol->name, symbol->group);

		if (!known)
			return -ENOMEM;
		if (*known == INDEX_NONE)
			*known = copy;
		if (symbol->name != index->copies.items[copy].linkage_name &&
		    ARRAY_APPEND(&index->aliases, (struct function_alias){symbol->name, copy}))
			return -ENOMEM;
	}
	return 0;
}

static bool name_is_of(const char *symbol, const char *name)
{
	size_t length = demangle_base_length(symbol);

	return name &&
	       (!strcmp(symbol, name) || (!strncmp(symbol, name, length) && name[length] == '\0'));
}

/* The symbol that DWARF's names point to, or else the best by rank. */
static const char *group_choose(const struct symbol_group *group, const char *linkage,
    const char *source_linkage, const char *name)
{
	const char *wanted[] = {linkage, source_linkage, name};

	for (size_t w = 0; w < ARRAY_SIZE(wanted); w++)
		for (size_t i = 0; i < group->count; i++)
			if (name_is_of(group->first[i].name, wanted[w]))
				return group->first[i].name;
	return group->first[0].name;
}

/* Names a copy that DWARF described. `address` is inside it. */
static int name_described(struct merge *merge, const struct symbol_group *group, uint32_t number)
{
	struct image_index *index = merge->builder->index;
	struct function_copy *copy = &index->copies.items[number];
	const struct building_source *source = &merge->builder->sources.items[copy->source];
	const char *chosen = group_choose(group, copy->linkage_name, source->linkage, source->name);

	if (group->first->address != copy->entry) {
		bool begins = false;

		for (uint32_t i = 0; i < copy->range_count; i++)
			if (index->copy_ranges.items[copy->first_range + i].low ==
			    group->first->address)
				begins = true;
		if (!begins)
			return 0; /* a label inside */
		if (is_cold(chosen))
			return aliases_add(merge, group, number);
		copy->entry = group->first->address; /* DWARF had put the cold part first */
	}
	copy->linkage_name = chosen;
	copy->kind = name_kind(chosen);
	builder_note_linkage(merge->builder, copy->source, chosen);
	return aliases_add(merge, group, number);
}

/* The copy that `name`, with its last clone suffixes taken off one by one, belongs to. */
static uint32_t parent_find(struct merge *merge, const char *name, uint32_t group)
{
	struct strings *strings = merge->builder->index->strings;
	size_t length = strlen(name), base = demangle_base_length(name);

	while (length > base) {
		const char *shorter;
		uint32_t found;

		while (length > base && name[--length] != '.')
			;
		shorter = strings_intern_length(strings, name, length);
		found = id_map_get(&merge->copies, (uintptr_t)shorter, group);
		if (found == INDEX_NONE)
			found = id_map_get(&merge->copies, (uintptr_t)shorter, 0);
		if (found != INDEX_NONE)
			return found;
	}
	return INDEX_NONE;
}

/* Gives the copy one more range; they must stay together, so all move to the end. */
static int range_attach(struct index_builder *builder, uint32_t number, struct address_range range)
{
	struct image_index *index = builder->index;
	struct function_copy *copy = &index->copies.items[number];

	if (ARRAY_RESERVE(&index->copy_ranges, copy->range_count + (size_t)1))
		return -ENOMEM;
	memcpy(index->copy_ranges.items + index->copy_ranges.count,
	    index->copy_ranges.items + copy->first_range,
	    copy->range_count * sizeof(*index->copy_ranges.items));
	copy->first_range = (uint32_t)index->copy_ranges.count;
	index->copy_ranges.items[copy->first_range + copy->range_count++] = range;
	index->copy_ranges.count += copy->range_count;
	return 0;
}

/* The source function of a symbol that DWARF does not describe and that is nobody's clone. */
static int symbol_source(
    struct index_builder *builder, const struct building_symbol *symbol, uint32_t *ret_source)
{
	struct strings *strings = builder->index->strings;
	char text[DEMANGLED_MAX];
	const char *name;

	/* By the demangled name, constructors' and destructors' variants are one function. */
	if (demangle(symbol->name, DEMANGLE_FULL, text, sizeof(text)))
		name = strings_intern(strings, text);
	else
		name = strings_intern_length(
		    strings, symbol->name, demangle_base_length(symbol->name));
	if (!name || builder_source(builder, name, INDEX_NONE, 0, symbol->group, ret_source))
		return -ENOMEM;
	if (!builder->sources.items[*ret_source].linkage)
		builder->sources.items[*ret_source].linkage = symbol->name;
	return 0;
}

static struct address_range group_range(
    const struct index_builder *builder, const struct symbol_group *group)
{
	struct address_range range = {group->first->address, group->limit};

	for (size_t i = 0; i < group->count; i++)
		if (group->first[i].size && group->first[i].size < range.high - range.low)
			range.high = range.low + group->first[i].size;
	ARRAY_FOREACH (segment, &builder->index->segments)
		if (range.low >= segment->address && range.low - segment->address < segment->size &&
		    range.high - segment->address > segment->size)
			range.high = segment->address + segment->size;
	return range;
}

static int add_undescribed(struct merge *merge, const struct symbol_group *group, enum stage stage)
{
	struct index_builder *builder = merge->builder;
	struct image_index *index = builder->index;
	const struct building_symbol *symbol = group->first;
	struct address_range range = group_range(builder, group);
	struct function_copy copy = {
	    .kind = name_kind(symbol->name),
	    .linkage_name = symbol->name,
	    .entry = symbol->address,
	    .first_range = (uint32_t)index->copy_ranges.count,
	    .range_count = 1,
	};
	uint32_t parent =
	    stage == STAGE_PLAIN ? INDEX_NONE : parent_find(merge, symbol->name, symbol->group);

	if (parent != INDEX_NONE && stage == STAGE_COLD)
		return range_attach(builder, parent, range) ? -ENOMEM
							    : aliases_add(merge, group, parent);
	if (parent != INDEX_NONE)
		copy.source = index->copies.items[parent].source;
	else if (symbol_source(builder, symbol, &copy.source))
		return -ENOMEM;
	if (ARRAY_APPEND(&index->copy_ranges, range) || ARRAY_APPEND(&index->copies, copy))
		return -ENOMEM;
	return aliases_add(merge, group, (uint32_t)index->copies.count - 1);
}

/* The next group of symbols from `at` on. */
static struct symbol_group group_at(const struct index_builder *builder, size_t at)
{
	const struct building_symbol *symbols = builder->symbols.items;
	struct symbol_group group = {.first = symbols + at, .limit = UINT64_MAX};

	while (at + group.count < builder->symbols.count &&
	       symbols[at + group.count].address == group.first->address)
		group.count++;
	if (at + group.count < builder->symbols.count)
		group.limit = symbols[at + group.count].address;
	return group;
}

/* One pass over all groups, doing those of one stage; described copies belong to the first. */
static int stage_run(struct merge *merge, enum stage stage)
{
	struct index_builder *builder = merge->builder;
	const struct image_index *index = builder->index;
	size_t range = 0;
	int result = 0;

	for (size_t at = 0; at < builder->symbols.count && !result;) {
		struct symbol_group group = group_at(builder, at);
		uint64_t address = group.first->address;

		at += group.count;
		while (range < index->ranges.count && index->ranges.items[range].high <= address)
			range++;
		if (range < index->ranges.count && index->ranges.items[range].low < group.limit)
			group.limit = index->ranges.items[range].low;
		if (group.limit <= address) {
			if (stage == STAGE_PLAIN)
				result =
				    name_described(merge, &group, index->ranges.items[range].copy);
		} else if (name_stage(group.first->name) == stage) {
			result = add_undescribed(merge, &group, stage);
		}
	}
	return result;
}

int index_merge_symbols(struct index_builder *builder)
{
	struct merge merge = {.builder = builder};
	int result = 0;

	for (int stage = STAGE_PLAIN; stage < STAGES && !result; stage++)
		result = stage_run(&merge, (enum stage)stage);
	id_map_fini(&merge.copies);
	return result;
}
