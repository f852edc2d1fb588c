/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the reader of pprof's format share. */
#ifndef LPROF_INPUT_PPROF_READER_H
#define LPROF_INPUT_PPROF_READER_H

#include "base/failure.h"
#include "model/pprof.pb-c.h"
#include "model/pprof_types.h"
#include "model/profile.h"

/* Samples' values that are read, by their type's name. */
#define PPROF_TYPES(TYPE)       \
	PPROF_VALUE_TYPES(TYPE) \
	TYPE(samples, "count") /* of other programs: how many `cpu` is of */

enum pprof_type {
#define TYPE(id, unit) PPROF_##id,
	PPROF_TYPES(TYPE)
#undef TYPE
	    PPROF_TYPE_COUNT
};

/* Ids are numbers of any size; sorted by id. */
struct pprof_id {
	uint64_t id;
	uint32_t index;
};

struct pprof_reader {
	const char *name;
	const Pprof__Profile *message;
	struct profile *profile;
	struct failure *failure;
	int columns[PPROF_TYPE_COUNT]; /* among a sample's values, or -1 */
	struct pprof_id *mappings, *functions, *locations;
	uint32_t *rows;        /* the profile's function of each function, or NO_FUNCTION */
	uint32_t *last_stacks; /* of each row: how many stacks there were when it was last in one */
	uint32_t *first_frames; /* of each location, outermost first; one more at the end */
};

/* -EBADMSG, with the file's name in front. */
int pprof_refuse(const struct pprof_reader *reader, const char *sentence);
int pprof_no_memory(const struct pprof_reader *reader);

/* The index of an id, or UINT32_MAX: there is none. */
uint32_t pprof_find(const struct pprof_id *ids, size_t count, uint64_t id);

/* Fills the profile's functions, lines, callers, samples and stacks from the samples; frames and
 * images were read before. */
int pprof_read_samples(struct pprof_reader *reader);

#endif
