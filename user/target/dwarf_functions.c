// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walks a unit's DIEs once and adds its functions, copies and inlined ranges.
 *
 * Where code is found: a DW_TAG_subprogram with addresses is a machine copy; below it, through
 * lexical blocks, each DW_TAG_inlined_subroutine is another function's body. Namespaces and
 * classes are entered because functions can be defined in them, and because they give a function
 * without a linkage name (static, or in an anonymous namespace) its qualified name.
 *
 * Nothing here trusts the file: libdw keeps to its sections and never walks backwards, the depth
 * is bounded, and the budget bounds the DIEs and ranges that overlapping structures could repeat.
 */
#include "target/dwarf_functions.h"

#include <dwarf.h>
#include <errno.h>

#include "target/dwarf_origin.h"

#define DEPTH_MAX 160

/* Namespaces, classes and functions around a DIE; they get ids only when a name needs them. */
struct walk_scope {
	struct walk_scope *parent;
	Dwarf_Die *die;
	uint32_t id;
};

struct walk {
	struct index_builder *builder;
	uint64_t *budget;
	Dwarf_Files *files; /* of the unit */
	size_t file_count;
	bool scoped;      /* a language with namespaces or classes */
	bool scopes_only; /* look for declarations, not code */
};

/* Where in the tree the walk stands. */
struct position {
	struct walk_scope *scope;
	uint32_t copy;     /* the machine copy around, or INDEX_NONE */
	uint32_t instance; /* the inlined instance around, or INDEX_NONE */
	uint16_t inlined;  /* how deep */
	uint16_t depth;    /* of DIEs */
};

static int walk_children(struct walk *walk, Dwarf_Die *parent, struct position position);

static int budget_take(struct walk *walk)
{
	if (*walk->budget == 0)
		return -EBADMSG;
	--*walk->budget;
	return 0;
}

/* Classes without a name that have functions are lambdas as a rule. */
static const char *scope_name(Dwarf_Die *scope)
{
	const char *name = dwarf_diename(scope);

	if (name)
		return name;
	return dwarf_tag(scope) == DW_TAG_namespace ? "(anonymous namespace)" : "{lambda}";
}

static int scope_id(struct walk *walk, struct walk_scope *scope, uint32_t *ret_id)
{
	struct index_builder *builder = walk->builder;
	struct building_scope made = {.parent = INDEX_NONE, .file = INDEX_NONE};

	if (!scope || scope->id != INDEX_NONE) {
		*ret_id = scope ? scope->id : INDEX_NONE;
		return 0;
	}
	made.name = strings_intern(builder->index->strings, scope_name(scope->die));
	made.line = (uint32_t)dwarf_origin_number(scope->die, DW_AT_decl_line);
	if (!made.name || scope_id(walk, scope->parent, &made.parent) ||
	    (made.line && dwarf_origin_file(builder, scope->die, &made.file)) ||
	    ARRAY_APPEND(&builder->scopes, made))
		return -ENOMEM;
	*ret_id = scope->id = (uint32_t)builder->scopes.count - 1;
	return 0;
}

/* Notes where a function is declared if its name does not say so. */
static int scope_note(struct walk *walk, Dwarf_Die *die, struct walk_scope *scope)
{
	uint32_t *known;

	if (!walk->scoped || !scope || dwarf_hasattr(die, DW_AT_linkage_name) ||
	    dwarf_hasattr(die, DW_AT_specification) || dwarf_hasattr(die, DW_AT_abstract_origin))
		return 0;
	known = id_map_put(&walk->builder->die_scopes, (uintptr_t)die->addr, 0);
	return known ? scope_id(walk, scope, known) : -ENOMEM;
}

/* Appends the DIE's live ranges to `copy_ranges` or, with `inlined`, to the inlined ones. */
static int ranges_read(
    struct walk *walk, Dwarf_Die *die, const struct inlined_range *inlined, size_t *ret_count)
{
	struct image_index *index = walk->builder->index;
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	*ret_count = 0;
	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		int result = budget_take(walk);

		if (result)
			return result;
		if (!builder_is_code(walk->builder, low, high))
			continue; /* discarded by the linker */
		if (inlined) {
			struct inlined_range range = *inlined;

			range.low = low;
			range.high = high;
			result = ARRAY_APPEND(&index->inlined, range);
		} else {
			result =
			    ARRAY_APPEND(&index->copy_ranges, (struct address_range){low, high});
		}
		if (result)
			return result;
		++*ret_count;
	}
	return 0;
}

/* *ret_copy stays as it was if the code is known already, as another function's. */
static int copy_add(
    struct walk *walk, Dwarf_Die *die, size_t first, size_t count, uint32_t *ret_copy)
{
	struct image_index *index = walk->builder->index;
	const char *linkage = dwarf_origin_linkage(die);
	struct function_copy copy = {
	    .first_range = (uint32_t)first, .range_count = (uint32_t)count};
	Dwarf_Attribute entry;
	uint32_t *known;
	int result = dwarf_origin_source(walk->builder, die, &copy.source);

	if (result)
		return result;
	if (linkage) {
		copy.linkage_name = strings_intern(index->strings, linkage);
		if (!copy.linkage_name)
			return -ENOMEM;
		builder_note_linkage(walk->builder, copy.source, copy.linkage_name);
	}
	copy.entry = index->copy_ranges.items[first].low;
	if (dwarf_attr(die, DW_AT_entry_pc, &entry)) {
		Dwarf_Addr address;

		if (!dwarf_entrypc(die, &address))
			for (size_t i = first; i < first + count; i++)
				if (index->copy_ranges.items[i].low == address)
					copy.entry = address;
	}
	known = id_map_put(&walk->builder->entries, copy.entry, 0);
	if (!known)
		return -ENOMEM;
	if (*known != INDEX_NONE)
		return 0; /* folded into another function with the same code */
	*known = *ret_copy = (uint32_t)index->copies.count;
	return ARRAY_APPEND(&index->copies, copy);
}

static int visit_subprogram(struct walk *walk, Dwarf_Die *die, struct position position)
{
	size_t first = walk->builder->index->copy_ranges.count, count = 0;
	struct walk_scope scope = {position.scope, die, INDEX_NONE};
	int result = scope_note(walk, die, position.scope);

	position.scope = &scope;
	position.copy = INDEX_NONE;
	position.instance = INDEX_NONE;
	position.inlined = 0;
	if (!result && !walk->scopes_only)
		result = ranges_read(walk, die, NULL, &count);
	if (!result && count)
		result = copy_add(walk, die, first, count, &position.copy);
	return result ? result : walk_children(walk, die, position);
}

static int call_file(struct walk *walk, Dwarf_Die *die, uint32_t *ret_file)
{
	uint64_t number = dwarf_origin_number(die, DW_AT_call_file);
	const char *path;

	if (number >= walk->file_count)
		return 0;
	path = dwarf_filesrc(walk->files, number, NULL, NULL);
	return path ? builder_file(walk->builder, path, ret_file) : 0;
}

static int visit_inlined(struct walk *walk, Dwarf_Die *die, struct position position)
{
	struct inlined_range range = {
	    .call_file = INDEX_NONE,
	    .call_line = (uint32_t)dwarf_origin_number(die, DW_AT_call_line),
	    .parent = position.instance,
	    .instance = walk->builder->instances,
	    .depth = position.inlined + 1,
	};
	size_t count;
	int result;

	if (position.copy == INDEX_NONE)
		return 0; /* discarded, or in an abstract body */
	result = dwarf_origin_source(walk->builder, die, &range.source);
	if (!result)
		result = call_file(walk, die, &range.call_file);
	if (!result)
		result = ranges_read(walk, die, &range, &count);
	if (!result && count) {
		position.instance = walk->builder->instances++;
		position.inlined++;
	}
	return result ? result : walk_children(walk, die, position);
}

static int visit(struct walk *walk, Dwarf_Die *die, struct position position)
{
	struct walk_scope scope = {position.scope, die, INDEX_NONE};

	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
		return visit_subprogram(walk, die, position);
	case DW_TAG_inlined_subroutine:
		return walk->scopes_only ? 0 : visit_inlined(walk, die, position);
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
		return walk_children(walk, die, position);
	case DW_TAG_namespace:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_interface_type:
	case DW_TAG_module:
		if (!walk->scoped)
			return 0;
		position.scope = &scope;
		return walk_children(walk, die, position);
	default:
		return 0;
	}
}

static int walk_children(struct walk *walk, Dwarf_Die *parent, struct position position)
{
	Dwarf_Die child;
	int result = 0;

	if (position.depth++ >= DEPTH_MAX || !dwarf_haschildren(parent) ||
	    dwarf_child(parent, &child))
		return 0;
	do {
		result = budget_take(walk);
		if (!result)
			result = visit(walk, &child, position);
	} while (!result && dwarf_siblingof(&child, &child) == 0);
	return result;
}

static bool language_has_scopes(Dwarf_Die *unit)
{
	switch (dwarf_srclang(unit)) {
	case DW_LANG_C89:
	case DW_LANG_C:
	case DW_LANG_C99:
	case DW_LANG_C11:
	case DW_LANG_Go:
	case DW_LANG_Mips_Assembler:
		return false;
	default:
		return true;
	}
}

static int unit_walk(struct walk *walk, Dwarf_Die *unit)
{
	struct position top = {.copy = INDEX_NONE, .instance = INDEX_NONE};

	walk->scoped = language_has_scopes(unit);
	if (walk->scopes_only || dwarf_getsrcfiles(unit, &walk->files, &walk->file_count))
		walk->file_count = 0;
	return walk_children(walk, unit, top);
}

int dwarf_functions_read_unit(struct index_builder *builder, Dwarf_Die *unit, uint64_t *budget)
{
	struct walk walk = {.builder = builder, .budget = budget};

	return unit_walk(&walk, unit);
}

int dwarf_functions_read_scopes(struct index_builder *builder, Dwarf_Die *unit, uint64_t *budget)
{
	struct walk walk = {.builder = builder, .budget = budget, .scopes_only = true};

	return unit_walk(&walk, unit);
}
