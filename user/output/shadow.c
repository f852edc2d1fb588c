// SPDX-License-Identifier: GPL-2.0-or-later
// Writes companion sources: plans which block stands in which companion, then prints each one.
#include "output/shadow.h"

#include <ctype.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"
#include "output/source.h"
#include "output/text.h"

/* A block and where it came from, sorted by file and line. */
struct order {
	const struct shadow_block *block;
	size_t index;
};

/* Blocks that overlap (a function inside a function) need companions of their own. */
struct companion {
	const char *path;
	uint64_t used; /* last line taken */
	uint64_t written;
	FILE *stream;
	char *text;
	size_t size;
};

struct shadow {
	const char *directory;
	struct strings *strings;
	ARRAY(const char *) taken;
	ARRAY(struct companion) companions; /* of the current source */
	struct failure *failure;
};

static int order_compare(const void *left, const void *right)
{
	const struct order *a = left, *b = right;
	int order = strcmp(a->block->file, b->block->file);

	if (order)
		return order;
	if (a->block->first_line != b->block->first_line)
		return a->block->first_line < b->block->first_line ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

/* "lvm.c", or "lvm.2.c" when that is taken; nothing that a shell or a terminal stumbles over. */
static const char *companion_name(struct shadow *shadow, const char *source)
{
	const char *slash = strrchr(source, '/'), *base = slash ? slash + 1 : source;
	const char *dot = strrchr(base, '.');
	int stem = dot && dot > base ? (int)(dot - base) : (int)strlen(base);
	char name[256];

	for (unsigned copy = 1;; copy++) {
		bool taken = false;

		if (copy == 1)
			snprintf(name, 200, "%s", base);
		else
			snprintf(name, 200, "%.*s.%u%s", stem, base, copy, base + stem);
		for (char *c = name; *c; c++)
			if (!isalnum((unsigned char)*c) && !strchr("._-+", *c))
				*c = '_';
		if (name[0] == '.' || !name[0])
			name[0] = '_';
		ARRAY_FOREACH (other, &shadow->taken)
			taken = taken || strcmp(*other, name) == 0;
		if (!taken || copy == 10000)
			break;
	}
	return strings_intern(shadow->strings, name);
}

static struct companion *companion_add(struct shadow *shadow, const char *source)
{
	const char *name = companion_name(shadow, source);
	char path[PATH_MAX + 256];
	struct companion *companion;

	if (!name || ARRAY_APPEND(&shadow->taken, name) ||
	    ARRAY_APPEND(&shadow->companions, (struct companion){.used = 0}))
		return NULL;
	companion = &shadow->companions.items[shadow->companions.count - 1];
	snprintf(path, sizeof(path), "%s/%s", shadow->directory, name);
	companion->path = strings_intern(shadow->strings, path);
	companion->stream = open_memstream(&companion->text, &companion->size);
	return companion->path && companion->stream ? companion : NULL;
}

/* A source line inside a raw Python string: never three quotes in a row, no character that Python
 * takes for a line end. */
static void print_quoted(FILE *stream, const char *line)
{
	unsigned quotes = 0;

	while (*line) {
		size_t length = text_character(line, NULL);

		quotes = *line == '"' ? quotes + 1 : 0;
		if (quotes == 3) {
			fputc(' ', stream);
			quotes = 1;
		}
		if (!length)
			fputs(TEXT_REPLACEMENT, stream);
		else if (length == 1 && (unsigned char)*line < ' ' && *line != '\t')
			fputc(' ', stream);
		else
			fwrite(line, 1, length, stream);
		line += length ? length : 1;
	}
}

/* Prints a block and stores where its opener stands. */
static void companion_print(struct companion *companion, const struct source *source,
    uint64_t first, uint64_t last, struct shadow_place *ret_place)
{
	static const char opener[] = "class _: r\"\"\"";
	bool before = first > companion->written + 1;

	ret_place->file = companion->path;
	ret_place->first_line = (uint32_t)(before ? first - 1 : first);
	while (companion->written + 1 < ret_place->first_line) {
		fputc('\n', companion->stream);
		companion->written++;
	}
	fputs(opener, companion->stream);
	if (before)
		fputc('\n', companion->stream);
	for (uint64_t line = first; line <= last; line++) {
		print_quoted(companion->stream, source_line(source, line));
		fputs(line == last ? "  \"\"\"\n" : "\n", companion->stream);
	}
	companion->written = companion->used = last;
}

static int companions_finish(struct shadow *shadow)
{
	int error = 0;

	ARRAY_FOREACH (companion, &shadow->companions) {
		if (companion->stream && fclose(companion->stream))
			error = -ENOMEM;
		if (companion->stream && !error)
			error = file_write_atomically(
			    companion->path, companion->text, companion->size, shadow->failure);
		free(companion->text);
	}
	ARRAY_FREE(&shadow->companions);
	return error;
}

/* All blocks of one source. */
static int shadow_source(struct shadow *shadow, const struct order *orders, size_t count,
    struct shadow_place *ret_places)
{
	CLEANUP(source_free_p) struct source *source = source_open(orders->block->file, false);
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		const struct shadow_block *block = orders[i].block;
		uint64_t first = block->first_line ? block->first_line : 1, last = block->last_line;
		struct companion *companion = NULL;

		ret_places[orders[i].index] = (struct shadow_place){block->file, (uint32_t)first};
		if (!source_line(source, first))
			continue;
		if (last > source->lines.count)
			last = source->lines.count;
		ARRAY_FOREACH (candidate, &shadow->companions)
			if (!companion && candidate->used < first)
				companion = candidate;
		if (!companion)
			companion = companion_add(shadow, block->file);
		if (companion)
			companion_print(companion, source, first, last > first ? last : first,
			    &ret_places[orders[i].index]);
		else
			error = -ENOMEM;
	}
	return companions_finish(shadow) ?: error;
}

int shadow_write(const char *directory, const struct shadow_block *blocks, size_t count,
    struct strings *strings, struct shadow_place *ret_places, struct failure *failure)
{
	CLEANUP_FREE struct order *orders = calloc(count + 1, sizeof(*orders));
	CLEANUP_FREE char *real = NULL;
	struct shadow shadow = {.strings = strings, .failure = failure};
	int error = orders ? 0 : -ENOMEM;

	if (mkdir(directory, 0777) && errno != EEXIST)
		return failure_set(failure, errno, "%s: cannot be made: %m", directory);
	real = realpath(directory, NULL);
	if (!real)
		return failure_set(failure, errno, "%s: %m", directory);
	shadow.directory = real;
	for (size_t i = 0; i < count && orders; i++)
		orders[i] = (struct order){&blocks[i], i};
	if (orders)
		qsort(orders, count, sizeof(*orders), order_compare);
	for (size_t i = 0, next; i < count && !error; i = next) {
		for (next = i + 1; next < count; next++)
			if (strcmp(orders[i].block->file, orders[next].block->file) != 0)
				break;
		error = shadow_source(&shadow, &orders[i], next - i, ret_places);
	}
	ARRAY_FREE(&shadow.taken);
	return error ? failure_set(failure, -error, "%s: companion sources: %s", directory,
			   strerror(-error))
		     : 0;
}
