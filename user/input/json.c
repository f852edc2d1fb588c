// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the native profile, version 1 (DESIGN.md 2.4, docs/profile.schema.json).
#include "input/input.h"
#include "input/json_reader.h"

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

int json_read_list(struct json_reader *reader, const struct json_place *object, const char *key,
    json_element_reader read, enum json_type type, void *context)
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

int json_no_memory(const struct json_place *place)
{
	return failure_set(place->failure, ENOMEM, "no memory to read the profile");
}

int json_read_text(struct json_reader *reader, const struct json_place *object, const char *key,
    const char **ret_text)
{
	const char *text = "";
	int error = json_get_text(object, key, &text);

	if (error)
		return error;
	*ret_text = profile_intern(reader->profile, text);
	return *ret_text ? 0 : json_no_memory(object);
}

/* RFC 3339, with any fraction and offset. */
static int read_started(struct json_reader *reader, const struct json_place *document)
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

static int read_target(struct json_reader *reader, const struct json_place *element, void *context)
{
	struct profile_target target = {0};
	int64_t pid = 0, status = -1;
	int error;

	(void)context;
	if ((error = json_get_signed(element, "pid", 0, INT32_MAX, &pid)) ||
	    (error = json_get_signed(element, "exit_status", -1, INT32_MAX, &status)) ||
	    (error = json_read_text(reader, element, "command", &target.command)))
		return error;
	target.pid = (int32_t)pid;
	target.exit_status = (int32_t)status;
	return ARRAY_APPEND(&reader->profile->targets, target) ? json_no_memory(element) : 0;
}

static int read_image(struct json_reader *reader, const struct json_place *element, void *context)
{
	struct profile_image image;
	int error;

	(void)context;
	if ((error = json_read_text(reader, element, "path", &image.path)) ||
	    (error = json_read_text(reader, element, "build_id", &image.build_id)))
		return error;
	return ARRAY_APPEND(&reader->profile->images, image) ? json_no_memory(element) : 0;
}

static int read_loss(struct json_reader *reader, const struct json_place *element, void *context)
{
	const char *cause = "";
	uint64_t count = 0;
	int error;

	(void)context;
	if ((error = json_get_text(element, "cause", &cause)) ||
	    (error = json_get_unsigned(element, "count", &count)))
		return error;
	return profile_lose(reader->profile, cause, count) ? json_no_memory(element) : 0;
}

static int read_host(struct json_reader *reader, const struct json_place *document)
{
	struct json_place member;
	int error;

	if (!json_member(document, "host", &member))
		return 0;
	if ((error = json_expect(&member, json_type_object)) ||
	    (error = json_read_text(reader, &member, "kernel", &reader->profile->host.kernel)) ||
	    (error = json_read_text(reader, &member, "clock", &reader->profile->host.clock)) ||
	    (error = json_get_u32(&member, "cpus", &reader->profile->host.cpus)))
		return error;
	return 0;
}

static int read_budget(const struct json_place *cost, struct profile_budget *budget)
{
	struct json_place member;
	int error;

	if (!json_member(cost, "budget", &member))
		return 0;
	if ((error = json_expect(&member, json_type_object)) ||
	    (error = json_get_real(&member, "share", 0, 1e6, &budget->share)) ||
	    (error = json_get_unsigned(&member, "stood_ns", &budget->stood_ns)) ||
	    (error = json_get_unsigned(&member, "slices", &budget->slices)))
		return error;
	return 0;
}

static int read_per_hit(const struct json_place *cost, const char *key, double *ret_emulated,
    double *ret_stepped, double *ret_return)
{
	struct json_place member;
	int error;

	if (!json_member(cost, key, &member))
		return 0;
	if ((error = json_expect(&member, json_type_object)) ||
	    (error = json_get_real(&member, "emulated", 0, 1e12, ret_emulated)) ||
	    (error = json_get_real(&member, "stepped", 0, 1e12, ret_stepped)) ||
	    (error = json_get_real(&member, "return", 0, 1e12, ret_return)))
		return error;
	return 0;
}

static int read_cost(struct json_reader *reader, const struct json_place *document)
{
	struct profile_cost *cost = &reader->profile->cost;
	struct json_place member;
	int error;

	if (!json_member(document, "cost", &member))
		return 0;
	if ((error = json_expect(&member, json_type_object)) ||
	    (error = json_get_unsigned(&member, "hits", &cost->hits)) ||
	    (error = json_get_unsigned(&member, "overhead_ns", &cost->overhead_ns)) ||
	    (error = json_get_unsigned(&member, "off_cpu_ns", &cost->off_cpu_ns)) ||
	    (error = json_get_real(&member, "share_of_cpu", 0, 1e9, &cost->share_of_cpu)) ||
	    (error = json_get_unsigned(&member, "bystander_hits", &cost->bystander_hits)) ||
	    (error = json_get_unsigned(&member, "cpu_samples", &cost->cpu_samples)) ||
	    (error = read_budget(&member, &cost->budget)))
		return error;
	if ((error = read_per_hit(
		 &member, "per_hit_ns", &cost->emulated_ns, &cost->stepped_ns, &cost->return_ns)) ||
	    (error = read_per_hit(&member, "per_hit_error_ns", &cost->emulated_error_ns,
		 &cost->stepped_error_ns, &cost->return_error_ns)))
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

/* Before functions told, all were followed off the CPU or none. */
static void follow_all(struct profile *profile)
{
	bool told = false;

	ARRAY_FOREACH (function, &profile->functions)
		told = told || function->off_cpu;
	ARRAY_FOREACH (function, &profile->functions)
		function->off_cpu = told ? function->off_cpu : profile->off_cpu;
}

static int read_document(struct json_reader *reader, const struct json_place *document)
{
	struct profile *profile = reader->profile;
	struct json_place functions;
	int error;

	if ((error = check_header(document)) || (error = read_started(reader, document)) ||
	    (error = json_get_unsigned(document, "duration_ns", &profile->duration_ns)) ||
	    (error = read_host(reader, document)) ||
	    (error = json_read_list(
		 reader, document, "targets", read_target, json_type_object, NULL)) ||
	    (error =
		    json_read_list(reader, document, "images", read_image, json_type_object, NULL)))
		return error;
	if (json_member(document, "functions", &functions) &&
	    json_object_is_type(functions.value, json_type_array))
		reader->functions = json_object_array_length(functions.value);
	if ((error = json_read_list(
		 reader, document, "functions", json_read_function, json_type_object, NULL)) ||
	    (error = json_get_bool(document, "off_cpu", &profile->off_cpu)) ||
	    (error = json_read_stacks(reader, document)) ||
	    (error = json_read_list(
		 reader, document, "losses", read_loss, json_type_object, NULL)) ||
	    (error = read_cost(reader, document)) ||
	    (error = json_read_accounting(document, &profile->accounting)))
		return error;
	follow_all(profile);
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
	struct json_reader reader = {0};
	int error = parse(name, bytes, size, &value, failure);

	if (error)
		return error;
	document.value = value;
	profile = reader.profile = profile_new();
	if (!profile)
		return json_no_memory(&document);
	error = read_document(&reader, &document);
	if (error)
		return error;
	*ret_profile = TAKE(profile);
	return 0;
}
