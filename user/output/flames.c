// SPDX-License-Identifier: GPL-2.0-or-later
// Builds weighted stacks out of samples, lines and edges.
#include "output/flames.h"

#include <inttypes.h>
#include <string.h>

#define SEVERAL "[several callers]"

/* ---- Frames ---- */

/* The printable form in the table of texts, "" for nothing. */
static const char *printable(struct flames *flames, const char *text, const char *forbidden)
{
	CLEANUP_FREE char *copy =
	    *text ? name_printable(text, forbidden, &flames->shortened) : NULL;
	uint32_t number = 0;

	if ((*text && !copy) || text_table_number(&flames->texts, copy ? copy : "", &number)) {
		flames->error = -ENOMEM;
		return "";
	}
	return flames->texts.texts.items[number];
}

/* The frame of that name and place, each once. */
static uint32_t frame_number(
    struct flames *flames, const char *name, const char *file, uint32_t line)
{
	CLEANUP_FREE char *key = NULL;
	struct flames_frame frame = {.line = line};
	uint32_t number = 0;

	if (asprintf(&key, "%s\n%s\n%" PRIu32, name, file, line) < 0 ||
	    text_table_number(&flames->keys, key, &number)) {
		flames->error = -ENOMEM;
		return 0;
	}
	if (number < flames->frames.count)
		return number;
	frame.name = printable(flames, *name ? name : "-", flames->forbidden);
	frame.file = printable(flames, file, "");
	if (ARRAY_APPEND(&flames->frames, frame))
		flames->error = -ENOMEM;
	return number;
}

static void push(struct flames *flames, uint32_t frame)
{
	if (ARRAY_APPEND(&flames->places, frame))
		flames->error = -ENOMEM;
}

static void push_function(struct flames *flames, uint32_t index)
{
	const struct profile_function *function = &flames->profile->functions.items[index];

	push(flames,
	    frame_number(flames, flames->names->functions[index], function->file, function->line));
}

static void push_line(struct flames *flames, const char *file, uint32_t line)
{
	const char *slash = strrchr(file, '/');
	CLEANUP_FREE char *name = NULL;

	if (!*file || !line)
		return;
	if (asprintf(&name, "%s:%" PRIu32, slash ? slash + 1 : file, line) < 0)
		flames->error = -ENOMEM;
	else
		push(flames, frame_number(flames, name, file, line));
}

/* Ends the stack that began with the place `first`. */
static void end_stack(struct flames *flames, size_t first, int64_t weight)
{
	struct flames_stack stack = {first, flames->places.count - first, (uint64_t)weight};

	if (weight <= 0 || !stack.count) {
		flames->places.count = first;
		return;
	}
	flames->total = profile_sum(flames->total, stack.weight);
	if (ARRAY_APPEND(&flames->stacks, stack))
		flames->error = -ENOMEM;
}

/* ---- Exact times ---- */

/* A function below its certain callers. */
static void push_path(struct flames *flames, uint32_t index)
{
	if (call_path_find(flames->profile, index, &flames->path))
		flames->error = -ENOMEM;
	if (flames->path.open)
		push(flames, frame_number(flames, SEVERAL, "", 0));
	for (size_t i = flames->path.functions.count; i--;)
		push_function(flames, flames->path.functions.items[i]);
	push_function(flames, index);
}

static void build_lines(struct flames *flames, uint32_t index)
{
	const struct profile_function *function = &flames->profile->functions.items[index];
	size_t first;

	ARRAY_FOREACH (line, &function->lines) {
		first = flames->places.count;
		push_path(flames, index);
		push_line(flames, line->file, line->line);
		end_stack(flames, first, line->self_ns);
	}
	first = flames->places.count;
	push_path(flames, index);
	end_stack(flames, first, call_path_rest(function).self_ns);
}

/* Each caller with the time of its calls; what edges do not tell of stands below several. */
static void build_edges(struct flames *flames, uint32_t index)
{
	const struct profile_function *function = &flames->profile->functions.items[index];
	int64_t rest = function->self_ns;
	size_t first;

	ARRAY_FOREACH (edge, &function->callers) {
		int64_t self = edge->self_ns < rest ? edge->self_ns : rest;

		if (edge->function == index || self <= 0)
			continue;
		rest -= self;
		first = flames->places.count;
		if (edge->function == PROFILE_NO_FUNCTION)
			push_function(flames, index);
		else {
			push_path(flames, edge->function);
			push_function(flames, index);
		}
		end_stack(flames, first, self);
	}
	first = flames->places.count;
	push_path(flames, index);
	end_stack(flames, first, rest);
}

static void build_times(struct flames *flames, bool by_caller)
{
	const struct profile *profile = flames->profile;

	for (uint32_t i = 0; i < profile->functions.count && !flames->error; i++) {
		bool several = call_path_caller(profile, i) == CALL_PATH_SEVERAL;

		if (several && (by_caller || !profile->functions.items[i].lines.count))
			build_edges(flames, i);
		else
			build_lines(flames, i);
	}
}

/* ---- Samples ---- */

static void build_samples(struct flames *flames)
{
	const struct profile *profile = flames->profile;
	CLEANUP_FREE uint32_t *numbers = calloc(profile->frames.count + 1, sizeof(*numbers));

	if (!numbers) {
		flames->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < profile->frames.count; i++)
		numbers[i] = frame_number(
		    flames, profile->frames.items[i].name, profile->frames.items[i].file, 0);
	ARRAY_FOREACH (stack, &profile->stacks) {
		const struct profile_frame *frame = NULL;
		size_t first = flames->places.count;

		ARRAY_FOREACH (at, &stack->frames) {
			frame = &profile->frames.items[*at];
			push(flames, numbers[*at]);
		}
		if (frame)
			push_line(flames, frame->file, frame->line);
		end_stack(flames, first, (int64_t)stack->cpu_samples);
	}
}

int flames_init(struct flames *flames, const struct profile *profile, const struct names *names,
    const char *forbidden)
{
	*flames = (struct flames){.profile = profile, .names = names, .forbidden = forbidden};
	return names ? 0 : -ENOMEM;
}

int flames_build(struct flames *flames, enum flames_kind kind)
{
	flames->stacks.count = flames->places.count = 0;
	flames->total = 0;
	if (kind == FLAMES_CPU)
		build_samples(flames);
	else
		build_times(flames, kind == FLAMES_CALLERS);
	return flames->error;
}

void flames_fini(struct flames *flames)
{
	ARRAY_FREE(&flames->frames);
	ARRAY_FREE(&flames->stacks);
	ARRAY_FREE(&flames->places);
	ARRAY_FREE(&flames->path.functions);
	text_table_fini(&flames->texts);
	text_table_fini(&flames->keys);
}
