/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the planner share: the plan being built, the image being planned, and the one
 * machine function in hand. Private to user/target/plan*.c.
 *
 * A machine function is planned in this order, each step in its own file:
 *	plan_entries.c	  entry and exits			(roles ENTRY, RETURN, EXIT)
 *	plan_statements.c a site for every statement		(role LINE)
 *	plan_derive.c	  takes away sites whose counts follow from others
 *	plan_time.c	  sites that only move time		(roles LINE and SILENT)
 *	plan_emit.c	  drafts become sites of the plan
 */
#ifndef LPROF_TARGET_PLAN_BUILDER_H
#define LPROF_TARGET_PLAN_BUILDER_H

#include "target/flow.h"
#include "target/id_map.h"
#include "target/plan.h"

/* What will stand at one instruction of the function in hand. */
struct draft {
	uint16_t roles, standby;
	uint8_t moved;
	bool charged; /* `charges` are computed */
	uint8_t charge_count;
	int32_t stack_offset;
	struct charge charges[CHARGES_MAX];
};

/* One statement of the function in hand: an is_stmt row of a line that somebody asked for. */
struct statement {
	uint32_t at;       /* instruction where it begins */
	uint32_t instance; /* inlined instance it belongs to, or INDEX_NONE */
	uint32_t line;     /* plan line */
	uint32_t column;
	uint32_t site; /* instruction of its site, FLOW_NONE: none possible, or derived */
	uint32_t first_term, term_count; /* of a derived count: into terms */
};

/* A count that follows from others: a sum of the hits of sites, each with a sign. */
struct derived_term {
	uint32_t site; /* instruction */
	int32_t sign;
};

/* A source function's extent in a file, for finding the owner of a row. */
struct owner {
	uint32_t file, first, last, source;
};

struct builder {
	struct plan *plan;
	const struct plan_options *options;
	struct instruction_kernel kernel;

	/* Of the image in hand. */
	const struct image_index *index;
	uint32_t image;
	uint32_t *function_of;      /* by source: plan function id or NO_FUNCTION */
	ARRAY(struct owner) owners; /* sorted by file and first line */
	struct id_map lines;        /* (function, file), line -> plan line */

	/* Of the machine function in hand. */
	uint32_t copy;
	uint32_t function; /* plan function id, or NO_FUNCTION: it only hosts inlined code */
	struct flow flow;
	struct draft *drafts; /* by instruction */
	uint32_t entry_site;  /* instruction, or FLOW_NONE */
	/* Instructions that grow Go's stack and begin again: [growth_first, growth_end). */
	uint32_t growth_first, growth_end;
	ARRAY(struct statement) statements;
	ARRAY(struct derived_term) terms;
};

/* ---- plan_lines.c: rows, lines and who owns them ---- */

int builder_index_owners(struct builder *builder);

/* The plan line of (function, file of the index, line), made on first use; INDEX_NONE: no memory.
 */
uint32_t builder_line(struct builder *builder, uint32_t function, uint32_t file, uint32_t line);

/*
 * The plan function that a row at `address` belongs to, NO_FUNCTION if none that was asked for with
 * lines; *ret_instance is its inlined instance there or INDEX_NONE.
 */
uint32_t builder_row_owner(
    struct builder *builder, uint64_t address, const struct line_row *row, uint32_t *ret_instance);

/* The draft at an instruction with its charges computed; NULL: no memory. */
struct draft *builder_charges(struct builder *builder, uint32_t at);

/* Whether time at both instructions belongs to the same rows. */
bool builder_same_charges(struct builder *builder, uint32_t left, uint32_t right);

int builder_leave_out(struct builder *builder, uint64_t address, uint32_t line, const char *reason);

/* Whether control is at the instruction before the call has begun: in a check of the stack's size
 * that the entry's probe stands behind, or where the stack grows. */
bool builder_precedes_entry(const struct builder *builder, uint32_t at);

/* ---- The steps ---- */

int plan_entries(struct builder *builder);
int plan_statements(struct builder *builder);
int plan_derive(struct builder *builder);
int plan_time(struct builder *builder);
int plan_emit(struct builder *builder);

/* Sites by image and address, lines by function, file and line. -ENOMEM. */
int plan_put_in_order(struct plan *plan);

#endif
