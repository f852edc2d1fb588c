/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc tells about processes. `proc` is where it is mounted: "/proc", or a captured tree in
 * tests. All functions fail with -ESRCH if the process does not exist (any more), with -EPERM or
 * -EACCES if it may not be looked at, and say so in `failure`.
 */
#ifndef LPROF_TARGET_PROCESS_H
#define LPROF_TARGET_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/failure.h"
#include "base/parse.h"
#include "target/process_maps.h"

struct process_status {
	pid_t process; /* the thread group: differs from the id asked for if that is a thread's */
	pid_t inner;   /* its id in its own pid namespace */
	pid_t tracer;  /* 0: not traced */
	uid_t user, effective_user;
	unsigned seccomp; /* 0: no filter */
	bool shadow_stack;
	bool zombie; /* ended, and only waiting to be noticed */
};

int process_read_status(
    const char *proc, pid_t pid, struct process_status *ret_status, struct failure *failure);

/* The executable mappings of files. Free with process_maps_fini. */
int process_read_maps(
    const char *proc, pid_t pid, struct process_maps *ret_maps, struct failure *failure);

/* Likewise, with those that no file is behind. */
int process_read_code(
    const char *proc, pid_t pid, struct process_maps *ret_maps, struct failure *failure);

/* Appends the ids of the threads. */
int process_read_threads(const char *proc, pid_t pid, pid_array *threads, struct failure *failure);

/* The command line with blanks between, or "[name]" of a process without one. Caller frees. */
int process_read_command(const char *proc, pid_t pid, char **ret_command, struct failure *failure);

/* The path of the executable as the process sees it, without " (deleted)". Caller frees. */
int process_read_executable(const char *proc, pid_t pid, char **ret_path, struct failure *failure);

/* Where the program's entry point is in memory (AT_ENTRY); less e_entry that is its load bias. */
int process_read_entry(const char *proc, pid_t pid, uint64_t *ret_address, struct failure *failure);

#endif
