/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads profiles back: native JSON, our .lprof, .prof and .pb.gz, and those files that
 * line_profiler, cProfile and pprof's writers of CPU profiles wrote. All of it is foreign bytes:
 * every number is range-checked, every size checked before memory is asked for, and a file that is
 * not what it should be gives one sentence naming the file and the place.
 */
#ifndef LPROF_INPUT_INPUT_H
#define LPROF_INPUT_INPUT_H

#include <stddef.h>

#include "base/failure.h"
#include "model/profile.h"

#define INPUT_SIZE_MAX (256u << 20) /* bytes of a file */

/* Reads a file of any known format, told by its content. -EBADMSG: damaged, or none of them. */
int input_read(const char *path, struct profile **ret_profile, struct failure *failure);

/* The same of bytes in memory; `name` is for messages. */
int input_read_bytes(const char *name, const char *bytes, size_t size, struct profile **ret_profile,
    struct failure *failure);

/* The single formats. */
int input_read_json(const char *name, const char *bytes, size_t size, struct profile **ret_profile,
    struct failure *failure);
int input_read_pickle(const char *name, const char *bytes, size_t size,
    struct profile **ret_profile, struct failure *failure);
int input_read_pstats(const char *name, const char *bytes, size_t size,
    struct profile **ret_profile, struct failure *failure);
int input_read_pprof(const char *name, const char *bytes, size_t size, struct profile **ret_profile,
    struct failure *failure); /* compressed or not */

#endif
