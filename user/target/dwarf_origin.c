// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds the source function behind a DIE. Machine copies and inlined subroutines refer to an
 * abstract DIE by DW_AT_abstract_origin, and that one, or the copy itself, may refer to a
 * declaration in a class by DW_AT_specification; in other units (LTO) or in another file (dwz).
 * Each attribute counts where the chain has it first.
 */
#include "target/dwarf_origin.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "target/demangle.h"

#define CHAIN_MAX 16 /* longer chains are damage */

const char *dwarf_origin_string(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute found;

	return dwarf_attr(die, attribute, &found) ? dwarf_formstring(&found) : NULL;
}

uint64_t dwarf_origin_number(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute found;
	Dwarf_Word value;

	if (!dwarf_attr(die, attribute, &found) || dwarf_formudata(&found, &value))
		return 0;
	return value;
}

const char *dwarf_origin_linkage(Dwarf_Die *die)
{
	const char *name = dwarf_origin_string(die, DW_AT_linkage_name);

	return name ? name : dwarf_origin_string(die, DW_AT_MIPS_linkage_name);
}

static bool die_follow(Dwarf_Die *die, unsigned int attribute, Dwarf_Die *ret_die)
{
	Dwarf_Attribute found;

	return dwarf_attr(die, attribute, &found) && dwarf_formref_die(&found, ret_die);
}

int dwarf_origin_file(struct index_builder *builder, Dwarf_Die *die, uint32_t *ret_file)
{
	Dwarf_Attribute found;
	Dwarf_Files *files;
	Dwarf_Word number;
	Dwarf_Die unit;
	size_t count;
	const char *path;

	if (!dwarf_attr(die, DW_AT_decl_file, &found) || dwarf_formudata(&found, &number) ||
	    !dwarf_diecu(die, &unit, NULL, NULL) || dwarf_getsrcfiles(&unit, &files, &count) ||
	    number >= count)
		return 0;
	path = dwarf_filesrc(files, number, NULL, NULL);
	return path && strcmp(path, "???") ? builder_file(builder, path, ret_file) : 0;
}

struct declaration {
	const char *name, *linkage;
	uint32_t file, line;
	void *last; /* the DIE at the chain's end */
};

/* Collects along the chain that begins at `die`. */
static int declaration_read(
    struct index_builder *builder, Dwarf_Die *die, struct declaration *ret_declaration)
{
	struct declaration declaration = {.file = INDEX_NONE};
	Dwarf_Die at = *die;

	for (int i = 0; i < CHAIN_MAX; i++) {
		Dwarf_Die next;

		if (!declaration.name)
			declaration.name = dwarf_origin_string(&at, DW_AT_name);
		if (!declaration.linkage)
			declaration.linkage = dwarf_origin_linkage(&at);
		if (!declaration.line)
			declaration.line = (uint32_t)dwarf_origin_number(&at, DW_AT_decl_line);
		if (declaration.file == INDEX_NONE &&
		    dwarf_origin_file(builder, &at, &declaration.file))
			return -ENOMEM;
		declaration.last = at.addr;
		if (!die_follow(&at, DW_AT_specification, &next) &&
		    !die_follow(&at, DW_AT_abstract_origin, &next))
			break;
		at = next;
	}
	*ret_declaration = declaration;
	return 0;
}

/* The interned name without template arguments: the same for all instances. */
static const char *base_name(struct strings *strings, const char *name)
{
	char text[DEMANGLED_MAX];

	if (strchr(name, '<') && strlen(name) < sizeof(text)) {
		strcpy(text, name);
		demangle_drop_arguments(text);
		return strings_intern(strings, text);
	}
	return strings_intern(strings, name);
}

static int source_make(struct index_builder *builder, Dwarf_Die *die, uint32_t *ret_source)
{
	struct strings *strings = builder->index->strings;
	struct declaration found;
	const char *name, *linkage = NULL;
	uint64_t group = 0;

	if (declaration_read(builder, die, &found))
		return -ENOMEM;
	if (found.linkage) {
		linkage = strings_intern(strings, found.linkage);
		if (!linkage)
			return -ENOMEM;
	}
	if (found.file == INDEX_NONE && linkage) {
		name = linkage; /* without a place, the linkage name tells functions apart */
	} else {
		name = base_name(strings, found.name ? found.name : linkage ? linkage : "");
		group = (uintptr_t)found.last;
	}
	if (!name || builder_source(builder, name, found.file, found.line, group, ret_source))
		return -ENOMEM;
	builder->sources.items[*ret_source].declaration = found.last;
	if (linkage)
		builder_note_linkage(builder, *ret_source, linkage);
	return 0;
}

int dwarf_origin_source(struct index_builder *builder, Dwarf_Die *die, uint32_t *ret_source)
{
	Dwarf_Die root = *die, next;
	uint32_t *known;

	for (int i = 0; i < CHAIN_MAX && die_follow(&root, DW_AT_abstract_origin, &next); i++)
		root = next;
	known = id_map_put(&builder->die_sources, (uintptr_t)root.addr, 0);
	if (!known)
		return -ENOMEM;
	if (*known == INDEX_NONE && source_make(builder, &root, known))
		return -ENOMEM;
	*ret_source = *known;
	return 0;
}
