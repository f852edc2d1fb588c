/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image_index while it is being put together. Readers (dwarf_functions, line_rows,
 * elf_symbols) add what they find in any order; index_finish then names, sorts and links it.
 *
 * Until then: functions is empty and `sources` stands for it; copies' `source` and inlined
 * ranges' `source` index `sources`; an inlined range's `parent` is the instance around it.
 */
#ifndef LPROF_TARGET_INDEX_BUILDER_H
#define LPROF_TARGET_INDEX_BUILDER_H

#include "target/elf_file.h"
#include "target/id_map.h"
#include "target/image_index.h"

struct building_source {
	const char *name;    /* as DWARF or the symbol has it, unqualified, without arguments */
	const char *linkage; /* the first linkage name seen, or NULL */
	uint32_t file, line;
	const void *declaration; /* the DIE that die_scopes may know; NULL without DWARF */
	bool generic;            /* instances' names differ in their template arguments */
};

/* A namespace, class or function; names are built from it where there is no linkage name, and
 * places where there is no declaration: GCC gives a lambda only that of its class. */
struct building_scope {
	const char *name;
	uint32_t parent;
	uint32_t file, line;
};

/* Lines of one compilation unit's sequence, sorted; index_finish puts sequences in order. */
struct building_sequence {
	uint64_t low, high;
	size_t first, count; /* into rows */
};

/* A function symbol. */
struct building_symbol {
	uint64_t address, size;
	const char *name;
	uint32_t group; /* local symbols: which source file's; 0: global */
	uint8_t rank;   /* smaller is preferred among names of one address */
};

struct index_builder {
	struct image_index *index;
	ARRAY(struct building_source) sources;
	ARRAY(struct building_scope) scopes;
	ARRAY(struct building_sequence) sequences;
	ARRAY(struct building_symbol) symbols;
	struct id_map file_ids;    /* by interned path */
	struct id_map source_ids;  /* by name, file and line */
	struct id_map die_sources; /* by a DIE's address in memory */
	struct id_map die_scopes; /* likewise, of subprograms without a linkage name, into scopes */
	struct id_map entries;    /* of copies, by address */
	struct id_map spans;      /* of sequences, by first and last address */
	uint32_t instances;
};

/* Whether code can stand there: inside an executable segment, past the file's own header. */
bool builder_is_code(const struct index_builder *builder, uint64_t low, uint64_t high);

/* The id of a source file, its path made absolute and free of "." and "..". 0 or -ENOMEM. */
int builder_file(struct index_builder *builder, const char *path, uint32_t *ret_file);

/*
 * The source function of that place, made if new. Without a file, (group, name) tells functions
 * apart. 0 or -ENOMEM.
 */
int builder_source(struct index_builder *builder, const char *name, uint32_t file, uint32_t line,
    uint64_t group, uint32_t *ret_source);

/* Notes that a copy or declaration of `source` goes by the linkage name (interned). */
void builder_note_linkage(struct index_builder *builder, uint32_t source, const char *linkage);

void builder_fini(struct index_builder *builder);

#endif
