/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reader of numbers must know beside them, as sentences: for formats that have comments. */
#ifndef LPROF_OUTPUT_NOTES_H
#define LPROF_OUTPUT_NOTES_H

#include "output/names.h"

/* Takes one sentence without newline; 0 or -errno, which ends the listing. */
typedef int (*note_taker)(void *context, const char *sentence);

/*
 * Functions of which some calls only were timed, what was not measured by cause, the probes' cost,
 * and how many names were shortened (names->shortened and `more`). 0, or what `take` returned.
 */
int notes_list(const struct profile *profile, const struct names *names, uint64_t shortened_more,
    note_taker take, void *context);

#endif
