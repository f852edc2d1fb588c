// SPDX-License-Identifier: GPL-2.0-or-later
// Takes checked values out of a JSON document and says where a bad one stands.
#include "input/json_place.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PLACE_DEPTH_MAX 8

static void print_place(const struct json_place *place, char *text, size_t size)
{
	const struct json_place *chain[PLACE_DEPTH_MAX];
	size_t depth = 0, used;

	for (; place->parent && depth < PLACE_DEPTH_MAX; place = place->parent)
		chain[depth++] = place;
	while (place->parent)
		place = place->parent;
	used = (size_t)snprintf(text, size, "%s: ", place->name);
	for (bool first = true; depth-- && used < size; first = false) {
		int more = chain[depth]->name
			       ? snprintf(text + used, size - used, "%s%s", first ? "" : ".",
				     chain[depth]->name)
			       : snprintf(text + used, size - used, "[%zu]", chain[depth]->index);

		used += (size_t)more;
	}
}

int json_refuse(const struct json_place *place, const char *format, ...)
{
	char where[600], sentence[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	print_place(place, where, sizeof(where));
	return failure_set(
	    place->failure, EBADMSG, "%s%s%s", where, place->parent ? ": " : "", sentence);
}

bool json_member(const struct json_place *object, const char *key, struct json_place *ret_member)
{
	*ret_member =
	    (struct json_place){.parent = object, .name = key, .failure = object->failure};
	return json_object_object_get_ex(object->value, key, &ret_member->value) &&
	       ret_member->value;
}

void json_element(const struct json_place *array, size_t index, struct json_place *ret_element)
{
	*ret_element = (struct json_place){
	    .parent = array,
	    .index = index,
	    .value = json_object_array_get_idx(array->value, index),
	    .failure = array->failure,
	};
}

static const char *type_name(enum json_type type)
{
	switch (type) {
	case json_type_null:
		return "null";
	case json_type_boolean:
		return "true or false";
	case json_type_double:
		return "a fraction";
	case json_type_int:
		return "a number";
	case json_type_object:
		return "an object";
	case json_type_array:
		return "a list";
	case json_type_string:
		return "text";
	}
	return "unknown";
}

int json_expect(const struct json_place *place, enum json_type type)
{
	enum json_type found = json_object_get_type(place->value);

	if (found == type)
		return 0;
	return json_refuse(place, "must be %s, not %s", type_name(type), type_name(found));
}

int json_number(const struct json_place *place, int64_t low, int64_t high, int64_t *ret_number)
{
	int64_t number;

	if (!json_object_is_type(place->value, json_type_int))
		return json_refuse(place, "must be a whole number, not %s",
		    type_name(json_object_get_type(place->value)));
	/* json-c keeps what is beyond 64 bits as the nearest it has: such values are out of any
	 * range. */
	number = json_object_get_int64(place->value);
	if (number < low || number > high || number == INT64_MIN ||
	    (number == INT64_MAX && json_object_get_uint64(place->value) > INT64_MAX))
		return json_refuse(place,
		    "must be a whole number from %" PRId64 " to %" PRId64 ", not %s", low, high,
		    json_object_get_string(place->value));
	*ret_number = number;
	return 0;
}

int json_string(const struct json_place *place, const char **ret_text)
{
	const char *text;
	int error = json_expect(place, json_type_string);

	if (error)
		return error;
	text = json_object_get_string(place->value);
	if (strlen(text) != (size_t)json_object_get_string_len(place->value))
		return json_refuse(place, "holds a NUL character");
	*ret_text = text;
	return 0;
}

int json_get_signed(const struct json_place *object, const char *key, int64_t low, int64_t high,
    int64_t *ret_number)
{
	struct json_place member;

	return json_member(object, key, &member) ? json_number(&member, low, high, ret_number) : 0;
}

int json_get_unsigned(const struct json_place *object, const char *key, uint64_t *ret_number)
{
	int64_t number = (int64_t)*ret_number;
	int error = json_get_signed(object, key, 0, INT64_MAX, &number);

	*ret_number = (uint64_t)number;
	return error;
}

int json_get_u32(const struct json_place *object, const char *key, uint32_t *ret_number)
{
	int64_t number = *ret_number;
	int error = json_get_signed(object, key, 0, UINT32_MAX, &number);

	*ret_number = (uint32_t)number;
	return error;
}

int json_get_real(
    const struct json_place *object, const char *key, double low, double high, double *ret_number)
{
	struct json_place member;
	double number;

	if (!json_member(object, key, &member))
		return 0;
	if (!json_object_is_type(member.value, json_type_double) &&
	    !json_object_is_type(member.value, json_type_int))
		return json_refuse(&member, "must be a number, not %s",
		    type_name(json_object_get_type(member.value)));
	number = json_object_get_double(member.value);
	if (!isfinite(number) || number < low || number > high)
		return json_refuse(
		    &member, "must be a number from %g to %g, not %g", low, high, number);
	*ret_number = number;
	return 0;
}

int json_get_bool(const struct json_place *object, const char *key, bool *ret_value)
{
	struct json_place member;
	int error;

	if (!json_member(object, key, &member))
		return 0;
	error = json_expect(&member, json_type_boolean);
	if (!error)
		*ret_value = json_object_get_boolean(member.value);
	return error;
}

int json_get_text(const struct json_place *object, const char *key, const char **ret_text)
{
	struct json_place member;

	return json_member(object, key, &member) ? json_string(&member, ret_text) : 0;
}

int json_get_name(const struct json_place *object, const char *key, const char *const *names,
    size_t count, unsigned *ret_index)
{
	struct json_place member;
	const char *text;
	int error;

	if (!json_member(object, key, &member))
		return 0;
	error = json_string(&member, &text);
	if (error)
		return error;
	for (unsigned i = 0; i < count; i++)
		if (strcmp(names[i], text) == 0) {
			*ret_index = i;
			return 0;
		}
	return json_refuse(&member, "\"%.60s\" is not known here", text);
}
