/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a profile knows, as weighted stacks of frames: what flame graphs are drawn from.
 *
 * Sampled stacks are what they are. Exact measurements know of each call only its nearest measured
 * caller (output/call_paths.h): above a function stand the callers that are certain, and where
 * there were several, "[several callers]" or, of functions without measured lines, each of them
 * with the time of its calls. The line where a stack ended is a frame of its own, "add.c:6".
 */
#ifndef LPROF_OUTPUT_FLAMES_H
#define LPROF_OUTPUT_FLAMES_H

#include "model/profile.h"
#include "output/call_paths.h"
#include "output/names.h"
#include "output/text_table.h"

/* FLAMES(id, title of what weighs) */
#define FLAMES_KINDS(FLAMES)                                                             \
	FLAMES(CPU, "CPU time, sampled")                   /* weights are samples */     \
	FLAMES(LINES, "time without callees, by line")     /* ns; exact for each line */ \
	FLAMES(CALLERS, "time without callees, by caller") /* ns; lines where callers are one */

enum flames_kind {
#define FLAMES(id, title) FLAMES_##id,
	FLAMES_KINDS(FLAMES)
#undef FLAMES
};

struct flames_frame {
	const char *name; /* printable, in `texts` */
	const char *file; /* printable; "" unknown */
	uint32_t line;
};

struct flames_stack {
	size_t first, count; /* in `places` */
	uint64_t weight;
};

struct flames {
	ARRAY(struct flames_frame) frames;
	ARRAY(struct flames_stack) stacks;
	ARRAY(uint32_t) places; /* frames of the stacks, outermost first */
	uint64_t total;         /* weight */
	uint64_t shortened;     /* names */
	/* while they are built */
	const struct profile *profile;
	const struct names *names;
	const char *forbidden;
	struct text_table texts, keys;
	struct call_path path;
	int error;
};

/* Characters of `forbidden` become colons in names. 0 or -ENOMEM; end it with flames_fini(). */
int flames_init(struct flames *flames, const struct profile *profile, const struct names *names,
    const char *forbidden);

/* Replaces the stacks; frames stay, and are shared by all kinds. Stacks of no weight are left out.
 * 0 or -ENOMEM. */
int flames_build(struct flames *flames, enum flames_kind kind);

void flames_fini(struct flames *flames);

#endif
