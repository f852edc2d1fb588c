/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probes that lprofd was asked for, and their parts in the engine.
 *
 * A probe is a request and has an id for ever. It is active until it is removed, its time is over,
 * or the processes it names have ended; then its probes are gone from the targets and its data
 * stays, until `reset`. A part is one plan of it: an image that is upgraded is planned again, and
 * the old build's part goes on for the processes that still run it.
 *
 * Two active probes never stand in the same machine function of the same processes: each would take
 * the other's frames for calls that were left.
 */
#ifndef LPROF_CONTROL_PROBES_H
#define LPROF_CONTROL_PROBES_H

#include <sys/stat.h>

#include "collect/budget.h"
#include "control/request.h"

/* Which file was planned for: another one of the same name is another build. */
struct file_identity {
	uint64_t device, inode, size;
	int64_t changed_ns; /* st_mtim */
};

enum part_phase {
	PART_ATTACHING, /* its probes may stand in part */
	PART_ATTACHED,
	PART_ENDED,
};

#define NO_SLOT UINT32_MAX

struct probe_part {
	uint32_t number;   /* in the engine */
	uint32_t slot;     /* of its samples, NO_SLOT: it has none */
	struct plan *plan; /* its images' descriptors are its own */
	uint64_t hash;     /* of the plan's text, which is stored under this name and `file` */
	uint64_t file;
	enum part_phase phase;
	struct file_identity identity; /* of the request's image */
};

struct probe {
	uint64_t id;
	uid_t user; /* who asked for it */
	struct probe_request request;
	ARRAY(struct probe_part) parts;
	bool active;
	int64_t ends_ns;              /* CLOCK_REALTIME, 0: never */
	char *problem;                /* why the image could not be planned again; NULL: none */
	struct file_identity refused; /* which build that was */
};

struct sampling;

struct probes_options {
	struct engine *engine;
	struct sampling *sampling;
	struct budget *budget;
	double budget_percent; /* of a probe that asks for none; 0: no limit */
	struct plan_kernel kernel;
	const char *directory; /* where plans are stored */
	/* Makes the present state durable; called before and after the kernel is changed. */
	int (*save)(void *context, struct failure *failure);
	/* A probe has ended: its outputs are to be written. */
	void (*ended)(void *context, const struct probe *probe);
	void *context;
};

struct probes {
	struct probes_options options;
	ARRAY(struct probe *) all; /* by id, ascending */
	uint64_t next_id, next_file;
};

void probes_init(struct probes *probes, const struct probes_options *options);
void probes_fini(struct probes *probes); /* detaches nothing */

/*
 * Plans and attaches. A request that equals an active probe's of the same user is that probe, with
 * the new end, outputs and rate. Takes the request's content. *ret_created: it is new. -EEXIST:
 * another probe stands where this one would, or has rates that differ by spec.
 */
int probes_add(struct probes *probes, struct probe_request *request, uid_t user,
    struct probe **ret_probe, bool *ret_created, struct failure *failure);

/* Whether a request equals an active probe's of that user. */
bool probes_have(const struct probes *probes, const struct probe_request *request, uid_t user);

/* Detaches; the data stays. */
int probes_remove(struct probes *probes, struct probe *probe, struct failure *failure);

/*
 * Does what time has brought: ends probes whose time or whose processes are over, plans images
 * that were replaced. What cannot be done is logged and tried again. True: something changed.
 */
bool probes_tick(struct probes *probes, int64_t now_ns);

/* Forgets ended probes of a user (0: of all) and starts the others' counters from zero. */
int probes_reset(struct probes *probes, uid_t user, struct failure *failure);

/* Sets the rate of a probe's functions that match a glob or name (NULL: all); how many, -errno. */
ssize_t probe_set_rate(struct probes *probes, struct probe *probe, const char *function,
    double rate, struct failure *failure);

/* The probe of that id, or NULL. */
struct probe *probes_find(const struct probes *probes, uint64_t id);

/* Marks the parts of probes that `user` may see; 0 sees all. *ret_wanted is the caller's to free.
 */
int probes_select(const struct probes *probes, uid_t user, const struct probe *only,
    bool **ret_wanted, struct failure *failure);

/* Opens a stored plan's path; the caller frees it. NULL: no memory. */
char *probes_plan_path(const struct probes *probes, uint64_t file);

/* Appends a probe without parts; NULL: no memory. Takes the request. */
struct probe *probes_append(
    struct probes *probes, struct probe_request *request, uid_t user, uint64_t id);

/* What a probe may cost, in percent of one CPU. */
double probes_budget(const struct probes *probes, const struct probe *probe);

/* Plans and attaches an active probe anew: after a reboot. */
int probes_attach(struct probes *probes, struct probe *probe, struct failure *failure);

#endif
