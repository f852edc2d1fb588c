/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to be pushed and was not accepted yet: a directory with a file for each profile, bounded
 * in bytes, and one, `told`, with the sum of all that was ever put into the spool.
 *
 * Both must agree whenever the power goes, or a count is pushed twice or never. So profiles are
 * numbered, and `told` says which number is the last it holds: it is written after the profile's
 * file, and a file with a higher number does not count. It is removed, and what it held is in the
 * next one.
 */
#ifndef LPROF_CONTROL_PUSH_SPOOL_H
#define LPROF_CONTROL_PUSH_SPOOL_H

#include <stdint.h>

#include "base/array.h"
#include "base/failure.h"
#include "model/profile.h"

struct spool_item {
	uint64_t number;
	int64_t from_ns, until_ns; /* CLOCK_REALTIME */
	uint64_t size;
};

/* Which counters `told` is about: others begin at zero, and nothing of them was told. */
struct spool_identity {
	char boot[64];
	int64_t started_ns;
};

struct push_spool {
	char *directory;
	uint64_t limit; /* bytes of all profiles */
	uint64_t bytes;
	uint64_t number;                /* of the last profile that counts */
	ARRAY(struct spool_item) items; /* those not accepted, oldest first */
	uint64_t dropped;               /* by push_spool_add() */
};

/*
 * Opens or makes the directory, and reads what was told of the counters of that identity: an empty
 * profile, if nothing was. A damaged `told` is put aside, said, and *ret_told is NULL: what was
 * told is not known.
 */
int push_spool_open(const char *directory, uint64_t limit, const struct spool_identity *identity,
    struct push_spool *ret_spool, struct profile **ret_told, struct failure *failure);
void push_spool_fini(struct push_spool *spool);

/*
 * Puts in a profile, as pprof has it, and what was told with it. Once it is there the oldest are
 * dropped until all fit: for that moment the limit is exceeded by the new one. It is dropped itself
 * if it does not fit alone. On failure the spool is as it was.
 */
int push_spool_add(struct push_spool *spool, const struct spool_item *item, const void *data,
    const struct profile *told, const struct spool_identity *identity, struct failure *failure);

/* Replaces what was told, and nothing else. */
int push_spool_tell(struct push_spool *spool, const struct profile *told,
    const struct spool_identity *identity, struct failure *failure);

/* The bytes of a profile, which the caller frees. */
int push_spool_read(const struct push_spool *spool, const struct spool_item *item, char **ret_data,
    size_t *ret_size, struct failure *failure);

/* Removes a profile that was accepted, or never will be; one that is gone already is no matter. */
void push_spool_remove(struct push_spool *spool, uint64_t number);

bool push_spool_has(const struct push_spool *spool, uint64_t number);

/* Removes the directory with all that a spool has in it. */
void push_spool_purge(const char *directory);

#endif
