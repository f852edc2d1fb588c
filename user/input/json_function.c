// SPDX-License-Identifier: GPL-2.0-or-later
// Reads a function of the native profile, with its lines, callers, buckets and omissions.
#include "input/json_reader.h"

#include <string.h>

static int read_bucket(struct json_reader *reader, const struct json_place *element, void *context)
{
	struct profile_function *function = context;
	int64_t numbers[2];
	int error;

	(void)reader;
	if (json_object_array_length(element->value) != 2)
		return json_refuse(element, "must be a pair [upper_ns, count]");
	for (size_t i = 0; i < 2; i++) {
		struct json_place number;

		json_element(element, i, &number);
		error = json_number(&number, 0, INT64_MAX, &numbers[i]);
		if (error)
			return error;
	}
	return ARRAY_APPEND(&function->histogram,
		   (struct profile_bucket){(uint64_t)numbers[0], (uint64_t)numbers[1]})
		   ? json_no_memory(element)
		   : 0;
}

static int read_caller(struct json_reader *reader, const struct json_place *element, void *context)
{
	struct profile_function *function = context;
	struct profile_caller caller = {0};
	int64_t index = -1; /* absent or null: called from elsewhere */
	int error;

	if ((error = json_get_signed(
		 element, "function", -1, (int64_t)reader->functions - 1, &index)) ||
	    (error = json_get_unsigned(element, "calls", &caller.calls)) ||
	    (error = json_get_unsigned(element, "primitive_calls", &caller.primitive_calls)) ||
	    (error = json_get_signed(
		 element, "total_ns", -INT64_MAX, INT64_MAX, &caller.total_ns)) ||
	    (error = json_get_signed(element, "self_ns", -INT64_MAX, INT64_MAX, &caller.self_ns)))
		return error;
	caller.function = index < 0 ? PROFILE_NO_FUNCTION : (uint32_t)index;
	return ARRAY_APPEND(&function->callers, caller) ? json_no_memory(element) : 0;
}

static int read_estimate(const struct json_place *element, struct profile_estimate *ret_estimate)
{
	struct json_place member;
	int error;

	if (!json_member(element, "in_all", &member))
		return 0;
	if ((error = json_expect(&member, json_type_object)) ||
	    (error = json_get_unsigned(&member, "count", &ret_estimate->count)) ||
	    (error = json_get_unsigned(&member, "count_error", &ret_estimate->count_error)) ||
	    (error = json_get_signed(
		 &member, "total_ns", -INT64_MAX, INT64_MAX, &ret_estimate->total_ns)) ||
	    (error = json_get_unsigned(&member, "total_error_ns", &ret_estimate->total_error_ns)))
		return error;
	return 0;
}

static int read_line(struct json_reader *reader, const struct json_place *element, void *context)
{
	static const char *const timings[] = {"own", "shared"};
	struct profile_function *function = context;
	struct profile_line line = {0};
	unsigned timing = PROFILE_TIMING_OWN;
	int error;

	if ((error = json_read_text(reader, element, "file", &line.file)) ||
	    (error = json_get_u32(element, "line", &line.line)) ||
	    (error = json_get_unsigned(element, "hits", &line.hits)) ||
	    (error = json_get_signed(element, "total_ns", -INT64_MAX, INT64_MAX, &line.total_ns)) ||
	    (error = json_get_signed(element, "self_ns", -INT64_MAX, INT64_MAX, &line.self_ns)) ||
	    (error = json_get_unsigned(element, "error_ns", &line.error_ns)) ||
	    (error = json_get_unsigned(element, "self_error_ns", &line.self_error_ns)) ||
	    (error = json_get_unsigned(element, "max_ns", &line.max_ns)) ||
	    (error = json_get_unsigned(element, "cpu_samples", &line.cpu_samples)) ||
	    (error = json_get_unsigned(element, "cpu_total_samples", &line.cpu_total_samples)) ||
	    (error = json_get_unsigned(element, "blocked_ns", &line.blocked_ns)) ||
	    (error = json_get_unsigned(element, "waiting_ns", &line.waiting_ns)) ||
	    (error = read_estimate(element, &line.in_all)) ||
	    (error = json_get_u32(element, "sites", &line.sites)) ||
	    (error = json_get_name(element, "timing", timings, ARRAY_SIZE(timings), &timing)))
		return error;
	line.timing = timing;
	return ARRAY_APPEND(&function->lines, line) ? json_no_memory(element) : 0;
}

static int read_omission(
    struct json_reader *reader, const struct json_place *element, void *context)
{
	struct profile_omission omission = {.function = *(const uint32_t *)context};
	int error;

	if ((error = json_read_text(reader, element, "file", &omission.file)) ||
	    (error = json_get_u32(element, "line", &omission.line)) ||
	    (error = json_read_text(reader, element, "reason", &omission.reason)))
		return error;
	return ARRAY_APPEND(&reader->profile->omissions, omission) ? json_no_memory(element) : 0;
}

int json_read_accounting(const struct json_place *object, struct profile_accounting *ret_accounting)
{
	struct json_place member;
	int error;

	if (!json_member(object, "accounting", &member))
		return 0;
	if ((error = json_expect(&member, json_type_object)) ||
	    (error = json_get_unsigned(&member, "entries", &ret_accounting->entries)) ||
	    (error = json_get_unsigned(&member, "exits", &ret_accounting->exits)) ||
	    (error = json_get_unsigned(&member, "open", &ret_accounting->open)) ||
	    (error = json_get_unsigned(&member, "unwound", &ret_accounting->unwound)) ||
	    (error = json_get_unsigned(&member, "untimed", &ret_accounting->untimed)) ||
	    (error = json_get_unsigned(&member, "lost", &ret_accounting->lost)))
		return error;
	return 0;
}

/* "image_index" tells images of equal paths apart; files by other tools may give the path alone. */
static int read_function_image(
    struct json_reader *reader, const struct json_place *element, uint32_t *ret_image)
{
	struct profile *profile = reader->profile;
	const char *path = NULL;
	uint32_t index = PROFILE_NO_IMAGE;
	int error;

	if ((error = json_get_u32(element, "image_index", &index)) ||
	    (error = json_get_text(element, "image", &path)))
		return error;
	for (uint32_t i = 0;
	     index >= profile->images.count && path && *path && i < profile->images.count; i++)
		if (strcmp(profile->images.items[i].path, path) == 0)
			index = i;
	if (index >= profile->images.count && path && *path) {
		struct profile_image image = {
		    .path = profile_intern(profile, path), .build_id = profile_intern(profile, "")};

		index = (uint32_t)profile->images.count;
		if (!image.path || !image.build_id || ARRAY_APPEND(&profile->images, image))
			return json_no_memory(element);
	}
	*ret_image = index < profile->images.count ? index : PROFILE_NO_IMAGE;
	return 0;
}

static int read_stands(const struct json_place *element, struct profile_function *function)
{
	const char *names[PROFILE_BUDGET_COUNT];
	unsigned state = PROFILE_BUDGET_FULL;
	struct json_place member;
	int error;

	if (!json_member(element, "budget", &member))
		return 0;
	for (int at = 0; at < PROFILE_BUDGET_COUNT; at++)
		names[at] = profile_budget_state_name((enum profile_budget_state)at);
	if ((error = json_expect(&member, json_type_object)) ||
	    (error = json_get_name(&member, "state", names, ARRAY_SIZE(names), &state)) ||
	    (error = json_get_unsigned(&member, "stood_ns", &function->calls_stand.stood_ns)) ||
	    (error = json_get_unsigned(&member, "away_ns", &function->calls_stand.away_ns)) ||
	    (error = json_get_unsigned(
		 &member, "lines_stood_ns", &function->lines_stand.stood_ns)) ||
	    (error = json_get_unsigned(&member, "lines_away_ns", &function->lines_stand.away_ns)))
		return error;
	function->budget_state = (enum profile_budget_state)state;
	return 0;
}

static int read_function_numbers(
    const struct json_place *element, struct profile_function *function)
{
	static const char *const exits[] = {"none", "return", "sites"};
	unsigned exit = PROFILE_EXIT_NONE;
	int error;

	if ((error = json_get_u32(element, "line", &function->line)) ||
	    (error = json_get_unsigned(element, "calls", &function->calls)) ||
	    (error = json_get_unsigned(element, "primitive_calls", &function->primitive_calls)) ||
	    (error = json_get_unsigned(element, "timed_calls", &function->timed_calls)) ||
	    (error = json_get_signed(
		 element, "total_ns", -INT64_MAX, INT64_MAX, &function->total_ns)) ||
	    (error = json_get_signed(
		 element, "self_ns", -INT64_MAX, INT64_MAX, &function->self_ns)) ||
	    (error = json_get_unsigned(element, "error_ns", &function->error_ns)) ||
	    (error = json_get_unsigned(element, "self_error_ns", &function->self_error_ns)) ||
	    (error = json_get_unsigned(element, "min_ns", &function->min_ns)) ||
	    (error = json_get_unsigned(element, "max_ns", &function->max_ns)) ||
	    (error = json_get_unsigned(element, "raw_total_ns", &function->raw_total_ns)) ||
	    (error = json_get_unsigned(element, "cpu_samples", &function->cpu_samples)) ||
	    (error = json_get_unsigned(
		 element, "cpu_total_samples", &function->cpu_total_samples)) ||
	    (error = json_get_unsigned(element, "blocked_ns", &function->blocked_ns)) ||
	    (error = json_get_unsigned(element, "waiting_ns", &function->waiting_ns)) ||
	    (error = json_get_bool(element, "off_cpu", &function->off_cpu)) ||
	    (error = json_get_name(element, "exit", exits, ARRAY_SIZE(exits), &exit)) ||
	    (error = json_get_real(element, "rate", 0, 1, &function->rate)) ||
	    (error = json_get_bool(element, "lines_measured", &function->lines_measured)) ||
	    (error = json_get_u32(element, "inlined_copies", &function->inlined_copies)))
		return error;
	function->exit = exit;
	return json_read_accounting(element, &function->accounting);
}

int json_read_function(struct json_reader *reader, const struct json_place *element, void *context)
{
	struct profile_function *function = profile_add_function(reader->profile);
	uint32_t index = (uint32_t)reader->profile->functions.count - 1;
	struct json_place member;
	int error;

	(void)context;
	if (!function)
		return json_no_memory(element);
	if ((error = json_read_text(reader, element, "name", &function->name)) ||
	    (error = json_read_text(reader, element, "linkage_name", &function->linkage_name)) ||
	    (error = json_read_text(reader, element, "file", &function->file)) ||
	    (error = read_function_image(reader, element, &function->image)) ||
	    (error = read_function_numbers(element, function)) ||
	    (error = read_stands(element, function)) ||
	    (error = read_estimate(element, &function->in_all)) ||
	    (error = json_read_list(
		 reader, element, "histogram", read_bucket, json_type_array, function)) ||
	    (error = json_read_list(
		 reader, element, "callers", read_caller, json_type_object, function)) ||
	    (error = json_read_list(
		 reader, element, "lines", read_line, json_type_object, function)) ||
	    (error = json_read_list(
		 reader, element, "omissions", read_omission, json_type_object, &index)))
		return error;
	if (!json_member(element, "lines_measured", &member))
		function->lines_measured = function->lines.count > 0;
	return 0;
}
