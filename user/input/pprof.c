// SPDX-License-Identifier: GPL-2.0-or-later
// Reads pprof's format: our own .pb.gz (see user/output/pprof.c), and other programs' CPU profiles.
//
// Texts, mappings, functions and locations are tables that refer to each other by number or by id;
// all of that is checked here, before the samples are looked at.
#include "input/input.h"
#include "input/gunzip.h"
#include "input/pprof_reader.h"

#include <inttypes.h>
#include <string.h>

#define STARTED_MAX 7000000000000000000 /* the year 2191; JSON goes no further */
#define CONTENT_MAX (128u << 20)
#define MEMORY_MAX  (2048u << 20) /* an empty message takes two bytes in a file, a hundred here */

/* ---- Messages ---- */

struct budget {
	size_t left;
};

static void *take_memory(void *context, size_t size)
{
	struct budget *budget = context;

	if (size > budget->left)
		return NULL;
	budget->left -= size;
	return malloc(size);
}

static void give_memory(void *context, void *memory)
{
	(void)context;
	free(memory);
}

int pprof_refuse(const struct pprof_reader *reader, const char *sentence)
{
	return failure_set(reader->failure, EBADMSG, "%s: %s", reader->name, sentence);
}

int pprof_no_memory(const struct pprof_reader *reader)
{
	return failure_set(reader->failure, ENOMEM, "%s: no memory to read it", reader->name);
}

/* ---- Tables ---- */

static int id_compare(const void *left, const void *right)
{
	const struct pprof_id *a = left, *b = right;

	return (a->id > b->id) - (a->id < b->id);
}

uint32_t pprof_find(const struct pprof_id *ids, size_t count, uint64_t id)
{
	const struct pprof_id wanted = {.id = id};
	const struct pprof_id *found = bsearch(&wanted, ids, count, sizeof(*ids), id_compare);

	return found ? found->index : UINT32_MAX;
}

#define INDEX_IDS(items, count)                                             \
	({                                                                  \
		struct pprof_id *ids_ = calloc((count) + 1, sizeof(*ids_)); \
		for (uint32_t i_ = 0; ids_ && i_ < (count); i_++)           \
			ids_[i_] = (struct pprof_id){(items)[i_]->id, i_};  \
		if (ids_)                                                   \
			qsort(ids_, (count), sizeof(*ids_), id_compare);    \
		ids_;                                                       \
	})

/* A text as the profile's own; NULL, and said: there is none of that number. */
static const char *read_text(const struct pprof_reader *reader, int64_t number)
{
	const char *text;

	if (number < 0 || (uint64_t)number >= reader->message->n_string_table) {
		pprof_refuse(reader, "names a text that it does not have");
		return NULL;
	}
	text = profile_intern(reader->profile, reader->message->string_table[number]);
	if (!text)
		pprof_no_memory(reader);
	return text;
}

static int read_types(struct pprof_reader *reader)
{
	static const char *const known[][2] = {
#define TYPE(id, unit) {#id, unit},
	    PPROF_TYPES(TYPE)
#undef TYPE
	};
	char found[256] = "";
	size_t used = 0;

	memset(reader->columns, -1, sizeof(reader->columns));
	for (size_t i = 0; i < reader->message->n_sample_type; i++) {
		const Pprof__ValueType *type = reader->message->sample_type[i];
		const char *name = read_text(reader, type->type);
		const char *unit = name ? read_text(reader, type->unit) : NULL;

		if (!unit)
			return -EBADMSG;
		for (int each = 0; each < PPROF_TYPE_COUNT; each++)
			if (!strcmp(name, known[each][0]) && !strcmp(unit, known[each][1]))
				reader->columns[each] = (int)i;
		if (used < sizeof(found))
			used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%s/%s",
			    used ? ", " : "", name, unit);
	}
	if (reader->columns[PPROF_self] >= 0 || reader->columns[PPROF_cpu] >= 0 ||
	    reader->columns[PPROF_samples] >= 0)
		return 0;
	return failure_set(reader->failure, EBADMSG,
	    "%s: is a profile of %s: of pprof's files lprof reads its own and those of CPU time",
	    reader->name, used ? found : "nothing");
}

static int read_mappings(struct pprof_reader *reader)
{
	for (size_t i = 0; i < reader->message->n_mapping; i++) {
		const Pprof__Mapping *mapping = reader->message->mapping[i];
		struct profile_image image = {.path = read_text(reader, mapping->filename)};

		image.build_id = image.path ? read_text(reader, mapping->build_id) : NULL;
		if (!image.build_id)
			return -EBADMSG;
		if (ARRAY_APPEND(&reader->profile->images, image))
			return pprof_no_memory(reader);
	}
	return 0;
}

static int read_line(struct pprof_reader *reader, const Pprof__Line *line, uint32_t image)
{
	uint32_t function =
	    pprof_find(reader->functions, reader->message->n_function, line->function_id);
	struct profile_frame frame = {.line = (uint32_t)line->line, .image = image};

	if (function == UINT32_MAX)
		return pprof_refuse(reader, "names a function that it does not have");
	if (line->line < 0 || line->line > UINT32_MAX)
		return pprof_refuse(reader, "has a line of source beyond all sources");
	frame.name = read_text(reader, reader->message->function[function]->name);
	frame.file =
	    frame.name ? read_text(reader, reader->message->function[function]->filename) : NULL;
	if (!frame.file)
		return -EBADMSG;
	return ARRAY_APPEND(&reader->profile->frames, frame) ? pprof_no_memory(reader) : 0;
}

/* A location's lines are of inlined functions, the innermost first; our frames go inwards. */
static int read_locations(struct pprof_reader *reader)
{
	const Pprof__Profile *message = reader->message;
	int error = 0;

	for (size_t i = 0; i < message->n_location && !error; i++) {
		const Pprof__Location *location = message->location[i];
		uint32_t image =
		    pprof_find(reader->mappings, message->n_mapping, location->mapping_id);

		if (location->mapping_id && image == UINT32_MAX)
			return pprof_refuse(reader, "names a mapping that it does not have");
		reader->first_frames[i] = (uint32_t)reader->profile->frames.count;
		for (size_t line = location->n_line; line-- && !error;)
			error = read_line(reader, location->line[line],
			    location->mapping_id ? image : PROFILE_NO_IMAGE);
	}
	reader->first_frames[message->n_location] = (uint32_t)reader->profile->frames.count;
	return error;
}

static int check_functions(struct pprof_reader *reader)
{
	for (size_t i = 0; i < reader->message->n_function; i++) {
		const Pprof__Function *function = reader->message->function[i];

		reader->rows[i] = PROFILE_NO_FUNCTION;
		if (function->start_line < 0 || function->start_line > UINT32_MAX)
			return pprof_refuse(reader, "has a line of source beyond all sources");
		if (!read_text(reader, function->system_name))
			return -EBADMSG;
	}
	return 0;
}

/* ---- Comments: what our writer says there ---- */

static int read_loss(struct pprof_reader *reader, const char *text)
{
	static const char other[] = "lost by cause ";
	uint64_t count;
	int length = 0;

	if (sscanf(text, "not measured: %" SCNu64 " %n", &count, &length) != 1 || !length)
		return 0;
	text += length;
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (!strcmp(text, loss_sentence(loss))) {
			reader->profile->losses[loss] =
			    profile_sum(reader->profile->losses[loss], count);
			return 0;
		}
	if (!string_starts(text, other))
		return 0;
	return profile_lose(reader->profile, text + strlen(other), count) ? pprof_no_memory(reader)
									  : 0;
}

/* "main: timed 2 of 20 calls; times are of those" */
static void read_partial(struct pprof_reader *reader, const char *text)
{
	const char *mark = strstr(text, ": timed ");
	uint64_t timed, calls;
	int length = 0;

	if (!mark ||
	    sscanf(mark, ": timed %" SCNu64 " of %" SCNu64 " calls;%n", &timed, &calls, &length) !=
		2 ||
	    !length)
		return;
	ARRAY_FOREACH (function, &reader->profile->functions)
		if (strlen(function->name) == (size_t)(mark - text) &&
		    !strncmp(function->name, text, (size_t)(mark - text)) &&
		    function->calls == calls && timed < calls) {
			function->timed_calls = timed;
			function->rate = (double)timed / (double)calls;
		}
}

static int read_comments(struct pprof_reader *reader)
{
	int error = 0;

	for (size_t i = 0; i < reader->message->n_comment && !error; i++) {
		const char *text = read_text(reader, reader->message->comment[i]);

		error = text ? read_loss(reader, text) : -EBADMSG;
		if (!error)
			read_partial(reader, text);
	}
	return error;
}

/* ---- The whole ---- */

static int read_message(struct pprof_reader *reader)
{
	const Pprof__Profile *message = reader->message;
	int error;

	reader->mappings = INDEX_IDS(message->mapping, message->n_mapping);
	reader->functions = INDEX_IDS(message->function, message->n_function);
	reader->locations = INDEX_IDS(message->location, message->n_location);
	reader->rows = calloc(message->n_function + 1, sizeof(*reader->rows));
	reader->last_stacks = calloc(message->n_function + 1, sizeof(*reader->last_stacks));
	reader->first_frames = calloc(message->n_location + 1, sizeof(*reader->first_frames));
	if (!reader->mappings || !reader->functions || !reader->locations || !reader->rows ||
	    !reader->last_stacks || !reader->first_frames)
		return pprof_no_memory(reader);
	if (message->time_nanos > 0 && message->time_nanos < STARTED_MAX)
		reader->profile->started_ns = message->time_nanos;
	reader->profile->duration_ns =
	    message->duration_nanos > 0 ? (uint64_t)message->duration_nanos : 0;
	if ((error = read_types(reader)) || (error = read_mappings(reader)) ||
	    (error = check_functions(reader)) || (error = read_locations(reader)) ||
	    (error = pprof_read_samples(reader)))
		return error;
	return read_comments(reader);
}

static int read_bytes(struct pprof_reader *reader, const char *bytes, size_t size)
{
	struct budget budget = {MEMORY_MAX};
	ProtobufCAllocator allocator = {take_memory, give_memory, &budget};
	Pprof__Profile *message = pprof__profile__unpack(&allocator, size, (const uint8_t *)bytes);
	int error;

	if (!message)
		return pprof_refuse(reader, "is not a profile of pprof, or one that is cut off");
	reader->message = message;
	error = read_message(reader);
	free(reader->mappings);
	free(reader->functions);
	free(reader->locations);
	free(reader->rows);
	free(reader->last_stacks);
	free(reader->first_frames);
	pprof__profile__free_unpacked(message, &allocator);
	return error;
}

int input_read_pprof(const char *name, const char *bytes, size_t size, struct profile **ret_profile,
    struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();
	CLEANUP_FREE char *content = NULL;
	struct pprof_reader reader = {.name = name, .profile = profile, .failure = failure};
	int error = 0;

	if (!profile)
		return pprof_no_memory(&reader);
	if (gunzip_begins(bytes, size)) {
		error = gunzip(name, bytes, size, CONTENT_MAX, &content, &size, failure);
		bytes = content;
	}
	error = error ? error : read_bytes(&reader, bytes, size);
	if (!error)
		*ret_profile = TAKE(profile);
	return error;
}
