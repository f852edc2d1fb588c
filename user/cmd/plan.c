// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof plan`: shows where probes would stand and what a hit of each would cost; attaches nothing.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/price.h"
#include "collect/attach.h"
#include "collect/calibrate.h"
#include "collect/features.h"
#include "output/json_stream.h"
#include "output/text.h"
#include "target/instruction.h"
#include "target/target_plan.h"

/* A plan with what its rows need: the counts by site, and the price of each cost class. */
struct view {
	const struct target_plan *target;
	const struct plan *plan;
	uint64_t prices[COST_CLASSES];
	uint32_t *first_count; /* by site: into `counts`; one more at the end */
	const struct plan_count **counts;
};

static void view_fini(struct view *view)
{
	free(view->first_count);
	free(view->counts);
}

static void price_classes(struct view *view, const struct features *features)
{
	enum attach_method method;
	struct costs costs = {0};

	if (!features_check(features, NULL) && !attach_choose(features, ATTACH_BEST, &method, NULL))
		calibrate_price(method, &costs);
	for (int class = 0; class < COST_CLASSES; class ++)
		view->prices[class] = costs_ns(&costs, class);
}

/* Sorts the counts by site. */
static int view_init(struct view *view, const struct target_plan *target)
{
	const struct plan *plan = target->plan;
	uint32_t total = 0;

	view->target = target;
	view->plan = plan;
	view->first_count = calloc(plan->sites.count + 2, sizeof(*view->first_count));
	view->counts = calloc(plan->counts.count + 1, sizeof(const struct plan_count *));
	if (!view->first_count || !view->counts)
		return -ENOMEM;
	ARRAY_FOREACH (count, &plan->counts)
		view->first_count[count->site + 2]++;
	for (size_t at = 2; at < plan->sites.count + 2; at++) {
		total += view->first_count[at];
		view->first_count[at] = total;
	}
	ARRAY_FOREACH (count, &plan->counts)
		view->counts[view->first_count[count->site + 1]++] = count;
	return 0;
}

static uint64_t site_price(const struct view *view, const struct plan_site *site)
{
	return view->prices[site->cost] +
	       (site->roles & SITE_RETURN ? view->prices[COST_RETURN] : 0);
}

static bool site_is_emulated(const struct plan_site *site)
{
	return site->cost == COST_EMULATED || site->cost == COST_ENTRY_EMULATED;
}

static void site_instruction(
    const struct view *view, const struct plan_site *site, char *text, size_t size)
{
	const struct image_index *index = view->target->images.items[site->image].index;
	size_t available = 0;
	const uint8_t *bytes = image_index_bytes(index, site->address, &available);

	if (bytes)
		instruction_format(bytes, available, site->address, text, size);
	else
		snprintf(text, size, "?");
}

/* The function that a site is shown under: its host, or the inlined one whose lines it counts. */
static const char *site_function(const struct view *view, const struct plan_site *site)
{
	uint32_t function = site->function;

	if (function == NO_FUNCTION && site->charge_count)
		function = site->charges[site->charge_count - 1].function;
	return function == NO_FUNCTION ? "" : view->plan->functions.items[function].name;
}

static const struct site_role_name {
	uint16_t role;
	const char *name;
} role_names[] = {{SITE_ENTRY, "entry"}, {SITE_LINE, "line"}, {SITE_EXIT, "exit"}};

/* ---- JSON ---- */

static void json_lines(
    struct json_stream *json, const struct view *view, uint32_t site, uint16_t role)
{
	json_open(json, "lines", '[', JSON_COMPACT);
	for (uint32_t at = view->first_count[site];
	     role == SITE_LINE && at < view->first_count[site + 1]; at++) {
		const struct plan_line *line = &view->plan->lines.items[view->counts[at]->line];

		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "file", line->file);
		json_unsigned(json, "line", line->line);
		json_unsigned(json, "column", view->counts[at]->column);
		json_text(json, "function", view->plan->functions.items[line->function].name);
		json_close(json);
	}
	json_close(json);
}

static void json_address(struct json_stream *json, uint64_t address)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
	json_text(json, "address", text);
}

static void json_site(struct json_stream *json, const struct view *view, uint32_t at)
{
	const struct plan_site *site = &view->plan->sites.items[at];
	char instruction[128];

	site_instruction(view, site, instruction, sizeof(instruction));
	for (size_t role = 0; role < ARRAY_SIZE(role_names); role++) {
		if (!(site->roles & role_names[role].role))
			continue;
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "image", view->plan->images.items[site->image].path);
		json_text(json, "function", site_function(view, site));
		json_text(json, "role", role_names[role].name);
		json_address(json, site->address);
		json_unsigned(json, "offset", site->offset);
		json_text(json, "instruction", instruction);
		json_text(json, "class", site_is_emulated(site) ? "emulated" : "stepped");
		json_unsigned(json, "moved", site->moved);
		json_unsigned(json, "price_ns", site_price(view, site));
		json_lines(json, view, at, role_names[role].role);
		json_close(json);
	}
}

static void json_functions(struct json_stream *json, const struct plan *plan)
{
	static const char *const exits[] = {"none", "return", "sites"};

	json_open(json, "functions", '[', JSON_ROWS);
	ARRAY_FOREACH (function, &plan->functions) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "name", function->name);
		json_text(json, "linkage_name", function->linkage_name);
		json_text(json, "image", plan->images.items[function->image].path);
		json_text(json, "file", function->file);
		json_unsigned(json, "line", function->line);
		json_text(json, "exit", exits[function->exit]);
		json_text(json, "exit_reason", function->exit_reason);
		json_unsigned(json, "inlined_copies", function->inlined_copies);
		json_close(json);
	}
	json_close(json);
}

static void json_left_out(struct json_stream *json, const struct plan *plan)
{
	json_open(json, "left_out", '[', JSON_ROWS);
	ARRAY_FOREACH (left, &plan->left_out) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "image", plan->images.items[left->image].path);
		json_text(json, "function",
		    left->function == NO_FUNCTION ? ""
						  : plan->functions.items[left->function].name);
		json_address(json, left->address);
		json_text(json, "file", left->file);
		json_unsigned(json, "line", left->line);
		json_text(json, "reason", left->reason);
		json_close(json);
	}
	json_close(json);
}

static void print_json(const struct view *view)
{
	struct json_stream json = {.file = stdout};

	json_open(&json, NULL, '{', JSON_ROWS);
	json_open(&json, "sites", '[', JSON_ROWS);
	for (uint32_t at = 0; at < view->plan->sites.count; at++)
		json_site(&json, view, at);
	json_close(&json);
	json_left_out(&json, view->plan);
	json_functions(&json, view->plan);
	json_close(&json);
	putchar('\n');
}

/* ---- Text ---- */

static void print_site(const struct view *view, uint32_t at)
{
	const struct plan_site *site = &view->plan->sites.items[at];
	char instruction[128], roles[32] = "";
	const char *file = NULL;

	site_instruction(view, site, instruction, sizeof(instruction));
	for (size_t role = 0; role < ARRAY_SIZE(role_names); role++)
		if (site->roles & role_names[role].role)
			snprintf(roles + strlen(roles), sizeof(roles) - strlen(roles), "%s%s",
			    *roles ? "+" : "", role_names[role].name);
	if (site->roles & SITE_SILENT)
		snprintf(roles, sizeof(roles), "time");
	printf("  %#12llx  %-12s %-9s %7llu ns %5u  %-34s", (unsigned long long)site->address,
	    roles, site_is_emulated(site) ? "emulated" : "stepped",
	    (unsigned long long)site_price(view, site), site->moved, instruction);
	for (uint32_t count = view->first_count[at]; count < view->first_count[at + 1]; count++) {
		const struct plan_line *line = &view->plan->lines.items[view->counts[count]->line];
		const char *slash = strrchr(line->file, '/');

		if (file != line->file) {
			file = line->file;
			printf(" %s:", slash ? slash + 1 : file);
		} else {
			putchar(',');
		}
		printf("%u", line->line);
	}
	putchar('\n');
}

static void print_heading(const struct view *view, const struct plan_site *site)
{
	static const char *const exits[] = {"no exits", "a return probe", "exit sites"};
	const struct plan_function *function;
	const char *name = site_function(view, site);

	putchar('\n');
	if (site->function == NO_FUNCTION) {
		text_print(stdout, *name ? name : "code", 200);
		printf(" inlined in ");
		text_print(stdout,
		    view->target->images.items[site->image]
			.index->functions
			.items[view->target->images.items[site->image]
				   .index->copies.items[site->host]
				   .source]
			.name,
		    200);
		printf("\n");
	} else {
		function = &view->plan->functions.items[site->function];
		text_print(stdout, name, 200);
		printf(" at %s:%u, %s: %s\n", *function->file ? function->file : "?",
		    function->line, exits[function->exit], function->exit_reason);
	}
	printf("  %12s  %-12s %-9s %10s %5s  %-34s %s\n", "address", "role", "class", "a hit",
	    "moved", "instruction", "counts lines");
}

static void print_left_out(const struct plan *plan)
{
	if (plan->left_out.count)
		printf("\nLeft out:\n");
	ARRAY_FOREACH (left, &plan->left_out) {
		printf("  %#12llx  ", (unsigned long long)left->address);
		if (left->function != NO_FUNCTION)
			text_print(stdout, plan->functions.items[left->function].name, 200);
		if (left->line)
			printf(" %s:%u", left->file, left->line);
		printf(": %s\n", left->reason);
	}
}

static void print_text(const struct view *view)
{
	const struct plan *plan = view->plan;
	const struct plan_site *previous = NULL;
	size_t emulated = 0, shown = 0;

	for (uint32_t at = 0; at < plan->sites.count; at++) {
		const struct plan_site *site = &plan->sites.items[at];

		if (!(site->roles & (SITE_ENTRY | SITE_LINE | SITE_EXIT)))
			continue; /* it stands by, or serves lprof itself */
		shown++;
		if (!previous || site->host != previous->host || site->image != previous->image)
			print_heading(view, site);
		previous = site;
		print_site(view, at);
		emulated += site_is_emulated(site);
	}
	print_left_out(plan);
	printf("\n%zu functions, %zu sites, %zu of them (%.1f%%) on emulated instructions\n",
	    plan->functions.count, shown, emulated,
	    shown ? 100.0 * (double)emulated / (double)shown : 0.0);
}

/* ---- The command ---- */

static int open_target(const struct measure_options *options, const struct features *features,
    struct target_plan **ret_target, struct failure *failure)
{
	struct plan_kernel kernel = features_plan_kernel(features);

	struct target_request request = measure_options_request(options);

	request.marked = true;
	if (options->pids.count)
		return target_plan_open(options->pids.items, options->pids.count, &request, &kernel,
		    ret_target, failure);
	return target_plan_open_file(options->operands[0], &request, &kernel, ret_target, failure);
}

static int plan(const struct measure_options *options)
{
	CLEANUP(target_plan_free_p) struct target_plan *target = NULL;
	CLEANUP(view_fini) struct view view = {0};
	struct features features;
	struct failure failure = {0};
	int error;

	if (!options->pids.count && !options->operand_count)
		return cmd_misused("plan", options->json, "name an image or, with -p, a process");
	if (options->price)
		return price(options);
	features_detect(&features);
	error = open_target(options, &features, &target, &failure);
	if (!error)
		error = view_init(&view, target);
	if (error) {
		failure_set(&failure, -error, "out of memory");
		return cmd_failed("plan", options->json, &failure);
	}
	price_classes(&view, &features);
	if (options->json)
		print_json(&view);
	else
		print_text(&view);
	return STATUS_OK;
}

int cmd_plan(int argc, char **argv)
{
	struct measure_options options;
	int status;

	if (measure_options_parse(OPTIONS_PLAN, argc, argv, &options, &status))
		status = plan(&options);
	measure_options_fini(&options);
	return status;
}
