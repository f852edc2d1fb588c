// SPDX-License-Identifier: GPL-2.0-or-later
// Prints sampled stacks as trees of callers: where the CPU was, and below it who had called, with
// shares of all samples where ways part.
//
//	CPU samples by function, callers below: 100 samples of 1 ms
//
//	 60.0%       60  add
//	                 main
//	 40.0%       40  copy
//	                 |-- 25.0% add
//	                 |         main
//	                 `-- 15.0% main
//
// No tree is built: stacks are sorted by their frames from the innermost on, so that every node of
// the tree is a range of them.
#include "output/report.h"

#include <inttypes.h>
#include <string.h>

#include "output/text.h"

#define SHARE_MIN  0.005 /* smaller branches are summed up */
#define DEPTH_MAX  128
#define PREFIX_MAX 512
#define NAME_SHOWN 200

struct tree {
	const struct profile *profile;
	const struct report_options *options;
	FILE *stream;
	uint32_t *functions; /* frame -> the first frame of the same function */
	const struct profile_stack **stacks;
	double samples;
	char prefix[PREFIX_MAX];
};

/* Stacks [begin, end) that agree in their innermost `depth` frames and the one beyond. */
struct branch {
	size_t begin, end;
	double samples;
};

/* The function of the frame at `depth` from the innermost; UINT32_MAX: the stack has no more. */
static uint32_t function_at(
    const struct tree *tree, const struct profile_stack *stack, size_t depth)
{
	return depth < stack->frames.count
		   ? tree->functions[stack->frames.items[stack->frames.count - 1 - depth]]
		   : UINT32_MAX;
}

static int compare_frames(const void *left, const void *right, void *context)
{
	const struct profile *profile = context;
	const struct profile_frame *a = &profile->frames.items[*(const uint32_t *)left];
	const struct profile_frame *b = &profile->frames.items[*(const uint32_t *)right];
	int order = strcmp(a->name, b->name);

	order = order ? order : strcmp(a->file, b->file);
	return order ? order : (a->image > b->image) - (a->image < b->image);
}

static int compare_stacks(const void *left, const void *right, void *context)
{
	const struct profile_stack *a = *(const struct profile_stack *const *)left;
	const struct profile_stack *b = *(const struct profile_stack *const *)right;
	const struct tree *tree = context;

	for (size_t depth = 0;; depth++) {
		uint32_t one = function_at(tree, a, depth), other = function_at(tree, b, depth);

		if (one != other)
			return one < other ? -1 : 1;
		if (one == UINT32_MAX)
			return 0;
	}
}

static int compare_branches(const void *left, const void *right)
{
	const struct branch *a = left, *b = right;

	if (a->samples != b->samples)
		return a->samples > b->samples ? -1 : 1;
	return (a->begin > b->begin) - (a->begin < b->begin);
}

/* Frames of one function, whatever line of it ran, become one number. */
static int number_functions(struct tree *tree)
{
	size_t count = tree->profile->frames.count;
	CLEANUP_FREE uint32_t *order = calloc(count + 1, sizeof(*order));

	tree->functions = calloc(count + 1, sizeof(*tree->functions));
	if (!order || !tree->functions)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare_frames, (void *)tree->profile);
	for (size_t i = 0, first = 0; i < count; i++) {
		if (compare_frames(&order[first], &order[i], (void *)tree->profile) != 0)
			first = i;
		tree->functions[order[i]] = order[first];
	}
	return 0;
}

static int sort_stacks(struct tree *tree, size_t *ret_count)
{
	size_t count = 0;

	tree->stacks = calloc(tree->profile->stacks.count + 1, sizeof(*tree->stacks));
	if (!tree->stacks)
		return -ENOMEM;
	ARRAY_FOREACH (stack, &tree->profile->stacks) {
		if (!stack->cpu_samples || !stack->frames.count)
			continue;
		tree->stacks[count++] = stack;
		tree->samples += (double)stack->cpu_samples;
	}
	qsort_r(tree->stacks, count, sizeof(*tree->stacks), compare_stacks, tree);
	*ret_count = count;
	return 0;
}

/* The ways that stacks of a range go on at `depth`, largest first; NULL: no memory. */
static struct branch *find_branches(
    const struct tree *tree, size_t begin, size_t end, size_t depth, size_t *ret_count)
{
	ARRAY(struct branch) found = {0};

	for (size_t next; begin < end; begin = next) {
		uint32_t function = function_at(tree, tree->stacks[begin], depth);
		struct branch branch = {.begin = begin};

		for (next = begin;
		     next < end && function_at(tree, tree->stacks[next], depth) == function; next++)
			branch.samples += (double)tree->stacks[next]->cpu_samples;
		branch.end = next;
		if (ARRAY_APPEND(&found, branch)) {
			ARRAY_FREE(&found);
			return NULL;
		}
	}
	ARRAY_SORT(&found, compare_branches);
	*ret_count = found.count;
	return found.items;
}

static void print_name(const struct tree *tree, size_t at, size_t depth)
{
	uint32_t function = function_at(tree, tree->stacks[at], depth);

	text_print(tree->stream, tree->profile->frames.items[function].name, NAME_SHOWN);
	fputc('\n', tree->stream);
}

static int print_callers(struct tree *tree, const struct branch *node, size_t depth);

/* A way on among several: its share, then its own callers, indented under it. */
static int print_branch(struct tree *tree, const struct branch *branch, size_t depth, bool last)
{
	size_t length = strlen(tree->prefix);
	int error;

	fprintf(tree->stream, "%s%s %4.1f%% ", tree->prefix, last ? "`--" : "|--",
	    100 * branch->samples / tree->samples);
	if (function_at(tree, tree->stacks[branch->begin], depth) == UINT32_MAX) {
		fputs("(outermost)\n", tree->stream);
		return 0;
	}
	print_name(tree, branch->begin, depth);
	if (length + sizeof("|         ") > sizeof(tree->prefix)) {
		fprintf(tree->stream, "%s...\n", tree->prefix);
		return 0;
	}
	strcat(tree->prefix, last ? "          " : "|         ");
	error = print_callers(tree, branch, depth + 1);
	tree->prefix[length] = '\0';
	return error;
}

/* Who called the function that a range of stacks shares at depth - 1. */
static int print_callers(struct tree *tree, const struct branch *node, size_t depth)
{
	CLEANUP_FREE struct branch *branches = NULL;
	size_t count = 0, shown = 0;
	double rest = node->samples;
	int error = 0;

	/* one way on: no indentation */
	for (; depth < DEPTH_MAX; depth++) {
		free(branches);
		branches = find_branches(tree, node->begin, node->end, depth, &count);
		if (!branches)
			return -ENOMEM;
		if (count != 1)
			break;
		if (function_at(tree, tree->stacks[node->begin], depth) == UINT32_MAX)
			return 0;
		fputs(tree->prefix, tree->stream);
		print_name(tree, node->begin, depth);
	}
	if (depth == DEPTH_MAX) {
		fprintf(tree->stream, "%s...\n", tree->prefix);
		return 0;
	}
	while (shown < count && branches[shown].samples >= SHARE_MIN * tree->samples)
		rest -= branches[shown++].samples;
	for (size_t i = 0; i < shown && !error; i++)
		error = print_branch(tree, &branches[i], depth, i + 1 == count);
	if (!error && shown < count)
		fprintf(tree->stream, "%s`-- %4.1f%% in %zu smaller branches\n", tree->prefix,
		    100 * rest / tree->samples, count - shown);
	return error;
}

static int print_functions(struct tree *tree, size_t count)
{
	CLEANUP_FREE struct branch *leaves = NULL;
	size_t leaf_count = 0, shown;
	double rest = tree->samples;
	int error = 0;

	leaves = find_branches(tree, 0, count, 0, &leaf_count);
	if (!leaves)
		return -ENOMEM;
	for (shown = 0; shown < leaf_count && !error; shown++) {
		double share = leaves[shown].samples / tree->samples;
		const char *heat = report_heat(tree->options, share);

		if (share < SHARE_MIN)
			break;
		rest -= leaves[shown].samples;
		fprintf(
		    tree->stream, "%s%5.1f%% %8.0f  ", heat, 100 * share, leaves[shown].samples);
		print_name(tree, leaves[shown].begin, 0);
		fputs(*heat ? REPORT_COLD : "", tree->stream);
		snprintf(tree->prefix, sizeof(tree->prefix), "%17s", "");
		error = print_callers(tree, &leaves[shown], 1);
	}
	if (!error && shown < leaf_count)
		fprintf(tree->stream, "%5.1f%% %8.0f  in %zu functions with less\n",
		    100 * rest / tree->samples, rest, leaf_count - shown);
	return error;
}

int report_stacks(const struct profile *profile, FILE *stream, const struct report_options *options)
{
	struct tree tree = {.profile = profile, .options = options, .stream = stream};
	char period[REPORT_DURATION_MAX];
	size_t count = 0;
	int error = number_functions(&tree);

	error = error ?: sort_stacks(&tree, &count);
	if (!error && count) {
		fprintf(stream, "   CPU samples by function, callers below: %.0f samples",
		    tree.samples);
		if (profile->sampling_period_ns)
			fprintf(stream, " of %s",
			    report_duration((double)profile->sampling_period_ns, period));
		fputs("\n\n", stream);
		error = print_functions(&tree, count);
		fputc('\n', stream);
	}
	free(tree.functions);
	free(tree.stacks);
	return error;
}
