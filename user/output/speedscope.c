// SPDX-License-Identifier: GPL-2.0-or-later
// Writes speedscope's own format: frames once, and a view for each thing that weighs.
//
// Beside what the format knows stands "notes": what was not measured, as sentences.
#include "output/json_stream.h"
#include "output/output.h"

#include "output/flames.h"
#include "output/notes.h"

static const char *const titles[] = {
#define FLAMES(id, title) title,
    FLAMES_KINDS(FLAMES)
#undef FLAMES
};

/* A CPU sample's weight is its time, where that is known. */
static uint64_t weight_of(
    const struct profile *profile, enum flames_kind kind, const struct flames_stack *stack)
{
	uint64_t ns;

	if (kind != FLAMES_CPU || !profile->sampling_period_ns)
		return stack->weight;
	return __builtin_mul_overflow(stack->weight, profile->sampling_period_ns, &ns) ? INT64_MAX
										       : ns;
}

static void write_view(struct json_stream *json, const struct profile *profile,
    const struct flames *flames, enum flames_kind kind)
{
	uint64_t end = 0;

	json_open(json, NULL, '{', JSON_COMPACT);
	json_text(json, "type", "sampled");
	json_text(json, "name", titles[kind]);
	json_text(json, "unit",
	    kind == FLAMES_CPU && !profile->sampling_period_ns ? "none" : "nanoseconds");
	json_open(json, "samples", '[', JSON_COMPACT);
	ARRAY_FOREACH (stack, &flames->stacks) {
		json_open(json, NULL, '[', JSON_COMPACT);
		for (size_t i = 0; i < stack->count; i++)
			json_unsigned(json, NULL, flames->places.items[stack->first + i]);
		json_close(json);
	}
	json_close(json);
	json_open(json, "weights", '[', JSON_COMPACT);
	ARRAY_FOREACH (stack, &flames->stacks) {
		json_unsigned(json, NULL, weight_of(profile, kind, stack));
		end = profile_sum(end, weight_of(profile, kind, stack));
	}
	json_close(json);
	json_unsigned(json, "startValue", 0);
	json_unsigned(json, "endValue", end);
	json_close(json);
}

static void write_frames(struct json_stream *json, const struct flames *flames)
{
	json_open(json, "shared", '{', JSON_COMPACT);
	json_open(json, "frames", '[', JSON_ROWS);
	ARRAY_FOREACH (frame, &flames->frames) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "name", frame->name);
		if (*frame->file)
			json_text(json, "file", frame->file);
		if (frame->line)
			json_unsigned(json, "line", frame->line);
		json_close(json);
	}
	json_close(json);
	json_close(json);
}

/* Samples first, where there are any; both views of times, where anything was timed. */
static int write_views(
    struct json_stream *json, const struct profile *profile, struct flames *flames)
{
	bool first = true;
	int error = 0;

	json_open(json, "profiles", '[', JSON_ROWS);
	for (int kind = FLAMES_CPU; kind <= FLAMES_CALLERS && !error; kind++) {
		error = flames_build(flames, kind);
		if (!error && (flames->stacks.count || (first && kind == FLAMES_CALLERS))) {
			write_view(json, profile, flames, kind);
			first = false;
		}
	}
	json_close(json);
	return error;
}

static int put_note(void *context, const char *sentence)
{
	json_text(context, NULL, sentence);
	return 0;
}

int output_write_speedscope(const struct profile *profile, FILE *stream,
    const struct output_options *options, struct failure *failure)
{
	CLEANUP(names_free_p)
	struct names *names = names_new(profile, &(struct names_options){.by_line = true});
	CLEANUP_FREE char *title = name_printable(
	    profile->targets.count ? profile->targets.items[0].command : "lprof", "", NULL);
	struct json_stream json = {.file = stream};
	struct flames flames;
	int error = flames_init(&flames, profile, names, "");

	(void)options;
	(void)failure;
	if (error || !title)
		return -ENOMEM;
	json_open(&json, NULL, '{', JSON_ROWS);
	json_text(&json, "$schema", "https://www.speedscope.app/file-format-schema.json");
	json_text(&json, "exporter", "lprof " LPROF_VERSION);
	json_text(
	    &json, "name", profile->targets.count ? profile->targets.items[0].command : "lprof");
	json_unsigned(&json, "activeProfileIndex", 0);
	error = write_views(&json, profile, &flames);
	write_frames(&json, &flames);
	json_open(&json, "notes", '[', JSON_ROWS);
	error = error ?: notes_list(profile, names, flames.shortened, put_note, &json);
	json_close(&json);
	json_close(&json);
	flames_fini(&flames);
	return error;
}
