// SPDX-License-Identifier: GPL-2.0-or-later
// Turns the drafts of one machine function into sites and counts of the plan.
#include "target/plan_builder.h"

#include <errno.h>
#include <stdlib.h>

static uint8_t cost_of(const struct instruction *instruction, uint16_t roles)
{
	if (roles & SITE_RETURN)
		return instruction->emulated ? COST_ENTRY_EMULATED : COST_ENTRY_STEPPED;
	return instruction->emulated ? COST_EMULATED : COST_STEPPED;
}

static int emit_site(struct builder *builder, uint32_t at, uint32_t *ret_site)
{
	const struct instruction *instruction = &builder->flow.instructions.items[at];
	struct draft *draft = builder_charges(builder, at);
	struct plan_site site = {
	    .image = builder->image,
	    .address = instruction->address,
	    .function = builder->function,
	    .host = builder->copy,
	};
	int error;

	if (!draft)
		return -ENOMEM;
	error = image_index_offset(builder->index, instruction->address, &site.offset);
	if (error)
		return builder_leave_out(builder, instruction->address, INDEX_NONE,
		    "outside the file's executable segments");
	site.roles = draft->roles;
	site.standby = draft->standby;
	if (builder->index->traits & IMAGE_GO) {
		site.roles |= SITE_GO;
		builder->plan->has_go = true;
	}
	site.moved = draft->moved;
	site.cost = cost_of(instruction, draft->roles);
	site.stack_offset = draft->stack_offset;
	if (draft->roles & SITE_LINE) {
		site.charge_count = draft->charge_count;
		for (uint32_t charge = 0; charge < draft->charge_count; charge++)
			site.charges[charge] = draft->charges[charge];
	}
	*ret_site = (uint32_t)builder->plan->sites.count;
	return ARRAY_APPEND(&builder->plan->sites, site);
}

static int emit_count(
    struct builder *builder, const struct statement *statement, uint32_t site, int32_t sign)
{
	if (site == INDEX_NONE)
		return 0;
	return ARRAY_APPEND(&builder->plan->counts,
	    (struct plan_count){statement->line, statement->column, site, sign});
}

/* The statement's own site, or the terms that its count follows from. */
static int emit_counts(
    struct builder *builder, const struct statement *statement, const uint32_t *site_of)
{
	int error = 0;

	if (statement->site != FLOW_NONE)
		return emit_count(builder, statement, site_of[statement->site], 1);
	for (uint32_t at = 0; !error && at < statement->term_count; at++) {
		const struct derived_term *term = &builder->terms.items[statement->first_term + at];

		error = emit_count(builder, statement, site_of[term->site], term->sign);
	}
	return error;
}

int plan_emit(struct builder *builder)
{
	uint32_t count = (uint32_t)builder->flow.instructions.count;
	CLEANUP_FREE uint32_t *site_of = malloc((count + 1) * sizeof(*site_of));
	int error;

	if (!site_of)
		return -ENOMEM;
	for (uint32_t at = 0; at < count; at++) {
		site_of[at] = INDEX_NONE;
		if (!builder->drafts[at].roles && !builder->drafts[at].standby)
			continue;
		error = emit_site(builder, at, &site_of[at]);
		if (error)
			return error;
	}
	ARRAY_FOREACH (statement, &builder->statements) {
		error = emit_counts(builder, statement, site_of);
		if (error)
			return error;
	}
	return 0;
}
