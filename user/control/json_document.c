// SPDX-License-Identifier: GPL-2.0-or-later
// Parses JSON texts with limits, and collects texts in memory.
#include "control/json_document.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define DEPTH_MAX 16

int json_document_parse(const char *name, const char *bytes, size_t size,
    struct json_object **ret_document, struct failure *failure)
{
	struct json_tokener *tokener;
	struct json_object *document;
	enum json_tokener_error error;
	size_t end;

	if (size > INT_MAX)
		return failure_set(failure, EFBIG, "%s: is too long", name);
	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!tokener)
		return failure_set(failure, ENOMEM, "%s: no memory to read it", name);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	document = json_tokener_parse_ex(tokener, bytes, (int)size);
	error = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	if (error == json_tokener_success && end == size) {
		*ret_document = document;
		return 0;
	}
	json_object_put(document);
	return failure_set(failure, EBADMSG, "%s: is not valid JSON at byte %zu: %s", name, end,
	    error == json_tokener_continue  ? "it is cut off"
	    : error == json_tokener_success ? "something follows it"
					    : json_tokener_error_desc(error));
}

int memory_text_init(struct memory_text *memory)
{
	*memory = (struct memory_text){0};
	memory->file = open_memstream(&memory->text, &memory->size);
	return memory->file ? 0 : -ENOMEM;
}

int memory_text_end(struct memory_text *memory)
{
	FILE *file = memory->file;
	int failed = ferror(file);

	memory->file = NULL;
	return fclose(file) || failed ? -ENOMEM : 0;
}

void memory_text_fini(struct memory_text *memory)
{
	if (memory->file)
		fclose(memory->file);
	free(memory->text);
	*memory = (struct memory_text){0};
}
