// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the sampled stacks of the native profile, with the frames they share.
#include "input/json_reader.h"

static int read_frame(struct json_reader *reader, const struct json_place *element, void *context)
{
	struct profile_frame frame = {0};
	int64_t image = -1; /* absent or null: unknown */
	int error;

	(void)context;
	if ((error = json_read_text(reader, element, "name", &frame.name)) ||
	    (error = json_read_text(reader, element, "file", &frame.file)) ||
	    (error = json_get_u32(element, "line", &frame.line)) ||
	    (error = json_get_signed(
		 element, "image", -1, (int64_t)reader->profile->images.count - 1, &image)))
		return error;
	frame.image = image < 0 ? PROFILE_NO_IMAGE : (uint32_t)image;
	return ARRAY_APPEND(&reader->profile->frames, frame) ? json_no_memory(element) : 0;
}

static int read_index(struct json_reader *reader, const struct json_place *element, void *context)
{
	struct profile_stack *stack = context;
	int64_t index;
	int error = json_number(element, 0, (int64_t)reader->profile->frames.count - 1, &index);

	if (error)
		return error;
	return ARRAY_APPEND(&stack->frames, (uint32_t)index) ? json_no_memory(element) : 0;
}

static int read_stack(struct json_reader *reader, const struct json_place *element, void *context)
{
	struct profile_stack *stack;
	int error;

	(void)context;
	if (ARRAY_APPEND(&reader->profile->stacks, (struct profile_stack){.cpu_samples = 0}))
		return json_no_memory(element);
	stack = &reader->profile->stacks.items[reader->profile->stacks.count - 1];
	error = json_get_unsigned(element, "cpu_samples", &stack->cpu_samples);
	return error ? error
		     : json_read_list(reader, element, "frames", read_index, json_type_int, stack);
}

int json_read_stacks(struct json_reader *reader, const struct json_place *document)
{
	int error =
	    json_get_unsigned(document, "sampling_period_ns", &reader->profile->sampling_period_ns);

	if (!error)
		error = json_read_text(
		    reader, document, "sampling_event", &reader->profile->sampling_event);
	if (!error && reader->profile->sampling_event && !*reader->profile->sampling_event)
		reader->profile->sampling_event = NULL;
	if (!error)
		error =
		    json_read_list(reader, document, "frames", read_frame, json_type_object, NULL);
	return error
		   ? error
		   : json_read_list(reader, document, "stacks", read_stack, json_type_object, NULL);
}
