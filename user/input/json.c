// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the native profile, version 1 (DESIGN.md 2.4, docs/profile.schema.json).
#include "input/input.h"
#include "input/json_place.h"

#include <string.h>
#include <time.h>

/*
 * json-c takes up to 1 KiB for an object and 64 bytes for a number, of two bytes of text: so their
 * numbers are bounded before it sees the text. A profile has an object or list for each line, call
 * edge and bucket.
 */
#define CONTAINERS_MAX 2000000
#define VALUES_MAX     24000000
#define DEPTH_MAX      16

struct reader {
	struct profile *profile;
	size_t functions; /* how many there will be */
};

/* Reads one element of a list into the profile. */
typedef int (*element_reader)(
    struct reader *reader, const struct json_place *element, void *context);

static int read_list(struct reader *reader, const struct json_place *object, const char *key,
    element_reader read, enum json_type type, void *context)
{
	struct json_place list, element;
	int error;

	if (!json_member(object, key, &list))
		return 0;
	error = json_expect(&list, json_type_array);
	for (size_t i = 0; !error && i < json_object_array_length(list.value); i++) {
		json_element(&list, i, &element);
		error = json_expect(&element, type);
		if (!error)
			error = read(reader, &element, context);
	}
	return error;
}

static int no_memory(const struct json_place *place)
{
	return failure_set(place->failure, ENOMEM, "no memory to read the profile");
}

/* Text of a key as the profile's own; absent: "". */
static int read_text(
    struct reader *reader, const struct json_place *object, const char *key, const char **ret_text)
{
	const char *text = "";
	int error = json_get_text(object, key, &text);

	if (error)
		return error;
	*ret_text = profile_intern(reader->profile, text);
	return *ret_text ? 0 : no_memory(object);
}

/* RFC 3339, with any fraction and offset. */
static int read_started(struct reader *reader, const struct json_place *document)
{
	struct json_place member;
	struct tm calendar = {0};
	const char *text;
	int64_t scale = 100000000, nanoseconds = 0, seconds;
	int error, hours, minutes, used = 0;
	char sign;

	if (!json_member(document, "started", &member))
		return 0;
	error = json_string(&member, &text);
	if (error)
		return error;
	text = strptime(text, "%Y-%m-%dT%H:%M:%S", &calendar);
	if (!text || calendar.tm_year > 292 || calendar.tm_year < -200)
		return json_refuse(&member, "must be a date as in 2026-01-31T12:00:00Z");
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++, scale /= 10)
			nanoseconds += (*text - '0') * scale;
	seconds = timegm(&calendar);
	if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) == 3 && used == 6 &&
	    !text[6] && (sign == '+' || sign == '-'))
		seconds -= (sign == '+' ? 60 : -60) * (hours * 60 + minutes);
	else if (strcmp(text, "Z") != 0)
		return json_refuse(&member, "must end in Z or an offset as in +01:00");
	reader->profile->started_ns = seconds * 1000000000 + nanoseconds;
	return 0;
}

static int read_target(struct reader *reader, const struct json_place *element, void *context)
{
	struct profile_target target = {0};
	int64_t pid = 0, status = -1;
	int error;

	(void)context;
	if ((error = json_get_signed(element, "pid", 0, INT32_MAX, &pid)) ||
	    (error = json_get_signed(element, "exit_status", -1, INT32_MAX, &status)) ||
	    (error = read_text(reader, element, "command", &target.command)))
		return error;
	target.pid = (int32_t)pid;
	target.exit_status = (int32_t)status;
	return ARRAY_APPEND(&reader->profile->targets, target) ? no_memory(element) : 0;
}

static int read_image(struct reader *reader, const struct json_place *element, void *context)
{
	struct profile_image image;
	int error;

	(void)context;
	if ((error = read_text(reader, element, "path", &image.path)) ||
	    (error = read_text(reader, element, "build_id", &image.build_id)))
		return error;
	return ARRAY_APPEND(&reader->profile->images, image) ? no_memory(element) : 0;
}

static int read_bucket(struct reader *reader, const struct json_place *element, void *context)
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
		   ? no_memory(element)
		   : 0;
}

static int read_caller(struct reader *reader, const struct json_place *element, void *context)
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
	return ARRAY_APPEND(&function->callers, caller) ? no_memory(element) : 0;
}

static int read_line(struct reader *reader, const struct json_place *element, void *context)
{
	static const char *const timings[] = {"own", "shared"};
	struct profile_function *function = context;
	struct profile_line line = {0};
	unsigned timing = PROFILE_TIMING_OWN;
	int error;

	if ((error = read_text(reader, element, "file", &line.file)) ||
	    (error = json_get_u32(element, "line", &line.line)) ||
	    (error = json_get_unsigned(element, "hits", &line.hits)) ||
	    (error = json_get_signed(element, "total_ns", -INT64_MAX, INT64_MAX, &line.total_ns)) ||
	    (error = json_get_signed(element, "self_ns", -INT64_MAX, INT64_MAX, &line.self_ns)) ||
	    (error = json_get_unsigned(element, "max_ns", &line.max_ns)) ||
	    (error = json_get_unsigned(element, "cpu_samples", &line.cpu_samples)) ||
	    (error = json_get_u32(element, "sites", &line.sites)) ||
	    (error = json_get_name(element, "timing", timings, ARRAY_SIZE(timings), &timing)))
		return error;
	line.timing = timing;
	return ARRAY_APPEND(&function->lines, line) ? no_memory(element) : 0;
}

static int read_omission(struct reader *reader, const struct json_place *element, void *context)
{
	struct profile_omission omission = {.function = *(const uint32_t *)context};
	int error;

	if ((error = read_text(reader, element, "file", &omission.file)) ||
	    (error = json_get_u32(element, "line", &omission.line)) ||
	    (error = read_text(reader, element, "reason", &omission.reason)))
		return error;
	return ARRAY_APPEND(&reader->profile->omissions, omission) ? no_memory(element) : 0;
}

static int read_accounting(
    const struct json_place *object, struct profile_accounting *ret_accounting)
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
    struct reader *reader, const struct json_place *element, uint32_t *ret_image)
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
			return no_memory(element);
	}
	*ret_image = index < profile->images.count ? index : PROFILE_NO_IMAGE;
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
	    (error = json_get_unsigned(element, "min_ns", &function->min_ns)) ||
	    (error = json_get_unsigned(element, "max_ns", &function->max_ns)) ||
	    (error = json_get_unsigned(element, "raw_total_ns", &function->raw_total_ns)) ||
	    (error = json_get_unsigned(element, "cpu_samples", &function->cpu_samples)) ||
	    (error = json_get_name(element, "exit", exits, ARRAY_SIZE(exits), &exit)) ||
	    (error = json_get_real(element, "rate", 0, 1, &function->rate)) ||
	    (error = json_get_bool(element, "lines_measured", &function->lines_measured)) ||
	    (error = json_get_u32(element, "inlined_copies", &function->inlined_copies)))
		return error;
	function->exit = exit;
	return read_accounting(element, &function->accounting);
}

static int read_function(struct reader *reader, const struct json_place *element, void *context)
{
	struct profile_function *function = profile_add_function(reader->profile);
	uint32_t index = (uint32_t)reader->profile->functions.count - 1;
	struct json_place member;
	int error;

	(void)context;
	if (!function)
		return no_memory(element);
	if ((error = read_text(reader, element, "name", &function->name)) ||
	    (error = read_text(reader, element, "linkage_name", &function->linkage_name)) ||
	    (error = read_text(reader, element, "file", &function->file)) ||
	    (error = read_function_image(reader, element, &function->image)) ||
	    (error = read_function_numbers(element, function)) ||
	    (error = read_list(
		 reader, element, "histogram", read_bucket, json_type_array, function)) ||
	    (error = read_list(
		 reader, element, "callers", read_caller, json_type_object, function)) ||
	    (error = read_list(reader, element, "lines", read_line, json_type_object, function)) ||
	    (error = read_list(
		 reader, element, "omissions", read_omission, json_type_object, &index)))
		return error;
	if (!json_member(element, "lines_measured", &member))
		function->lines_measured = function->lines.count > 0;
	return 0;
}

static int read_frame(struct reader *reader, const struct json_place *element, void *context)
{
	struct profile_stack *stack = context;
	const char *text;
	int error = json_string(element, &text);

	if (error)
		return error;
	text = profile_intern(reader->profile, text);
	return !text || ARRAY_APPEND(&stack->frames, text) ? no_memory(element) : 0;
}

static int read_stack(struct reader *reader, const struct json_place *element, void *context)
{
	struct profile_stack *stack;
	int error;

	(void)context;
	if (ARRAY_APPEND(&reader->profile->stacks, (struct profile_stack){.count = 0}))
		return no_memory(element);
	stack = &reader->profile->stacks.items[reader->profile->stacks.count - 1];
	error = json_get_unsigned(element, "count", &stack->count);
	return error ? error
		     : read_list(reader, element, "frames", read_frame, json_type_string, stack);
}

static int read_loss(struct reader *reader, const struct json_place *element, void *context)
{
	const char *cause = "";
	uint64_t count = 0;
	int error;

	(void)context;
	if ((error = json_get_text(element, "cause", &cause)) ||
	    (error = json_get_unsigned(element, "count", &count)))
		return error;
	return profile_lose(reader->profile, cause, count) ? no_memory(element) : 0;
}

static int read_host(struct reader *reader, const struct json_place *document)
{
	struct json_place member;
	int error;

	if (!json_member(document, "host", &member))
		return 0;
	if ((error = json_expect(&member, json_type_object)) ||
	    (error = read_text(reader, &member, "kernel", &reader->profile->host.kernel)) ||
	    (error = read_text(reader, &member, "clock", &reader->profile->host.clock)) ||
	    (error = json_get_u32(&member, "cpus", &reader->profile->host.cpus)))
		return error;
	return 0;
}

static int read_cost(struct reader *reader, const struct json_place *document)
{
	struct profile_cost *cost = &reader->profile->cost;
	struct json_place member, per_hit;
	int error;

	if (!json_member(document, "cost", &member))
		return 0;
	if ((error = json_expect(&member, json_type_object)) ||
	    (error = json_get_unsigned(&member, "hits", &cost->hits)) ||
	    (error = json_get_unsigned(&member, "overhead_ns", &cost->overhead_ns)) ||
	    (error = json_get_real(&member, "share_of_cpu", 0, 1e9, &cost->share_of_cpu)) ||
	    (error = json_get_unsigned(&member, "bystander_hits", &cost->bystander_hits)))
		return error;
	if (!json_member(&member, "per_hit_ns", &per_hit))
		return 0;
	if ((error = json_expect(&per_hit, json_type_object)) ||
	    (error = json_get_real(&per_hit, "emulated", 0, 1e12, &cost->emulated_ns)) ||
	    (error = json_get_real(&per_hit, "stepped", 0, 1e12, &cost->stepped_ns)) ||
	    (error = json_get_real(&per_hit, "return", 0, 1e12, &cost->return_ns)))
		return error;
	return 0;
}

static int check_header(const struct json_place *document)
{
	const char *format = "";
	int64_t version = 0;
	int error;

	if ((error = json_expect(document, json_type_object)) ||
	    (error = json_get_text(document, "format", &format)))
		return error;
	if (strcmp(format, "lprof") != 0)
		return json_refuse(
		    document, "is JSON, but no profile: its \"format\" is not \"lprof\"");
	error = json_get_signed(document, "version", 0, INT32_MAX, &version);
	if (error)
		return error;
	if (version != PROFILE_VERSION)
		return json_refuse(document,
		    "is a profile of version %d; this lprof reads version %d: use the lprof that "
		    "wrote it",
		    (int)version, PROFILE_VERSION);
	return 0;
}

static int read_document(struct reader *reader, const struct json_place *document)
{
	struct profile *profile = reader->profile;
	struct json_place functions;
	int error;

	if ((error = check_header(document)) || (error = read_started(reader, document)) ||
	    (error = json_get_unsigned(document, "duration_ns", &profile->duration_ns)) ||
	    (error = read_host(reader, document)) ||
	    (error = read_list(reader, document, "targets", read_target, json_type_object, NULL)) ||
	    (error = read_list(reader, document, "images", read_image, json_type_object, NULL)))
		return error;
	if (json_member(document, "functions", &functions) &&
	    json_object_is_type(functions.value, json_type_array))
		reader->functions = json_object_array_length(functions.value);
	if ((error = read_list(
		 reader, document, "functions", read_function, json_type_object, NULL)) ||
	    (error = read_list(reader, document, "stacks", read_stack, json_type_object, NULL)) ||
	    (error = read_list(reader, document, "losses", read_loss, json_type_object, NULL)) ||
	    (error = read_cost(reader, document)) ||
	    (error = read_accounting(document, &profile->accounting)))
		return error;
	profile_sort(profile);
	return 0;
}

static int parse(const char *name, const char *bytes, size_t size,
    struct json_object **ret_document, struct failure *failure)
{
	struct json_tokener *tokener;
	enum json_tokener_error error;
	size_t containers = 0, values = 0, end;

	for (size_t i = 0; i < size; i++) {
		containers += bytes[i] == '[' || bytes[i] == '{';
		values += bytes[i] == ',';
	}
	if (containers > CONTAINERS_MAX || values > VALUES_MAX || size > INPUT_SIZE_MAX)
		return failure_set(failure, EFBIG,
		    "%s: is larger than lprof reads: %u MiB, %d values, %d objects and lists", name,
		    INPUT_SIZE_MAX >> 20, VALUES_MAX, CONTAINERS_MAX);
	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!tokener)
		return failure_set(failure, ENOMEM, "%s: no memory to read it", name);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	*ret_document = json_tokener_parse_ex(tokener, bytes, (int)size);
	error = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	if (error == json_tokener_success)
		return 0;
	return failure_set(failure, EBADMSG, "%s: is not valid JSON at byte %zu: %s", name, end,
	    error == json_tokener_continue ? "it is cut off" : json_tokener_error_desc(error));
}

static void json_put_p(struct json_object **object)
{
	json_object_put(*object);
}

int input_read_json(const char *name, const char *bytes, size_t size, struct profile **ret_profile,
    struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	CLEANUP(json_put_p) struct json_object *value = NULL;
	struct json_place document = {.name = name, .failure = failure};
	struct reader reader = {0};
	int error = parse(name, bytes, size, &value, failure);

	if (error)
		return error;
	document.value = value;
	profile = reader.profile = profile_new();
	if (!profile)
		return no_memory(&document);
	error = read_document(&reader, &document);
	if (error)
		return error;
	*ret_profile = TAKE(profile);
	return 0;
}
