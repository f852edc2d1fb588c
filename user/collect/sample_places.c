// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the functions and lines at sampled places. What has no name is named by what is known of
// it: its image, or what kind of code it is.
#include "collect/sample_places.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cpu_wire.h"

#define NO_SOURCE INDEX_NONE

static const char *const kind_names[PLACE_KINDS] = {
    [PLACE_KERNEL] = "[kernel]",
    [PLACE_PROBE] = "[probes]",
    [PLACE_ANONYMOUS] = "[anonymous]",
    [PLACE_VDSO] = "[vdso]",
    [PLACE_UNKNOWN] = "[unknown]",
    [PLACE_CUT] = "[cut off]",
};

int place_resolver_init(
    struct place_resolver *resolver, struct profile *profile, struct code_images *images)
{
	*resolver = (struct place_resolver){
	    .profile = profile, .images = images, .planned = profile->functions.count};
	if (ARRAY_RESERVE(&resolver->opened, images->items.count + 1))
		return -ENOMEM;
	for (size_t i = 0; i < images->items.count; i++)
		resolver->opened.items[resolver->opened.count++] =
		    (struct resolved_image){.image = PROFILE_NO_IMAGE};
	return 0;
}

/* ---- Images ---- */

static int place_image(
    struct place_resolver *resolver, const char *path, const char *build_id, uint32_t *ret_image)
{
	struct profile *profile = resolver->profile;
	struct profile_image image = {
	    .path = profile_intern(profile, path), .build_id = profile_intern(profile, build_id)};

	for (*ret_image = 0; *ret_image < profile->images.count; ++*ret_image) {
		const struct profile_image *known = &profile->images.items[*ret_image];

		if (known->path == image.path && known->build_id == image.build_id)
			return 0;
	}
	return image.path && image.build_id ? ARRAY_APPEND(&profile->images, image) : -ENOMEM;
}

static struct resolved_image *resolve_image(struct place_resolver *resolver, uint64_t id)
{
	struct resolved_image *resolved;
	struct code_image *image;

	if (id >= resolver->opened.count)
		return NULL;
	resolved = &resolver->opened.items[id];
	if (resolved->opened)
		return resolved;
	image = &resolver->images->items.items[id];
	resolved->index = image->is_map ? NULL : code_image_index(image);
	resolved->opened = true;
	return place_image(resolver, image->path, resolved->index ? resolved->index->build_id : "",
		   &resolved->image)
		   ? NULL
		   : resolved;
}

/* ---- Functions and frames ---- */

struct named {
	const char *name, *linkage_name, *file;
	uint32_t line, image; /* the profile's image */
};

static bool function_is(const struct profile_function *function, const struct named *named)
{
	return function->name == named->name && function->file == named->file &&
	       function->line == named->line && function->image == named->image;
}

static int add_function(
    struct place_resolver *resolver, const struct named *named, uint32_t *ret_function)
{
	struct profile *profile = resolver->profile;
	struct profile_function *function;

	for (uint32_t i = 0; i < resolver->planned; i++)
		if (function_is(&profile->functions.items[i], named)) {
			*ret_function = i;
			return 0;
		}
	function = profile_add_function(profile);
	if (!function)
		return -ENOMEM;
	function->name = named->name;
	function->linkage_name = named->linkage_name;
	function->file = named->file;
	function->line = named->line;
	function->image = named->image;
	*ret_function = (uint32_t)profile->functions.count - 1;
	return 0;
}

/* The profile's function for a source function of an image, NO_SOURCE: the image's unnamed code. */
static int function_of(struct place_resolver *resolver, uint64_t image_id,
    const struct resolved_image *image, uint32_t source, uint32_t *ret_function)
{
	struct profile *profile = resolver->profile;
	uint32_t *known = id_map_put(&resolver->functions, image_id, source);
	struct named named = {.image = image->image};

	if (!known)
		return -ENOMEM;
	if (*known == INDEX_NONE && source != NO_SOURCE) {
		const struct source_function *from = &image->index->functions.items[source];

		named.name = profile_intern(profile, from->name);
		named.linkage_name = profile_intern(profile, from->linkage_name);
		named.file = profile_intern(
		    profile, from->file == INDEX_NONE ? "" : image->index->files.items[from->file]);
		named.line = from->line;
	} else if (*known == INDEX_NONE) {
		const char *path = profile->images.items[image->image].path;
		const char *slash = strrchr(path, '/');
		CLEANUP_FREE char *name = NULL;

		if (asprintf(&name, "[%s]", slash ? slash + 1 : path) < 0)
			return -ENOMEM;
		named.name = named.linkage_name = profile_intern(profile, name);
		named.file = profile_intern(profile, "");
	}
	if (*known == INDEX_NONE) {
		if (!named.name || !named.linkage_name || !named.file ||
		    add_function(resolver, &named, known))
			return -ENOMEM;
	}
	*ret_function = *known;
	return 0;
}

/* Appends a frame of the function at a line to the chain. */
static int push_frame(
    struct place_resolver *resolver, uint32_t function, const char *file, uint32_t line)
{
	struct profile *profile = resolver->profile;
	const struct profile_function *in = &profile->functions.items[function];
	const char *text = profile_intern(profile, file);
	uint32_t *frame = id_map_put(
	    &resolver->frames, (uint64_t)function << 32 | line, (uint64_t)(uintptr_t)text);

	if (!text || !frame)
		return -ENOMEM;
	if (*frame == INDEX_NONE) {
		*frame = (uint32_t)profile->frames.count;
		if (ARRAY_APPEND(&profile->frames,
			(struct profile_frame){in->name, text, line, in->image}) ||
		    ARRAY_APPEND(&resolver->function_of, function))
			return -ENOMEM;
	}
	return ARRAY_APPEND(&resolver->chain, *frame);
}

/* ---- Places ---- */

/* The row that holds the address, or NULL: its line is not known. */
static const struct line_row *row_at(const struct image_index *index, uint64_t address)
{
	size_t at = image_index_row_from(index, address + 1);
	const struct line_row *row;

	if (!at--)
		return NULL;
	row = &index->rows.items[at];
	while (row->end_sequence && at && row[-1].address == row->address && !row[-1].end_sequence)
		row--, at--;
	return row->end_sequence ? NULL : row;
}

/* The functions inlined around the address, from the inside out, are put the other way round. */
static int push_inlined(struct place_resolver *resolver, uint64_t image_id,
    const struct resolved_image *image, uint64_t address, uint32_t source)
{
	const struct image_index *index = image->index;
	const struct line_row *row = row_at(index, address);
	const char *file = row ? index->files.items[row->file] : NULL;
	uint32_t line = row ? row->line : 0, function, inner[64], depth = 0;

	for (uint32_t at = image_index_inlined_at(index, address);
	     at != INDEX_NONE && depth < ARRAY_SIZE(inner); at = index->inlined.items[at].parent)
		inner[depth++] = at;
	for (uint32_t level = depth + 1; level--;) { /* the copy itself, then what is inlined */
		const struct inlined_range *within =
		    level ? &index->inlined.items[inner[level - 1]] : NULL;
		uint32_t in = level == depth ? source : index->inlined.items[inner[level]].source;
		int error = function_of(resolver, image_id, image, in, &function);

		if (!error && within)
			error = push_frame(resolver, function,
			    within->call_file == INDEX_NONE ? ""
							    : index->files.items[within->call_file],
			    within->call_line);
		else if (!error)
			error = push_frame(resolver, function,
			    file ? file : resolver->profile->functions.items[function].file, line);
		if (error)
			return error;
	}
	return 0;
}

static int push_kind(struct place_resolver *resolver, uint64_t kind)
{
	uint32_t *known = id_map_put(&resolver->functions, UINT64_MAX, kind);
	const char *name = kind_names[kind < PLACE_KINDS ? kind : PLACE_UNKNOWN];
	struct named named = {.image = PROFILE_NO_IMAGE};

	if (!known)
		return -ENOMEM;
	named.name = named.linkage_name = profile_intern(resolver->profile, name);
	named.file = profile_intern(resolver->profile, "");
	if (!named.name || !named.file ||
	    (*known == INDEX_NONE && add_function(resolver, &named, known)))
		return -ENOMEM;
	return push_frame(resolver, *known, "", 0);
}

/* Code made at run time, by what its process calls it: all that it calls alike is one function. */
static int push_named(
    struct place_resolver *resolver, const struct resolved_image *image, const char *text)
{
	const char *name = profile_intern(resolver->profile, text);
	struct named named = {.name = name, .linkage_name = name, .image = image->image};
	uint32_t *known = name ? id_map_put(&resolver->functions, UINT64_MAX - 1 - image->image,
				     (uint64_t)(uintptr_t)name)
			       : NULL;

	named.file = profile_intern(resolver->profile, "");
	if (!known || !named.file ||
	    (*known == INDEX_NONE && add_function(resolver, &named, known)))
		return -ENOMEM;
	return push_frame(resolver, *known, "", 0);
}

static int push_place(struct place_resolver *resolver, uint64_t place)
{
	uint64_t id = place >> PLACE_IMAGE_SHIFT, address = place & PLACE_ADDRESS;
	const struct resolved_image *image;
	uint32_t copy, function;
	int error;

	if (id == PLACE_KIND_IMAGE)
		return push_kind(resolver, address);
	image = resolve_image(resolver, id);
	if (!image)
		return push_kind(resolver, PLACE_UNKNOWN);
	if (resolver->images->items.items[id].is_map) {
		const char *name = code_image_name(&resolver->images->items.items[id], address);

		return name ? push_named(resolver, image, name)
			    : push_kind(resolver, PLACE_ANONYMOUS);
	}
	copy = image->index ? image_index_copy_at(image->index, address) : INDEX_NONE;
	if (copy != INDEX_NONE)
		return push_inlined(
		    resolver, id, image, address, image->index->copies.items[copy].source);
	error = function_of(resolver, id, image, NO_SOURCE, &function);
	return error ? error : push_frame(resolver, function, "", 0);
}

int place_resolve(struct place_resolver *resolver, uint64_t place, struct place_frames *ret_frames)
{
	uint32_t *known = id_map_put(&resolver->places, place, 0);
	struct place_frames found = {.first = (uint32_t)resolver->chain.count};
	int error;

	if (!known)
		return -ENOMEM;
	if (*known != INDEX_NONE) {
		*ret_frames = resolver->found.items[*known];
		return 0;
	}
	*known = (uint32_t)resolver->found.count;
	error = push_place(resolver, place);
	found.count = (uint32_t)resolver->chain.count - found.first;
	error = error ? error : ARRAY_APPEND(&resolver->found, found);
	*ret_frames = found;
	return error;
}

void place_resolver_fini(struct place_resolver *resolver)
{
	ARRAY_FREE(&resolver->opened);
	id_map_fini(&resolver->functions);
	id_map_fini(&resolver->frames);
	id_map_fini(&resolver->places);
	ARRAY_FREE(&resolver->found);
	ARRAY_FREE(&resolver->chain);
	ARRAY_FREE(&resolver->function_of);
}
