// SPDX-License-Identifier: GPL-2.0-or-later
// Puts a plan's sites, lines and counts in their order and renumbers what refers to them.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/plan_builder.h"

static _Thread_local const struct plan *sorted; /* qsort has no context argument that is portable */

static int compare_sites(const void *left, const void *right)
{
	const struct plan_site *a = &sorted->sites.items[*(const uint32_t *)left];
	const struct plan_site *b = &sorted->sites.items[*(const uint32_t *)right];

	if (a->image != b->image)
		return a->image < b->image ? -1 : 1;
	return (a->address > b->address) - (a->address < b->address);
}

static int compare_lines(const void *left, const void *right)
{
	const struct plan_line *a = &sorted->lines.items[*(const uint32_t *)left];
	const struct plan_line *b = &sorted->lines.items[*(const uint32_t *)right];
	const char *own = sorted->functions.items[a->function].file;
	int order;

	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	if (a->file != b->file) { /* interned: equal files are one pointer */
		if (a->file == own || b->file == own)
			return a->file == own ? -1 : 1;
		order = strcmp(a->file, b->file);
		if (order)
			return order;
	}
	return (a->line > b->line) - (a->line < b->line);
}

static int compare_counts(const void *left, const void *right)
{
	const struct plan_count *a = left, *b = right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return (a->site > b->site) - (a->site < b->site);
}

/* Sorts ids by `compare` and gives the new id of each old one in ret_new. */
static uint32_t *sort_ids(const struct plan *plan, size_t count,
    int (*compare)(const void *, const void *), uint32_t **ret_new)
{
	uint32_t *order = malloc((count + 1) * sizeof(*order));

	*ret_new = malloc((count + 1) * sizeof(**ret_new));
	if (!order || !*ret_new) {
		free(order);
		return NULL;
	}
	for (uint32_t at = 0; at < count; at++)
		order[at] = at;
	sorted = plan;
	qsort(order, count, sizeof(*order), compare);
	for (uint32_t at = 0; at < count; at++)
		(*ret_new)[order[at]] = at;
	return order;
}

static void renumber(struct plan *plan, const uint32_t *new_site, const uint32_t *new_line)
{
	ARRAY_FOREACH (site, &plan->sites)
		for (uint32_t at = 0; at < site->charge_count; at++)
			site->charges[at].line = new_line[site->charges[at].line];
	ARRAY_FOREACH (count, &plan->counts) {
		count->site = new_site[count->site];
		count->line = new_line[count->line];
	}
	ARRAY_FOREACH (function, &plan->functions)
		if (function->entry_line != INDEX_NONE)
			function->entry_line = new_line[function->entry_line];
}

int plan_put_in_order(struct plan *plan)
{
	CLEANUP_FREE uint32_t *new_site = NULL, *new_line = NULL, *sites = NULL, *lines = NULL;
	CLEANUP_FREE struct plan_site *old_sites = NULL;
	CLEANUP_FREE struct plan_line *old_lines = NULL;

	sites = sort_ids(plan, plan->sites.count, compare_sites, &new_site);
	lines = sort_ids(plan, plan->lines.count, compare_lines, &new_line);
	old_sites = malloc((plan->sites.count + 1) * sizeof(*old_sites));
	old_lines = malloc((plan->lines.count + 1) * sizeof(*old_lines));
	if (!sites || !lines || !old_sites || !old_lines)
		return -ENOMEM;
	renumber(plan, new_site, new_line);
	for (size_t at = 0; at < plan->sites.count; at++)
		old_sites[at] = plan->sites.items[sites[at]];
	for (size_t at = 0; at < plan->lines.count; at++)
		old_lines[at] = plan->lines.items[lines[at]];
	for (size_t at = 0; at < plan->sites.count; at++)
		plan->sites.items[at] = old_sites[at];
	for (size_t at = 0; at < plan->lines.count; at++)
		plan->lines.items[at] = old_lines[at];
	ARRAY_SORT(&plan->counts, compare_counts);
	return 0;
}
