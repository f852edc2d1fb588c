/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Progress of work that takes over a second, as one line on stderr that is redrawn and then wiped;
 * nothing at all where stderr is not a terminal.
 *	Attaching: 12000 of 33850
 */
#ifndef LPROF_BASE_PROGRESS_H
#define LPROF_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool terminal;     /* stderr is one */
	bool shown;        /* a line stands on it */
	uint64_t begun_ns; /* when `what` began */
	uint64_t drawn_ns;
	const char *what;
};

void progress_init(struct progress *progress);

/*
 * `done` of `all` steps of `what` (a string that outlives the progress, compared by content) are
 * over; `all` 0: unknown. Cheap enough for inner loops. `context` is a struct progress, so that
 * this serves as the callback of stages that report progress.
 */
void progress_step(void *context, const char *what, size_t done, size_t all);

/* Wipes the line; call before writing anything else to the terminal. */
void progress_end(struct progress *progress);

#endif
