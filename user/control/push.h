/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pushes profiles to a store at an interval: each has what was counted since the one before, and
 * stays on disk (push_spool.h) until the store has accepted it. Counts are pushed once: in exactly
 * one profile, whatever happens to lprofd, its counters or the store. A profile is sent again where
 * its acceptance was not heard.
 *
 * What says that it cannot be now (a server that is not there, slow, broken, over its limits, asks
 * for other credentials) is tried again, after a time that doubles and is not the same on all
 * machines. What says that it never will be (400, 413, 422) is dropped, and said.
 */
#ifndef LPROF_CONTROL_PUSH_H
#define LPROF_CONTROL_PUSH_H

#include <systemd/sd-event.h>

#include "base/failure.h"
#include "control/config.h"
#include "model/profile.h"

struct push;

struct push_options {
	sd_event *event;
	const struct config *config; /* outlives the pusher */
	const char *state_directory;
	const char *boot;
	int64_t started_ns; /* when counting began: the counters' identity */
	/* A profile of everything so far. */
	int (*drain)(void *context, struct profile **ret_profile, struct failure *failure);
	void *context;
};

struct push_status {
	const char *url, *store;
	uint64_t pushed;  /* profiles that were accepted, since this process started */
	uint64_t failed;  /* attempts */
	uint64_t dropped; /* profiles that never will be pushed */
	uint64_t spooled, spool_bytes, spool_limit;
	int64_t pushed_ns;   /* CLOCK_REALTIME of the last success, 0: none */
	uint64_t next_ns;    /* until the next attempt, 0: none is waited for */
	const char *problem; /* why the last attempt failed; NULL: it did not */
};

/* *ret_push is NULL without push_url. */
int push_open(const struct push_options *options, struct push **ret_push, struct failure *failure);
void push_free(struct push *push); /* what is not pushed stays on disk */
DEFINE_CLEANUP(struct push *, push_free)

/* Around taking counts out of the counters, which are told before. `push` may be NULL. */
void push_before_reset(struct push *push);
void push_after_reset(struct push *push);

/* Puts all that was counted on disk, for the next start; NULL: nothing to do. */
int push_finish(struct push *push, struct failure *failure);

void push_get_status(const struct push *push, struct push_status *ret_status);

/* Removes what pushers left in a state directory. */
void push_purge(const char *state_directory);

#endif
