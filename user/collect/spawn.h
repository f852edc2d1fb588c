/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command of `lprof run`: started, held before its first own instruction with all libraries
 * mapped, let go, waited for. To its user it is as if `env` had started it: same process group,
 * terminal, descriptors, signal dispositions, environment and limits.
 *
 *	fork -- seize -- exec stop -- probe on the entry point -- entry stop -- release -- wait
 *
 * If lprof is killed anywhere on this way the command runs on (or, before its exec, never starts).
 */
#ifndef LPROF_COLLECT_SPAWN_H
#define LPROF_COLLECT_SPAWN_H

#include <signal.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/failure.h"

/* Exit statuses of a shell, and of `env`, for a command that could not be measured or run. */
#define SPAWN_STATUS_FAILED     125
#define SPAWN_STATUS_UNRUNNABLE 126
#define SPAWN_STATUS_NOT_FOUND  127

struct spawn_options {
	const char *const *arguments; /* NULL-terminated; [0] is looked up in PATH */
	const char *user;             /* run as this user; NULL: as the caller */
};

struct spawn;

/*
 * Starts the command and returns with it held at its entry point. On failure *ret_status is what
 * `lprof run` exits with. -ECHILD: it ended before its entry point (in a library's constructor,
 * say); *ret_status is then its own. Blocks the signals that spawn_wait() handles.
 */
int spawn_open(const struct spawn_options *options, struct spawn **ret_spawn, int *ret_status,
    struct failure *failure);

pid_t spawn_pid(const struct spawn *spawn);

/* Lets the command run, untraced. -ESRCH: it was killed meanwhile, which spawn_wait() tells. */
int spawn_release(struct spawn *spawn, struct failure *failure);

struct spawn_waiting {
	void (*tick)(void *context); /* called some dozen times a second */
	int alarm;                   /* when this is readable, tick() is called at once */
	void *context;
};

/*
 * Waits for the command's end, passing on signals that were sent to lprof alone (not those that the
 * terminal sends to the whole process group). Gives its status as a shell has it: 128+N for signal
 * N. `waiting` may be NULL.
 */
int spawn_wait(struct spawn *spawn, const struct spawn_waiting *waiting, int *ret_status,
    struct failure *failure);

/* Kills a command that was never released; restores the caller's signals. */
void spawn_free(struct spawn *spawn);
DEFINE_CLEANUP(struct spawn *, spawn_free)

#endif
