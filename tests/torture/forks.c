// SPDX-License-Identifier: GPL-2.0-or-later
// Forks inside measured calls, in parent and child, from threads; vfork; the program executing
// itself and others.
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "torture.h"

extern char **environ;
static unsigned long work_calls, run_calls;
static const char *self;

MEASURED static uint64_t work(uint64_t value, int depth)
{
	uint64_t result;

	if (!depth)
		return value;
	result = work(value * 31 + 7, depth - 1);
	KEEP(result);
	return result + (uint64_t)depth;
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Both return from the call in which they parted. */
MEASURED static pid_t fork_inside(int depth)
{
	pid_t child;

	if (depth) {
		child = fork_inside(depth - 1);
		KEEP(child);
		return child;
	}
	fflush(stdout);
	return fork();
}

MEASURED static int run_forked(int depth)
{
	pid_t child = fork_inside(depth);

	run_calls++;
	if (child == 0)
		_exit((int)(work((uint64_t)depth, depth) % 100));
	CHECK(child > 0);
	return wait_for(child);
}

MEASURED static int run_grandchildren(int generations)
{
	pid_t child;

	if (!generations)
		return (int)(work(1, 3) % 100);
	child = fork_inside(2);
	if (child == 0)
		_exit(run_grandchildren(generations - 1));
	return wait_for(child);
}

/* The child of vfork runs measured code in our memory while we wait. */
MEASURED static int run_vforked(int depth)
{
	volatile uint64_t result = 0;
	pid_t child = vfork();

	if (child == 0) {
		result = work(5, depth);
		_exit(9);
	}
	CHECK(wait_for(child) == 9);
	return (int)(result % 1000);
}

MEASURED static int run_executed(const char *depth)
{
	char *arguments[] = {(char *)self, (char *)"child", (char *)depth, NULL};
	pid_t child = vfork();

	if (child == 0) {
		execve(self, arguments, environ);
		_exit(127);
	}
	return wait_for(child);
}

MEASURED static int run_spawned(void)
{
	char *arguments[] = {(char *)"true", NULL};
	pid_t child;

	CHECK(posix_spawnp(&child, "true", NULL, NULL, arguments, environ) == 0);
	return wait_for(child);
}

MEASURED static void *fork_from_thread(void *argument)
{
	return (void *)(intptr_t)run_forked((int)(intptr_t)argument);
}

static int child_main(int depth)
{
	char text[16], *arguments[] = {(char *)self, (char *)"child", text, NULL};

	if (!depth)
		return (int)(work(3, 4) % 100);
	work(1, depth);
	snprintf(text, sizeof(text), "%d", depth - 1);
	execve(self, arguments, environ); /* again and again in one process */
	return 127;
}

int main(int argc, char **argv)
{
	long rounds;

	self = "/proc/self/exe";
	if (argc > 2 && !strcmp(argv[1], "child"))
		return child_main(atoi(argv[2]));
	rounds = torture_rounds(argc, argv) * 15;
	for (long i = 0; i < rounds; i++) {
		int depth = (int)(i % 10);
		pthread_t thread;
		void *result;

		torture_mix((uint64_t)run_forked(depth));
		work_calls += (unsigned long)depth + 1;
		torture_mix((uint64_t)run_vforked(depth));
		work_calls += (unsigned long)depth + 1;
		if (i % 3)
			continue;
		torture_mix((uint64_t)run_grandchildren(4));
		work_calls += 4;
		torture_mix((uint64_t)run_executed("3"));
		work_calls += 4 + 3 + 2 + 5;
		torture_mix((uint64_t)run_spawned());
		CHECK(pthread_create(&thread, NULL, fork_from_thread, (void *)2) == 0);
		CHECK(pthread_join(thread, &result) == 0);
		torture_mix((uint64_t)(intptr_t)result);
		work_calls += 3;
	}
	torture_calls("work", work_calls);
	torture_calls("run_forked", run_calls);
	torture_calls("run_vforked", (unsigned long)rounds);
	return torture_end();
}
