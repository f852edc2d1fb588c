/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The links of the programs that follow the scheduler (bpf/off_cpu.bpf.h): there while
 * calls of some part are split, as every switch of a thread on the machine runs them. Pinned, they
 * go on without the process that made them.
 */
#ifndef LPROF_COLLECT_SCHEDULER_LINKS_H
#define LPROF_COLLECT_SCHEDULER_LINKS_H

#include "base/failure.h"
#include "collect/kernel_objects.h"

#define SCHEDULER_LINKS 2

struct scheduler_links {
	int links[SCHEDULER_LINKS]; /* -1: the scheduler is not followed */
};
#define SCHEDULER_LEFT ((struct scheduler_links){.links = {-1, -1}})

/*
 * Follows the scheduler from now on, or goes on if it is followed, by this process or by one before
 * that pinned its links in the directory (NULL: none). -ENOSYS: the programs are not loaded.
 */
int scheduler_follow(struct scheduler_links *links, const struct kernel_objects *kernel,
    const char *pins, struct failure *failure);

/* Closes the links; what is pinned goes on. */
void scheduler_leave(struct scheduler_links *links);

/* Takes the pins away too. */
void scheduler_unpin(struct scheduler_links *links, const char *pins);

#endif
