/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes map code of a file, whatever they call it. */
#ifndef LPROF_COLLECT_FILE_USERS_H
#define LPROF_COLLECT_FILE_USERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/failure.h"
#include "base/parse.h"

/* Whether a process maps code of the file of this device and inode, as stat() has them. */
bool file_is_mapped(pid_t pid, uint64_t device, uint64_t inode);

/* Appends the processes that do. */
int file_list_users(uint64_t device, uint64_t inode, pid_array *pids, struct failure *failure);

#endif
