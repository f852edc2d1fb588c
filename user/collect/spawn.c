// SPDX-License-Identifier: GPL-2.0-or-later
// Starts a command, holds it at its entry point, lets it go and waits for it.
#include "collect/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "collect/entry_stop.h"

#define TICK_MS 20 /* between two calls of spawn_wait()'s tick */

struct spawn {
	pid_t pid;
	bool held;  /* not let go yet: ours to kill */
	bool ended; /* waited for; `status` is wait()'s */
	int status;
	sigset_t mask_before;
	struct sigaction child_before; /* of SIGCHLD */
};

/* Signals that are passed on when sent to lprof alone, and the one that tells of the end. */
static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

static void signals_block(struct spawn *spawn)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&blocked, forwarded[i]);
	sigprocmask(SIG_BLOCK, &blocked, &spawn->mask_before);
	sigaction(SIGCHLD, &standard, &spawn->child_before);
}

static void signals_restore(const struct spawn *spawn)
{
	sigaction(SIGCHLD, &spawn->child_before, NULL);
	sigprocmask(SIG_SETMASK, &spawn->mask_before, NULL);
}

/* What the child tells when it could not become the command. */
struct exec_error {
	enum { STEP_USER, STEP_EXEC } step;
	int code;
};

static int become_user(const struct passwd *user)
{
	if (!user)
		return 0;
	if (initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
	    setuid(user->pw_uid) < 0)
		return errno;
	return 0;
}

/* The child: waits until it is traced, then becomes the command. */
static void child_run(const struct spawn *spawn, const struct spawn_options *options,
    const struct passwd *user, int go, int report)
{
	struct exec_error error = {.step = STEP_USER};
	char byte;
	ssize_t written;

	if (read(go, &byte, 1) != 1)
		_exit(SPAWN_STATUS_FAILED); /* lprof is gone */
	error.code = become_user(user);
	if (!error.code) {
		signals_restore(spawn);
		execvp(options->arguments[0], (char *const *)options->arguments);
		error = (struct exec_error){.step = STEP_EXEC, .code = errno};
	}
	written = write(report, &error, sizeof(error));
	_exit(written == sizeof(error) ? SPAWN_STATUS_UNRUNNABLE : SPAWN_STATUS_FAILED);
}

static int find_user(const char *name, const struct passwd **ret_user, struct failure *failure)
{
	*ret_user = NULL;
	if (!name)
		return 0;
	errno = 0;
	*ret_user = getpwnam(name);
	if (!*ret_user)
		return failure_set(
		    failure, errno ? errno : ENOENT, "there is no user \"%s\"", name);
	return 0;
}

/* Forks; the child waits on *ret_go and reports a failed exec through *ret_report. */
static int fork_child(struct spawn *spawn, const struct spawn_options *options, int *ret_go,
    int *ret_report, struct failure *failure)
{
	CLEANUP_CLOSE int go_read = -1;
	CLEANUP_CLOSE int report_write = -1;
	const struct passwd *user;
	int go[2], report[2], error = find_user(options->user, &user, failure);

	if (error)
		return error;
	if (pipe2(go, O_CLOEXEC) < 0)
		return failure_set(failure, errno, "cannot make a pipe: %s", strerror(errno));
	go_read = go[0];
	*ret_go = go[1];
	if (pipe2(report, O_CLOEXEC) < 0)
		return failure_set(failure, errno, "cannot make a pipe: %s", strerror(errno));
	*ret_report = report[0];
	report_write = report[1];
	spawn->pid = fork();
	if (spawn->pid < 0) {
		spawn->pid = 0;
		return failure_set(failure, errno, "cannot start a process: %s", strerror(errno));
	}
	if (!spawn->pid) {
		close(*ret_go);
		close(*ret_report);
		child_run(spawn, options, user, go_read, report_write);
	}
	spawn->held = true;
	return 0;
}

static bool is_job_stop(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static bool is_exec_stop(int status)
{
	return status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8);
}

/*
 * Lets the traced command run, delivering its signals, until its exec or (with `stop`) its entry
 * point. -ECHILD: it ended.
 */
static int run_until(struct spawn *spawn, const struct entry_stop *stop)
{
	while (waitpid(spawn->pid, &spawn->status, __WALL) == spawn->pid) {
		int signal = WSTOPSIG(spawn->status), event = spawn->status >> 16;

		if (!WIFSTOPPED(spawn->status)) {
			spawn->ended = true;
			spawn->held = false;
			return -ECHILD;
		}
		if (!stop && is_exec_stop(spawn->status))
			return 0;
		if (stop && !event && signal == SIGWINCH && entry_stop_reached(stop))
			return 0;
		if (event == PTRACE_EVENT_STOP && is_job_stop(signal))
			ptrace(PTRACE_LISTEN, spawn->pid, NULL, NULL);
		else
			ptrace(PTRACE_CONT, spawn->pid, NULL, event ? 0L : (long)signal);
	}
	return -errno;
}

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The command did not come to its exec: says why. */
static int exec_failed(const struct spawn *spawn, const struct spawn_options *options, int report,
    int *ret_status, struct failure *failure)
{
	struct exec_error error;

	if (read(report, &error, sizeof(error)) != sizeof(error)) {
		*ret_status = shell_status(spawn->status);
		return failure_set(
		    failure, ECHILD, "\"%s\" ended before it was executed", options->arguments[0]);
	}
	if (error.step == STEP_USER) {
		*ret_status = SPAWN_STATUS_FAILED;
		return failure_set(failure, error.code, "cannot become user \"%s\": %s",
		    options->user, strerror(error.code));
	}
	*ret_status = error.code == ENOENT ? SPAWN_STATUS_NOT_FOUND : SPAWN_STATUS_UNRUNNABLE;
	return failure_set(failure, error.code, "cannot run \"%s\": %s", options->arguments[0],
	    strerror(error.code));
}

static int hold_at_exec(struct spawn *spawn, const struct spawn_options *options, int *ret_status,
    struct failure *failure)
{
	CLEANUP_CLOSE int go = -1;
	CLEANUP_CLOSE int report = -1;
	int error = fork_child(spawn, options, &go, &report, failure);

	if (error)
		return error;
	/* Seized before it is let go, so that no exec can be missed; without PTRACE_O_EXITKILL. */
	if (ptrace(PTRACE_SEIZE, spawn->pid, NULL, (void *)(long)PTRACE_O_TRACEEXEC) < 0)
		return failure_set(failure, errno,
		    "cannot trace the command until its start: %s (a container may need the "
		    "SYS_PTRACE capability)",
		    strerror(errno));
	if (write(go, "", 1) != 1)
		return failure_set(failure, errno, "cannot start the command");
	error = run_until(spawn, NULL);
	return error ? exec_failed(spawn, options, report, ret_status, failure) : 0;
}

static int hold_at_entry(struct spawn *spawn, const struct spawn_options *options, int *ret_status,
    struct failure *failure)
{
	CLEANUP(entry_stop_free_p) struct entry_stop *stop = NULL;
	int error = entry_stop_open(spawn->pid, &stop, failure);

	if (error)
		return error;
	ptrace(PTRACE_CONT, spawn->pid, NULL, NULL);
	error = run_until(spawn, stop);
	if (error != -ECHILD)
		return error;
	*ret_status = shell_status(spawn->status);
	return failure_set(failure, ECHILD,
	    "\"%s\" ended, with status %d, before its first instruction could be measured",
	    options->arguments[0], *ret_status);
}

int spawn_open(const struct spawn_options *options, struct spawn **ret_spawn, int *ret_status,
    struct failure *failure)
{
	CLEANUP(spawn_free_p) struct spawn *spawn = calloc(1, sizeof(*spawn));
	int error;

	*ret_status = SPAWN_STATUS_FAILED;
	if (!spawn)
		return failure_set(failure, ENOMEM, "out of memory");
	signals_block(spawn);
	error = hold_at_exec(spawn, options, ret_status, failure);
	if (!error)
		error = hold_at_entry(spawn, options, ret_status, failure);
	if (error)
		return error;
	*ret_spawn = TAKE(spawn);
	return 0;
}

pid_t spawn_pid(const struct spawn *spawn)
{
	return spawn->pid;
}

int spawn_release(struct spawn *spawn, struct failure *failure)
{
	spawn->held = false;
	if (ptrace(PTRACE_DETACH, spawn->pid, NULL, NULL) < 0)
		return failure_set(
		    failure, errno, "the command was killed before it could be let go");
	return 0;
}

/* What the terminal sends (si_code > 0) reaches the whole group by itself. */
static void pass_signals(const struct spawn *spawn, int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD && info.ssi_code <= 0)
			kill(spawn->pid, (int)info.ssi_signo);
}

static int open_signals(void)
{
	sigset_t waited;

	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&waited, forwarded[i]);
	return signalfd(-1, &waited, SFD_CLOEXEC | SFD_NONBLOCK);
}

int spawn_wait(struct spawn *spawn, const struct spawn_waiting *waiting, int *ret_status,
    struct failure *failure)
{
	CLEANUP_CLOSE int signals = open_signals();
	struct pollfd waits[] = {
	    {.fd = signals, .events = POLLIN},
	    {.fd = waiting ? waiting->alarm : -1, .events = POLLIN},
	};

	if (signals < 0)
		return failure_set(failure, errno, "cannot wait for signals: %s", strerror(errno));
	while (!spawn->ended) {
		pid_t pid = waitpid(spawn->pid, &spawn->status, WNOHANG);

		if (pid < 0)
			return failure_set(
			    failure, errno, "cannot wait for the command: %s", strerror(errno));
		spawn->ended = pid == spawn->pid;
		if (spawn->ended)
			break;
		(void)poll(waits, ARRAY_SIZE(waits), waiting ? TICK_MS : -1);
		if (waiting)
			waiting->tick(waiting->context);
		pass_signals(spawn, signals);
	}
	*ret_status = shell_status(spawn->status);
	return 0;
}

void spawn_free(struct spawn *spawn)
{
	if (!spawn)
		return;
	if (spawn->pid && spawn->held) {
		kill(spawn->pid, SIGKILL);
		while (waitpid(spawn->pid, &spawn->status, __WALL) == spawn->pid &&
		       WIFSTOPPED(spawn->status))
			;
	}
	signals_restore(spawn);
	free(spawn);
}
