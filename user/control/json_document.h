/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON texts as documents to read with input/json_place.h, and writing them into memory. */
#ifndef LPROF_CONTROL_JSON_DOCUMENT_H
#define LPROF_CONTROL_JSON_DOCUMENT_H

#include <json-c/json.h>
#include <stdio.h>

#include "base/failure.h"

/* Strict, at most 16 deep. `name` is for messages. The caller puts *ret_document. -EBADMSG. */
int json_document_parse(const char *name, const char *bytes, size_t size,
    struct json_object **ret_document, struct failure *failure);

static inline void json_document_put_p(struct json_object **document)
{
	json_object_put(*document);
}

/* A growing text. Ended, it has a NUL behind its `size` bytes; free it with memory_text_fini. */
struct memory_text {
	FILE *file;
	char *text;
	size_t size;
};

int memory_text_init(struct memory_text *memory); /* -ENOMEM */
int memory_text_end(struct memory_text *memory);  /* -ENOMEM: something did not fit */
void memory_text_fini(struct memory_text *memory);

#endif
