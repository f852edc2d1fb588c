/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the JSON reader share. */
#ifndef LPROF_INPUT_JSON_READER_H
#define LPROF_INPUT_JSON_READER_H

#include "input/json_place.h"
#include "model/profile.h"

struct json_reader {
	struct profile *profile;
	size_t functions; /* how many there will be */
};

/* Reads one element of a list into the profile. */
typedef int (*json_element_reader)(
    struct json_reader *reader, const struct json_place *element, void *context);

/* Reads the list `key`, if there is one, whose elements are all of one type. */
int json_read_list(struct json_reader *reader, const struct json_place *object, const char *key,
    json_element_reader read, enum json_type type, void *context);

/* Text of a key as the profile's own; absent: "". */
int json_read_text(struct json_reader *reader, const struct json_place *object, const char *key,
    const char **ret_text);

int json_read_accounting(
    const struct json_place *object, struct profile_accounting *ret_accounting);

/* A json_element_reader of functions; images were read before. */
int json_read_function(struct json_reader *reader, const struct json_place *element, void *context);

/* The sampling period, "frames" and "stacks"; images were read before. */
int json_read_stacks(struct json_reader *reader, const struct json_place *document);

/* -ENOMEM, said. */
int json_no_memory(const struct json_place *place);

#endif
