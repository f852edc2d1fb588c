// SPDX-License-Identifier: GPL-2.0-or-later
// Turns sampled stacks into a profile's stacks, and their samples into those of functions and
// lines: own samples where the stack ends, total samples once wherever it passes.
#include "collect/sample_profile.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "collect/sample_places.h"
#include "cpu_wire.h"

struct tally {
	uint64_t self, total;
	uint32_t seen; /* number of the stack that was counted last */
};

/* A stack as the kernel has it: its places, innermost first, stand among all places. */
struct raw_stack {
	uint64_t samples;
	size_t first;
	uint32_t depth;
};

/*
 * What the tables held at one moment: looking places up may take longer than the interval in which
 * somebody wants to know what came.
 */
struct raw_stacks {
	ARRAY(struct raw_stack) stacks;
	ARRAY(__u64) places;
};

struct sampling {
	struct place_resolver resolver;
	struct profile *profile;
	ARRAY(struct tally) frames, functions; /* by the profile's index */
	ARRAY(uint32_t) stack;                 /* that is being read, outermost first */
	uint32_t stacks;                       /* read so far */
};

/* Room for a tally of each frame and function that there is by now. */
static int grow_tallies(struct sampling *sampling)
{
	const struct profile *profile = sampling->profile;

	while (sampling->frames.count < profile->frames.count)
		if (ARRAY_APPEND(&sampling->frames, (struct tally){0}))
			return -ENOMEM;
	while (sampling->functions.count < profile->functions.count)
		if (ARRAY_APPEND(&sampling->functions, (struct tally){0}))
			return -ENOMEM;
	return 0;
}

static void count_once(struct tally *tally, uint32_t stack, uint64_t samples)
{
	if (tally->seen == stack)
		return;
	tally->seen = stack;
	tally->total += samples;
}

static int count_stack(struct sampling *sampling, uint64_t samples)
{
	uint32_t number = ++sampling->stacks, last = 0;

	if (grow_tallies(sampling))
		return -ENOMEM;
	ARRAY_FOREACH (frame, &sampling->stack) {
		last = *frame;
		count_once(&sampling->frames.items[last], number, samples);
		count_once(&sampling->functions.items[sampling->resolver.function_of.items[last]],
		    number, samples);
	}
	if (!sampling->stack.count)
		return 0;
	sampling->frames.items[last].self += samples;
	sampling->functions.items[sampling->resolver.function_of.items[last]].self += samples;
	return 0;
}

/* Puts a stack of places, innermost first, into frames, outermost first. */
static int read_stack(struct sampling *sampling, const __u64 *places, uint32_t depth)
{
	sampling->stack.count = 0;
	while (depth--) {
		struct place_frames found;
		int error = place_resolve(&sampling->resolver, places[depth], &found);

		for (uint32_t i = 0; i < found.count && !error; i++)
			error = ARRAY_APPEND(
			    &sampling->stack, sampling->resolver.chain.items[found.first + i]);
		if (error)
			return error;
	}
	return 0;
}

static int add_stack(
    struct sampling *sampling, const __u64 *places, uint32_t depth, uint64_t samples)
{
	struct profile_stack stack = {.cpu_samples = samples};
	int error = read_stack(sampling, places, depth);

	if (!error)
		error = count_stack(sampling, samples);
	if (!error)
		error = ARRAY_RESERVE(&stack.frames, sampling->stack.count + 1);
	if (error)
		return error;
	ARRAY_FOREACH (frame, &sampling->stack)
		stack.frames.items[stack.frames.count++] = *frame;
	error = ARRAY_APPEND(&sampling->profile->stacks, stack);
	if (error)
		ARRAY_FREE(&stack.frames);
	return error;
}

static int take_stack(struct raw_stacks *raw, const __u64 *places, uint32_t depth, uint64_t samples)
{
	const struct raw_stack stack = {samples, raw->places.count, depth};

	if (ARRAY_RESERVE(&raw->places, depth) || ARRAY_APPEND(&raw->stacks, stack))
		return -ENOMEM;
	if (depth)
		memcpy(&raw->places.items[raw->places.count], places, depth * sizeof(*places));
	raw->places.count += depth;
	return 0;
}

static int take_stacks(struct raw_stacks *raw, int map, uint64_t slots)
{
	CLEANUP_FREE struct sampled_stack *stack = malloc(sizeof(*stack));
	struct sample_key key, *previous = NULL;
	int error = stack ? 0 : -ENOMEM;

	while (!error && !bpf_map_get_next_key(map, previous, &key)) {
		previous = &key;
		if (!(key.slots & slots) || bpf_map_lookup_elem(map, &key, stack) < 0 ||
		    !stack->samples || stack->depth > STACK_PLACES_MAX)
			continue;
		error = take_stack(raw, stack->places, stack->depth, stack->samples);
	}
	return error;
}

static int take_leaves(struct raw_stacks *raw, int map, uint64_t slots)
{
	struct sample_key key, *previous = NULL;
	uint64_t samples;
	int error = 0;

	while (!error && !bpf_map_get_next_key(map, previous, &key)) {
		const __u64 places[] = {key.what, PLACE_OF_KIND(PLACE_CUT)};

		previous = &key;
		if (key.slots & slots && bpf_map_lookup_elem(map, &key, &samples) == 0)
			error = take_stack(raw, places, 2, samples);
	}
	return error;
}

static int read_stacks(struct sampling *sampling, const struct sample_profile_input *input)
{
	struct raw_stacks raw = {0};
	int error = take_stacks(&raw, input->stacks, input->slots);

	if (!error)
		error = take_leaves(&raw, input->leaves, input->slots);
	ARRAY_FOREACH (stack, &raw.stacks)
		if (!error)
			error = add_stack(sampling, raw.places.items + stack->first, stack->depth,
			    stack->samples);
	ARRAY_FREE(&raw.stacks);
	ARRAY_FREE(&raw.places);
	return error;
}

/* ---- Into the profile ---- */

static int stack_compare(const void *left, const void *right)
{
	const struct profile_stack *a = left, *b = right;

	if (a->frames.count != b->frames.count)
		return a->frames.count < b->frames.count ? -1 : 1;
	return a->frames.count ? memcmp(a->frames.items, b->frames.items,
				     a->frames.count * sizeof(*a->frames.items))
			       : 0;
}

/* Places of one line are one frame: their stacks become one. */
static void unite_stacks(struct profile *profile)
{
	size_t kept = 0;

	ARRAY_SORT(&profile->stacks, stack_compare);
	for (size_t i = 0; i < profile->stacks.count; i++) {
		struct profile_stack *stack = &profile->stacks.items[i];

		if (kept && !stack_compare(stack, &profile->stacks.items[kept - 1])) {
			profile->stacks.items[kept - 1].cpu_samples += stack->cpu_samples;
			ARRAY_FREE(&stack->frames);
		} else {
			profile->stacks.items[kept++] = *stack;
		}
	}
	profile->stacks.count = kept;
}

/* The line of a function, among the first `known`, which are sorted; a new one behind them. */
static struct profile_line *line_of(
    struct profile_function *function, size_t known, const char *file, uint32_t number)
{
	size_t low = 0, high = known;
	struct profile_line *line;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order;

		line = &function->lines.items[middle];
		order = strcmp(line->file, file);
		if (!order && line->line == number)
			return line;
		if (order < 0 || (!order && line->line < number))
			low = middle + 1;
		else
			high = middle;
	}
	if (ARRAY_APPEND(&function->lines,
		(struct profile_line){.file = file, .line = number, .sampled = true}))
		return NULL;
	return &function->lines.items[function->lines.count - 1];
}

static int store_tallies(struct sampling *sampling)
{
	struct profile *profile = sampling->profile;
	CLEANUP_FREE size_t *known = calloc(profile->functions.count + 1, sizeof(*known));

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < sampling->functions.count; i++) {
		known[i] = profile->functions.items[i].lines.count;
		profile->functions.items[i].cpu_samples = sampling->functions.items[i].self;
		profile->functions.items[i].cpu_total_samples = sampling->functions.items[i].total;
	}
	for (size_t i = 0; i < sampling->frames.count; i++) {
		const struct profile_frame *frame = &profile->frames.items[i];
		uint32_t at = sampling->resolver.function_of.items[i];
		struct profile_line *line;

		if (!frame->line)
			continue;
		line = line_of(&profile->functions.items[at], known[at], frame->file, frame->line);
		if (!line)
			return -ENOMEM;
		line->cpu_samples = sampling->frames.items[i].self;
		line->cpu_total_samples = sampling->frames.items[i].total;
	}
	profile_sort(profile);
	return 0;
}

static void store_losses(const struct sample_profile_input *input, struct profile *profile)
{
	static const enum loss losses[SAMPLING_COUNTS] = {
	    [SAMPLING_CUT] = LOSS_STACK_CUT,
	    [SAMPLING_LEAF_ONLY] = LOSS_STACKS,
	    [SAMPLING_LOST] = LOSS_SAMPLES,
	};
	int cpus = libbpf_num_possible_cpus();
	CLEANUP_FREE uint64_t *counts = calloc((size_t)(cpus > 0 ? cpus : 1), sizeof(*counts));

	for (uint32_t what = SAMPLING_CUT; what < SAMPLING_COUNTS && counts; what++) {
		if (bpf_map_lookup_elem(input->counts, &what, counts) < 0)
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			profile->losses[losses[what]] += counts[cpu];
	}
	profile->losses[LOSS_SAMPLES] += input->missed;
}

/* What was sampled inside the handling of probes: their cost, not the program's. */
static void store_cost(struct profile *profile)
{
	ARRAY_FOREACH (function, &profile->functions)
		if (function->image == PROFILE_NO_IMAGE && !strcmp(function->name, "[probes]"))
			profile->cost.cpu_samples = function->cpu_samples;
}

int sample_profile(const struct sample_profile_input *input, struct profile *profile)
{
	struct sampling sampling = {.profile = profile};
	int error = place_resolver_init(&sampling.resolver, profile, input->images);

	profile->sampling_period_ns = input->period_ns;
	if (!error)
		error = read_stacks(&sampling, input);
	if (!error)
		error = store_tallies(&sampling);
	if (!error) {
		unite_stacks(profile);
		store_losses(input, profile);
		store_cost(profile);
	}
	place_resolver_fini(&sampling.resolver);
	ARRAY_FREE(&sampling.frames);
	ARRAY_FREE(&sampling.functions);
	ARRAY_FREE(&sampling.stack);
	return error;
}
