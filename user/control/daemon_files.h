/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that lprofd writes, and the probes that it reads. */
#ifndef LPROF_CONTROL_DAEMON_FILES_H
#define LPROF_CONTROL_DAEMON_FILES_H

#include "collect/old_counters.h"
#include "control/daemon.h"

/* The profile of everything, to the configured file (beside the state, unless absolute). */
int daemon_write_profile(struct daemon *daemon, struct failure *failure);

/* The profile of one probe, to the files that were asked for with it. Failures are logged. */
void daemon_write_outputs(struct daemon *daemon, const struct probe *probe);

/* Writes a snapshot when its time has come, and removes the oldest beyond the configured number. */
void daemon_snapshot_if_due(struct daemon *daemon);

/*
 * Keeps what an lprofd of another layout counted: a directory old-counters-TIME beside the state,
 * with the counters by the names of their fields, and its state and plans, which tell whose they
 * are.
 */
int daemon_save_old(
    const struct daemon *daemon, const struct old_counters *old, struct failure *failure);

/*
 * Sets the probes of /etc/lprof/probes.d/ *.conf; those that stand already go on, at their files'
 * rates, or, where they were adopted, as they were.
 */
int daemon_read_probes(struct daemon *daemon, bool adopted, struct failure *failure);

/* Removes what writes that were killed left behind, plans, or all that lprofd wrote but profiles.
 */
void daemon_remove_leftovers(const struct daemon *daemon);
void daemon_remove_plans(const struct daemon *daemon);
void daemon_remove_files(const struct daemon *daemon);

#endif
