// SPDX-License-Identifier: GPL-2.0-or-later
// Builds the plan: which machine functions a request touches, planned one after the other, and the
// whole put in order. plan_builder.h tells what happens to one.
#include "target/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/plan_builder.h"
#include "target/stack_use.h"

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	ARRAY_FREE(&plan->images);
	ARRAY_FREE(&plan->sites);
	ARRAY_FREE(&plan->functions);
	ARRAY_FREE(&plan->lines);
	ARRAY_FREE(&plan->counts);
	ARRAY_FREE(&plan->left_out);
	strings_free(plan->strings);
	free(plan);
}

static void builder_fini(struct builder *builder)
{
	free(builder->function_of);
	ARRAY_FREE(&builder->owners);
	id_map_fini(&builder->lines);
	flow_fini(&builder->flow);
	free(builder->drafts);
	ARRAY_FREE(&builder->statements);
	ARRAY_FREE(&builder->terms);
}

/* ---- Functions ---- */

/* Whether control leaves the machine function in hand other than by a return: what it goes to, by a
 * jump too, may be unwound through it. */
static bool flow_goes_elsewhere(const struct builder *builder, uint32_t copy)
{
	if (builder->flow.has_calls || builder->flow.has_unknown_jumps || builder->flow.undecoded)
		return true;
	ARRAY_FOREACH (instruction, &builder->flow.instructions)
		if ((instruction->kind == INSTRUCTION_JUMP ||
			instruction->kind == INSTRUCTION_BRANCH) &&
		    !flow_copy_holds(builder->index, copy, instruction->target))
			return true;
	return false;
}

/* What all copies of a function do that a return probe must mind. */
struct source_habits {
	bool goes_elsewhere;
	uint32_t stack_use; /* enum stack_use */
};

static int source_habits_find(
    struct builder *builder, const struct source_function *source, struct source_habits *ret_habits)
{
	*ret_habits = (struct source_habits){};
	for (uint32_t at = 0; at < source->copy_count; at++) {
		uint32_t copy = source->first_copy + at, use;
		int error = flow_build(&builder->flow, builder->index, copy, &builder->kernel);

		if (error)
			return error;
		ret_habits->goes_elsewhere |= flow_goes_elsewhere(builder, copy);
		if (builder->index->copies.items[copy].kind == COPY_COLD)
			continue;
		error = stack_use_find(&builder->flow, builder->index, copy, &use);
		if (error)
			return error;
		ret_habits->stack_use |= use;
	}
	return 0;
}

/* At the program's entry point the stack holds the number of arguments, no return address. */
static bool source_is_program_entry(
    const struct builder *builder, const struct source_function *source)
{
	for (uint32_t at = 0; at < source->copy_count; at++)
		if (builder->index->copies.items[source->first_copy + at].entry ==
		    builder->index->entry)
			return true;
	return false;
}

/* Why no function of the target may have a return probe; NULL: some may. */
static const char *return_probes_forbidden(const struct builder *builder)
{
	uint32_t traits = builder->options->traits | builder->index->traits;

	if (traits & IMAGE_GO)
		return "the Go runtime walks and moves stacks";
	if (traits & IMAGE_SWITCHES_STACKS)
		return "an image of the target switches stacks";
	if (builder->options->shadow_stack)
		return "the target has a shadow stack";
	if (builder->options->kernel.hijacks_bystanders)
		return "without sessions a return probe strikes every process";
	if (builder->options->kernel.kills_seccomp_returns)
		return "this kernel kills processes under seccomp at a return probe";
	return NULL;
}

/* How the function's exits are seen, and why (DESIGN.md 4.6). */
static int choose_exit(struct builder *builder, struct plan_function *function)
{
	const struct source_function *source = &builder->index->functions.items[function->source];
	uint32_t traits = builder->options->traits | builder->index->traits;
	struct source_habits habits;
	int error;

	function->exit = builder->options->exit;
	function->exit_reason = "asked for";
	if (!source->copy_count) {
		function->exit = PLAN_EXIT_AUTO;
		function->exit_reason = "exists only as inlined copies";
		return 0;
	}
	if (source_is_program_entry(builder, source)) {
		function->exit = PLAN_EXIT_SITES;
		function->exit_reason = "the program begins there, without a return address";
		return 0;
	}
	if (builder->options->exit != PLAN_EXIT_AUTO)
		return 0;
	function->exit = PLAN_EXIT_SITES;
	function->exit_reason = return_probes_forbidden(builder);
	if (function->exit_reason)
		return 0;
	error = source_habits_find(builder, source, &habits);
	if (error)
		return error;
	if (habits.stack_use & STACK_USE_MOVES)
		function->exit_reason = "it sets the stack pointer";
	else if (habits.stack_use & STACK_USE_RETURN_ADDRESS)
		function->exit_reason = "it looks at its return address";
	else if (habits.goes_elsewhere && traits & IMAGE_UNWINDS)
		function->exit_reason = "an image of the target unwinds the stack";
	if (function->exit_reason)
		return 0;
	function->exit = PLAN_EXIT_RETURN;
	function->switchable = habits.goes_elsewhere;
	function->exit_reason = function->switchable
				    ? "no image of the target unwinds the stack"
				    : "it makes no calls, so nothing unwinds through it";
	return 0;
}

static const char *intern_or_empty(struct builder *builder, const char *text)
{
	return strings_intern(builder->plan->strings, text ? text : "");
}

static int add_function(struct builder *builder, const struct selected_function *selected)
{
	const struct source_function *source = &builder->index->functions.items[selected->source];
	struct plan_function function = {
	    .name = intern_or_empty(builder, source->name),
	    .linkage_name = intern_or_empty(builder, source->linkage_name),
	    .file = intern_or_empty(builder,
		source->file == INDEX_NONE ? "" : builder->index->files.items[source->file]),
	    .line = source->file == INDEX_NONE ? 0 : source->line,
	    .image = selected->image,
	    .source = selected->source,
	    .lines = selected->lines && source->file != INDEX_NONE,
	    .rate = selected->rate,
	    .entry_line = INDEX_NONE,
	};
	int error;

	if (!function.name || !function.linkage_name || !function.file)
		return -ENOMEM;
	error = choose_exit(builder, &function);
	if (error)
		return error;
	builder->function_of[selected->source] = (uint32_t)builder->plan->functions.count;
	builder->plan->has_lines |= function.lines;
	return ARRAY_APPEND(&builder->plan->functions, function);
}

/* ---- Machine functions ---- */

static void mark_copies(struct builder *builder, bool *wanted)
{
	const struct image_index *index = builder->index;

	for (uint32_t copy = 0; copy < index->copies.count; copy++)
		wanted[copy] =
		    builder->function_of[index->copies.items[copy].source] != NO_FUNCTION;
	ARRAY_FOREACH (inlined, &index->inlined) {
		uint32_t function = builder->function_of[inlined->source];
		uint32_t host;

		if (function == NO_FUNCTION)
			continue;
		if (inlined->depth == 1 || inlined->parent == INDEX_NONE ||
		    index->inlined.items[inlined->parent].source != inlined->source)
			builder->plan->functions.items[function].inlined_copies++;
		if (!builder->plan->functions.items[function].lines)
			continue;
		host = image_index_copy_at(index, inlined->low);
		if (host != INDEX_NONE)
			wanted[host] = true;
	}
}

static int plan_entry_line(struct builder *builder)
{
	struct plan_function *function;
	uint32_t entry =
	    flow_find(&builder->flow, builder->index->copies.items[builder->copy].entry);
	const struct draft *draft;
	uint32_t line;

	if (builder->function == NO_FUNCTION || entry == FLOW_NONE)
		return 0;
	function = &builder->plan->functions.items[builder->function];
	if (!function->lines || function->entry_line != INDEX_NONE)
		return 0;
	draft = builder_charges(builder, entry);
	if (!draft)
		return -ENOMEM;
	if (draft->charge_count && draft->charges[0].function == builder->function) {
		function->entry_line = draft->charges[0].line;
		return 0;
	}
	line = builder_line(builder, builder->function,
	    builder->index->functions.items[function->source].file, function->line);
	function->entry_line = line;
	return line == INDEX_NONE ? -ENOMEM : 0;
}

/* Go's assembly code runs on stacks and with registers of its own: nothing tells whose. */
static bool is_go_assembly(const struct builder *builder, const struct source_function *source)
{
	return builder->index->traits & IMAGE_GO &&
	       (source->file == INDEX_NONE ||
		   string_ends(builder->index->files.items[source->file], ".s"));
}

static int plan_copy(struct builder *builder, uint32_t copy)
{
	const struct source_function *source =
	    &builder->index->functions.items[builder->index->copies.items[copy].source];
	int error;

	builder->copy = copy;
	builder->function = builder->function_of[builder->index->copies.items[copy].source];
	if (is_go_assembly(builder, source))
		return builder_leave_out(builder, builder->index->copies.items[copy].entry,
		    INDEX_NONE, "assembly code of Go: nothing tells its goroutine");
	error = flow_build(&builder->flow, builder->index, copy, &builder->kernel);
	if (error)
		return error;
	free(builder->drafts);
	builder->drafts = calloc(builder->flow.instructions.count + 1, sizeof(*builder->drafts));
	if (!builder->drafts)
		return -ENOMEM;
	builder->statements.count = 0;
	error = plan_entries(builder);
	if (error || (builder->function != NO_FUNCTION && builder->entry_site == FLOW_NONE &&
			 builder->index->copies.items[copy].kind != COPY_COLD))
		return error;
	if (builder->plan->has_lines) {
		error = plan_entry_line(builder);
		error = error ? error : plan_statements(builder);
		error = error ? error : plan_derive(builder);
		error = error ? error : plan_time(builder);
	}
	return error ? error : plan_emit(builder);
}

static int plan_image(struct builder *builder, const struct selection *selection)
{
	size_t sources = builder->index->functions.count;
	CLEANUP_FREE bool *wanted = calloc(builder->index->copies.count + 1, sizeof(*wanted));
	int error;

	free(builder->function_of);
	builder->function_of = malloc((sources + 1) * sizeof(*builder->function_of));
	if (!wanted || !builder->function_of)
		return -ENOMEM;
	memset(builder->function_of, 0xff, (sources + 1) * sizeof(*builder->function_of));
	id_map_fini(&builder->lines);
	builder->lines = (struct id_map){};
	ARRAY_FOREACH (selected, &selection->functions) {
		if (selected->image != builder->image)
			continue;
		error = add_function(builder, selected);
		if (error)
			return error;
	}
	error = builder_index_owners(builder);
	if (error)
		return error;
	mark_copies(builder, wanted);
	for (uint32_t copy = 0; copy < builder->index->copies.count; copy++) {
		error = wanted[copy] ? plan_copy(builder, copy) : 0;
		if (error)
			return error;
	}
	return 0;
}

static void summarize(struct plan *plan)
{
	ARRAY_FOREACH (count, &plan->counts)
		plan->lines.items[count->line].sites++;
	for (uint32_t at = 0; at < plan->lines.count; at++) {
		struct plan_function *function =
		    &plan->functions.items[plan->lines.items[at].function];

		if (!function->line_count++)
			function->first_line = at;
	}
}

/* ---- The whole ---- */

/* Whoever may have to switch must hear of new images before their code runs. */
static int watch_images(struct builder *builder, const struct selection_image *images)
{
	const struct plan_options *options = builder->options;
	struct plan_site site = {
	    .image = options->loader_image,
	    .address = options->loader_address,
	    .function = NO_FUNCTION,
	    .roles = SITE_IMAGES,
	    .cost = COST_STEPPED,
	};
	bool needed = false;

	ARRAY_FOREACH (function, &builder->plan->functions)
		needed |= function->switchable;
	builder->plan->watches_images = needed;
	if (!needed || !options->loader_address)
		return 0;
	if (image_index_offset(images[site.image].index, site.address, &site.offset))
		return 0;
	return ARRAY_APPEND(&builder->plan->sites, site);
}

static int plan_images(struct builder *builder, const struct selection_image *images,
    size_t image_count, const struct selection *selection)
{
	for (uint32_t at = 0; at < image_count; at++) {
		const struct image_index *index = images[at].index;
		struct plan_image image = {.path = "", .build_id = "", .fd = -1};
		int error;

		if (index) {
			image.path = intern_or_empty(builder, index->path);
			image.build_id = intern_or_empty(builder, index->build_id);
			image.fd = index->fd;
		}
		error = image.path && image.build_id ? ARRAY_APPEND(&builder->plan->images, image)
						     : -ENOMEM;
		if (error)
			return error;
		builder->index = index;
		builder->image = at;
		error = index ? plan_image(builder, selection) : 0;
		if (error)
			return error;
	}
	return 0;
}

int plan_build(const struct selection_image *images, size_t image_count,
    const struct selection *selection, const struct plan_options *options, struct plan **ret_plan,
    struct failure *failure)
{
	CLEANUP(plan_free_p) struct plan *plan = calloc(1, sizeof(*plan));
	CLEANUP(builder_fini)
	struct builder builder = {
	    .plan = plan,
	    .options = options,
	    .kernel = {.rewrites_nop5 = options->kernel.rewrites_nop5,
		.emulates_all_nops = options->kernel.emulates_all_nops,
		.shadow_stack = options->shadow_stack},
	};
	int error = -ENOMEM;

	if (plan)
		plan->strings = strings_new();
	if (plan && plan->strings)
		error = plan_images(&builder, images, image_count, selection);
	if (!error)
		error = watch_images(&builder, images);
	if (!error)
		error = plan_put_in_order(plan);
	if (error)
		return failure_set(failure, -error, "no memory for the plan of %zu functions",
		    selection->functions.count);
	summarize(plan);
	*ret_plan = TAKE(plan);
	return 0;
}

void plan_count_lines(const struct plan *plan, const uint64_t *site_hits, uint64_t *ret_line_hits)
{
	size_t at = 0;

	memset(ret_line_hits, 0, plan->lines.count * sizeof(*ret_line_hits));
	while (at < plan->counts.count) {
		const struct plan_count *first = &plan->counts.items[at];
		int64_t sum = 0;

		for (; at < plan->counts.count && plan->counts.items[at].line == first->line &&
		       plan->counts.items[at].column == first->column;
		     at++)
			sum += plan->counts.items[at].sign *
			       (int64_t)site_hits[plan->counts.items[at].site];
		if (sum > 0 && (uint64_t)sum > ret_line_hits[first->line])
			ret_line_hits[first->line] = (uint64_t)sum;
	}
}
