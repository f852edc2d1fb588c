// SPDX-License-Identifier: GPL-2.0-or-later
// Writes pprof's profile, for `go tool pprof` and what reads its files.
//
// A sample is a stack, innermost first, with a value of each type:
// - calls: counted calls of a function, below the caller they came from;
// - hits: how often control entered a line;
// - wall: time in a line with callees, as in line_profiler's table; of the line alone, since pprof
//   would count it again for each caller;
// - self: time in a line without callees, below the callers that certainly were above it, so that
//   pprof adds up to times with callees as far as these are known;
// - cpu: sampled CPU time, of recorded stacks where there are some;
// - blocked, waiting: the parts of wall in which threads were off the CPU, where that was measured.
//
// The file is one message, whose repeated fields may come in any order and in pieces: it is written
// a sample at a time, in order that a million lines need no tree in memory.
#include "output/output.h"

#include <inttypes.h>
#include <string.h>

#include "model/pprof.pb-c.h"
#include "model/pprof_types.h"
#include "output/call_paths.h"
#include "output/gzip.h"
#include "output/names.h"
#include "output/notes.h"
#include "output/text_table.h"

enum type {
#define TYPE(id, unit) TYPE_##id,
	PPROF_VALUE_TYPES(TYPE)
#undef TYPE
	    TYPE_COUNT
};
#define TYPES_ON_CPU TYPE_blocked /* those before it are in every file */

struct writer {
	ProtobufCBuffer buffer; /* first: a buffer is the writer */
	struct gzip gzip;
	const struct profile *profile;
	const struct names *names;
	struct text_table texts, functions, locations;
	ARRAY(uint32_t) function_ids; /* by number in `functions` */
	uint32_t function_count;
	struct call_path path;
	ARRAY(uint64_t) stack;
	uint64_t shortened;
	int error;
};

static void append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data)
{
	gzip_write(&((struct writer *)buffer)->gzip, data, size);
}

static void put(struct writer *writer, const Pprof__Profile *part)
{
	protobuf_c_message_pack_to_buffer(&part->base, &writer->buffer);
}

static int64_t text_number(struct writer *writer, const char *text)
{
	uint32_t number = 0;

	if (text_table_number(&writer->texts, text, &number))
		writer->error = -ENOMEM;
	return number;
}

static int64_t printable_number(struct writer *writer, const char *text)
{
	CLEANUP_FREE char *printable = *text ? name_printable(text, "", &writer->shortened) : NULL;

	if (*text && !printable)
		writer->error = -ENOMEM;
	return text_number(writer, printable ? printable : "");
}

static int type_count(const struct writer *writer)
{
	return writer->profile->off_cpu ? TYPE_COUNT : TYPES_ON_CPU;
}

static void put_types(struct writer *writer)
{
	static const char *const names[][2] = {
#define TYPE(id, unit) {#id, unit},
	    PPROF_VALUE_TYPES(TYPE)
#undef TYPE
	};
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__ValueType type = PPROF__VALUE_TYPE__INIT;

	part.n_sample_type = 1;
	part.sample_type = (Pprof__ValueType *[]){&type};
	for (int i = 0; i < type_count(writer); i++) {
		type.type = text_number(writer, names[i][0]);
		type.unit = text_number(writer, names[i][1]);
		put(writer, &part);
	}
}

static void put_mappings(struct writer *writer)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Mapping mapping = PPROF__MAPPING__INIT;

	part.n_mapping = 1;
	part.mapping = (Pprof__Mapping *[]){&mapping};
	mapping.has_functions = mapping.has_filenames = true;
	mapping.has_line_numbers = mapping.has_inline_frames = true;
	ARRAY_FOREACH (image, &writer->profile->images) {
		mapping.id++;
		mapping.filename = printable_number(writer, image->path);
		mapping.build_id = printable_number(writer, image->build_id);
		put(writer, &part);
	}
}

/* The id of a function known by image, file and name; `fresh` is what a new one gets. */
static uint32_t function_id(
    struct writer *writer, uint32_t image, const char *file, const char *name, uint32_t fresh)
{
	CLEANUP_FREE char *key = NULL;
	uint32_t number = 0;

	if (asprintf(&key, "%" PRIu32 "\n%s\n%s", image, file, name) < 0 ||
	    text_table_number(&writer->functions, key, &number) ||
	    (number == writer->function_ids.count && ARRAY_APPEND(&writer->function_ids, fresh))) {
		writer->error = -ENOMEM;
		return fresh;
	}
	return writer->function_ids.items[number];
}

static void put_function(struct writer *writer, Pprof__Function *function)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;

	part.n_function = 1;
	part.function = (Pprof__Function *[]){function};
	put(writer, &part);
	writer->function_count++;
}

/* The profile's own functions have the ids 1, 2, 3 ... */
static void put_functions(struct writer *writer)
{
	const struct profile *profile = writer->profile;

	for (uint32_t i = 0; i < profile->functions.count; i++) {
		const struct profile_function *function = &profile->functions.items[i];
		Pprof__Function item = PPROF__FUNCTION__INIT;

		item.id = i + 1;
		item.name = text_number(writer, writer->names->functions[i]);
		item.system_name = printable_number(writer, function->linkage_name);
		item.filename = printable_number(writer, function->file);
		item.start_line = function->line;
		put_function(writer, &item);
		function_id(writer, function->image, function->file, function->name, i + 1);
	}
}

/* The id of a place in a function, which is written when it is first seen. */
static uint64_t location_id(
    struct writer *writer, uint32_t image, uint32_t function, uint32_t line_number)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Location location = PPROF__LOCATION__INIT;
	Pprof__Line line = PPROF__LINE__INIT;
	size_t known = writer->locations.texts.count;
	uint32_t number = 0;
	char key[48];

	snprintf(
	    key, sizeof(key), "%" PRIu32 ":%" PRIu32 ":%" PRIu32, image, function, line_number);
	if (text_table_number(&writer->locations, key, &number))
		writer->error = -ENOMEM;
	location.id = number + 1;
	if (number != known || writer->error)
		return location.id;
	part.n_location = 1;
	part.location = (Pprof__Location *[]){&location};
	location.mapping_id = image < writer->profile->images.count ? image + 1 : 0;
	location.n_line = 1;
	location.line = (Pprof__Line *[]){&line};
	line.function_id = function;
	line.line = line_number;
	put(writer, &part);
	return location.id;
}

static void push(struct writer *writer, uint64_t location)
{
	if (ARRAY_APPEND(&writer->stack, location))
		writer->error = -ENOMEM;
}

/* Begins a stack with a place in a function of the profile. A line of another file, of a macro or
 * an included table, is that of a function of this name there. */
static void begin(struct writer *writer, uint32_t index, const struct profile_line *line)
{
	const struct profile_function *function = &writer->profile->functions.items[index];
	uint32_t id = index + 1;

	writer->stack.count = 0;
	if (strcmp(line->file, function->file) != 0) {
		uint32_t fresh = writer->function_count + 1;

		id = function_id(writer, function->image, line->file, function->name, fresh);
		if (id == fresh) {
			Pprof__Function item = PPROF__FUNCTION__INIT;

			item.id = id;
			item.name = text_number(writer, writer->names->functions[index]);
			item.system_name = printable_number(writer, function->linkage_name);
			item.filename = printable_number(writer, line->file);
			put_function(writer, &item);
		}
	}
	push(writer, location_id(writer, function->image, id, line->line));
}

/* A function at the line where it must have called, or at its own. */
static void push_caller(struct writer *writer, uint32_t index)
{
	const struct profile_function *function = &writer->profile->functions.items[index];
	const struct profile_line *line = call_path_line(function);

	push(writer,
	    location_id(writer, function->image, index + 1, line ? line->line : function->line));
}

static void push_callers(struct writer *writer, uint32_t index)
{
	if (call_path_find(writer->profile, index, &writer->path))
		writer->error = -ENOMEM;
	ARRAY_FOREACH (caller, &writer->path.functions)
		push_caller(writer, *caller);
}

static void put_sample(struct writer *writer, const int64_t values[TYPE_COUNT])
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Sample sample = PPROF__SAMPLE__INIT;

	part.n_sample = 1;
	part.sample = (Pprof__Sample *[]){&sample};
	sample.n_location_id = writer->stack.count;
	sample.location_id = writer->stack.items;
	sample.n_value = (size_t)type_count(writer);
	sample.value = (int64_t *)values;
	for (int i = 0; i < type_count(writer); i++)
		if (values[i]) {
			put(writer, &part);
			return;
		}
}

static int64_t cpu_ns(const struct profile *profile, uint64_t samples)
{
	int64_t ns;

	return __builtin_mul_overflow(samples, profile->sampling_period_ns, &ns) ? INT64_MAX : ns;
}

static void put_line(struct writer *writer, uint32_t index, const struct profile_line *line)
{
	int64_t alone[TYPE_COUNT] = {
	    [TYPE_hits] = (int64_t)line->hits,
	    [TYPE_wall] = line->total_ns,
	    [TYPE_blocked] = (int64_t)line->blocked_ns,
	    [TYPE_waiting] = (int64_t)line->waiting_ns,
	};
	int64_t below[TYPE_COUNT] = {[TYPE_self] = line->self_ns};

	if (!writer->profile->stacks.count)
		below[TYPE_cpu] = cpu_ns(writer->profile, line->cpu_samples);
	begin(writer, index, line);
	put_sample(writer, alone);
	push_callers(writer, index);
	put_sample(writer, below);
}

static void put_calls(struct writer *writer, uint32_t index)
{
	const struct profile_function *function = &writer->profile->functions.items[index];
	const struct profile_line entry = {.file = function->file, .line = function->line};
	uint64_t rest = function->calls;

	ARRAY_FOREACH (edge, &function->callers) {
		if (edge->function == PROFILE_NO_FUNCTION)
			continue;
		begin(writer, index, &entry);
		push_caller(writer, edge->function);
		if (edge->function != index)
			push_callers(writer, edge->function);
		put_sample(writer, (int64_t[TYPE_COUNT]){[TYPE_calls] = (int64_t)edge->calls});
		rest -= edge->calls < rest ? edge->calls : rest;
	}
	begin(writer, index, &entry);
	put_sample(writer, (int64_t[TYPE_COUNT]){[TYPE_calls] = (int64_t)rest});
}

static uint64_t frame_location(struct writer *writer, const struct profile_frame *frame)
{
	uint32_t fresh = writer->function_count + 1;
	uint32_t id = function_id(writer, frame->image, frame->file, frame->name, fresh);

	if (id == fresh) {
		Pprof__Function item = PPROF__FUNCTION__INIT;

		item.id = id;
		item.name = item.system_name = printable_number(writer, frame->name);
		item.filename = printable_number(writer, frame->file);
		put_function(writer, &item);
	}
	return location_id(writer, frame->image, id, frame->line);
}

static void put_stacks(struct writer *writer)
{
	const struct profile *profile = writer->profile;
	CLEANUP_FREE uint64_t *locations = calloc(profile->frames.count + 1, sizeof(*locations));

	if (!locations) {
		writer->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < profile->frames.count; i++)
		locations[i] = frame_location(writer, &profile->frames.items[i]);
	ARRAY_FOREACH (stack, &profile->stacks) {
		writer->stack.count = 0;
		for (size_t i = stack->frames.count; i--;)
			push(writer, locations[stack->frames.items[i]]);
		put_sample(writer,
		    (int64_t[TYPE_COUNT]){[TYPE_cpu] = cpu_ns(profile, stack->cpu_samples)});
	}
}

static int put_note(void *context, const char *sentence)
{
	struct writer *writer = context;
	Pprof__Profile part = PPROF__PROFILE__INIT;

	part.n_comment = 1;
	part.comment = (int64_t[]){text_number(writer, sentence)};
	put(writer, &part);
	return 0;
}

static void put_head(struct writer *writer)
{
	const struct profile *profile = writer->profile;
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__ValueType cpu = PPROF__VALUE_TYPE__INIT;
	bool times = !profile->sampling_period_ns;

	ARRAY_FOREACH (function, &profile->functions)
		times = times || function->calls || function->total_ns;
	ARRAY_FOREACH (target, &profile->targets) {
		CLEANUP_FREE char *command = name_printable(target->command, "", NULL);
		CLEANUP_FREE char *sentence = NULL;

		if (command && asprintf(&sentence, "process %d: %s", target->pid, command) >= 0)
			put_note(writer, sentence);
	}
	part.time_nanos = profile->started_ns;
	part.duration_nanos = (int64_t)profile->duration_ns;
	part.default_sample_type = text_number(writer, times ? "self" : "cpu");
	if (profile->sampling_period_ns) {
		cpu.type = text_number(writer, "cpu");
		cpu.unit = text_number(writer, "nanoseconds");
		part.period_type = &cpu;
		part.period = (int64_t)profile->sampling_period_ns;
	}
	put(writer, &part);
}

static void put_texts(struct writer *writer)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;

	part.n_string_table = 1;
	ARRAY_FOREACH (text, &writer->texts.texts) {
		part.string_table = (char *[]){(char *)*text};
		put(writer, &part);
	}
}

static void put_profile(struct writer *writer)
{
	const struct profile *profile = writer->profile;

	text_number(writer, ""); /* is number 0 */
	put_types(writer);
	put_mappings(writer);
	put_functions(writer);
	for (uint32_t i = 0; i < profile->functions.count && !writer->error; i++) {
		const struct profile_line rest = call_path_rest(&profile->functions.items[i]);

		put_calls(writer, i);
		ARRAY_FOREACH (line, &profile->functions.items[i].lines)
			put_line(writer, i, line);
		put_line(writer, i, &rest);
	}
	put_stacks(writer);
	put_head(writer);
	if (notes_list(profile, writer->names, writer->shortened, put_note, writer))
		writer->error = -ENOMEM;
	put_texts(writer);
}

int output_write_pprof(const struct profile *profile, FILE *stream,
    const struct output_options *options, struct failure *failure)
{
	CLEANUP(names_free_p)
	struct names *names = names_new(profile, &(struct names_options){.by_line = true});
	struct writer writer = {.buffer = {append}, .profile = profile, .names = names};

	(void)options;
	(void)failure;
	if (!names || gzip_init(&writer.gzip, stream))
		return -ENOMEM;
	put_profile(&writer);
	gzip_end(&writer.gzip);
	text_table_fini(&writer.texts);
	text_table_fini(&writer.functions);
	text_table_fini(&writer.locations);
	ARRAY_FREE(&writer.function_ids);
	ARRAY_FREE(&writer.path.functions);
	ARRAY_FREE(&writer.stack);
	return writer.error;
}
