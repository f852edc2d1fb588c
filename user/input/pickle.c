// SPDX-License-Identifier: GPL-2.0-or-later
// Reads a LineStats out of a pickle: the native profile where one is embedded, else its timings.
#include "input/input.h"
#include "input/pickle_machine.h"

#include <math.h>
#include <string.h>

struct reader {
	const char *name;
	const struct python_values *values;
	struct profile *profile;
	double unit;
	size_t rows_left; /* a list that stands in the memo could be named again and again */
	struct failure *failure;
};

static int refuse(const struct reader *reader, const char *sentence)
{
	return failure_set(reader->failure, EBADMSG, "%s: %s", reader->name, sentence);
}

/* (line, hits, ticks) */
static int read_row(
    struct reader *reader, struct profile_function *function, const struct python_value *row)
{
	const struct python_value *values[3];
	struct profile_line line = {.file = function->file, .sites = 1};
	double ns;

	if (!reader->rows_left--)
		return refuse(reader, "repeats the same rows over and over");
	if (!python_unpack(reader->values, row, 3, values) ||
	    !python_is_integer(values[0], 0, UINT32_MAX) ||
	    !python_is_integer(values[1], 0, INT64_MAX) ||
	    (values[2]->type != PYTHON_INTEGER && values[2]->type != PYTHON_REAL))
		return refuse(reader, "a row of timings is not (line, hits, time)");
	ns = values[2]->type == PYTHON_REAL ? values[2]->real * reader->unit * 1e9
					    : (double)values[2]->integer * reader->unit * 1e9;
	if (!isfinite(ns) || fabs(ns) > 9e18)
		return refuse(reader, "a row of timings has a time beyond 292 years");
	line.line = (uint32_t)values[0]->integer;
	line.hits = (uint64_t)values[1]->integer;
	line.total_ns = line.self_ns = llround(ns);
	if (reader->unit == 1e-9 && values[2]->type == PYTHON_INTEGER)
		line.total_ns = line.self_ns = values[2]->integer;
	function->total_ns = profile_sum_ns(function->total_ns, line.total_ns);
	function->self_ns = function->total_ns;
	return ARRAY_APPEND(&function->lines, line)
		   ? failure_set(reader->failure, ENOMEM, "%s: no memory to read it", reader->name)
		   : 0;
}

/* (file, line, name): [row, ...] */
static int read_function(
    struct reader *reader, const struct python_value *key, const struct python_value *rows)
{
	const struct python_value *values[3], *row;
	struct python_walk walk = {reader->values, rows->first};
	struct profile_function *function;
	int error = 0;

	if (!python_unpack(reader->values, key, 3, values) || values[0]->type != PYTHON_TEXT ||
	    !python_is_integer(values[1], 0, UINT32_MAX) || values[2]->type != PYTHON_TEXT)
		return refuse(reader, "a key of timings is not (file, line, function)");
	if (rows->type != PYTHON_LIST && rows->type != PYTHON_TUPLE)
		return refuse(reader, "timings of a function are not a list");
	function = profile_add_function(reader->profile);
	if (!function)
		return failure_set(
		    reader->failure, ENOMEM, "%s: no memory to read it", reader->name);
	function->image = PROFILE_NO_IMAGE;
	function->file = python_intern(reader->profile->strings, values[0]);
	function->line = (uint32_t)values[1]->integer;
	function->name = python_intern(reader->profile->strings, values[2]);
	function->lines_measured = true;
	if (!function->file || !function->name)
		return failure_set(
		    reader->failure, ENOMEM, "%s: no memory to read it", reader->name);
	while (!error && (row = python_walk_next(&walk)))
		error = read_row(reader, function, row);
	return error;
}

static int read_timings(struct reader *reader, const struct python_value *timings)
{
	struct python_walk walk = {reader->values, timings->first};
	const struct python_value *key;
	int error = 0;

	if (timings->type != PYTHON_DICT)
		return refuse(reader, "its timings are not a dict");
	while (!error && (key = python_walk_next(&walk)))
		error = read_function(reader, key, python_walk_next(&walk));
	profile_sort(reader->profile);
	return error;
}

/* The attribute of that name, or NULL. The last of equals counts, as in Python. */
static const struct python_value *attribute(
    const struct reader *reader, const struct python_value *object, const char *name)
{
	struct python_walk walk = {reader->values, object->first};
	const struct python_value *key, *value, *found = NULL;

	while ((key = python_walk_next(&walk)) && (value = python_walk_next(&walk)))
		if (key->type == PYTHON_TEXT && key->text.length == strlen(name) &&
		    memcmp(key->text.bytes, name, key->text.length) == 0)
			found = value;
	return found;
}

static int read_stats(
    struct reader *reader, const struct python_value *root, struct profile **ret_profile)
{
	const struct python_value *timings, *unit, *native;
	int error;

	if (root->type != PYTHON_OBJECT)
		return refuse(reader, "is a pickle, but not of line_profiler's LineStats");
	native = attribute(reader, root, "lprof");
	if (native && native->type == PYTHON_TEXT)
		return input_read_json(reader->name, native->text.bytes, native->text.length,
		    ret_profile, reader->failure);
	timings = attribute(reader, root, "timings");
	unit = attribute(reader, root, "unit");
	if (!timings || !unit)
		return refuse(reader, "is a LineStats without timings and unit");
	if (unit->type != PYTHON_REAL || !isfinite(unit->real) || unit->real <= 0)
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
	struct python_values values = {0};
	struct reader reader = {
	    .name = name, .values = &values, .rows_left = size / 4, .failure = failure};
	int error = pickle_run(name, bytes, size, &values, failure);

	if (error)
		return error;
	error = read_stats(&reader, &values.values.items[values.root], ret_profile);
	python_values_fini(&values);
	return error;
}
