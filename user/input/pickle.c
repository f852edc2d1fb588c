// SPDX-License-Identifier: GPL-2.0-or-later
// Reads a LineStats out of a pickle: the native profile where one is embedded, else its timings.
#include "input/input.h"
#include "input/pickle_machine.h"

#include <math.h>
#include <string.h>

struct reader {
	const char *name;
	const struct pickle *pickle;
	struct profile *profile;
	double unit;
	size_t rows_left; /* a list that stands in the memo could be named again and again */
	struct failure *failure;
};

/* Walks the cells of a container. */
struct walk {
	const struct pickle *pickle;
	uint32_t cell;
};

static const struct pickle_value *walk_next(struct walk *walk)
{
	const struct pickle_cell *cell;

	if (walk->cell == PICKLE_END)
		return NULL;
	cell = &walk->pickle->cells.items[walk->cell];
	walk->cell = cell->next;
	return &walk->pickle->values.items[cell->value];
}

static int refuse(const struct reader *reader, const char *sentence)
{
	return failure_set(reader->failure, EBADMSG, "%s: %s", reader->name, sentence);
}

static const char *intern_text(const struct reader *reader, const struct pickle_value *value)
{
	return strings_intern_length(
	    reader->profile->strings, value->text.bytes, value->text.length);
}

/* Members of a tuple of exactly `count`; false: it is something else. */
static bool unpack(const struct reader *reader, const struct pickle_value *tuple, size_t count,
    const struct pickle_value **ret_values)
{
	struct walk walk = {reader->pickle, tuple->first};

	if (tuple->type != PICKLE_TUPLE || tuple->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		ret_values[i] = walk_next(&walk);
	return true;
}

static bool is_integer(const struct pickle_value *value, int64_t low, int64_t high)
{
	return value->type == PICKLE_INTEGER && value->integer >= low && value->integer <= high;
}

/* (line, hits, ticks) */
static int read_row(
    struct reader *reader, struct profile_function *function, const struct pickle_value *row)
{
	const struct pickle_value *values[3];
	struct profile_line line = {.file = function->file, .sites = 1};
	double ns;

	if (!reader->rows_left--)
		return refuse(reader, "repeats the same rows over and over");
	if (!unpack(reader, row, 3, values) || !is_integer(values[0], 0, UINT32_MAX) ||
	    !is_integer(values[1], 0, INT64_MAX) ||
	    (values[2]->type != PICKLE_INTEGER && values[2]->type != PICKLE_REAL))
		return refuse(reader, "a row of timings is not (line, hits, time)");
	ns = values[2]->type == PICKLE_REAL ? values[2]->real * reader->unit * 1e9
					    : (double)values[2]->integer * reader->unit * 1e9;
	if (!isfinite(ns) || fabs(ns) > 9e18)
		return refuse(reader, "a row of timings has a time beyond 292 years");
	line.line = (uint32_t)values[0]->integer;
	line.hits = (uint64_t)values[1]->integer;
	line.total_ns = line.self_ns = llround(ns);
	if (reader->unit == 1e-9 && values[2]->type == PICKLE_INTEGER)
		line.total_ns = line.self_ns = values[2]->integer;
	function->total_ns = profile_sum_ns(function->total_ns, line.total_ns);
	function->self_ns = function->total_ns;
	return ARRAY_APPEND(&function->lines, line)
		   ? failure_set(reader->failure, ENOMEM, "%s: no memory to read it", reader->name)
		   : 0;
}

/* (file, line, name): [row, ...] */
static int read_function(
    struct reader *reader, const struct pickle_value *key, const struct pickle_value *rows)
{
	const struct pickle_value *values[3], *row;
	struct walk walk = {reader->pickle, rows->first};
	struct profile_function *function;
	int error = 0;

	if (!unpack(reader, key, 3, values) || values[0]->type != PICKLE_TEXT ||
	    !is_integer(values[1], 0, UINT32_MAX) || values[2]->type != PICKLE_TEXT)
		return refuse(reader, "a key of timings is not (file, line, function)");
	if (rows->type != PICKLE_LIST && rows->type != PICKLE_TUPLE)
		return refuse(reader, "timings of a function are not a list");
	function = profile_add_function(reader->profile);
	if (!function)
		return failure_set(
		    reader->failure, ENOMEM, "%s: no memory to read it", reader->name);
	function->image = PROFILE_NO_IMAGE;
	function->file = intern_text(reader, values[0]);
	function->line = (uint32_t)values[1]->integer;
	function->name = intern_text(reader, values[2]);
	function->lines_measured = true;
	if (!function->file || !function->name)
		return failure_set(
		    reader->failure, ENOMEM, "%s: no memory to read it", reader->name);
	while (!error && (row = walk_next(&walk)))
		error = read_row(reader, function, row);
	return error;
}

static int read_timings(struct reader *reader, const struct pickle_value *timings)
{
	struct walk walk = {reader->pickle, timings->first};
	const struct pickle_value *key;
	int error = 0;

	if (timings->type != PICKLE_DICT)
		return refuse(reader, "its timings are not a dict");
	while (!error && (key = walk_next(&walk)))
		error = read_function(reader, key, walk_next(&walk));
	profile_sort(reader->profile);
	return error;
}

/* The attribute of that name, or NULL. The last of equals counts, as in Python. */
static const struct pickle_value *attribute(
    const struct reader *reader, const struct pickle_value *object, const char *name)
{
	struct walk walk = {reader->pickle, object->first};
	const struct pickle_value *key, *value, *found = NULL;

	while ((key = walk_next(&walk)) && (value = walk_next(&walk)))
		if (key->type == PICKLE_TEXT && key->text.length == strlen(name) &&
		    memcmp(key->text.bytes, name, key->text.length) == 0)
			found = value;
	return found;
}

static int read_stats(
    struct reader *reader, const struct pickle_value *root, struct profile **ret_profile)
{
	const struct pickle_value *timings, *unit, *native;
	int error;

	if (root->type != PICKLE_OBJECT)
		return refuse(reader, "is a pickle, but not of line_profiler's LineStats");
	native = attribute(reader, root, "lprof");
	if (native && native->type == PICKLE_TEXT)
		return input_read_json(reader->name, native->text.bytes, native->text.length,
		    ret_profile, reader->failure);
	timings = attribute(reader, root, "timings");
	unit = attribute(reader, root, "unit");
	if (!timings || !unit)
		return refuse(reader, "is a LineStats without timings and unit");
	if (unit->type != PICKLE_REAL || !isfinite(unit->real) || unit->real <= 0)
		return refuse(reader, "its unit is not a positive fraction of a second");
	reader->unit = unit->real;
	reader->profile = profile_new();
	if (!reader->profile)
		return failure_set(
		    reader->failure, ENOMEM, "%s: no memory to read it", reader->name);
	error = read_timings(reader, timings);
	if (error)
		profile_free(reader->profile);
	else
		*ret_profile = reader->profile;
	return error;
}

int input_read_pickle(const char *name, const char *bytes, size_t size,
    struct profile **ret_profile, struct failure *failure)
{
	struct pickle pickle = {0};
	struct reader reader = {
	    .name = name, .pickle = &pickle, .rows_left = size / 4, .failure = failure};
	int error = pickle_run(name, bytes, size, &pickle, failure);

	if (error)
		return error;
	error = read_stats(&reader, &pickle.values.items[pickle.root], ret_profile);
	pickle_fini(&pickle);
	return error;
}
