// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the sentences about specs that select nothing: the thing, and the remedy.
#include "target/selection_failure.h"

#include <errno.h>
#include <string.h>

#include "target/image_match.h"
#include "target/suggestion.h"

static const char *last_slash(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A glob's letters are what it can be near to. */
static void glob_letters(const char *pattern, char *ret_text, size_t size)
{
	size_t used = 0;

	for (; *pattern && used + 1 < size; pattern++)
		if (!strchr("*?[]", *pattern))
			ret_text[used++] = *pattern;
	ret_text[used] = '\0';
}

int selection_no_function(
    const struct selection_image *image, const struct spec *spec, struct failure *failure)
{
	const struct image_index *index = image->index;
	char letters[256], text[FAILURE_TEXT_MAX];
	struct suggestion suggestion = {.typed = letters};
	const char *otherwise = index->debug_path
				    ? "; is it in a library? Then write IMAGE:FUNCTION"
				    : "; its symbols seem to be stripped: install its debug "
				      "symbols (package NAME-dbgsym "
				      "or NAME-dbg) or build it with -g";

	glob_letters(spec->name, letters, sizeof(letters));
	ARRAY_FOREACH (function, &index->functions) {
		suggestion_offer(&suggestion, function->name);
		if (strchr(spec->name, '('))
			suggestion_offer(&suggestion, function->full_name);
	}
	ARRAY_FOREACH (alias, &index->aliases)
		suggestion_offer(&suggestion, alias->name);
	return failure_set(failure, ENOENT, "no function \"%.200s\" in %s%s", spec->name,
	    image_match_file_name(image),
	    suggestion_text(&suggestion, otherwise, text, sizeof(text)));
}

/* The functions that begin next before and after a line. */
static int no_line(const struct selection_image *image, const struct spec *spec, uint32_t file,
    struct failure *failure)
{
	const struct source_function *before = NULL, *after = NULL, *near;
	const struct image_index *index = image->index;

	ARRAY_FOREACH (function, &index->functions) {
		if (function->file != file)
			continue;
		if (function->line <= spec->line && (!before || function->line > before->line))
			before = function;
		if (function->line > spec->line && (!after || function->line < after->line))
			after = function;
	}
	near = before && (!after || spec->line - before->line < after->line - spec->line) ? before
											  : after;
	if (!near)
		near = before;
	return failure_set(failure, ENOENT,
	    "no function of %s has code around %s:%u; the nearest is %.200s, lines %u to %u",
	    image_match_file_name(image), spec->name, spec->line, near ? near->name : "none",
	    near ? near->line : 0, near ? near->end_line : 0);
}

int selection_no_place(const struct selection_image *image, const struct spec *spec,
    const source_array *files, struct failure *failure)
{
	const struct image_index *index = image->index;
	struct suggestion suggestion = {.typed = last_slash(spec->name)};
	char text[FAILURE_TEXT_MAX];

	if (files->count)
		return no_line(image, spec, files->items[0], failure);
	if (index->rows.count == 0)
		return selection_no_lines(image, spec->name, failure);
	ARRAY_FOREACH (function, &index->functions)
		if (function->file != INDEX_NONE)
			suggestion_offer(
			    &suggestion, last_slash(index->files.items[function->file]));
	return failure_set(failure, ENOENT, "no function of %s comes from a file \"%.200s\"%s",
	    image_match_file_name(image), spec->name,
	    suggestion_text(
		&suggestion, "; name it as the compiler was given it", text, sizeof(text)));
}

int selection_ambiguous(const struct image_index *index, const struct spec *spec,
    const source_array *files, struct failure *failure)
{
	return failure_set(failure, EINVAL,
	    "\"%.200s\" is the end of several paths (%.300s, %.300s%s); write more of the one "
	    "meant",
	    spec->name, index->files.items[files->items[0]], index->files.items[files->items[1]],
	    files->count > 2 ? ", ..." : "");
}

int selection_no_lines(
    const struct selection_image *image, const char *what, struct failure *failure)
{
	return failure_set(failure, ENODATA,
	    "%s has no line information for \"%.200s\": install its debug symbols (package "
	    "NAME-dbgsym or NAME-dbg) or build it with -g; -f times functions without",
	    image_match_file_name(image), what);
}
