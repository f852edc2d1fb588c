// SPDX-License-Identifier: GPL-2.0-or-later
// Takes away single-stepped line sites whose counts follow from others by conservation of flow.
//
// What enters a block leaves it, so along edges whose counts are known the count of a block without
// a site is a sum and difference of its neighbours' sites. Two shapes are used, with at most
// TERMS_MAX terms, and only for blocks without slow instructions, whose time is nanoseconds:
//
//	before:  p             b = p - q        after:  p   b      b = c - p
//	        / \                                      \ /
//	       q   b                                      c
//
// A call may not come back, so a site speaks for a block's beginning only before its first call,
// and for its end only behind its last. Sites that others are derived from stay.
#include "target/plan_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TERMS_MAX 6

struct terms {
	struct derived_term items[TERMS_MAX];
	uint32_t count;
};

/* What is known about each block. */
struct block_facts {
	uint32_t first_predecessor, predecessors; /* into `edges` */
	uint32_t entry_site,
	    end_site;         /* counting sites in its first and last segment, or FLOW_NONE */
	bool open;            /* control can also come from elsewhere */
	struct terms derived; /* its count, where it has lost its site; else empty */
};

struct facts {
	struct block_facts *blocks;
	uint32_t *edges; /* predecessors of all blocks */
	bool *needed;    /* by instruction: others are derived from this site */
};

static void facts_fini(struct facts *facts)
{
	free(facts->blocks);
	free(facts->edges);
	free(facts->needed);
}

static bool counts(const struct builder *builder, uint32_t at)
{
	return (builder->drafts[at].roles & (SITE_LINE | SITE_SILENT)) == SITE_LINE;
}

static void find_sites(const struct builder *builder, uint32_t id, struct block_facts *facts)
{
	const struct flow_block *block = &builder->flow.blocks.items[id];
	bool slow = false;

	facts->entry_site = facts->end_site = FLOW_NONE;
	for (uint32_t at = block->first; at < block->first + block->count; at++) {
		if (counts(builder, at)) {
			if (!slow && facts->entry_site == FLOW_NONE)
				facts->entry_site = at;
			facts->end_site = at;
		}
		if (builder->flow.instructions.items[at].slow) {
			slow = true;
			facts->end_site = FLOW_NONE;
		}
	}
}

static bool has_slow(const struct builder *builder, uint32_t id)
{
	const struct flow_block *block = &builder->flow.blocks.items[id];

	for (uint32_t at = block->first; at < block->first + block->count; at++)
		if (builder->flow.instructions.items[at].slow)
			return true;
	return false;
}

static void link_predecessors(const struct builder *builder, struct facts *facts)
{
	uint32_t blocks = (uint32_t)builder->flow.blocks.count, total = 0;

	for (uint32_t id = 0; id < blocks; id++)
		for (uint32_t way = 0; way < 2; way++)
			if (builder->flow.blocks.items[id].successors[way] != FLOW_NONE)
				facts->blocks[builder->flow.blocks.items[id].successors[way]]
				    .predecessors++;
	for (uint32_t id = 0; id < blocks; id++) {
		facts->blocks[id].first_predecessor = total;
		total += facts->blocks[id].predecessors;
		facts->blocks[id].predecessors = 0;
	}
	for (uint32_t id = 0; id < blocks; id++)
		for (uint32_t way = 0; way < 2; way++) {
			uint32_t next = builder->flow.blocks.items[id].successors[way];
			struct block_facts *of = next == FLOW_NONE ? NULL : &facts->blocks[next];

			if (of)
				facts->edges[of->first_predecessor + of->predecessors++] = id;
		}
}

static int gather_facts(struct builder *builder, struct facts *facts)
{
	uint32_t blocks = (uint32_t)builder->flow.blocks.count;
	uint32_t entry =
	    flow_find(&builder->flow, builder->index->copies.items[builder->copy].entry);

	facts->blocks = calloc(blocks + 1, sizeof(*facts->blocks));
	facts->edges = calloc(2 * (size_t)blocks + 1, sizeof(*facts->edges));
	facts->needed = calloc(builder->flow.instructions.count + 1, sizeof(*facts->needed));
	if (!facts->blocks || !facts->edges || !facts->needed)
		return -ENOMEM;
	for (uint32_t id = 0; id < blocks; id++) {
		find_sites(builder, id, &facts->blocks[id]);
		facts->blocks[id].open = builder->flow.blocks.items[id].unknown_entry;
	}
	if (entry != FLOW_NONE)
		facts->blocks[builder->flow.block_of[entry]].open = true;
	link_predecessors(builder, facts);
	return 0;
}

static bool add_term(struct terms *terms, uint32_t site, int32_t sign)
{
	if (site == FLOW_NONE)
		return false;
	for (uint32_t at = 0; at < terms->count; at++)
		if (terms->items[at].site == site && terms->items[at].sign == -sign) {
			terms->items[at] = terms->items[--terms->count];
			return true;
		}
	if (terms->count == TERMS_MAX)
		return false;
	terms->items[terms->count++] = (struct derived_term){site, sign};
	return true;
}

/* Adds sign times how often control enters a block, or leaves it at its end. */
static bool add_block(
    const struct block_facts *block, bool at_end, int32_t sign, struct terms *terms)
{
	if (!block->derived.count)
		return add_term(terms, at_end ? block->end_site : block->entry_site, sign);
	for (uint32_t at = 0; at < block->derived.count; at++)
		if (!add_term(
			terms, block->derived.items[at].site, sign * block->derived.items[at].sign))
			return false;
	return true;
}

/* The only way into `id` is from one block. */
static bool only_predecessor(const struct facts *facts, uint32_t id)
{
	return facts->blocks[id].predecessors == 1 && !facts->blocks[id].open;
}

/* Adds sign times the count of the edge from block `from` to block `to`. */
static bool add_edge(const struct builder *builder, const struct facts *facts, uint32_t from,
    uint32_t to, int32_t sign, struct terms *terms)
{
	const uint32_t *successors = builder->flow.blocks.items[from].successors;
	uint32_t other = successors[0] == to ? successors[1] : successors[0];
	const struct instruction *last =
	    &builder->flow.instructions.items[builder->flow.blocks.items[from].first +
					      builder->flow.blocks.items[from].count - 1];

	if (successors[0] == successors[1])
		return false;
	if (other == FLOW_NONE) /* a conditional jump out of the function is no single way */
		return last->kind != INSTRUCTION_BRANCH &&
		       add_block(&facts->blocks[from], true, sign, terms);
	return only_predecessor(facts, other) &&
	       add_block(&facts->blocks[from], true, sign, terms) &&
	       add_block(&facts->blocks[other], false, -sign, terms);
}

/* Adds sign times the counts of all edges into `id` but those from `except`. */
static bool add_ways_in(const struct builder *builder, const struct facts *facts, uint32_t id,
    uint32_t except, int32_t sign, struct terms *terms)
{
	const struct block_facts *block = &facts->blocks[id];

	if (block->open || !block->predecessors)
		return false;
	for (uint32_t at = 0; at < block->predecessors; at++) {
		uint32_t from = facts->edges[block->first_predecessor + at];

		if (from != except && !add_edge(builder, facts, from, id, sign, terms))
			return false;
	}
	return true;
}

static bool derive_before(
    const struct builder *builder, const struct facts *facts, uint32_t id, struct terms *terms)
{
	terms->count = 0;
	return add_ways_in(builder, facts, id, FLOW_NONE, 1, terms);
}

static bool derive_after(
    const struct builder *builder, const struct facts *facts, uint32_t id, struct terms *terms)
{
	const struct flow_block *block = &builder->flow.blocks.items[id];
	const struct instruction *last =
	    &builder->flow.instructions.items[block->first + block->count - 1];
	uint32_t next =
	    block->successors[0] == FLOW_NONE ? block->successors[1] : block->successors[0];

	terms->count = 0;
	return next != FLOW_NONE && next != id && last->kind != INSTRUCTION_BRANCH &&
	       add_block(&facts->blocks[next], false, 1, terms) &&
	       add_ways_in(builder, facts, next, id, -1, terms);
}

/* The one site of the block, if it is a stepped line site that nothing else needs. */
static uint32_t dispensable_site(
    const struct builder *builder, const struct facts *facts, uint32_t id)
{
	uint32_t site = facts->blocks[id].entry_site;

	if (site == FLOW_NONE || site != facts->blocks[id].end_site || facts->needed[site] ||
	    builder->drafts[site].roles != SITE_LINE ||
	    builder->flow.instructions.items[site].emulated || has_slow(builder, id))
		return FLOW_NONE;
	return site;
}

static int replace_site(struct builder *builder, struct facts *facts, uint32_t id, uint32_t site,
    const struct terms *terms)
{
	uint32_t first = (uint32_t)builder->terms.count;

	for (uint32_t at = 0; at < terms->count; at++) {
		int error = ARRAY_APPEND(&builder->terms, terms->items[at]);

		if (error)
			return error;
		facts->needed[terms->items[at].site] = true;
	}
	ARRAY_FOREACH (statement, &builder->statements) {
		if (statement->site != site)
			continue;
		statement->site = FLOW_NONE;
		statement->first_term = first;
		statement->term_count = terms->count;
		builder->plan->lines.items[statement->line].shared = true;
	}
	builder->drafts[site].roles = 0;
	builder->drafts[site].moved = 0;
	facts->blocks[id].entry_site = facts->blocks[id].end_site = FLOW_NONE;
	facts->blocks[id].derived = *terms;
	return 0;
}

/*
 * A sum of sites only: a line's hits are then still the sum over the sites that count it, as for
 * every other line, and a reader of the plan can check it.
 */
static bool is_sum(const struct terms *terms)
{
	for (uint32_t at = 0; at < terms->count; at++)
		if (terms->items[at].sign < 0)
			return false;
	return terms->count > 0;
}

static int derive_block(
    struct builder *builder, struct facts *facts, uint32_t id, bool *ret_derived)
{
	uint32_t site = dispensable_site(builder, facts, id);
	struct terms terms = {};

	*ret_derived = false;
	if (site == FLOW_NONE)
		return 0;
	facts->blocks[id].entry_site = facts->blocks[id].end_site = FLOW_NONE;
	if ((derive_before(builder, facts, id, &terms) && is_sum(&terms)) ||
	    (derive_after(builder, facts, id, &terms) && is_sum(&terms))) {
		*ret_derived = true;
		return replace_site(builder, facts, id, site, &terms);
	}
	facts->blocks[id].entry_site = facts->blocks[id].end_site = site;
	return 0;
}

int plan_derive(struct builder *builder)
{
	CLEANUP(facts_fini) struct facts facts = {};
	int error = gather_facts(builder, &facts);
	bool changed = true, derived;

	builder->terms.count = 0;
	while (!error && changed) {
		changed = false;
		for (uint32_t id = 0; !error && id < builder->flow.blocks.count; id++) {
			error = derive_block(builder, &facts, id, &derived);
			changed |= derived;
		}
	}
	return error;
}
