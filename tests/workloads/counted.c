// SPDX-License-Identifier: GPL-2.0-or-later
// Calls its functions numbers of times that are primes, in each of the ways that calls can end.
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static volatile uint64_t sink;
static jmp_buf landing;

NOINLINE void leaf(uint64_t value)
{
	sink += value;
	__asm__ volatile("" ::: "memory");
}

NOINLINE void outer(uint64_t calls)
{
	while (calls--)
		leaf(calls);
	__asm__ volatile("" ::: "memory");
}

NOINLINE uint64_t descend(uint64_t depth)
{
	uint64_t below = depth ? descend(depth - 1) + 1 : 0;

	__asm__ volatile("" : "+r"(below)::"memory");
	return below;
}

NOINLINE void thrower(void)
{
	sink++;
	longjmp(landing, 1);
}

NOINLINE void catcher(void)
{
	if (!setjmp(landing))
		thrower();
	__asm__ volatile("" ::: "memory");
}

NOINLINE void busy(uint64_t ns)
{
	struct timespec now;
	uint64_t until;

	clock_gettime(CLOCK_MONOTONIC, &now);
	until = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + ns;
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec < until);
}

/* A line once a call and one seven times; both NOPs, which the labels name for the tests. */
NOINLINE void lines(void)
{
	__asm__ volatile(".globl lines_once\nlines_once: nop\n"
			 "mov $7, %%ecx\n"
			 ".globl lines_seven\nlines_seven: nop\n"
			 "dec %%ecx\n"
			 "jnz lines_seven\n"
			 ".globl lines_last\nlines_last: nop" ::
			     : "ecx", "memory");
}

/* Begins with an instruction that the kernel refuses to probe. */
NOINLINE void refused(void)
{
	__asm__ volatile(".globl locked\nlocked: lock incq %0" : "+m"(sink)::"memory");
}

static void *thread_main(void *unused)
{
	for (int i = 0; i < 1009; i++)
		leaf(1);
	for (int i = 0; i < 101; i++)
		outer(3);
	return unused;
}

static void run_threads(void)
{
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, thread_main, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

static void run_workers(void)
{
	for (int i = 0; i < 5; i++) {
		if (fork() == 0) {
			for (int calls = 0; calls < 503; calls++)
				leaf(1);
			_exit(0);
		}
	}
	for (int calls = 0; calls < 211; calls++)
		leaf(1);
	while (wait(NULL) > 0)
		;
}

/* Times itself without probes' help: mean duration of a call of busy(), in ns. */
static void run_busy(uint64_t ns, int calls)
{
	for (int i = 0; i < calls; i++)
		busy(ns);
}

static void repeat(int times, void (*function)(void))
{
	while (times--)
		function();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "leaf";

	refused();
	if (!strcmp(what, "leaf"))
		outer(7919);
	else if (!strcmp(what, "threads"))
		run_threads();
	else if (!strcmp(what, "recursion"))
		for (int i = 0; i < 13; i++)
			sink += descend(1000);
	else if (!strcmp(what, "workers"))
		run_workers();
	else if (!strcmp(what, "longjmp"))
		repeat(307, catcher);
	else if (!strcmp(what, "lines"))
		repeat(311, lines);
	else if (!strcmp(what, "busy"))
		run_busy(argc > 2 ? strtoull(argv[2], NULL, 10) : 10000, 401);
	else if (!strcmp(what, "wait"))
		while (getchar() != EOF)
			leaf(1);
	else
		return 2;
	puts("done");
	return 0;
}
