// SPDX-License-Identifier: GPL-2.0-or-later
// Forks deep inside calls; parent and child go on with them, and say how long they took.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5
#define WHOLE  __attribute__((noinline))

static uint64_t *times_ns; /* of parent and child, from the fork on */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

WHOLE void spin(unsigned int ms)
{
	uint64_t end = now_ns() + ms * 1000000ull;

	while (now_ns() < end)
		;
}

WHOLE pid_t fork_below(int depth)
{
	pid_t child;

	if (!depth)
		return fork();
	child = fork_below(depth - 1);
	__asm__ volatile("" : "+r"(child));
	return child;
}

WHOLE pid_t serve(void)
{
	pid_t child = fork_below(3);

	spin(child ? 5 : 30);
	return child;
}

int main(void)
{
	times_ns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (times_ns == MAP_FAILED)
		return 1;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t begun = now_ns();
		pid_t child = serve();

		times_ns[child == 0] +=
		    now_ns() - begun; /* the child's fork is soon after `begun` */
		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
	}
	printf(
	    "calls serve %d\ncalls fork_below %d\ncalls spin %d\n", ROUNDS, 4 * ROUNDS, 2 * ROUNDS);
	printf("time %llu\n", (unsigned long long)(times_ns[0] + times_ns[1]));
	return 0;
}
