// SPDX-License-Identifier: GPL-2.0-or-later
// Takes a spec apart.
#include "target/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

#define SPEC_LENGTH_MAX 16384

/* The first single colon in [text, end): one that begins an odd run, since "::" is C++'s. */
static const char *first_colon(const char *text, const char *end)
{
	while (text < end) {
		size_t run = strspn(text, ":");

		if (run % 2 == 1)
			return text;
		text += run ? run : 1;
	}
	return NULL;
}

/* The last single colon, with a line number or "*" behind it; NULL: it is no place in a file. */
static const char *place_colon(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (!colon || colon == text || colon[-1] == ':')
		return NULL;
	if (!strcmp(colon + 1, "*"))
		return colon;
	return colon[1] && colon[1 + strspn(colon + 1, "0123456789")] == '\0' ? colon : NULL;
}

static int malformed(const char *text, const char *problem, struct failure *failure)
{
	return failure_set(failure, EINVAL,
	    "\"%s\" %s; write [IMAGE:]FUNCTION, FILE:LINE or FILE:*", text, problem);
}

int spec_parse(const char *text, struct spec *ret_spec, struct failure *failure)
{
	struct spec spec = {.kind = SPEC_NAME};
	const char *end = text + strlen(text), *place = place_colon(text), *colon;
	uint64_t line = 0;

	if (end - text > SPEC_LENGTH_MAX)
		return failure_set(failure, EINVAL,
		    "a function's name is longer than %d characters", SPEC_LENGTH_MAX);
	if (place) {
		end = place;
		spec.kind = place[1] == '*' ? SPEC_FILE : SPEC_LINE;
		if (spec.kind == SPEC_LINE && parse_integer(place + 1, 1, INT32_MAX, &line))
			return malformed(text, "names no line", failure);
		spec.line = (uint32_t)line;
	}
	colon = first_colon(text, end);
	if (colon == text)
		return malformed(text, "names no image before its colon", failure);
	if ((colon ? colon + 1 : text) == end)
		return malformed(text, "names no function", failure);
	if (colon) {
		spec.image = strndup(text, (size_t)(colon - text));
		text = colon + 1;
	}
	spec.name = strndup(text, (size_t)(end - text));
	if (!spec.name || (colon && !spec.image)) {
		spec_fini(&spec);
		return failure_set(failure, ENOMEM, "no memory to read a spec");
	}
	*ret_spec = spec;
	return 0;
}

void spec_fini(struct spec *spec)
{
	free(spec->image);
	free(spec->name);
	*spec = (struct spec){0};
}
