// SPDX-License-Identifier: GPL-2.0-or-later
// Follows Python's tokenizer through a source as far as brackets, strings and comments go.
#include "output/python_reads.h"

#include <string.h>

/* The text behind a string that begins at `quote` and ends on its line, or NULL. */
static const char *skip_string(const char *quote)
{
	const char *at = quote + 1;

	if (at[0] == *quote && at[1] == *quote)
		return NULL; /* three quotes: goes on over lines */
	while (*at && *at != *quote) {
		if (*at == '\\' && at[1])
			at++;
		at++;
	}
	return *at ? at + 1 : NULL;
}

/* Follows one line; false: the tokenizer may fail in it. `depth` counts open brackets. */
static bool read_line(const char *line, long *depth)
{
	while (*line && *line != '#') { /* # begins a comment: so do the preprocessor's lines */
		if (*line == '\'' || *line == '"') {
			line = skip_string(line);
			if (!line)
				return false;
			continue;
		}
		if (*line == '\\' && line[1])
			return false;
		if (strchr("([{", *line))
			++*depth;
		else if (strchr(")]}", *line) && --*depth < 0)
			return false;
		line++;
	}
	return true;
}

bool python_reads(const struct source *source, uint64_t first_line)
{
	const char *line = NULL;
	long depth = 0;

	for (uint64_t number = first_line ? first_line : 1; number <= source->lines.count;
	     number++) {
		line = source_line(source, number);
		if (!read_line(line, &depth))
			return false;
	}
	/* a backslash at the very end asks for a line that is not there */
	return !depth && (!line || !string_ends(line, "\\"));
}
