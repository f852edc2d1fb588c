// SPDX-License-Identifier: GPL-2.0-or-later
// Writes line_profiler's pickle, with the native profile embedded.
//
// What it says is pickle protocol 2 without memo or framing, which every version of Python and of
// line_profiler loads: an object LineStats whose attributes are
//	timings  {(file, first line, function): [(line, hits, nanoseconds), ...]}
//	unit     1e-09
//	lprof    the native JSON as text, for `lprof` itself; other loaders never look at it
// A function's rows in another file (macros, included tables) are an entry of their own.
//
// Without companion sources (--shadow) the viewer is pointed at the real source where it survives
// that, and prints one line of it. Where it would die, the entry's file is "FILE:FUNCTION", which
// is nowhere: then the viewer says so and prints all rows, without contents.
#include "output/output.h"

#include <string.h>

#include "output/python_reads.h"
#include "output/shadow.h"
#include "output/text.h"

/* An entry of `timings`: rows of one function in one file. */
struct entry {
	const struct profile_function *function;
	const struct profile_line *rows;
	size_t row_count;
	uint32_t copy; /* entries before this one with the same key: a dict has each key once */
	struct shadow_place place;
	bool deadly; /* the source, to the viewer */
};

struct entries {
	ARRAY(struct entry) list;
};

static void put_u32(FILE *stream, uint32_t number)
{
	for (int shift = 0; shift < 32; shift += 8)
		fputc((int)(number >> shift & 0xff), stream);
}

static void put_integer(FILE *stream, int64_t number)
{
	int bytes = 1;

	if (number >= 0 && number <= 0xff) {
		fputc('K', stream);
		fputc((int)number, stream);
	} else if (number >= 0 && number <= 0xffff) {
		fprintf(stream, "M%c%c", (int)(number & 0xff), (int)(number >> 8));
	} else if (number >= INT32_MIN && number <= INT32_MAX) {
		fputc('J', stream);
		put_u32(stream, (uint32_t)number);
	} else {
		while (
		    bytes < 8 && number >> (8 * bytes - 1) != 0 && number >> (8 * bytes - 1) != -1)
			bytes++;
		fprintf(stream, "\x8a%c", bytes);
		for (int i = 0; i < bytes; i++)
			fputc((int)((uint64_t)number >> (8 * i) & 0xff), stream);
	}
}

static int put_text(FILE *stream, const char *text)
{
	CLEANUP_FREE char *valid = text_valid(text);

	if (!valid)
		return -ENOMEM;
	if (strlen(valid) > UINT32_MAX)
		return -EFBIG;
	fputc('X', stream);
	put_u32(stream, (uint32_t)strlen(valid));
	fputs(valid, stream);
	return 0;
}

static void put_real(FILE *stream, double number)
{
	uint64_t bits;

	memcpy(&bits, &number, sizeof(bits));
	fputc('G', stream);
	for (int shift = 56; shift >= 0; shift -= 8)
		fputc((int)(bits >> shift & 0xff), stream);
}

/* Cuts a function's rows into entries, a file each. */
static int entries_add(struct entries *entries, const struct profile_function *function)
{
	const struct profile_line *rows = function->lines.items;
	size_t count = function->lines.count, next;
	bool own = false;

	for (size_t i = 0; i < count; i = next) {
		struct entry entry = {.function = function, .rows = &rows[i]};
		bool hit = false;

		for (next = i; next < count && strcmp(rows[next].file, rows[i].file) == 0; next++)
			hit = hit || rows[next].hits;
		entry.row_count = next - i;
		entry.place = (struct shadow_place){rows[i].file, rows[i].line};
		if (strcmp(rows[i].file, function->file) == 0) {
			own = true;
			if (function->line && function->line < rows[i].line)
				entry.place.first_line = function->line;
		} else if (!hit) {
			continue;
		}
		if (ARRAY_APPEND(&entries->list, entry))
			return -ENOMEM;
	}
	if (own || !function->lines_measured)
		return 0;
	return ARRAY_APPEND(&entries->list,
	    (struct entry){.function = function, .place = {function->file, function->line}});
}

static int entry_compare(const void *left, const void *right)
{
	const struct entry *a = *(struct entry *const *)left, *b = *(struct entry *const *)right;
	int order = strcmp(a->place.file, b->place.file);

	if (order)
		return order;
	if (a->place.first_line != b->place.first_line)
		return a->place.first_line < b->place.first_line ? -1 : 1;
	order = strcmp(a->function->name, b->function->name);
	return order ? order : (a > b) - (a < b);
}

/* Finds the sources that the viewer would die of. Entries come sorted by file. */
static void entries_judge(struct entry **sorted, size_t count, bool public_sources)
{
	CLEANUP(source_free_p) struct source *source = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct shadow_place *place = &sorted[i]->place;

		if (!i || strcmp(place->file, sorted[i - 1]->place.file) != 0) {
			source_free(source);
			source = source_open(place->file, public_sources);
		}
		sorted[i]->deadly = source && !python_reads(source, place->first_line);
	}
}

/* Numbers the entries that share a key, and judges their sources unless companions stand in. */
static int entries_settle(struct entries *entries, const struct output_options *options)
{
	CLEANUP_FREE struct entry **sorted = calloc(entries->list.count + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < entries->list.count; i++)
		sorted[i] = &entries->list.items[i];
	qsort(sorted, entries->list.count, sizeof(*sorted), entry_compare);
	for (size_t i = 1; i < entries->list.count; i++)
		if (strcmp(sorted[i]->place.file, sorted[i - 1]->place.file) == 0 &&
		    sorted[i]->place.first_line == sorted[i - 1]->place.first_line &&
		    strcmp(sorted[i]->function->name, sorted[i - 1]->function->name) == 0)
			sorted[i]->copy = sorted[i - 1]->copy + 1;
	if (!options->shadow)
		entries_judge(sorted, entries->list.count, options->public_sources);
	return 0;
}

static int entries_shadow(struct entries *entries, const char *directory, struct strings *strings,
    struct failure *failure)
{
	size_t count = entries->list.count;
	CLEANUP_FREE struct shadow_block *blocks = calloc(count + 1, sizeof(*blocks));
	CLEANUP_FREE struct shadow_place *places = calloc(count + 1, sizeof(*places));
	int error;

	if (!blocks || !places)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct entry *entry = &entries->list.items[i];

		blocks[i] = (struct shadow_block){
		    .file = entry->place.file,
		    .first_line = entry->place.first_line,
		    .last_line = entry->row_count ? entry->rows[entry->row_count - 1].line
						  : entry->place.first_line,
		};
	}
	error = shadow_write(directory, blocks, count, strings, places, failure);
	for (size_t i = 0; i < count && !error; i++)
		entries->list.items[i].place = places[i];
	return error;
}

static int put_entry(FILE *stream, const struct entry *entry)
{
	CLEANUP_FREE char *name = NULL, *file = NULL;
	int error;

	if (entry->copy ? asprintf(&name, "%s [%u]", entry->function->name, entry->copy + 1) < 0
			: !(name = strdup(entry->function->name)))
		return -ENOMEM;
	if (entry->deadly && asprintf(&file, "%s:%s", entry->place.file, name) < 0)
		return -ENOMEM;
	error = put_text(stream, file ? file : entry->place.file);
	put_integer(stream, entry->place.first_line);
	error = error ?: put_text(stream, name);
	fputs("\x87](", stream);
	for (size_t i = 0; i < entry->row_count; i++) {
		if (!entry->rows[i].hits)
			continue; /* the viewer divides by hits */
		put_integer(stream, entry->rows[i].line);
		put_integer(stream, (int64_t)entry->rows[i].hits);
		put_integer(stream, entry->rows[i].total_ns);
		fputc('\x87', stream);
	}
	fputc('e', stream);
	return error;
}

static int put_native(FILE *stream, const struct profile *profile, struct failure *failure)
{
	static const struct output_options options;
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	int error;

	if (!memory)
		return -ENOMEM;
	error = output_write_json(profile, memory, &options, failure);
	if (fclose(memory) && !error)
		error = -ENOMEM;
	if (!error && size > UINT32_MAX)
		error = failure_set(failure, EFBIG,
		    "the profile is over 4 GiB: .lprof cannot hold it, write .json");
	if (error)
		return error;
	put_text(stream, "lprof");
	fputc('X', stream);
	put_u32(stream, (uint32_t)size);
	fwrite(text, 1, size, stream);
	return 0;
}

static int put_stats(FILE *stream, const struct entries *entries, const struct profile *profile,
    struct failure *failure)
{
	int error = 0;

	fputs("\x80\x02"
	      "cline_profiler._line_profiler\nLineStats\n)\x81}(",
	    stream);
	put_text(stream, "timings");
	fputs("}(", stream);
	ARRAY_FOREACH (entry, &entries->list)
		error = error ?: put_entry(stream, entry);
	fputc('u', stream);
	put_text(stream, "unit");
	put_real(stream, 1e-9);
	error = error ?: put_native(stream, profile, failure);
	fputs("ub.", stream);
	return error;
}

int output_write_lprof(const struct profile *profile, FILE *stream,
    const struct output_options *options, struct failure *failure)
{
	struct entries entries = {0};
	struct strings *strings = strings_new();
	int error = strings ? 0 : -ENOMEM;

	ARRAY_FOREACH (function, &profile->functions)
		error = error ?: entries_add(&entries, function);
	if (!error && options->shadow)
		error = entries_shadow(&entries, options->shadow, strings, failure);
	error = error ?: entries_settle(&entries, options);
	error = error ?: put_stats(stream, &entries, profile, failure);
	ARRAY_FREE(&entries.list);
	strings_free(strings);
	return error;
}
