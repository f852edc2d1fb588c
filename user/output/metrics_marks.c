// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps the times of series from sinking.
#include "output/metrics_marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_SEED  0xcbf29ce484222325ull /* FNV-1a */
#define HASH_PRIME 0x100000001b3ull

enum { KEY_TOTAL = 1, KEY_SELF, KEY_OTHER, KEY_LINES };

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * HASH_PRIME;
	return hash * HASH_PRIME;
}

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
	hash = (hash ^ number) * HASH_PRIME;
	return hash ^ hash >> 32;
}

static uint64_t hash_series(const struct metrics_series *series)
{
	uint64_t hash = hash_text(HASH_SEED, series->function->name);

	hash = hash_number(hash_text(hash, series->function->file), series->function->line);
	hash = hash_text(hash, series->image ? series->image->path : "");
	return hash_text(hash, series->image ? series->image->build_id : "");
}

static struct metrics_mark *find(const struct metrics_marks *marks, uint64_t key)
{
	size_t at = key & (marks->places - 1);

	while (marks->marks[at].key && marks->marks[at].key != key)
		at = (at + 1) & (marks->places - 1);
	return &marks->marks[at];
}

/* What goes along while a set is looked through: the marks of the last one, and the new ones. */
struct keeping {
	const struct metrics_marks *before;
	struct metrics_marks after;
	size_t room; /* in it; a place stays free, so that looking ends */
};

static void keep(struct keeping *keeping, uint64_t key, uint64_t count, int64_t *ns)
{
	const struct metrics_mark *before = NULL;

	key += !key;
	if (keeping->before->places)
		before = find(keeping->before, key);
	if (before && before->key && before->count <= count && before->ns > *ns)
		*ns = before->ns;
	if (*ns <= 0 || !keeping->room)
		return;
	*find(&keeping->after, key) = (struct metrics_mark){key, count, *ns};
	keeping->room--;
}

static void keep_series(struct keeping *keeping, struct metrics_series *series)
{
	const uint64_t key = hash_series(series);
	const char *file = NULL;
	uint64_t file_key = 0;

	keep(keeping, hash_number(key, KEY_TOTAL), series->calls, &series->total_ns);
	keep(keeping, hash_number(key, KEY_SELF), series->calls, &series->self_ns);
	keep(keeping, hash_number(key, KEY_OTHER), series->other.hits, &series->other.total_ns);
	ARRAY_FOREACH (line, &series->lines) {
		if (line->file != file)
			file_key = hash_text(hash_number(key, KEY_LINES), line->file);
		file = line->file;
		keep(keeping, hash_number(file_key, line->line), line->hits, &line->total_ns);
	}
}

/* How many times of the set may be kept; one that sank to zero without a hit finds room or not. */
static size_t count_times(const struct metrics_set *set)
{
	size_t count = 0;

	ARRAY_FOREACH (series, &set->series) {
		count += series->calls ? 2 : 0;
		count += series->has_other;
		ARRAY_FOREACH (line, &series->lines)
			count += line->hits || line->total_ns > 0;
	}
	return count;
}

void metrics_marks_fini(struct metrics_marks *marks)
{
	free(marks->marks);
	*marks = (struct metrics_marks){0};
}

int metrics_marks_keep(struct metrics_marks *marks, struct metrics_set *set)
{
	struct keeping keeping = {.before = marks, .after = {.places = 64}};
	const size_t count = count_times(set);

	while (keeping.after.places < count + count / 2)
		keeping.after.places *= 2;
	keeping.after.marks = calloc(keeping.after.places, sizeof(*keeping.after.marks));
	if (!keeping.after.marks)
		return -ENOMEM;
	keeping.room = keeping.after.places - 1;
	ARRAY_FOREACH (series, &set->series)
		keep_series(&keeping, series);
	free(marks->marks);
	*marks = keeping.after;
	return 0;
}
