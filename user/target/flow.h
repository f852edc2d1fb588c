/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control flow of one machine function: its instructions in address order and its basic blocks.
 *
 * A block begins at an entry, at a target of a jump, at a landing pad of exceptions, and behind an
 * instruction that jumps; calls do not end one. Where an indirect jump's targets are unknown, every
 * line row also begins a block, since whatever a switch selects begins a statement.
 */
#ifndef LPROF_TARGET_FLOW_H
#define LPROF_TARGET_FLOW_H

#include "base/array.h"
#include "target/image_index.h"
#include "target/instruction.h"

#define FLOW_NONE UINT32_MAX

struct flow_block {
	uint32_t first, count;  /* into instructions */
	uint32_t successors[2]; /* block ids or FLOW_NONE */
	bool jumped_to;         /* some jump or branch of this function targets it */
	bool unknown_entry;     /* control may come from where the decoder cannot see */
};

struct flow {
	ARRAY(struct instruction) instructions; /* ascending addresses */
	ARRAY(struct flow_block) blocks;        /* ascending addresses */
	uint32_t *block_of;                     /* by instruction */
	bool has_calls;
	bool has_unknown_jumps; /* indirect ones for which no jump table was found */
	uint64_t undecoded;     /* first address where decoding stopped early, 0: none */
};

/* Decodes all ranges of a copy. -ENOMEM. The flow may be reused: it is emptied first. */
int flow_build(struct flow *flow, const struct image_index *index, uint32_t copy,
    const struct instruction_kernel *kernel);
void flow_fini(struct flow *flow);

/* The instruction that begins at `address`, or FLOW_NONE. */
uint32_t flow_find(const struct flow *flow, uint64_t address);

/* Whether `address` lies in the copy's ranges. */
bool flow_copy_holds(const struct image_index *index, uint32_t copy, uint64_t address);

#endif
