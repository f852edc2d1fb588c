// SPDX-License-Identifier: GPL-2.0-or-later
// Waits for a duration, a signal or the end of processes.
#include "collect/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define ASK_ALIVE_MS 100
#define TICK_MS      20

struct watch {
	int signals;
	struct pollfd *waits; /* [0]: signals; then processes, fd -1 once ended; last: the alarm */
	size_t count;         /* of processes */
	sigset_t mask_before;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int watch_init(struct watch *watch, const pid_t *pids, size_t count, struct failure *failure)
{
	sigset_t ending;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, &watch->mask_before);
	watch->waits = calloc(count + 2, sizeof(*watch->waits));
	if (!watch->waits)
		return failure_set(failure, ENOMEM, "out of memory");
	watch->signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
	if (watch->signals < 0)
		return failure_set(failure, errno, "cannot wait for signals: %s", strerror(errno));
	watch->waits[0] = (struct pollfd){.fd = watch->signals, .events = POLLIN};
	watch->waits[count + 1].fd = -1;
	for (size_t i = 0; i < count; i++) {
		int fd = pidfd_open(pids[i], 0);

		if (fd < 0)
			return failure_set(failure, errno,
			    errno == ESRCH ? "there is no process %d"
					   : "cannot wait for process %d: is that a thread's id?",
			    (int)pids[i]);
		watch->waits[++watch->count] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	return 0;
}

int watch_open(const pid_t *pids, size_t count, struct watch **ret_watch, struct failure *failure)
{
	CLEANUP(watch_free_p) struct watch *watch = calloc(1, sizeof(*watch));
	int error;

	if (!watch)
		return failure_set(failure, ENOMEM, "out of memory");
	watch->signals = -1;
	error = watch_init(watch, pids, count, failure);
	if (error)
		return error;
	*ret_watch = TAKE(watch);
	return 0;
}

/* Polls once and closes what has ended; the number of processes that live, or -errno. */
static int poll_once(struct watch *watch, int timeout_ms)
{
	int alive = 0;

	watch->waits[0].revents = 0;
	if (poll(watch->waits, watch->count + 2, timeout_ms) < 0)
		return -errno;
	for (size_t i = 1; i <= watch->count; i++) {
		if (watch->waits[i].fd < 0)
			continue;
		if (watch->waits[i].revents) {
			close(watch->waits[i].fd);
			watch->waits[i].fd = -1;
			continue;
		}
		alive++;
	}
	return alive;
}

int watch_wait(struct watch *watch, const struct watch_options *options, struct failure *failure)
{
	uint64_t end_ms = now_ms() + (options->duration_ns + 999999) / 1000000;
	int timeout_ms = 0, alive = 1; /* the first look takes no time */

	if (options->tick)
		watch->waits[watch->count + 1] =
		    (struct pollfd){.fd = options->alarm, .events = POLLIN};
	for (;;) {
		uint64_t now;

		alive = poll_once(watch, timeout_ms);
		if (alive == -EINTR)
			continue;
		if (alive < 0)
			return failure_set(
			    failure, -alive, "cannot wait for processes: %s", strerror(-alive));
		if (watch->waits[0].revents)
			return 0;
		if (!alive && (!options->alive || !options->alive(options->context)))
			return 0;
		now = now_ms();
		if (options->duration_ns && now >= end_ms)
			return 0;
		timeout_ms = alive ? -1 : ASK_ALIVE_MS;
		if (options->tick) {
			options->tick(options->context);
			timeout_ms = TICK_MS;
		}
		if (options->duration_ns && (timeout_ms < 0 || end_ms - now < (uint64_t)timeout_ms))
			timeout_ms = end_ms - now < INT32_MAX ? (int)(end_ms - now) : INT32_MAX;
	}
}

bool watch_all_ended(struct watch *watch)
{
	return poll_once(watch, 0) == 0;
}

/* What ended the wait, or came while probes were being removed, must not end lprof itself before it
 * has reported: pending signals would be delivered once they are unblocked. */
static void take_signals(const struct watch *watch)
{
	struct signalfd_siginfo taken;

	while (watch->signals >= 0 && read(watch->signals, &taken, sizeof(taken)) > 0)
		;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	take_signals(watch);
	for (size_t i = 1; i <= watch->count; i++)
		if (watch->waits[i].fd >= 0)
			close(watch->waits[i].fd);
	cleanup_close(&watch->signals);
	sigprocmask(SIG_SETMASK, &watch->mask_before, NULL);
	free(watch->waits);
	free(watch);
}
