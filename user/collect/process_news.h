/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hears what all processes map, execute and end, from the kernel's records of perf_event_open(2).
 */
#ifndef LPROF_COLLECT_PROCESS_NEWS_H
#define LPROF_COLLECT_PROCESS_NEWS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/failure.h"

struct process_news;

struct process_news_handlers {
	/* It maps code of a file of this inode (0: of none) anew. */
	void (*mapped)(void *context, pid_t pid, uint64_t inode);
	void (*forked)(void *context, pid_t parent, pid_t child); /* processes, not threads */
	void (*executed)(void *context, pid_t pid); /* another program, or got another name */
	void (*ended)(void *context, pid_t pid);    /* or one of its threads */
	void (*lost)(void *context);                /* some news did not fit */
	void *context;
};

/* Hears from now on. -EPERM, -ENOSYS or what else hinders. */
int process_news_open(const struct process_news_handlers *handlers, struct process_news **ret_news,
    struct failure *failure);
void process_news_free(struct process_news *news);
DEFINE_CLEANUP(struct process_news *, process_news_free)

/* Calls the handlers with what came; waits so long for something to come. */
void process_news_take(struct process_news *news, int timeout_ms);

/* Readable when something came: for event loops. */
int process_news_fd(const struct process_news *news);

#endif
