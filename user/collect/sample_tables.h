/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's tables of samples, with the files whose code they are of: what outlives a sampler,
 * and, pinned, the process that made them.
 */
#ifndef LPROF_COLLECT_SAMPLE_TABLES_H
#define LPROF_COLLECT_SAMPLE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/failure.h"
#include "collect/code_images.h"
#include "model/profile.h"

enum sample_table { TABLE_STACKS, TABLE_LEAVES, TABLE_COUNTS, TABLE_FILES, SAMPLE_TABLES };

struct sample_tables {
	int maps[SAMPLE_TABLES];
	struct code_images images;
	uint64_t missed; /* samples that the kernel dropped, of samplers that ended */
};

/*
 * Makes them, or goes on with those that are pinned in the directory (NULL: none, and they end with
 * this process). -EPERM; -ENOMEM.
 */
int sample_tables_open(
    const char *pins, struct sample_tables **ret_tables, struct failure *failure);
void sample_tables_free(struct sample_tables *tables); /* what is pinned stays */
DEFINE_CLEANUP(struct sample_tables *, sample_tables_free)

/* Whether some are pinned there. */
bool sample_tables_are_pinned(const char *pins);

/* Takes the pins away. */
void sample_tables_unpin(const char *pins);

/*
 * Adds the samples of some slots to a profile: to its functions and lines, and to more of them; at
 * any time.
 */
int sample_tables_drain(struct sample_tables *tables, uint64_t slots, uint64_t period_ns,
    struct profile *profile, struct failure *failure);

/*
 * Forgets the samples of some slots; those of others stay. `all`: no others have any, so that what
 * was lost is forgotten as well. -ENOMEM.
 */
int sample_tables_reset(
    struct sample_tables *tables, uint64_t slots, bool all, struct failure *failure);

#endif
