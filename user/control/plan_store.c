// SPDX-License-Identifier: GPL-2.0-or-later
// Writes plans as JSON and reads them back, checked.
#include "control/plan_store.h"

#include <errno.h>
#include <stdlib.h>

#include "input/json_place.h"
#include "output/json_stream.h"

#define COUNT_MAX (1u << 24) /* of sites, lines or functions: more do not fit the tables */

/* ---- Writing ---- */

static void write_images(struct json_stream *json, const struct plan *plan)
{
	json_open(json, "images", '[', JSON_COMPACT);
	ARRAY_FOREACH (image, &plan->images) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "path", image->path);
		json_text(json, "build_id", image->build_id);
		json_close(json);
	}
	json_close(json);
}

static void write_functions(struct json_stream *json, const struct plan *plan)
{
	json_open(json, "functions", '[', JSON_ROWS);
	ARRAY_FOREACH (function, &plan->functions) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "name", function->name);
		json_text(json, "linkage_name", function->linkage_name);
		json_text(json, "file", function->file);
		json_unsigned(json, "line", function->line);
		json_unsigned(json, "image", function->image);
		json_boolean(json, "lines", function->lines);
		json_real(json, "rate", function->rate);
		json_unsigned(json, "exit", function->exit);
		json_boolean(json, "switchable", function->switchable);
		json_text(json, "exit_reason", function->exit_reason ? function->exit_reason : "");
		json_unsigned(json, "entry_line", function->entry_line);
		json_unsigned(json, "inlined_copies", function->inlined_copies);
		json_close(json);
	}
	json_close(json);
}

static void write_lines(struct json_stream *json, const struct plan *plan)
{
	json_open(json, "lines", '[', JSON_ROWS);
	ARRAY_FOREACH (line, &plan->lines) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_unsigned(json, "function", line->function);
		json_text(json, "file", line->file);
		json_unsigned(json, "line", line->line);
		json_unsigned(json, "sites", line->sites);
		json_boolean(json, "shared", line->shared);
		json_close(json);
	}
	json_close(json);
}

static void write_sites(struct json_stream *json, const struct plan *plan)
{
	json_open(json, "sites", '[', JSON_ROWS);
	ARRAY_FOREACH (site, &plan->sites) {
		json_open(json, NULL, '[', JSON_COMPACT);
		json_unsigned(json, NULL, site->image);
		json_unsigned(json, NULL, site->address);
		json_unsigned(json, NULL, site->offset);
		json_unsigned(json, NULL, site->function);
		json_unsigned(json, NULL, site->host);
		json_unsigned(json, NULL, site->roles);
		json_unsigned(json, NULL, site->standby);
		json_unsigned(json, NULL, site->cost);
		json_unsigned(json, NULL, site->moved);
		json_signed(json, NULL, site->stack_offset);
		json_open(json, NULL, '[', JSON_COMPACT);
		for (uint8_t at = 0; at < site->charge_count; at++) {
			json_unsigned(json, NULL, site->charges[at].line);
			json_unsigned(json, NULL, site->charges[at].function);
		}
		json_close(json);
		json_close(json);
	}
	json_close(json);
}

static void write_counts(struct json_stream *json, const struct plan *plan)
{
	json_open(json, "counts", '[', JSON_ROWS);
	ARRAY_FOREACH (count, &plan->counts) {
		json_open(json, NULL, '[', JSON_COMPACT);
		json_unsigned(json, NULL, count->line);
		json_unsigned(json, NULL, count->column);
		json_unsigned(json, NULL, count->site);
		json_signed(json, NULL, count->sign);
		json_close(json);
	}
	json_close(json);
}

static void write_left_out(struct json_stream *json, const struct plan *plan)
{
	json_open(json, "left_out", '[', JSON_ROWS);
	ARRAY_FOREACH (left, &plan->left_out) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_unsigned(json, "image", left->image);
		json_unsigned(json, "function", left->function);
		json_unsigned(json, "address", left->address);
		json_text(json, "file", left->file ? left->file : "");
		json_unsigned(json, "line", left->line);
		json_text(json, "reason", left->reason);
		json_close(json);
	}
	json_close(json);
}

void plan_store_write(const struct plan *plan, FILE *stream)
{
	struct json_stream json = {.file = stream};

	json_open(&json, NULL, '{', JSON_ROWS);
	json_boolean(&json, "has_go", plan->has_go);
	json_boolean(&json, "watches_images", plan->watches_images);
	write_images(&json, plan);
	write_functions(&json, plan);
	write_lines(&json, plan);
	write_sites(&json, plan);
	write_counts(&json, plan);
	write_left_out(&json, plan);
	json_close(&json);
}

uint64_t plan_store_hash(const char *text, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t at = 0; at < size; at++)
		hash = (hash ^ (unsigned char)text[at]) * 0x100000001b3;
	return hash;
}

/* ---- Reading ---- */

struct plan_reader {
	struct plan *plan;
	struct failure *failure;
	size_t functions, lines, sites; /* how many there will be */
};

typedef int (*element_reader)(struct plan_reader *reader, const struct json_place *element);

/* Reads each element of a list that must be there. */
static int read_list(struct plan_reader *reader, const struct json_place *document, const char *key,
    enum json_type type, element_reader read)
{
	struct json_place list, element;
	size_t count;
	int error;

	if (!json_member(document, key, &list))
		return json_refuse(document, "has no \"%s\"", key);
	error = json_expect(&list, json_type_array);
	if (error)
		return error;
	count = json_object_array_length(list.value);
	for (size_t at = 0; at < count && !error; at++) {
		json_element(&list, at, &element);
		error = json_expect(&element, type);
		if (!error)
			error = read(reader, &element);
	}
	return error;
}

/* How many elements a list has; 0 where it is none. */
static size_t count_list(const struct json_place *document, const char *key)
{
	struct json_place list;

	if (!json_member(document, key, &list) || !json_object_is_type(list.value, json_type_array))
		return 0;
	return json_object_array_length(list.value);
}

static int no_memory(const struct plan_reader *reader)
{
	return failure_set(reader->failure, ENOMEM, "out of memory");
}

static int read_text(struct plan_reader *reader, const struct json_place *object, const char *key,
    const char **ret_text)
{
	const char *text = "";
	int error = json_get_text(object, key, &text);

	if (error)
		return error;
	*ret_text = strings_intern(reader->plan->strings, text);
	return *ret_text ? 0 : no_memory(reader);
}

/* A number below `end`, or `none`, which is UINT32_MAX for all kinds of ids. */
static int read_id(const struct json_place *object, const char *key, size_t end, bool may_be_none,
    uint32_t *ret_id)
{
	uint32_t id = UINT32_MAX;
	int error = json_get_u32(object, key, &id);

	if (error)
		return error;
	if (id >= end && !(may_be_none && id == UINT32_MAX))
		return json_refuse(object, "has a wrong \"%s\"", key);
	*ret_id = id;
	return 0;
}

static int read_image(struct plan_reader *reader, const struct json_place *element)
{
	struct plan_image image = {.fd = -1};
	int error = read_text(reader, element, "path", &image.path);

	if (!error)
		error = read_text(reader, element, "build_id", &image.build_id);
	if (error)
		return error;
	return ARRAY_APPEND(&reader->plan->images, image) ? no_memory(reader) : 0;
}

static int read_function(struct plan_reader *reader, const struct json_place *element)
{
	struct plan_function function = {0};
	uint32_t exit = 0;
	int error;

	if ((error = read_text(reader, element, "name", &function.name)) ||
	    (error = read_text(reader, element, "linkage_name", &function.linkage_name)) ||
	    (error = read_text(reader, element, "file", &function.file)) ||
	    (error = read_text(reader, element, "exit_reason", &function.exit_reason)) ||
	    (error = json_get_u32(element, "line", &function.line)) ||
	    (error = read_id(
		 element, "image", reader->plan->images.count, false, &function.image)) ||
	    (error = json_get_bool(element, "lines", &function.lines)) ||
	    (error = json_get_real(element, "rate", 0, 1, &function.rate)) ||
	    (error = json_get_bool(element, "switchable", &function.switchable)) ||
	    (error = json_get_u32(element, "exit", &exit)) ||
	    (error = read_id(element, "entry_line", reader->lines, true, &function.entry_line)) ||
	    (error = json_get_u32(element, "inlined_copies", &function.inlined_copies)))
		return error;
	if (exit > PLAN_EXIT_SITES)
		return json_refuse(element, "has a wrong \"exit\"");
	function.exit = (enum plan_exit)exit;
	return ARRAY_APPEND(&reader->plan->functions, function) ? no_memory(reader) : 0;
}

static int read_line(struct plan_reader *reader, const struct json_place *element)
{
	struct plan_line line = {0};
	int error;

	if ((error = read_id(element, "function", reader->functions, false, &line.function)) ||
	    (error = read_text(reader, element, "file", &line.file)) ||
	    (error = json_get_u32(element, "line", &line.line)) ||
	    (error = json_get_u32(element, "sites", &line.sites)) ||
	    (error = json_get_bool(element, "shared", &line.shared)))
		return error;
	reader->plan->has_lines = true;
	return ARRAY_APPEND(&reader->plan->lines, line) ? no_memory(reader) : 0;
}

/* The numbers of a row, each within its bounds. */
static int read_row(
    const struct json_place *row, const int64_t (*bounds)[2], size_t count, int64_t *ret_numbers)
{
	struct json_place number;
	int error = 0;

	if (json_object_array_length(row->value) < count)
		return json_refuse(row, "is too short");
	for (size_t at = 0; at < count && !error; at++) {
		json_element(row, at, &number);
		error = json_number(&number, bounds[at][0], bounds[at][1], &ret_numbers[at]);
	}
	return error;
}

static int read_charges(
    const struct plan_reader *reader, const struct json_place *list, struct plan_site *site)
{
	size_t count = json_object_array_length(list->value);
	const int64_t bounds[][2] = {
	    {0, (int64_t)reader->lines - 1}, {0, (int64_t)reader->functions - 1}};
	int error = 0;

	if (count % 2 || count / 2 > CHARGES_MAX)
		return json_refuse(list, "has a wrong length");
	for (size_t at = 0; at < count && !error; at++) {
		struct json_place number;
		int64_t value = 0;

		json_element(list, at, &number);
		error = json_number(&number, bounds[at % 2][0], bounds[at % 2][1], &value);
		if (at % 2)
			site->charges[at / 2].function = (uint32_t)value;
		else
			site->charges[at / 2].line = (uint32_t)value;
	}
	site->charge_count = (uint8_t)(count / 2);
	return error;
}

static int read_site(struct plan_reader *reader, const struct json_place *element)
{
	const int64_t bounds[][2] = {{0, (int64_t)reader->plan->images.count - 1}, {0, INT64_MAX},
	    {0, INT64_MAX}, {0, UINT32_MAX}, {0, COUNT_MAX}, {0, UINT16_MAX}, {0, UINT16_MAX},
	    {0, COST_CLASSES - 1}, {0, UINT8_MAX}, {INT32_MIN, INT32_MAX}};
	int64_t numbers[ARRAY_SIZE(bounds)];
	struct json_place charges;
	struct plan_site site;
	int error = read_row(element, bounds, ARRAY_SIZE(bounds), numbers);

	if (error)
		return error;
	if (numbers[3] >= (int64_t)reader->functions && numbers[3] != NO_FUNCTION)
		return json_refuse(element, "has a wrong function");
	site = (struct plan_site){
	    .image = (uint32_t)numbers[0],
	    .address = (uint64_t)numbers[1],
	    .offset = (uint64_t)numbers[2],
	    .function = (uint32_t)numbers[3],
	    .host = (uint32_t)numbers[4],
	    .roles = (uint16_t)numbers[5],
	    .standby = (uint16_t)numbers[6],
	    .cost = (uint8_t)numbers[7],
	    .moved = (uint8_t)numbers[8],
	    .stack_offset = (int32_t)numbers[9],
	};
	if (json_object_array_length(element->value) <= ARRAY_SIZE(bounds))
		return json_refuse(element, "is too short");
	json_element(element, ARRAY_SIZE(bounds), &charges);
	error = json_expect(&charges, json_type_array);
	if (!error)
		error = read_charges(reader, &charges, &site);
	if (error)
		return error;
	return ARRAY_APPEND(&reader->plan->sites, site) ? no_memory(reader) : 0;
}

static int read_count(struct plan_reader *reader, const struct json_place *element)
{
	const int64_t bounds[][2] = {{0, (int64_t)reader->lines - 1}, {0, UINT32_MAX},
	    {0, (int64_t)reader->sites - 1}, {-1, 1}};
	int64_t numbers[ARRAY_SIZE(bounds)];
	int error = read_row(element, bounds, ARRAY_SIZE(bounds), numbers);
	struct plan_count count;

	if (error)
		return error;
	count = (struct plan_count){
	    .line = (uint32_t)numbers[0],
	    .column = (uint32_t)numbers[1],
	    .site = (uint32_t)numbers[2],
	    .sign = (int32_t)numbers[3],
	};
	return ARRAY_APPEND(&reader->plan->counts, count) ? no_memory(reader) : 0;
}

static int read_left_out(struct plan_reader *reader, const struct json_place *element)
{
	struct plan_left_out left = {0};
	int error;

	if ((error = read_id(element, "image", reader->plan->images.count, false, &left.image)) ||
	    (error = read_id(element, "function", reader->functions, true, &left.function)) ||
	    (error = json_get_unsigned(element, "address", &left.address)) ||
	    (error = read_text(reader, element, "file", &left.file)) ||
	    (error = json_get_u32(element, "line", &left.line)) ||
	    (error = read_text(reader, element, "reason", &left.reason)))
		return error;
	return ARRAY_APPEND(&reader->plan->left_out, left) ? no_memory(reader) : 0;
}

/* As the planner leaves them: lines follow their functions' order. */
static int find_first_lines(struct plan *plan, const struct json_place *document)
{
	for (uint32_t at = 0; at < plan->lines.count; at++) {
		struct plan_function *function =
		    &plan->functions.items[plan->lines.items[at].function];

		if (at && plan->lines.items[at].function < plan->lines.items[at - 1].function)
			return json_refuse(document, "has lines out of order");
		if (!function->line_count++)
			function->first_line = at;
	}
	return 0;
}

static int read_document(struct plan_reader *reader, const struct json_place *document)
{
	int error = json_expect(document, json_type_object);

	if (error)
		return error;
	reader->functions = count_list(document, "functions");
	reader->lines = count_list(document, "lines");
	reader->sites = count_list(document, "sites");
	if (reader->functions > COUNT_MAX || reader->lines > COUNT_MAX || reader->sites > COUNT_MAX)
		return json_refuse(document, "is too large");
	if ((error = json_get_bool(document, "has_go", &reader->plan->has_go)) ||
	    (error = json_get_bool(document, "watches_images", &reader->plan->watches_images)) ||
	    (error = read_list(reader, document, "images", json_type_object, read_image)) ||
	    (error = read_list(reader, document, "functions", json_type_object, read_function)) ||
	    (error = read_list(reader, document, "lines", json_type_object, read_line)) ||
	    (error = read_list(reader, document, "sites", json_type_array, read_site)) ||
	    (error = read_list(reader, document, "counts", json_type_array, read_count)) ||
	    (error = read_list(reader, document, "left_out", json_type_object, read_left_out)))
		return error;
	return find_first_lines(reader->plan, document);
}

int plan_store_read(const char *name, const char *bytes, size_t size, struct plan **ret_plan,
    struct failure *failure)
{
	CLEANUP(plan_free_p) struct plan *plan = calloc(1, sizeof(*plan));
	CLEANUP(json_document_put_p) struct json_object *value = NULL;
	struct json_place document = {.name = name, .failure = failure};
	struct plan_reader reader = {.plan = plan, .failure = failure};
	int error;

	if (plan)
		plan->strings = strings_new();
	if (!plan || !plan->strings)
		return no_memory(&reader);
	error = json_document_parse(name, bytes, size, &value, failure);
	if (error)
		return error;
	document.value = value;
	error = read_document(&reader, &document);
	if (error)
		return error;
	*ret_plan = TAKE(plan);
	return 0;
}
