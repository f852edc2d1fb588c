// SPDX-License-Identifier: GPL-2.0-or-later
// Adds one profile's CPU samples and stacks to another's.
#include "model/profile_merge_samples.h"

#include <string.h>

/* A frame or a stack of a profile, to be sorted. */
struct indexed {
	const void *item;
	uint32_t index;
};

uint64_t profile_samples_of_period(uint64_t count, uint64_t period_ns, uint64_t wanted_period_ns)
{
	__uint128_t samples;

	if (!period_ns || !wanted_period_ns || period_ns == wanted_period_ns)
		return count;
	samples = ((__uint128_t)count * period_ns + wanted_period_ns / 2) / wanted_period_ns;
	return samples > INT64_MAX ? INT64_MAX : (uint64_t)samples;
}

static void change(uint64_t *samples, uint64_t period_ns, uint64_t wanted_period_ns)
{
	*samples = profile_samples_of_period(*samples, period_ns, wanted_period_ns);
}

void profile_merge_period(struct profile *sum, uint64_t more_period_ns)
{
	uint64_t old = sum->sampling_period_ns;

	if (!more_period_ns || (old && old <= more_period_ns))
		return;
	sum->sampling_period_ns = more_period_ns;
	change(&sum->cost.cpu_samples, old, more_period_ns);
	ARRAY_FOREACH (function, &sum->functions) {
		change(&function->cpu_samples, old, more_period_ns);
		change(&function->cpu_total_samples, old, more_period_ns);
		ARRAY_FOREACH (line, &function->lines) {
			change(&line->cpu_samples, old, more_period_ns);
			change(&line->cpu_total_samples, old, more_period_ns);
		}
	}
	ARRAY_FOREACH (stack, &sum->stacks)
		change(&stack->cpu_samples, old, more_period_ns);
}

/* Texts are interned in one profile: equal ones have one address. */
static int frame_compare(const void *left, const void *right)
{
	const struct profile_frame *a = ((const struct indexed *)left)->item;
	const struct profile_frame *b = ((const struct indexed *)right)->item;

	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return (a->image > b->image) - (a->image < b->image);
}

static int stack_compare(const void *left, const void *right)
{
	const struct profile_stack *a = ((const struct indexed *)left)->item;
	const struct profile_stack *b = ((const struct indexed *)right)->item;

	if (a->frames.count != b->frames.count)
		return a->frames.count < b->frames.count ? -1 : 1;
	if (!a->frames.count)
		return 0;
	return memcmp(a->frames.items, b->frames.items, a->frames.count * sizeof(uint32_t));
}

static void index_items(struct indexed *sorted, const void *items, size_t count, size_t size,
    int (*compare)(const void *, const void *))
{
	for (uint32_t i = 0; i < count; i++)
		sorted[i] = (struct indexed){(const char *)items + i * size, i};
	if (count)
		qsort(sorted, count, sizeof(*sorted), compare);
}

/* Where each frame of `more` went in `sum`. */
static int merge_frames(
    struct profile *sum, const struct profile *more, const uint32_t *images, uint32_t *frames)
{
	size_t known = sum->frames.count;
	CLEANUP_FREE struct indexed *sorted = calloc(known + 1, sizeof(*sorted));

	/* room first: what is sorted must not move */
	if (!sorted || ARRAY_RESERVE(&sum->frames, more->frames.count))
		return -ENOMEM;
	index_items(sorted, sum->frames.items, known, sizeof(*sum->frames.items), frame_compare);
	for (size_t i = 0; i < more->frames.count; i++) {
		struct profile_frame frame = more->frames.items[i];
		struct indexed wanted = {.item = &frame}, *found;

		frame.name = profile_intern(sum, frame.name);
		frame.file = profile_intern(sum, frame.file);
		if (!frame.name || !frame.file)
			return -ENOMEM;
		if (frame.image < more->images.count)
			frame.image = images[frame.image];
		found = bsearch(&wanted, sorted, known, sizeof(*sorted), frame_compare);
		frames[i] = found ? found->index : (uint32_t)sum->frames.count;
		if (!found)
			sum->frames.items[sum->frames.count++] = frame;
	}
	return 0;
}

int profile_merge_stacks(struct profile *sum, const struct profile *more, const uint32_t *images)
{
	size_t known = sum->stacks.count;
	CLEANUP_FREE struct indexed *sorted = calloc(known + 1, sizeof(*sorted));
	CLEANUP_FREE uint32_t *frames = calloc(more->frames.count + 1, sizeof(*frames));
	int error = sorted && frames ? ARRAY_RESERVE(&sum->stacks, more->stacks.count) : -ENOMEM;

	error = error ? error : merge_frames(sum, more, images, frames);
	if (error)
		return error;
	index_items(sorted, sum->stacks.items, known, sizeof(*sum->stacks.items), stack_compare);
	ARRAY_FOREACH (stack, &more->stacks) {
		struct profile_stack *copy = &sum->stacks.items[sum->stacks.count];
		struct indexed wanted = {.item = copy}, *found;
		uint64_t samples = profile_samples_of_period(
		    stack->cpu_samples, more->sampling_period_ns, sum->sampling_period_ns);

		*copy = (struct profile_stack){.cpu_samples = samples};
		ARRAY_FOREACH (frame, &stack->frames)
			error = error ? error : ARRAY_APPEND(&copy->frames, frames[*frame]);
		if (error) {
			ARRAY_FREE(&copy->frames);
			return error;
		}
		found = bsearch(&wanted, sorted, known, sizeof(*sorted), stack_compare);
		if (!found) {
			sum->stacks.count++;
			continue;
		}
		ARRAY_FREE(&copy->frames);
		copy = &sum->stacks.items[found->index];
		copy->cpu_samples = profile_sum(copy->cpu_samples, samples);
	}
	return 0;
}
