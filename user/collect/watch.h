/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting, in `lprof record`, for whichever comes first: the duration, the user (Ctrl-C, SIGTERM,
 * SIGHUP), or the end of all targets. Opened before the work begins, so that none is missed.
 */
#ifndef LPROF_COLLECT_WATCH_H
#define LPROF_COLLECT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/failure.h"

struct watch;

/* -ESRCH: there is no such process. Blocks the signals that end the wait, until watch_free(). */
int watch_open(const pid_t *pids, size_t count, struct watch **ret_watch, struct failure *failure);

struct watch_options {
	uint64_t duration_ns;           /* 0: no limit */
	size_t (*alive)(void *context); /* targets beyond those opened, asked once these have ended;
					   NULL: none */
	void (*tick)(void *context);    /* called some dozen times a second; NULL: none */
	int alarm;                      /* when this is readable, tick() is called at once */
	void *context;
};

/* Returns at once if it has come already. */
int watch_wait(struct watch *watch, const struct watch_options *options, struct failure *failure);

/* Whether all opened processes have ended. */
bool watch_all_ended(struct watch *watch);

void watch_free(struct watch *watch);
DEFINE_CLEANUP(struct watch *, watch_free)

#endif
