/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values out of a parsed JSON document, each checked, each refusal naming file and place
 * ("x.json: functions[3].lines[0].hits: must be a whole number from 0 to 9, not a string").
 *
 * A key that is missing leaves the result untouched: its zero is what absence means.
 */
#ifndef LPROF_INPUT_JSON_PLACE_H
#define LPROF_INPUT_JSON_PLACE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"

/* Where a value stands; lives on the reader's stack, as the reader goes down. */
struct json_place {
	const struct json_place *parent; /* NULL: the document */
	const char *name;                /* key; of the document: the file */
	size_t index;                    /* in arrays, where name is NULL */
	struct json_object *value;
	struct failure *failure;
};

/* -EBADMSG with "FILE: place: sentence". */
int json_refuse(const struct json_place *place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The member `key` of an object; false: not there (or null). */
bool json_member(const struct json_place *object, const char *key, struct json_place *ret_member);

/* The element of an array. */
void json_element(const struct json_place *array, size_t index, struct json_place *ret_element);

/* 0, or -EBADMSG: the value is of another type ("object", "list"). */
int json_expect(const struct json_place *place, enum json_type type);

/* A number from low to high. */
int json_get_signed(const struct json_place *object, const char *key, int64_t low, int64_t high,
    int64_t *ret_number);
int json_get_unsigned(
    const struct json_place *object, const char *key, uint64_t *ret_number); /* up to 2^63 - 1 */
int json_get_u32(const struct json_place *object, const char *key, uint32_t *ret_number);
int json_get_real(
    const struct json_place *object, const char *key, double low, double high, double *ret_number);
int json_get_bool(const struct json_place *object, const char *key, bool *ret_value);

/* Text without NUL, living as long as the document. */
int json_get_text(const struct json_place *object, const char *key, const char **ret_text);

/* One of `names`, as its index. */
int json_get_name(const struct json_place *object, const char *key, const char *const *names,
    size_t count, unsigned *ret_index);

/* The value at a place itself, as in arrays. */
int json_number(const struct json_place *place, int64_t low, int64_t high, int64_t *ret_number);
int json_string(const struct json_place *place, const char **ret_text);

#endif
