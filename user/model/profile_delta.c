// SPDX-License-Identifier: GPL-2.0-or-later
// Takes what was told before out of a profile.
//
// Merging finds what is equal in two profiles. Merged into the same profile, `told` first, rows of
// `told` keep their places: so nothing has to be looked up. What is merged is told + now, so that
// now = merged - told and the delta is merged - 2 * told.
#include "model/profile_delta.h"

#include <errno.h>
#include <string.h>

#include "model/profile_merge.h"
#include "model/profile_merge_samples.h"

static uint64_t above(uint64_t now, uint64_t told)
{
	return now > told ? now - told : 0;
}

static int64_t above_ns(int64_t now, int64_t told)
{
	return now > told ? now - told : 0;
}

/* From what was merged. */
static void take(uint64_t *merged, uint64_t told)
{
	*merged = above(*merged - told, told);
}

static void take_ns(int64_t *merged, int64_t told)
{
	*merged = above_ns(*merged - told, told);
}

/* A function's times in its lines, and of both profiles outside of them. */
struct times {
	int64_t lines_ns, now_ns, told_ns;
};

struct taking {
	struct profile *merged;
	const struct profile *told;
};

/* Samples of `told` in the unit of what was merged. */
static uint64_t samples_of(const struct taking *taking, uint64_t count)
{
	return profile_samples_of_period(
	    count, taking->told->sampling_period_ns, taking->merged->sampling_period_ns);
}

static void take_line(const struct taking *taking, struct profile_line *line,
    const struct profile_line *told, struct times *total, struct times *self)
{
	static const struct profile_line nothing;

	if (!told)
		told = &nothing;
	total->now_ns -= line->total_ns - told->total_ns;
	self->now_ns -= line->self_ns - told->self_ns;
	total->told_ns -= told->total_ns;
	self->told_ns -= told->self_ns;
	take(&line->hits, told->hits);
	take_ns(&line->total_ns, told->total_ns);
	take_ns(&line->self_ns, told->self_ns);
	take(&line->error_ns, told->error_ns);
	take(&line->self_error_ns, told->self_error_ns);
	take(&line->cpu_samples, samples_of(taking, told->cpu_samples));
	take(&line->cpu_total_samples, samples_of(taking, told->cpu_total_samples));
	line->in_all = (struct profile_estimate){0};
	take(&line->blocked_ns, told->blocked_ns);
	take(&line->waiting_ns, told->waiting_ns);
	total->lines_ns += line->total_ns;
	self->lines_ns += line->self_ns;
}

static bool is_line(const struct profile_line *line, const struct profile_line *told)
{
	return told->line == line->line && !strcmp(told->file, line->file);
}

/* What is in lines and what is not grow, and sink, each by itself. */
static void take_lines(const struct taking *taking, struct profile_function *function,
    const struct profile_function *told)
{
	struct times total = {0, function->total_ns - told->total_ns, told->total_ns};
	struct times self = {0, function->self_ns - told->self_ns, told->self_ns};
	size_t at = 0;

	/* Lines are sorted, and those that were told are among them. */
	ARRAY_FOREACH (line, &function->lines) {
		const struct profile_line *same =
		    at < told->lines.count && is_line(line, &told->lines.items[at])
			? &told->lines.items[at++]
			: NULL;

		take_line(taking, line, same, &total, &self);
	}
	function->total_ns = total.lines_ns + above_ns(total.now_ns, total.told_ns);
	function->self_ns = self.lines_ns + above_ns(self.now_ns, self.told_ns);
}

/*
 * Callers are known of calls that have ended. Those that were told before they had ended are not
 * told again: as many as callers have more than there are new calls.
 */
static void take_callers(struct profile_function *function, const struct profile_function *told)
{
	uint64_t rest = function->calls, known = 0;

	for (size_t at = 0; at < function->callers.count; at++) {
		static const struct profile_caller nothing;
		struct profile_caller *caller = &function->callers.items[at];
		const struct profile_caller *same =
		    at < told->callers.count ? &told->callers.items[at] : &nothing;

		take(&caller->calls, same->calls);
		take(&caller->primitive_calls, same->primitive_calls);
		take_ns(&caller->total_ns, same->total_ns);
		take_ns(&caller->self_ns, same->self_ns);
		if (caller->calls > rest) {
			known += caller->calls - rest;
			caller->calls = rest;
		}
		rest -= caller->calls;
	}
	function->timed_calls = above(function->timed_calls, known);
}

static void take_function(const struct taking *taking, struct profile_function *function,
    const struct profile_function *told)
{
	function->in_all = (struct profile_estimate){0}; /* of all of the time alone, as these: */
	function->calls_stand = function->lines_stand = (struct profile_stand){0};
	take(&function->calls, told->calls);
	take(&function->primitive_calls, told->primitive_calls);
	take(&function->timed_calls, told->timed_calls);
	take(&function->raw_total_ns, told->raw_total_ns);
	take(&function->error_ns, told->error_ns);
	take(&function->self_error_ns, told->self_error_ns);
	take(&function->cpu_samples, samples_of(taking, told->cpu_samples));
	take(&function->cpu_total_samples, samples_of(taking, told->cpu_total_samples));
	take(&function->blocked_ns, told->blocked_ns);
	take(&function->waiting_ns, told->waiting_ns);
	take_lines(taking, function, told);
	take_callers(function, told);
	function->accounting = (struct profile_accounting){0};
	ARRAY_FREE(&function->histogram);
}

static void take_rest(const struct taking *taking)
{
	struct profile *merged = taking->merged;
	const struct profile *told = taking->told;

	for (size_t at = 0; at < told->stacks.count; at++)
		take(&merged->stacks.items[at].cpu_samples,
		    samples_of(taking, told->stacks.items[at].cpu_samples));
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		take(&merged->losses[loss], told->losses[loss]);
	for (size_t at = 0; at < told->other_losses.count; at++)
		take(&merged->other_losses.items[at].count, told->other_losses.items[at].count);
	take(&merged->cost.hits, told->cost.hits);
	take(&merged->cost.overhead_ns, told->cost.overhead_ns);
	take(&merged->cost.off_cpu_ns, told->cost.off_cpu_ns);
	take(&merged->cost.bystander_hits, told->cost.bystander_hits);
	take(&merged->cost.cpu_samples, samples_of(taking, told->cost.cpu_samples));
	merged->cost.budget.stood_ns = merged->cost.budget.slices = 0;
	merged->accounting = (struct profile_accounting){0};
}

/* From the end of what was told, or the beginning, up to now. */
static void set_time(const struct taking *taking, const struct profile *now)
{
	struct profile *delta = taking->merged;
	const struct profile *told = taking->told;
	const int64_t end = now->started_ns + (int64_t)now->duration_ns;

	delta->started_ns =
	    told->started_ns ? told->started_ns + (int64_t)told->duration_ns : now->started_ns;
	delta->duration_ns = (uint64_t)above_ns(end, delta->started_ns);
	delta->cost.share_of_cpu =
	    delta->duration_ns ? (double)delta->cost.overhead_ns / (double)delta->duration_ns : 0;
}

/* Whether all that was told kept its place; not, where two rows of it are equal. */
static bool is_aligned(const struct profile *merged, const struct profile *told)
{
	if (merged->functions.count != told->functions.count ||
	    merged->stacks.count != told->stacks.count)
		return false;
	for (size_t at = 0; at < told->functions.count; at++) {
		const struct profile_function *a = &merged->functions.items[at];
		const struct profile_function *b = &told->functions.items[at];

		if (a->lines.count != b->lines.count || a->callers.count != b->callers.count)
			return false;
		for (size_t line = 1; line < b->lines.count; line++)
			if (is_line(&b->lines.items[line - 1], &b->lines.items[line]))
				return false;
	}
	return true;
}

int profile_delta(const struct profile *told, const struct profile *now, struct profile **ret_delta)
{
	static const struct profile_function nothing;
	CLEANUP(profile_free_p) struct profile *merged = profile_new();
	const struct taking taking = {.merged = merged, .told = told};
	int error = merged ? profile_merge(merged, told) : -ENOMEM;

	if (!error && !is_aligned(merged, told))
		return -EBADMSG;
	error = error ? error : profile_merge(merged, now);
	if (error)
		return error;
	for (size_t at = 0; at < merged->functions.count; at++)
		take_function(&taking, &merged->functions.items[at],
		    at < told->functions.count ? &told->functions.items[at] : &nothing);
	take_rest(&taking);
	set_time(&taking, now);
	*ret_delta = TAKE(merged);
	return 0;
}

/* What `before` has above `after`. */
static int find_taken(
    const struct profile *before, const struct profile *after, struct profile **ret_taken)
{
	CLEANUP(profile_free_p) struct profile *united = profile_new();
	int error = united ? profile_merge(united, after) : -ENOMEM;

	return error ? error : profile_delta(united, before, ret_taken);
}

static int take_from(struct profile **told, const struct profile *taken)
{
	struct profile *left;
	int error = profile_delta(taken, *told, &left);

	if (error)
		return error;
	if (profile_delta_trim(left)) { /* what was taken as a whole is nobody's */
		profile_free(left);
		return -ENOMEM;
	}
	left->started_ns = (*told)->started_ns;
	left->duration_ns = (*told)->duration_ns;
	profile_free(*told);
	*told = left;
	return 0;
}

int profile_delta_forget(
    struct profile **told, const struct profile *before, const struct profile *after)
{
	CLEANUP(profile_free_p) struct profile *taken = NULL;
	int error = find_taken(before, after, &taken);

	return error ? error : take_from(told, taken);
}

int profile_delta_correct(struct profile **told, const struct profile *now)
{
	CLEANUP(profile_free_p) struct profile *taken = NULL;
	int error = find_taken(*told, now, &taken);

	return error || !profile_delta_has_counts(taken) ? error : take_from(told, taken);
}

/* ---- What is left ---- */

static bool line_has_counts(const struct profile_line *line)
{
	return line->hits || line->cpu_samples || line->cpu_total_samples;
}

static bool line_is_empty(const struct profile_line *line)
{
	return !line_has_counts(line) && !line->total_ns && !line->self_ns;
}

static bool function_has_counts(const struct profile_function *function)
{
	bool counts = function->calls || function->cpu_samples || function->cpu_total_samples;

	ARRAY_FOREACH (line, &function->lines)
		counts = counts || line_has_counts(line);
	return counts;
}

static bool function_is_empty(const struct profile_function *function)
{
	return !function_has_counts(function) && !function->total_ns && !function->self_ns;
}

bool profile_delta_has_counts(const struct profile *delta)
{
	ARRAY_FOREACH (function, &delta->functions)
		if (function_has_counts(function))
			return true;
	ARRAY_FOREACH (stack, &delta->stacks)
		if (stack->cpu_samples)
			return true;
	return false;
}

bool profile_delta_is_empty(const struct profile *delta)
{
	ARRAY_FOREACH (function, &delta->functions)
		if (!function_is_empty(function))
			return false;
	return !profile_delta_has_counts(delta);
}

/* ---- Trimming ---- */

/* Numbers the wanted ones anew; others get `none`. */
static uint32_t renumber(const bool *wanted, size_t count, uint32_t none, uint32_t *numbers)
{
	uint32_t kept = 0;

	for (size_t at = 0; at < count; at++)
		numbers[at] = wanted[at] ? kept++ : none;
	return kept;
}

/* Callers of wanted functions are wanted, however far up. */
static void want_functions(const struct profile *delta, bool *wanted)
{
	bool more = true;

	for (size_t at = 0; at < delta->functions.count; at++)
		wanted[at] = !function_is_empty(&delta->functions.items[at]);
	while (more) {
		more = false;
		for (size_t at = 0; at < delta->functions.count; at++) {
			if (!wanted[at])
				continue;
			ARRAY_FOREACH (caller, &delta->functions.items[at].callers) {
				if (caller->function >= delta->functions.count ||
				    wanted[caller->function])
					continue;
				wanted[caller->function] = more = true;
			}
		}
	}
}

static void trim_function(struct profile_function *function, const uint32_t *numbers)
{
	size_t kept = 0;

	ARRAY_FOREACH (line, &function->lines)
		if (!line_is_empty(line))
			function->lines.items[kept++] = *line;
	function->lines.count = kept;
	ARRAY_FOREACH (caller, &function->callers)
		if (caller->function != PROFILE_NO_FUNCTION)
			caller->function = numbers[caller->function];
}

static void trim_functions(struct profile *delta, const bool *wanted, const uint32_t *numbers)
{
	size_t kept = 0;

	for (size_t at = 0; at < delta->functions.count; at++) {
		struct profile_function *function = &delta->functions.items[at];

		if (wanted[at]) {
			trim_function(function, numbers);
			delta->functions.items[kept++] = *function;
			continue;
		}
		ARRAY_FREE(&function->histogram);
		ARRAY_FREE(&function->callers);
		ARRAY_FREE(&function->lines);
	}
	delta->functions.count = kept;
	kept = 0;
	ARRAY_FOREACH (omission, &delta->omissions) {
		if (omission->function != PROFILE_NO_FUNCTION)
			omission->function = numbers[omission->function];
		if (omission->function != PROFILE_NO_FUNCTION)
			delta->omissions.items[kept++] = *omission;
	}
	delta->omissions.count = kept;
}

static void trim_stacks(struct profile *delta, bool *wanted, uint32_t *numbers)
{
	size_t kept = 0;

	ARRAY_FOREACH (stack, &delta->stacks) {
		if (!stack->cpu_samples) {
			ARRAY_FREE(&stack->frames);
			continue;
		}
		ARRAY_FOREACH (frame, &stack->frames)
			wanted[*frame] = true;
		delta->stacks.items[kept++] = *stack;
	}
	delta->stacks.count = kept;
	kept = renumber(wanted, delta->frames.count, 0, numbers);
	for (size_t at = 0; at < delta->frames.count; at++)
		if (wanted[at])
			delta->frames.items[numbers[at]] = delta->frames.items[at];
	delta->frames.count = kept;
	ARRAY_FOREACH (stack, &delta->stacks)
		ARRAY_FOREACH (frame, &stack->frames)
			*frame = numbers[*frame];
}

int profile_delta_trim(struct profile *delta)
{
	const size_t functions = delta->functions.count, frames = delta->frames.count;
	const size_t count = (functions > frames ? functions : frames) + 1;
	CLEANUP_FREE uint32_t *numbers = calloc(count, sizeof(*numbers));
	CLEANUP_FREE bool *wanted = calloc(count, sizeof(*wanted));

	if (!numbers || !wanted)
		return -ENOMEM;
	want_functions(delta, wanted);
	renumber(wanted, functions, PROFILE_NO_FUNCTION, numbers);
	trim_functions(delta, wanted, numbers);
	memset(wanted, 0, count * sizeof(*wanted));
	trim_stacks(delta, wanted, numbers);
	return 0;
}
