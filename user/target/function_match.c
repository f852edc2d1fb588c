// SPDX-License-Identifier: GPL-2.0-or-later
// Finds functions of one image by what people call them.
#include "target/function_match.h"

#include <errno.h>
#include <string.h>

#include "target/demangle.h"
#include "target/source_path.h"

/* Equal but for blanks: "f(int, char)" is "f(int,char)". */
static bool names_equal(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == ' ')
			a++;
		while (*b == ' ')
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

/* Whether a copy's symbol, demangled in any way, is `name`. */
static bool symbol_reads(const char *symbol, const char *name)
{
	static const enum demangle_form forms[] = {DEMANGLE_NAME, DEMANGLE_FULL, DEMANGLE_RETURN};
	char text[DEMANGLED_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (demangle(symbol, forms[i], text, sizeof(text)) && names_equal(text, name))
			return true;
	return false;
}

/* `deep`: also by what the symbols of single instances demangle to, which takes long. */
static bool function_is_called(
    const struct image_index *index, uint32_t number, const char *name, bool deep)
{
	const struct source_function *function = &index->functions.items[number];

	/* Names are interned: one that was seen before is no other. In C all of them are one. */
	if (names_equal(function->name, name) ||
	    (function->full_name != function->name && names_equal(function->full_name, name)) ||
	    (function->linkage_name != function->name && !strcmp(function->linkage_name, name)))
		return true;
	for (uint32_t i = 0; i < function->copy_count; i++) {
		const char *symbol = index->copies.items[function->first_copy + i].linkage_name;

		if (!symbol)
			continue;
		if ((symbol != function->linkage_name && !strcmp(symbol, name)) ||
		    (deep && symbol_reads(symbol, name)))
			return true;
	}
	return deep && function->copy_count == 0 && symbol_reads(function->linkage_name, name);
}

/* Globs see symbols, but mangled ones only when the pattern begins like one. */
static bool symbol_globs(const char *symbol, const char *pattern)
{
	bool mangled = symbol[0] == '_' && (symbol[1] == 'Z' || symbol[1] == 'R');

	return (!mangled || pattern[0] == '_') && string_matches(pattern, symbol);
}

static bool function_globs(const struct image_index *index, uint32_t number, const char *pattern)
{
	const struct source_function *function = &index->functions.items[number];

	if (string_matches(pattern, function->name) ||
	    (strchr(pattern, '(') && string_matches(pattern, function->full_name)))
		return true;
	for (uint32_t i = 0; i < function->copy_count; i++) {
		const char *symbol = index->copies.items[function->first_copy + i].linkage_name;

		if (symbol && symbol_globs(symbol, pattern))
			return true;
	}
	return false;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;

	return first < second ? -1 : first > second;
}

static void sources_sort(source_array *found)
{
	size_t kept = 0;

	if (found->count == 0)
		return;
	qsort(found->items, found->count, sizeof(*found->items), compare_numbers);
	for (size_t i = 1; i < found->count; i++)
		if (found->items[i] != found->items[kept])
			found->items[++kept] = found->items[i];
	found->count = kept + 1;
}

static int match_all(const struct image_index *index, const char *name, bool glob, bool deep,
    source_array *ret_found)
{
	for (uint32_t i = 0; i < index->functions.count; i++)
		if ((glob ? function_globs(index, i, name)
			  : function_is_called(index, i, name, deep)) &&
		    ARRAY_APPEND(ret_found, i))
			return -ENOMEM;
	ARRAY_FOREACH (alias, &index->aliases)
		if ((glob ? symbol_globs(alias->name, name)
			  : !strcmp(alias->name, name) ||
				(deep && symbol_reads(alias->name, name))) &&
		    ARRAY_APPEND(ret_found, index->copies.items[alias->copy].source))
			return -ENOMEM;
	sources_sort(ret_found);
	return 0;
}

int function_match_name(
    const struct image_index *index, const char *name, source_array *ret_found, bool *ret_glob)
{
	int result = match_all(index, name, false, false, ret_found);

	*ret_glob = false;
	if (!result && ret_found->count == 0 && strpbrk(name, "(<:"))
		result = match_all(index, name, false, true, ret_found);
	if (!result && ret_found->count == 0 && string_is_glob(name)) {
		*ret_glob = true;
		result = match_all(index, name, true, false, ret_found);
	}
	return result;
}

int function_match_line(
    const struct image_index *index, uint32_t file, uint32_t line, source_array *ret_found)
{
	uint32_t nearest = 0;

	ARRAY_FOREACH (function, &index->functions)
		if (function->file == file && function->line <= line &&
		    line <= function->end_line && function->line > nearest)
			nearest = function->line;
	if (nearest == 0)
		return 0;
	for (uint32_t i = 0; i < index->functions.count; i++) {
		const struct source_function *function = &index->functions.items[i];

		if (function->file == file && function->line == nearest &&
		    line <= function->end_line && ARRAY_APPEND(ret_found, i))
			return -ENOMEM;
	}
	return 0;
}

int function_match_file(const struct image_index *index, uint32_t file, source_array *ret_found)
{
	for (uint32_t i = 0; i < index->functions.count; i++)
		if (index->functions.items[i].file == file && ARRAY_APPEND(ret_found, i))
			return -ENOMEM;
	return 0;
}

int function_match_files(
    const struct image_index *index, const char *typed, source_array *ret_files)
{
	uint32_t exact = INDEX_NONE;

	ARRAY_FOREACH (function, &index->functions) {
		const char *path;

		if (function->file == INDEX_NONE)
			continue;
		path = index->files.items[function->file];
		if (!strcmp(path, typed))
			exact = function->file;
		if (source_path_matches(path, typed) && ARRAY_APPEND(ret_files, function->file))
			return -ENOMEM;
	}
	sources_sort(ret_files);
	if (exact != INDEX_NONE) {
		ret_files->items[0] = exact;
		ret_files->count = 1;
	}
	return 0;
}
