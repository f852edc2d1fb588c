/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ties the timing programs to the plan's sites, by whichever way the kernel has.
 *
 *	session	one multi link an image for entries with returns, one for all other sites
 *	multi	one multi link an image for all sites, one for the returns
 *	perf	a perf uprobe a site and a return
 *
 * A multi link is all or nothing, so when the kernel refuses one, it is halved until the refused
 * sites stand alone; they are reported and the rest is attached.
 */
#ifndef LPROF_COLLECT_ATTACH_H
#define LPROF_COLLECT_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/failure.h"
#include "collect/engine.h"
#include "collect/features.h"
#include "target/plan.h"

/* Descriptors of the loaded programs; -1 where the method does not use one. */
struct attach_programs {
	int session, site, returns;
};

struct attach_options {
	enum attach_method method; /* not BEST: attach_choose() */
	struct attach_programs programs;
	pid_t pid;    /* only this process; 0: all */
	bool images;  /* the dynamic linker's word about images, and nothing else; give a pid */
	bool standby; /* the exit sites that stand by, and nothing else */
	const uint8_t *sets; /* by site: only those that are of `set`; NULL: all */
	uint8_t set;
	uint32_t first_site; /* the kernel's number of the plan's first site: cookies count on */
	void (*progress)(void *context, const char *what, size_t done, size_t all); /* or NULL */
	void *context;
};

struct attach_refusal {
	uint32_t site; /* index into the plan's sites */
	int error;     /* errno */
};

struct attachment {
	ARRAY(int) multi_links; /* descriptors */
	ARRAY(int) perf_links;
	ARRAY(struct attach_refusal) refusals; /* one a site */
};

/* The method to use: `wanted`, or the best there is; -ENOSYS: the kernel has not what is wanted. */
int attach_choose(const struct features *features, enum attach_method wanted,
    enum attach_method *ret_method, struct failure *failure);

/*
 * Attaches every site that is asked for, or reports its refusal. Fails, with nothing attached, when
 * nothing can be: -EPERM, -EMFILE, -ENOMEM, -ESRCH (the process has ended), or when all sites are
 * refused.
 */
int attach_open(const struct plan *plan, const struct attach_options *options,
    struct attachment **ret_attachment, struct failure *failure);

/* Gives `more`, which is freed, to what is attached. -ENOMEM: nothing happened. */
int attach_join(struct attachment *attachment, struct attachment *more);

/* Detaches. Refusals stay. */
void attach_close(struct attachment *attachment);

/* Detaches what still is attached. */
void attach_free(struct attachment *attachment);
DEFINE_CLEANUP(struct attachment *, attach_free)

/* "session", "multi" or "perf". */
const char *attach_method_name(enum attach_method method);

/* What a refusal's errno means for a site. */
const char *attach_refusal_reason(int error);

#endif
