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

/* Of each item the first one that equals it. */
static int find_firsts(const void *items, size_t count, size_t size,
    int (*compare)(const void *, const void *), uint32_t *ret_firsts)
{
	CLEANUP_FREE struct indexed *sorted = calloc(count + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		sorted[i] = (struct indexed){(const char *)items + i * size, i};
	qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t begin = 0, end; begin < count; begin = end) {
		uint32_t first = sorted[begin].index;

		for (end = begin; end < count && !compare(&sorted[begin], &sorted[end]); end++)
			if (sorted[end].index < first)
				first = sorted[end].index;
		for (size_t at = begin; at < end; at++)
			ret_firsts[sorted[at].index] = first;
	}
	return 0;
}

/* Behind those of `sum`, but not counted yet. */
static int place_frames(struct profile *sum, const struct profile *more, const uint32_t *images)
{
	if (ARRAY_RESERVE(&sum->frames, more->frames.count))
		return -ENOMEM;
	for (size_t i = 0; i < more->frames.count; i++) {
		struct profile_frame frame = more->frames.items[i];

		frame.name = profile_intern(sum, frame.name);
		frame.file = profile_intern(sum, frame.file);
		if (!frame.name || !frame.file)
			return -ENOMEM;
		if (frame.image < more->images.count)
			frame.image = images[frame.image];
		sum->frames.items[sum->frames.count + i] = frame;
	}
	return 0;
}

/* Where each frame of `more` went in `sum`. Images that are one there make frames one, too. */
static int merge_frames(
    struct profile *sum, const struct profile *more, const uint32_t *images, uint32_t *frames)
{
	const size_t known = sum->frames.count, all = known + more->frames.count;
	CLEANUP_FREE uint32_t *firsts = calloc(all + 1, sizeof(*firsts));
	int error = firsts ? place_frames(sum, more, images) : -ENOMEM;

	if (!error)
		error = find_firsts(
		    sum->frames.items, all, sizeof(*sum->frames.items), frame_compare, firsts);
	for (size_t at = known; at < all && !error; at++) {
		if (firsts[at] == at) {
			sum->frames.items[sum->frames.count] = sum->frames.items[at];
			firsts[at] = (uint32_t)sum->frames.count++;
		} else if (firsts[at] >= known) {
			firsts[at] = firsts[firsts[at]];
		}
		frames[at - known] = firsts[at];
	}
	return error;
}

static int append_stacks(struct profile *sum, const struct profile *more, const uint32_t *frames)
{
	if (ARRAY_RESERVE(&sum->stacks, more->stacks.count))
		return -ENOMEM;
	ARRAY_FOREACH (stack, &more->stacks) {
		struct profile_stack *copy = &sum->stacks.items[sum->stacks.count++];

		*copy = (struct profile_stack){
		    .cpu_samples = profile_samples_of_period(
			stack->cpu_samples, more->sampling_period_ns, sum->sampling_period_ns)};
		ARRAY_FOREACH (frame, &stack->frames)
			if (ARRAY_APPEND(&copy->frames, frames[*frame]))
				return -ENOMEM;
	}
	return 0;
}

/* Stacks from `known` on go to those that are equal, by the first of them. */
static void unite_stacks(struct profile *sum, size_t known, uint32_t *firsts)
{
	const size_t all = sum->stacks.count;

	sum->stacks.count = known;
	for (size_t at = known; at < all; at++) {
		struct profile_stack *stack = &sum->stacks.items[at], *same;

		if (firsts[at] == at) {
			sum->stacks.items[sum->stacks.count] = *stack;
			firsts[at] = (uint32_t)sum->stacks.count++;
			continue;
		}
		same = &sum->stacks.items[firsts[at] < known ? firsts[at] : firsts[firsts[at]]];
		same->cpu_samples = profile_sum(same->cpu_samples, stack->cpu_samples);
		ARRAY_FREE(&stack->frames);
	}
}

int profile_merge_stacks(struct profile *sum, const struct profile *more, const uint32_t *images)
{
	const size_t known = sum->stacks.count, all = known + more->stacks.count;
	CLEANUP_FREE uint32_t *firsts = calloc(all + 1, sizeof(*firsts));
	CLEANUP_FREE uint32_t *frames = calloc(more->frames.count + 1, sizeof(*frames));
	int error = firsts && frames ? merge_frames(sum, more, images, frames) : -ENOMEM;

	if (!error)
		error = append_stacks(sum, more, frames);
	if (!error)
		error = find_firsts(
		    sum->stacks.items, all, sizeof(*sum->stacks.items), stack_compare, firsts);
	if (!error)
		unite_stacks(sum, known, firsts);
	return error;
}
