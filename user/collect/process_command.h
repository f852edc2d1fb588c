/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process was started as, for people. */
#ifndef LPROF_COLLECT_PROCESS_COMMAND_H
#define LPROF_COLLECT_PROCESS_COMMAND_H

#include <sys/types.h>

/* Its arguments with spaces between, or its name, or "": the caller frees. NULL: no memory. */
char *process_command(pid_t pid);

#endif
