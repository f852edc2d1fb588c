/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state file: which probes are wanted, and where their parts are in the pinned tables.
 *
 *	{"version": 1, "boot": BOOT_ID, "started_ns", "restarts", "next_id", "next_file",
 *	 "sampling_hz", "sampling_event",
 *	 "targets": [{"pid", "command"}],
 *	 "probes": [{"id", "user", "active", "ends_ns", "request": {...},
 *		     "parts": [{"functions", "sites", "lines", "scope", "links", "slot", "phase",
 *"shown", "hash", "file", "device", "inode", "size", "changed_ns"}]}]}
 *
 * It is written before and after each change of the kernel's side, so that a daemon killed at any
 * moment is followed by one that knows what may stand.
 */
#ifndef LPROF_CONTROL_STATE_H
#define LPROF_CONTROL_STATE_H

#include "control/probes.h"
#include "control/sampling.h"

#define STATE_SIZE_MAX (64u << 20)
#define BOOT_ID_MAX    64

/* What was read, not yet done. */
struct stored_part {
	struct engine_place place;
	uint64_t links, hash, file;
	uint32_t slot;
	bool shown;
	enum part_phase phase;
	struct file_identity identity;
};

struct stored_probe {
	uint64_t id, user;
	bool active;
	int64_t ends_ns;
	struct probe_request request;
	ARRAY(struct stored_part) parts;
};

struct stored_target {
	int64_t pid;
	char *command;
};

struct state {
	char boot[BOOT_ID_MAX];
	int64_t started_ns;
	uint64_t restarts, next_id, next_file;
	uint32_t sampling_hz;
	char sampling_event[SAMPLING_EVENT_MAX];
	ARRAY(struct stored_probe) probes;
	ARRAY(struct stored_target) targets;
};

/* -EBADMSG: damaged, with the place. Free in any case. */
int state_read(const char *name, const char *bytes, size_t size, struct state *ret_state,
    struct failure *failure);
void state_fini(struct state *state);

struct state_input {
	const struct probes *probes;
	const char *boot;
	uint64_t restarts;
};

/* Writes the present state to `path`, atomically. */
int state_save(const struct state_input *input, const char *path, struct failure *failure);

/*
 * Puts the stored probes into `probes`, their parts into the engine, which was adopted from the
 * same boot. What was being attached is attached again.
 */
int state_adopt(struct state *state, struct probes *probes, struct failure *failure);

/* Plans and attaches the stored active probes anew, in an engine that knows nothing of them. */
void state_renew(struct state *state, struct probes *probes);

#endif
