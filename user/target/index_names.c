// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names source functions as people say them: by the demangled linkage name where there is one; by
 * the namespaces and classes around the declaration where there is none.
 */
#include <errno.h>
#include <string.h>

#include "target/demangle.h"
#include "target/index_finish.h"

#define SCOPES_MAX 32

/* Puts a::b:: before `name`, in `text`. */
static const char *name_qualify(
    const struct index_builder *builder, uint32_t scope, const char *name, char *text, size_t size)
{
	const char *parts[SCOPES_MAX];
	size_t count = 0, used = 0;

	for (; scope != INDEX_NONE && count < SCOPES_MAX; count++) {
		parts[count] = builder->scopes.items[scope].name;
		scope = builder->scopes.items[scope].parent;
	}
	while (count-- > 0) {
		int length = snprintf(text + used, size - used, "%s::", parts[count]);

		if (length < 0 || (size_t)length >= size - used)
			return name;
		used += (size_t)length;
	}
	if (strlen(name) >= size - used)
		return name;
	strcpy(text + used, name);
	return text;
}

/* The mangled name to demangle: the declaration's, or that of a copy's symbol. NULL: none. */
static const char *mangled_name(
    const struct building_source *source, const char *first_copy, char *text, size_t size)
{
	if (source->linkage && demangle(source->linkage, DEMANGLE_NAME, text, size))
		return source->linkage;
	if (first_copy && demangle(first_copy, DEMANGLE_NAME, text, size))
		return first_copy;
	return NULL;
}

static int function_name(struct index_builder *builder, const struct building_source *source,
    const char *first_copy, struct source_function *function)
{
	struct strings *strings = builder->index->strings;
	char text[DEMANGLED_MAX];
	const char *mangled = mangled_name(source, first_copy, text, sizeof(text)), *name = text;
	uint32_t scope;

	if (mangled) {
		if (source->generic)
			demangle_drop_arguments(text);
		function->name = strings_intern(strings, text);
		if (!demangle(mangled, DEMANGLE_FULL, text, sizeof(text)))
			name = mangled;
		function->full_name = strings_intern(strings, name);
	} else {
		name = *source->name ? source->name : first_copy ? first_copy : "(unnamed)";
		scope = id_map_get(&builder->die_scopes, (uintptr_t)source->declaration, 0);
		if (source->declaration && scope != INDEX_NONE)
			name = name_qualify(builder, scope, name, text, sizeof(text));
		function->full_name = function->name = strings_intern(strings, name);
	}
	function->linkage_name = first_copy        ? first_copy
				 : source->linkage ? source->linkage
						   : function->name;
	return function->name && function->full_name ? 0 : -ENOMEM;
}

/* A lambda is declared where its class is. */
static void place_from_scope(const struct index_builder *builder,
    const struct building_source *source, struct source_function *function)
{
	uint32_t scope = id_map_get(&builder->die_scopes, (uintptr_t)source->declaration, 0);

	if (scope == INDEX_NONE || builder->scopes.items[scope].file == INDEX_NONE)
		return;
	function->file = builder->scopes.items[scope].file;
	function->line = builder->scopes.items[scope].line;
}

/* Functions that the compiler made have no declaration, those of Go no line: they stand where their
 * code begins. */
static void place_from_row(const struct image_index *index, const struct function_copy *copy,
    struct source_function *function)
{
	size_t at = image_index_row_from(index, copy->entry);
	const struct line_row *row;

	if (at >= index->rows.count)
		return;
	row = &index->rows.items[at];
	if (row->address != copy->entry || !row->line)
		return;
	if (function->file == INDEX_NONE)
		function->file = row->file;
	if (function->file == row->file && !function->line)
		function->line = row->line;
}

static void function_place(const struct index_builder *builder,
    const struct building_source *source, const struct function_copy *copy,
    struct source_function *function)
{
	if (!source->declaration)
		return;
	if (function->file == INDEX_NONE)
		place_from_scope(builder, source, function);
	if (copy && (function->file == INDEX_NONE || !function->line))
		place_from_row(builder->index, copy, function);
}

int index_name_functions(struct index_builder *builder)
{
	struct image_index *index = builder->index;
	size_t count = builder->sources.count;
	CLEANUP_FREE uint32_t *first = NULL;

	if (count == 0)
		return 0;
	first = malloc(count * sizeof(*first));
	if (!first || ARRAY_RESERVE(&index->functions, count))
		return -ENOMEM;
	memset(first, 0xff, count * sizeof(*first));
	for (uint32_t i = 0; i < index->copies.count; i++) {
		uint32_t *known = &first[index->copies.items[i].source];

		if (*known == INDEX_NONE ||
		    index->copies.items[i].kind < index->copies.items[*known].kind)
			*known = i;
	}
	for (size_t i = 0; i < count; i++) {
		const struct building_source *source = &builder->sources.items[i];
		const struct function_copy *copy =
		    first[i] == INDEX_NONE ? NULL : &index->copies.items[first[i]];
		struct source_function function = {.file = source->file, .line = source->line};

		if (function_name(builder, source, copy ? copy->linkage_name : NULL, &function))
			return -ENOMEM;
		function_place(builder, source, copy, &function);
		index->functions.items[index->functions.count++] = function;
	}
	return 0;
}
