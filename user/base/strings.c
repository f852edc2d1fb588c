// SPDX-License-Identifier: GPL-2.0-or-later
// Stores each string once: chunks of text, and an open-addressed table of pointers into them.
#include "base/strings.h"

#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 65536

struct chunk {
	struct chunk *next;
	size_t used, size;
	char text[];
};

struct entry {
	const char *text;
	uint32_t hash, length;
};

struct strings {
	struct chunk *chunks;
	struct entry *table;
	size_t capacity; /* power of two */
	size_t count;
};

struct strings *strings_new(void)
{
	struct strings *strings = calloc(1, sizeof(*strings));

	if (!strings)
		return NULL;
	strings->capacity = 256;
	strings->table = calloc(strings->capacity, sizeof(*strings->table));
	if (!strings->table) {
		free(strings);
		return NULL;
	}
	return strings;
}

void strings_free(struct strings *strings)
{
	if (!strings)
		return;
	while (strings->chunks) {
		struct chunk *next = strings->chunks->next;

		free(strings->chunks);
		strings->chunks = next;
	}
	free(strings->table);
	free(strings);
}

static uint32_t hash_text(const char *text, size_t length)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	return hash;
}

static struct entry *table_find(
    struct entry *table, size_t capacity, uint32_t hash, const char *text, size_t length)
{
	size_t at = hash & (capacity - 1);

	while (table[at].text && (table[at].hash != hash || table[at].length != length ||
				     memcmp(table[at].text, text, length)))
		at = (at + 1) & (capacity - 1);
	return &table[at];
}

static bool table_grow(struct strings *strings)
{
	size_t capacity = strings->capacity * 2;
	struct entry *table = calloc(capacity, sizeof(*table));

	if (!table)
		return false;
	for (size_t i = 0; i < strings->capacity; i++) {
		const struct entry *old = &strings->table[i];

		if (old->text)
			*table_find(table, capacity, old->hash, old->text, old->length) = *old;
	}
	free(strings->table);
	strings->table = table;
	strings->capacity = capacity;
	return true;
}

static char *chunk_store(struct strings *strings, const char *text, size_t length)
{
	struct chunk *chunk = strings->chunks;
	char *stored;

	if (!chunk || chunk->size - chunk->used < length + 1) {
		size_t size = length + 1 > CHUNK_BYTES ? length + 1 : CHUNK_BYTES;

		chunk = malloc(sizeof(*chunk) + size);
		if (!chunk)
			return NULL;
		chunk->size = size;
		chunk->used = 0;
		chunk->next = strings->chunks;
		strings->chunks = chunk;
	}
	stored = chunk->text + chunk->used;
	memcpy(stored, text, length);
	stored[length] = '\0';
	chunk->used += length + 1;
	return stored;
}

const char *strings_intern_length(struct strings *strings, const char *text, size_t length)
{
	uint32_t hash = hash_text(text, length);
	struct entry *entry;

	if (length > UINT32_MAX)
		return NULL;
	if (strings->count * 2 >= strings->capacity && !table_grow(strings))
		return NULL;
	entry = table_find(strings->table, strings->capacity, hash, text, length);
	if (!entry->text) {
		char *stored = chunk_store(strings, text, length);

		if (!stored)
			return NULL;
		*entry = (struct entry){stored, hash, (uint32_t)length};
		strings->count++;
	}
	return entry->text;
}

const char *strings_intern(struct strings *strings, const char *text)
{
	return strings_intern_length(strings, text, strlen(text));
}

bool string_is_glob(const char *pattern)
{
	return strpbrk(pattern, "*?[") != NULL;
}

bool string_matches(const char *pattern, const char *text)
{
	return fnmatch(pattern, text, FNM_NOESCAPE) == 0;
}

bool string_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool string_ends(const char *text, const char *suffix)
{
	size_t length = strlen(text), ending = strlen(suffix);

	return length >= ending && strcmp(text + length - ending, suffix) == 0;
}
