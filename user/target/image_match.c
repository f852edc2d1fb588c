// SPDX-License-Identifier: GPL-2.0-or-later
// Finds images by what people call them.
#include "target/image_match.h"

#include <errno.h>
#include <string.h>

#include "target/suggestion.h"

#define NAMES_SHOWN 8

const char *image_match_file_name(const struct selection_image *image)
{
	const char *slash = strrchr(image->path, '/');

	return slash && slash[1] ? slash + 1 : image->path;
}

static bool image_is_called(const struct selection_image *image, const char *typed)
{
	const char *names[] = {image->path, image_match_file_name(image),
	    image->soname ? image->soname : "", image->index ? image->index->soname : ""};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (*names[i] && (!strcmp(names[i], typed) || string_matches(typed, names[i])))
			return true;
	return false;
}

int image_match_open(
    struct selection_image *image, const struct selection_options *options, struct failure *failure)
{
	int result = 0;

	if (!image->index)
		result = options->open
			     ? options->open(options->context, image, failure)
			     : failure_set(failure, EINVAL, "%s was not opened", image->path);
	if (!result && image->index && image->index->soname[0])
		image->soname = image->index->soname;
	return result;
}

/* libfoo.so.1 may be the soname of libfoo.so.1.2 or libfoo-1.2.so: their names begin alike. */
static bool may_be_soname(const struct selection_image *image, const char *typed)
{
	size_t length = strcspn(typed, ".*?[-");

	return length > 0 && strstr(typed, ".so") && !image->index &&
	       !strncmp(image_match_file_name(image), typed, length);
}

static int append_called(
    struct selection_image *images, size_t count, const char *typed, image_array *ret_images)
{
	for (size_t i = 0; i < count; i++)
		if (image_is_called(&images[i], typed) && ARRAY_APPEND(ret_images, i))
			return -ENOMEM;
	return 0;
}

static int append_main(const struct selection_image *images, size_t count, image_array *ret_images)
{
	for (size_t i = 0; i < count; i++)
		if (images[i].main)
			return ARRAY_APPEND(ret_images, i);
	return count ? ARRAY_APPEND(ret_images, 0) : 0;
}

int image_match(struct selection_image *images, size_t count, const char *typed,
    const struct selection_options *options, image_array *ret_images, struct failure *failure)
{
	int result;

	if (!typed)
		return append_main(images, count, ret_images);
	result = append_called(images, count, typed, ret_images);
	if (result || ret_images->count)
		return result;
	for (size_t i = 0; i < count; i++) {
		if (!may_be_soname(&images[i], typed))
			continue;
		result = image_match_open(&images[i], options, failure);
		if (result)
			return result;
	}
	return append_called(images, count, typed, ret_images);
}

int image_match_missing(
    const struct selection_image *images, size_t count, const char *typed, struct failure *failure)
{
	struct suggestion suggestion = {.typed = typed};
	char near[FAILURE_TEXT_MAX], names[FAILURE_TEXT_MAX];
	size_t used = 0;

	names[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		const char *name = image_match_file_name(&images[i]);
		int length = 0;

		suggestion_offer(&suggestion, name);
		if (i < NAMES_SHOWN)
			length = snprintf(
			    names + used, sizeof(names) - used, "%s%.60s", i ? ", " : "", name);
		else if (i == NAMES_SHOWN)
			length = snprintf(names + used, sizeof(names) - used, ", ...");
		used += (size_t)length;
	}
	return failure_set(failure, ENOENT, "the target maps no image \"%.200s\"%s (it maps %s)",
	    typed, suggestion_text(&suggestion, "", near, sizeof(near)), names);
}
