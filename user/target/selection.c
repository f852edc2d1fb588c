// SPDX-License-Identifier: GPL-2.0-or-later
// Goes through the specs of a request and keeps each function they select once.
#include "target/selection.h"

#include <errno.h>
#include <string.h>

#include "target/function_match.h"
#include "target/id_map.h"
#include "target/image_match.h"
#include "target/selection_failure.h"
#include "target/spec.h"

struct selecting {
	struct selection_image *images;
	size_t image_count;
	const struct selection_options *options;
	struct selection *selection;
	struct id_map known; /* by image and source, into selection->functions */
};

static int function_select(
    struct selecting *selecting, size_t image, uint32_t source, bool lines, double rate)
{
	struct selection *selection = selecting->selection;
	uint32_t *known = id_map_put(&selecting->known, image, source);

	if (!known)
		return -ENOMEM;
	if (*known == INDEX_NONE) {
		struct selected_function selected = {(uint32_t)image, source, false, rate};

		if (ARRAY_APPEND(&selection->functions, selected))
			return -ENOMEM;
		*known = (uint32_t)selection->functions.count - 1;
	}
	selection->functions.items[*known].rate = rate;
	selection->functions.items[*known].lines |= lines;
	return 0;
}

/* Selects what was found; where lines are wanted, one function at least must have them. */
static int found_select(struct selecting *selecting, size_t number, const source_array *found,
    bool glob, const struct spec_request *request, struct failure *failure)
{
	const struct selection_image *image = &selecting->images[number];
	size_t with_lines = 0;

	for (size_t i = 0; i < found->count; i++)
		with_lines += image->index->functions.items[found->items[i]].file != INDEX_NONE;
	if (request->lines && (glob ? with_lines == 0 : with_lines < found->count))
		return selection_no_lines(image, request->text, failure);
	for (size_t i = 0; i < found->count; i++) {
		uint32_t source = found->items[i];
		bool has = image->index->functions.items[source].file != INDEX_NONE;

		if (function_select(
			selecting, number, source, request->lines && has, request->rate))
			return -ENOMEM;
	}
	return 0;
}

static int place_find(const struct selection_image *image, const struct spec *spec,
    const source_array *files, source_array *ret_found, struct failure *failure)
{
	if (files->count > 1)
		return selection_ambiguous(image->index, spec, files, failure);
	if (files->count == 0)
		return 0;
	return spec->kind == SPEC_LINE
		   ? function_match_line(image->index, files->items[0], spec->line, ret_found)
		   : function_match_file(image->index, files->items[0], ret_found);
}

/*
 * Looks in one image. *ret_matched: something was found. With `last`, nothing having been found
 * is a failure that tells the nearest.
 */
static int image_search(struct selecting *selecting, size_t number, const struct spec *spec,
    const struct spec_request *request, bool last, bool *ret_matched, struct failure *failure)
{
	struct selection_image *image = &selecting->images[number];
	source_array found = {0}, files = {0};
	bool glob = spec->kind == SPEC_FILE;
	int result = image_match_open(image, selecting->options, failure);

	if (!result && spec->kind == SPEC_NAME) {
		result = function_match_name(image->index, spec->name, &found, &glob);
		if (!result && found.count == 0 && last)
			result = selection_no_function(image, spec, failure);
	} else if (!result) {
		result = function_match_files(image->index, spec->name, &files);
		if (!result)
			result = place_find(image, spec, &files, &found, failure);
		if (!result && found.count == 0 && last)
			result = selection_no_place(image, spec, &files, failure);
	}
	if (!result && found.count) {
		*ret_matched = true;
		result = found_select(selecting, number, &found, glob, request, failure);
	}
	ARRAY_FREE(&found);
	ARRAY_FREE(&files);
	return result;
}

/* LIBRARY:* looks like FILE:*; it means all functions of the library. */
static bool reread_as_image(struct spec *spec)
{
	if (spec->kind != SPEC_FILE || spec->image)
		return false;
	spec->kind = SPEC_NAME;
	spec->image = spec->name;
	spec->name = strdup("*");
	return true;
}

/* A name may hold a colon itself: with no such image, the whole text is the name. */
static bool spec_is_name(struct selecting *selecting, const struct spec_request *request)
{
	image_array main = {0};
	source_array found = {0};
	bool glob, is = false;

	if (!image_match(
		selecting->images, selecting->image_count, NULL, selecting->options, &main, NULL) &&
	    main.count &&
	    !image_match_open(&selecting->images[main.items[0]], selecting->options, NULL) &&
	    !function_match_name(
		selecting->images[main.items[0]].index, request->text, &found, &glob))
		is = found.count > 0 && !glob;
	ARRAY_FREE(&main);
	ARRAY_FREE(&found);
	return is;
}

static int images_search(struct selecting *selecting, struct spec *spec,
    const struct spec_request *request, struct failure *failure)
{
	image_array images = {0};
	bool matched = false;
	int result = image_match(selecting->images, selecting->image_count, spec->image,
	    selecting->options, &images, failure);

	if (!result && images.count == 0)
		result = spec->image
			     ? image_match_missing(
				   selecting->images, selecting->image_count, spec->image, failure)
			     : failure_set(failure, ENOENT, "the target maps no executable");
	for (size_t i = 0; i < images.count && !result; i++)
		result = image_search(selecting, images.items[i], spec, request,
		    i + 1 == images.count && !matched, &matched, failure);
	ARRAY_FREE(&images);
	return result;
}

static int spec_select(
    struct selecting *selecting, const struct spec_request *request, struct failure *failure)
{
	struct failure first = {0}, second = {0};
	struct spec spec;
	int result = spec_parse(request->text, &spec, failure), again;

	if (result)
		return result;
	result = images_search(selecting, &spec, request, &first);
	if (result == -ENOENT && reread_as_image(&spec)) {
		again = spec.name ? images_search(selecting, &spec, request, &second) : -ENOMEM;
		/* What was meant is a file, unless there is such an image. */
		result = again == -ENOENT ? result : again;
		if (again != -ENOENT)
			first = second;
	} else if (result == -ENOENT && spec.image && spec_is_name(selecting, request)) {
		free(spec.name);
		spec.name = strdup(request->text);
		free(TAKE(spec.image));
		failure_clear(&first);
		result = spec.name ? images_search(selecting, &spec, request, &first) : -ENOMEM;
	}
	if (result)
		failure_set(failure, -result, "%s",
		    first.code ? first.text : "no memory to look functions up");
	spec_fini(&spec);
	return result;
}

static int marked_select(struct selecting *selecting, struct failure *failure)
{
	image_array main = {0};
	int result = image_match(
	    selecting->images, selecting->image_count, NULL, selecting->options, &main, failure);

	for (size_t i = 0; i < main.count && !result; i++) {
		struct selection_image *image = &selecting->images[main.items[i]];

		result = image_match_open(image, selecting->options, failure);
		for (size_t m = 0; !result && m < image->index->marks.count; m++)
			result = function_select(
			    selecting, main.items[i], image->index->marks.items[m], true, 1.0);
	}
	ARRAY_FREE(&main);
	return result;
}

static int compare(const void *a, const void *b)
{
	const struct selected_function *first = a, *second = b;

	if (first->image != second->image)
		return first->image < second->image ? -1 : 1;
	return first->source < second->source ? -1 : first->source > second->source;
}

int selection_build(struct selection_image *images, size_t image_count,
    const struct spec_request *requests, size_t request_count,
    const struct selection_options *options, struct selection *ret_selection,
    struct failure *failure)
{
	struct selection selection = {0};
	struct selecting selecting = {images, image_count, options, &selection, {0}};
	int result = 0;

	if (options->marked)
		result = marked_select(&selecting, failure);
	for (size_t i = 0; i < request_count && !result; i++)
		result = spec_select(&selecting, &requests[i], failure);
	id_map_fini(&selecting.known);
	if (result) {
		selection_fini(&selection);
		return failure_set(
		    failure, -result, "cannot look functions up: %s", strerror(-result));
	}
	if (selection.functions.count)
		qsort(selection.functions.items, selection.functions.count,
		    sizeof(*selection.functions.items), compare);
	*ret_selection = selection;
	return 0;
}

void selection_fini(struct selection *selection)
{
	ARRAY_FREE(&selection->functions);
}
