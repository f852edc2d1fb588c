// SPDX-License-Identifier: GPL-2.0-or-later
// Makes calls out of edges, or out of stacks.
#include "output/callgrind_calls.h"

#include <inttypes.h>
#include <string.h>

#include "output/call_paths.h"
#include "output/text_table.h"

static int call_compare(const void *left, const void *right)
{
	const struct callgrind_call *a = left, *b = right;

	if (a->caller != b->caller)
		return a->caller < b->caller ? -1 : 1;
	if (a->callee != b->callee)
		return a->callee < b->callee ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

/* ---- Edges ---- */

/* Where a function's calls stand: at the line that must have made them, or at its own. */
static uint32_t line_of_calls(const struct profile *profile, uint32_t caller)
{
	const struct profile_function *function = &profile->functions.items[caller];
	const struct profile_line *line = call_path_line(function);

	return line ? line->line : function->line;
}

/* Adds what the calls from `first` on lack of the function's time to one, or takes it from all. */
static void spread(struct callgrind_calls *calls, size_t first, size_t most, int64_t rest)
{
	for (size_t i = first; i < calls->list.count; i++) {
		struct callgrind_call *call = &calls->list.items[i];

		if (i == most && rest > 0)
			call->total_ns = profile_sum_ns(call->total_ns, rest);
		if (rest >= 0)
			continue;
		call->total_ns = profile_sum_ns(call->total_ns, rest);
		rest = call->total_ns < 0 ? call->total_ns : 0;
		call->total_ns = call->total_ns > 0 ? call->total_ns : 0;
	}
}

static int count_function(
    struct callgrind_calls *calls, const struct profile *profile, uint32_t callee)
{
	const struct profile_function *function = &profile->functions.items[callee];
	struct callgrind_call outside = {PROFILE_NO_FUNCTION, callee, 0, function->calls, 0, 0};
	size_t first = calls->list.count, most = first;
	int64_t rest = function->total_ns > 0 ? function->total_ns : 0;

	ARRAY_FOREACH (edge, &function->callers) {
		struct callgrind_call call = {
		    edge->function, callee, 0, edge->calls, edge->total_ns, 0};

		if (edge->function == PROFILE_NO_FUNCTION || !edge->calls)
			continue;
		call.line = line_of_calls(profile, edge->function);
		outside.calls -= edge->calls < outside.calls ? edge->calls : outside.calls;
		rest = profile_sum_ns(rest, -edge->total_ns);
		if (ARRAY_APPEND(&calls->list, call))
			return -ENOMEM;
		if (call.calls > calls->list.items[most].calls)
			most = calls->list.count - 1;
	}
	if (outside.calls) {
		most = calls->list.count;
		if (ARRAY_APPEND(&calls->list, outside))
			return -ENOMEM;
	}
	spread(calls, first, most, rest);
	return 0;
}

int callgrind_calls_count(const struct profile *profile, struct callgrind_calls *calls)
{
	int error = 0;

	for (uint32_t i = 0; i < profile->functions.count && !error; i++)
		error = count_function(calls, profile, i);
	ARRAY_SORT(&calls->list, call_compare);
	return error;
}

/* ---- Stacks ---- */

static int number_of(struct text_table *table, uint32_t image, const char *file, const char *name,
    uint32_t *ret_number)
{
	CLEANUP_FREE char *key = NULL;

	if (asprintf(&key, "%" PRIu32 "\n%s\n%s", image, file, name) < 0)
		return -ENOMEM;
	return text_table_number(table, key, ret_number);
}

/* The function of each frame, or PROFILE_NO_FUNCTION where it has no row. */
static int find_functions(const struct profile *profile, uint32_t *functions)
{
	CLEANUP_FREE uint32_t *rows = calloc(profile->functions.count + 1, sizeof(*rows));
	struct text_table table = {0};
	uint32_t number = 0;
	int error = rows ? 0 : -ENOMEM;
	size_t known;

	for (uint32_t i = 0; i < profile->functions.count && !error; i++) {
		const struct profile_function *function = &profile->functions.items[i];

		known = table.texts.count;
		error = number_of(&table, function->image, function->file, function->name, &number);
		if (!error && number == known)
			rows[number] = i;
	}
	known = table.texts.count;
	for (size_t i = 0; i < profile->frames.count && !error; i++) {
		const struct profile_frame *frame = &profile->frames.items[i];

		error = number_of(&table, frame->image, frame->file, frame->name, &number);
		functions[i] = number < known ? rows[number] : PROFILE_NO_FUNCTION;
	}
	text_table_fini(&table);
	return error;
}

/* Whether the function was called further out in the stack. */
static bool is_below_itself(const struct profile_stack *stack, size_t at, const uint32_t *functions)
{
	for (size_t i = 0; i < at; i++)
		if (functions[stack->frames.items[i]] == functions[stack->frames.items[at]])
			return true;
	return false;
}

static int sample_stack(struct callgrind_calls *calls, const struct profile *profile,
    const struct profile_stack *stack, const uint32_t *functions)
{
	for (size_t i = 1; i < stack->frames.count && stack->cpu_samples; i++) {
		uint32_t above = stack->frames.items[i - 1];
		struct callgrind_call call = {
		    .caller = functions[above],
		    .callee = functions[stack->frames.items[i]],
		    .line = profile->frames.items[above].line,
		    .calls = stack->cpu_samples,
		};

		if (!is_below_itself(stack, i, functions))
			call.samples = stack->cpu_samples;
		if (call.callee != PROFILE_NO_FUNCTION && ARRAY_APPEND(&calls->list, call))
			return -ENOMEM;
	}
	return 0;
}

/* Adds equal calls up, in place. */
static void unite(struct callgrind_calls *calls)
{
	size_t kept = 0;

	ARRAY_SORT(&calls->list, call_compare);
	for (size_t i = 0; i < calls->list.count; i++) {
		const struct callgrind_call *call = &calls->list.items[i];
		struct callgrind_call *last = kept ? &calls->list.items[kept - 1] : NULL;

		if (last && !call_compare(last, call)) {
			last->calls = profile_sum(last->calls, call->calls);
			last->samples = profile_sum(last->samples, call->samples);
			continue;
		}
		calls->list.items[kept++] = *call;
	}
	calls->list.count = kept;
}

int callgrind_calls_sample(const struct profile *profile, struct callgrind_calls *calls)
{
	CLEANUP_FREE uint32_t *functions = calloc(profile->frames.count + 1, sizeof(*functions));
	int error = functions ? find_functions(profile, functions) : -ENOMEM;

	ARRAY_FOREACH (stack, &profile->stacks)
		error = error ?: sample_stack(calls, profile, stack, functions);
	unite(calls);
	return error;
}

void callgrind_calls_fini(struct callgrind_calls *calls)
{
	ARRAY_FREE(&calls->list);
}
