// SPDX-License-Identifier: GPL-2.0-or-later
// Reads profiles of cProfile, profile and pstats, and our .prof (see user/output/pstats.c).
#include "input/input.h"
#include "input/marshal_machine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MEMBERS 5

/* A function's key, by which its callers name it. */
struct key {
	const char *file, *name; /* interned */
	uint32_t line, function;
};

struct reader {
	const char *name;
	const struct python_values *values;
	struct profile *profile;
	ARRAY(struct key) keys;
	size_t callers_left; /* a dict that is referred to could be named again and again */
	struct failure *failure;
};

static int refuse(const struct reader *reader, const char *sentence)
{
	return failure_set(reader->failure, EBADMSG, "%s: %s", reader->name, sentence);
}

static int no_memory(const struct reader *reader)
{
	return failure_set(reader->failure, ENOMEM, "%s: no memory to read it", reader->name);
}

static int key_compare(const void *left, const void *right)
{
	const struct key *a = left, *b = right;

	/* interned: equal texts have one address */
	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

/* (file, line, function) */
static int read_key(
    const struct reader *reader, const struct python_value *value, struct key *ret_key)
{
	const struct python_value *members[3];

	if (!python_unpack(reader->values, value, 3, members) || members[0]->type != PYTHON_TEXT ||
	    !python_is_integer(members[1], 0, UINT32_MAX) || members[2]->type != PYTHON_TEXT)
		return refuse(reader, "a key of the profile is not (file, line, function)");
	ret_key->file = python_intern(reader->profile->strings, members[0]);
	ret_key->line = (uint32_t)members[1]->integer;
	ret_key->name = python_intern(reader->profile->strings, members[2]);
	return ret_key->file && ret_key->name ? 0 : no_memory(reader);
}

static int read_count(
    const struct reader *reader, const struct python_value *value, uint64_t *ret_count)
{
	if (!python_is_integer(value, 0, INT64_MAX))
		return refuse(reader, "a count of calls is not a whole number from 0");
	*ret_count = (uint64_t)value->integer;
	return 0;
}

static int read_seconds(
    const struct reader *reader, const struct python_value *value, int64_t *ret_ns)
{
	double ns = 1e9 * (value->type == PYTHON_REAL ? value->real : (double)value->integer);

	if ((value->type != PYTHON_REAL && value->type != PYTHON_INTEGER) || !isfinite(ns) ||
	    fabs(ns) > 9.3e18)
		return refuse(reader, "a time is not a number of seconds within 292 years");
	*ret_ns = fabs(ns) < 9.2e18 ? llround(ns) : ns < 0 ? -INT64_MAX : INT64_MAX;
	return 0;
}

/*
 * " [timed 2 of 20 calls]" at the end of a name, by which our writer says that times are of some
 * calls only, becomes what it says.
 */
static int take_partial(const struct reader *reader, struct profile_function *function)
{
	const char *mark = strstr(function->name, " [timed ");
	unsigned long long timed, calls;
	int length = 0;

	if (!mark || sscanf(mark, " [timed %llu of %llu calls]%n", &timed, &calls, &length) != 2 ||
	    !length || mark[length] || calls != function->calls || timed >= calls)
		return 0;
	function->timed_calls = timed;
	function->rate = (double)timed / (double)calls;
	function->name = strings_intern_length(
	    reader->profile->strings, function->name, (size_t)(mark - function->name));
	return function->name ? 0 : no_memory(reader);
}

static int read_function(
    struct reader *reader, const struct python_value *key_value, const struct python_value *row)
{
	const struct python_value *members[MEMBERS];
	struct profile_function *function = profile_add_function(reader->profile);
	struct key key = {.function = (uint32_t)reader->profile->functions.count - 1};
	int error = function ? read_key(reader, key_value, &key) : no_memory(reader);

	if (error)
		return error;
	if (!python_unpack(reader->values, row, MEMBERS, members))
		return refuse(reader, "a row of the profile is not of five numbers and callers");
	function->image = PROFILE_NO_IMAGE;
	function->name = key.name;
	if (strcmp(key.file, "~") != 0) {
		function->file = key.file;
		function->line = key.line;
	}
	if ((error = read_count(reader, members[0], &function->primitive_calls)) ||
	    (error = read_count(reader, members[1], &function->calls)) ||
	    (error = read_seconds(reader, members[2], &function->self_ns)) ||
	    (error = read_seconds(reader, members[3], &function->total_ns)))
		return error;
	function->timed_calls = function->calls;
	error = take_partial(reader, function);
	return error ? error : ARRAY_APPEND(&reader->keys, key) ? no_memory(reader) : 0;
}

/* (calls, primitive calls, self, total), or calls only as the module profile writes it. */
static int read_caller(struct reader *reader, struct profile_function *function,
    const struct python_value *key_value, const struct python_value *row)
{
	struct profile_caller caller = {0};
	const struct python_value *members[4];
	struct key key, *found;
	int error = read_key(reader, key_value, &key);

	if (error)
		return error;
	if (!reader->callers_left--)
		return refuse(reader, "repeats the same callers over and over");
	found = bsearch(&key, reader->keys.items, reader->keys.count, sizeof(key), key_compare);
	caller.function = found ? found->function : PROFILE_NO_FUNCTION;
	if (row->type == PYTHON_INTEGER) {
		error = read_count(reader, row, &caller.calls);
		caller.primitive_calls = caller.calls;
	} else if (!python_unpack(reader->values, row, 4, members)) {
		error = refuse(reader, "a caller is not of four numbers");
	} else if (!(error = read_count(reader, members[0], &caller.calls)) &&
		   !(error = read_count(reader, members[1], &caller.primitive_calls)) &&
		   !(error = read_seconds(reader, members[2], &caller.self_ns))) {
		error = read_seconds(reader, members[3], &caller.total_ns);
	}
	return error ? error : ARRAY_APPEND(&function->callers, caller) ? no_memory(reader) : 0;
}

static int read_callers(
    struct reader *reader, struct profile_function *function, const struct python_value *row)
{
	const struct python_value *members[MEMBERS], *key;
	struct python_walk walk = {reader->values, PYTHON_END};
	int error = 0;

	python_unpack(reader->values, row, MEMBERS, members);
	if (members[4]->type != PYTHON_DICT)
		return refuse(reader, "the callers of a function are not a dict");
	walk.cell = members[4]->first;
	while (!error && (key = python_walk_next(&walk)))
		error = read_caller(reader, function, key, python_walk_next(&walk));
	return error;
}

static int read_stats(struct reader *reader, const struct python_value *stats)
{
	struct python_walk walk = {reader->values, stats->first};
	const struct python_value *key;
	int error = 0;

	if (stats->type != PYTHON_DICT)
		return refuse(reader, "is not a profile of pstats: it is no dict");
	while (!error && (key = python_walk_next(&walk)))
		error = read_function(reader, key, python_walk_next(&walk));
	ARRAY_SORT(&reader->keys, key_compare);
	walk.cell = stats->first;
	for (size_t i = 0; !error && python_walk_next(&walk); i++)
		error = read_callers(
		    reader, &reader->profile->functions.items[i], python_walk_next(&walk));
	return error;
}

int input_read_pstats(const char *name, const char *bytes, size_t size,
    struct profile **ret_profile, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();
	struct python_values values = {0};
	struct reader reader = {
	    .name = name,
	    .values = &values,
	    .profile = profile,
	    .callers_left = size / 8,
	    .failure = failure,
	};
	int error;

	if (!profile)
		return no_memory(&reader);
	error = marshal_run(name, bytes, size, &values, failure);
	error = error ? error : read_stats(&reader, &values.values.items[values.root]);
	ARRAY_FREE(&reader.keys);
	python_values_fini(&values);
	if (!error)
		*ret_profile = TAKE(profile);
	return error;
}
