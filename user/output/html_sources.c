// SPDX-License-Identifier: GPL-2.0-or-later
// Collects the ranges of source that functions' rows span, and writes their lines.
#include "output/html_sources.h"

#include <string.h>

#include "output/source.h"

#define GAP_MAX      200 /* lines without a row that are still shown: SOURCE_GAP in page/source.js */
#define CONTENTS_MAX 1000 /* bytes of a source line */

struct range {
	const char *file;
	uint64_t first, last;
};

struct ranges {
	ARRAY(struct range) list;
};

/* The rows of one file in a function, and the function's first line where it stands there. */
static int ranges_add_rows(struct ranges *ranges, const char *file, uint64_t first,
    const struct profile_line *rows, size_t count)
{
	struct range range = {.file = file, .first = first, .last = first};

	for (size_t i = 0; i < count; i++) {
		if (rows[i].line > range.last + 1 + GAP_MAX) {
			if (ARRAY_APPEND(&ranges->list, range))
				return -ENOMEM;
			range.first = rows[i].line;
		}
		range.last = rows[i].line;
	}
	return ARRAY_APPEND(&ranges->list, range);
}

static int ranges_add(struct ranges *ranges, const struct profile_function *function)
{
	const struct profile_line *rows = function->lines.items;
	size_t count = function->lines.count, next;
	bool own = false;
	int error = 0;

	for (size_t i = 0; i < count && !error; i = next) {
		uint64_t first = rows[i].line;

		for (next = i; next < count && !strcmp(rows[next].file, rows[i].file); next++)
			;
		if (strcmp(rows[i].file, function->file) == 0) {
			own = true;
			if (function->line && function->line < first)
				first = function->line;
		}
		error = ranges_add_rows(ranges, rows[i].file, first, &rows[i], next - i);
	}
	if (!own && !error && *function->file && function->line)
		error = ranges_add_rows(ranges, function->file, function->line, NULL, 0);
	return error;
}

static int range_compare(const void *left, const void *right)
{
	const struct range *a = left, *b = right;
	int order = strcmp(a->file, b->file);

	return order ? order : (a->first > b->first) - (a->first < b->first);
}

static void write_block(
    struct json_stream *json, const struct source *source, const struct range *range)
{
	char contents[CONTENTS_MAX + sizeof(" ...")];

	json_open(json, NULL, '[', JSON_COMPACT);
	json_unsigned(json, NULL, range->first);
	json_open(json, NULL, '[', JSON_COMPACT);
	for (uint64_t line = range->first; line <= range->last; line++) {
		const char *text = source_line(source, line);

		if (!text)
			break;
		if (snprintf(contents, sizeof(contents), "%.*s", CONTENTS_MAX, text) ==
			CONTENTS_MAX &&
		    text[CONTENTS_MAX])
			strcat(contents, " ...");
		json_text(json, NULL, contents);
	}
	json_close(json);
	json_close(json);
}

/* The ranges of one file, ascending; those that meet are one block. */
static void write_file(struct json_stream *json, const struct profile *profile,
    const struct range *ranges, size_t count, bool public_only)
{
	CLEANUP(source_free_p) struct source *source = source_open(ranges->file, public_only);
	struct range block = *ranges;

	json_open(json, NULL, '{', JSON_COMPACT);
	json_text(json, "file", ranges->file);
	json_text(json, "state",
	    !source                            ? "missing"
	    : source_is_newer(source, profile) ? "changed"
					       : "present");
	json_open(json, "blocks", '[', JSON_ROWS);
	for (size_t i = 1; source && i < count; i++) {
		if (ranges[i].first > block.last + 1) {
			write_block(json, source, &block);
			block = ranges[i];
		} else if (ranges[i].last > block.last) {
			block.last = ranges[i].last;
		}
	}
	if (source)
		write_block(json, source, &block);
	json_close(json);
	json_close(json);
}

int html_sources_write(const struct profile *profile, bool public_only, struct json_stream *json)
{
	struct ranges ranges = {0};
	int error = 0;

	ARRAY_FOREACH (function, &profile->functions)
		error = error ?: ranges_add(&ranges, function);
	ARRAY_SORT(&ranges.list, range_compare);
	json_open(json, "sources", '[', JSON_ROWS);
	for (size_t i = 0, next; i < ranges.list.count && !error; i = next) {
		for (next = i; next < ranges.list.count &&
			       !strcmp(ranges.list.items[next].file, ranges.list.items[i].file);
		     next++)
			;
		write_file(json, profile, &ranges.list.items[i], next - i, public_only);
	}
	json_close(json);
	ARRAY_FREE(&ranges.list);
	return error;
}
