// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps what has been found of an image so far, each file and source function once.
#include "target/index_builder.h"

#include <errno.h>
#include <linux/limits.h>
#include <string.h>

#include "target/demangle.h"

bool builder_is_code(const struct index_builder *builder, uint64_t low, uint64_t high)
{
	ARRAY_FOREACH (segment, &builder->index->segments) {
		uint64_t skipped =
		    segment->offset < sizeof(Elf64_Ehdr) ? sizeof(Elf64_Ehdr) - segment->offset : 0;

		if (low >= segment->address + skipped && low < high &&
		    high - segment->address <= segment->size)
			return true;
	}
	return false;
}

/* Whether ".." after `text` takes a part away; of a relative path it may have to stay. */
static bool can_go_up(const char *text, size_t used, bool absolute)
{
	bool up = used >= 2 && text[used - 1] == '.' && text[used - 2] == '.' &&
		  (used == 2 || text[used - 3] == '/');

	return absolute || (used > 0 && !up);
}

/* Copies `path` without empty, "." and ".." parts; false if it does not fit. */
static bool path_normalize(const char *path, char *ret_text, size_t size)
{
	bool absolute = path[0] == '/';
	size_t used = 0;

	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 2 && path[0] == '.' && path[1] == '.' &&
		    can_go_up(ret_text, used, absolute)) {
			while (used > 0 && ret_text[--used] != '/')
				;
		} else if (length > 0 && !(length == 1 && path[0] == '.')) {
			if (used + length + 2 > size)
				return false;
			if (used > 0 || absolute)
				ret_text[used++] = '/';
			memcpy(ret_text + used, path, length);
			used += length;
		}
		path += length;
		path += *path == '/';
	}
	ret_text[used] = '\0';
	return true;
}

int builder_file(struct index_builder *builder, const char *path, uint32_t *ret_file)
{
	struct image_index *index = builder->index;
	char normal[PATH_MAX];
	const char *name;
	uint32_t *id;

	if (strstr(path, "/.") || strstr(path, "//") || path[0] == '.')
		if (path_normalize(path, normal, sizeof(normal)))
			path = normal;
	name = strings_intern(index->strings, path);
	if (!name)
		return -ENOMEM;
	id = id_map_put(&builder->file_ids, (uintptr_t)name, 0);
	if (!id)
		return -ENOMEM;
	if (*id == INDEX_NONE) {
		if (ARRAY_APPEND(&index->files, name))
			return -ENOMEM;
		*id = (uint32_t)index->files.count - 1;
	}
	*ret_file = *id;
	return 0;
}

int builder_source(struct index_builder *builder, const char *name, uint32_t file, uint32_t line,
    uint64_t group, uint32_t *ret_source)
{
	uint64_t place =
	    file == INDEX_NONE ? group | (uint64_t)1 << 63 : (uint64_t)file << 32 | line;
	uint32_t *id = id_map_put(&builder->source_ids, (uintptr_t)name, place);

	if (!id)
		return -ENOMEM;
	if (*id == INDEX_NONE) {
		struct building_source source = {.name = name, .file = file, .line = line};

		if (ARRAY_APPEND(&builder->sources, source))
			return -ENOMEM;
		*id = (uint32_t)builder->sources.count - 1;
	}
	*ret_source = *id;
	return 0;
}

void builder_note_linkage(struct index_builder *builder, uint32_t source, const char *linkage)
{
	struct building_source *known = &builder->sources.items[source];
	char first[DEMANGLED_MAX], other[DEMANGLED_MAX];

	if (!known->linkage)
		known->linkage = linkage;
	if (known->linkage == linkage || known->generic)
		return;
	if (demangle(known->linkage, DEMANGLE_NAME, first, sizeof(first)) &&
	    demangle(linkage, DEMANGLE_NAME, other, sizeof(other)))
		known->generic = strcmp(first, other) != 0;
}

void builder_fini(struct index_builder *builder)
{
	ARRAY_FREE(&builder->sources);
	ARRAY_FREE(&builder->scopes);
	ARRAY_FREE(&builder->sequences);
	ARRAY_FREE(&builder->symbols);
	id_map_fini(&builder->file_ids);
	id_map_fini(&builder->source_ids);
	id_map_fini(&builder->die_sources);
	id_map_fini(&builder->die_scopes);
	id_map_fini(&builder->entries);
	id_map_fini(&builder->spans);
}
