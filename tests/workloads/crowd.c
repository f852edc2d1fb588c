// SPDX-License-Identifier: GPL-2.0-or-later
// Makes numbers of calls that it knows, in threads, in workers of workers, and 1,000 deep, and
// prints `calls FUNCTION NUMBER` for each. Each line of leaf() runs once a call. Usage: crowd
// threads|direct|mutual|workers
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define DEPTH    1000
#define THREADS  8
#define LEVELS   3
#define CHILDREN 3

static const uint64_t thread_calls[THREADS] = {1009, 1013, 1019, 1021, 1031, 1033, 1039, 1049};
static const uint64_t level_calls[LEVELS + 1] = {211, 503, 307, 101};

static uint64_t shared;

NOINLINE void leaf(uint64_t value)
{
	__atomic_fetch_add(&shared, value, __ATOMIC_RELAXED);
	__atomic_fetch_xor(&shared, value << 3, __ATOMIC_RELAXED);
}

NOINLINE void call_leaf(uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		leaf(i);
}

NOINLINE uint64_t descend(uint64_t depth)
{
	uint64_t below = 0;

	if (depth)
		below = descend(depth - 1) + 1;
	leaf(below);
	return below;
}

NOINLINE uint64_t pong(uint64_t depth);

NOINLINE uint64_t ping(uint64_t depth)
{
	uint64_t below = 0;

	if (depth)
		below = pong(depth - 1) + 1;
	leaf(below);
	return below;
}

NOINLINE uint64_t pong(uint64_t depth)
{
	uint64_t below = 0;

	if (depth)
		below = ping(depth - 1) + 1;
	leaf(below);
	return below;
}

static void *thread_main(void *argument)
{
	call_leaf(*(const uint64_t *)argument);
	return NULL;
}

/* Each thread makes its own number of calls; gives their sum. */
static uint64_t run_threads(int count)
{
	pthread_t threads[THREADS];
	uint64_t calls = 0;

	for (int i = 0; i < count; i++) {
		pthread_create(&threads[i], NULL, thread_main, (void *)&thread_calls[i]);
		calls += thread_calls[i];
	}
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return calls;
}

/* A worker of this level: its calls, half of them after its own workers were forked. */
static void work(int level)
{
	call_leaf(level_calls[level] / 2);
	if (level < LEVELS) {
		for (int i = 0; i < CHILDREN; i++) {
			if (fork() == 0) {
				work(level + 1);
				_exit(0);
			}
		}
	}
	call_leaf(level_calls[level] - level_calls[level] / 2);
	if (level == LEVELS)
		run_threads(2);
	while (wait(NULL) > 0)
		;
}

static void print_calls(const char *function, uint64_t calls)
{
	printf("calls %s %llu\n", function, (unsigned long long)calls);
}

static void report_workers(void)
{
	uint64_t workers = 1, leaves = 0, callers = 0;

	for (int level = 0; level <= LEVELS; level++) {
		leaves += workers * level_calls[level];
		callers += workers * 2;
		if (level == LEVELS) {
			leaves += workers * (thread_calls[0] + thread_calls[1]);
			callers += workers * 2;
		}
		workers *= CHILDREN;
	}
	print_calls("leaf", leaves);
	print_calls("call_leaf", callers);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "threads")) {
		print_calls("leaf", run_threads(THREADS));
		print_calls("call_leaf", THREADS);
	} else if (!strcmp(what, "direct")) {
		for (int i = 0; i < 13; i++)
			shared += descend(DEPTH);
		print_calls("descend", 13 * (DEPTH + 1));
		print_calls("leaf", 13 * (DEPTH + 1));
	} else if (!strcmp(what, "mutual")) {
		for (int i = 0; i < 7; i++)
			shared += ping(DEPTH);
		print_calls("ping", 7 * (DEPTH / 2 + 1));
		print_calls("pong", 7 * (DEPTH / 2));
		print_calls("leaf", 7 * (DEPTH + 1));
	} else if (!strcmp(what, "workers")) {
		work(0);
		report_workers();
	} else {
		return 2;
	}
	return 0;
}
