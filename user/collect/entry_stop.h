/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A probe on the entry point of a command that has just been executed: reached once the dynamic
 * linker has mapped all libraries, before the command's own code runs.
 */
#ifndef LPROF_COLLECT_ENTRY_STOP_H
#define LPROF_COLLECT_ENTRY_STOP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/failure.h"

struct entry_stop;

/* `pid` stands at its exec. It gets SIGWINCH when it reaches the entry point of /proc/PID/exe. */
int entry_stop_open(pid_t pid, struct entry_stop **ret_stop, struct failure *failure);

/* Whether it has been there. */
bool entry_stop_reached(const struct entry_stop *stop);

void entry_stop_free(struct entry_stop *stop); /* removes the probe */
DEFINE_CLEANUP(struct entry_stop *, entry_stop_free)

#endif
