// SPDX-License-Identifier: GPL-2.0-or-later
// Spends CPU time in known places and says how much, by the threads' own clocks.
//
// Usage: spender MS [threads|workers|execs|signals|mixed]
// For each place it prints "cpu NAME NS": CPU time in the line marked "at NAME", callees included.
// mixed: four lines that compute, sleep, read and wait for a lock, each MS long ("wall NAME NS").
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define INLINE   __attribute__((always_inline)) static inline
#define THREADS  3

static uint64_t turns; /* that take about MS */
static volatile uint64_t sink;

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

INLINE uint64_t mix(uint64_t value)
{
	value ^= value >> 31;
	return value * 0x9e3779b97f4a7c15ull; /* at mix */
}

NOINLINE uint64_t spin(uint64_t count)
{
	uint64_t value = count;

	while (count--)             /* at loop */
		value = mix(value); /* at spin */
	return value;
}

/* A frame with much on it, so that its size is known from unwinding tables alone. */
NOINLINE uint64_t spin_deep(uint64_t count, unsigned depth)
{
	volatile uint64_t words[33] = {count};

	if (depth)
		words[depth] = spin_deep(count, depth - 1);
	else
		words[1] = spin(count);
	return words[depth] + words[0];
}

/* Aligned more than the ABI does: the compiler realigns the stack. */
NOINLINE uint64_t spin_aligned(uint64_t count)
{
	__attribute__((aligned(64))) volatile uint64_t words[8] = {count};

	words[1] = spin(count);
	return words[1] + words[0];
}

static void spend(uint64_t times[3])
{
	uint64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID), half, end;

	sink += spin(turns); /* at once */
	half = now_ns(CLOCK_THREAD_CPUTIME_ID);
	sink += spin_deep(2 * turns, 20); /* at deep */
	end = now_ns(CLOCK_THREAD_CPUTIME_ID);
	times[0] += half - start;
	times[1] += end - half;
	sink += spin_aligned(turns); /* at aligned */
	times[2] += now_ns(CLOCK_THREAD_CPUTIME_ID) - end;
}

static void say(const uint64_t times[3])
{
	char text[200];
	int length = snprintf(text, sizeof(text), "cpu once %lu\ncpu deep %lu\ncpu aligned %lu\n",
	    times[0], times[1], times[2]);

	if (write(STDOUT_FILENO, text, (size_t)length) != length)
		exit(1);
}

static void *thread(void *context)
{
	spend(context);
	return NULL;
}

static void run_threads(void)
{
	uint64_t times[THREADS][3] = {0};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, thread, times[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		say(times[i]);
	}
}

static void run_workers(char *exec, char *ms)
{
	for (int i = 0; i < THREADS; i++) {
		uint64_t times[3] = {0};

		if (fork())
			continue;
		if (exec)
			execl(exec, exec, ms, (char *)NULL);
		spend(times);
		say(times);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
}

static uint64_t in_handler[3];

static void handler(int signal)
{
	(void)signal;
	spend(in_handler);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int pipes[2];
static uint64_t length_ns;

static void nap(uint64_t ns)
{
	struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	nanosleep(&time, NULL);
}

static void tell(void)
{
	if (write(pipes[1], "", 1) != 1)
		exit(1);
}

static void *hold(void *unused)
{
	pthread_mutex_lock(&lock);
	tell();
	nap(4 * length_ns);
	pthread_mutex_unlock(&lock);
	return unused;
}

static void *feed(void *unused)
{
	nap(3 * length_ns);
	tell();
	return unused;
}

NOINLINE void four_lines(uint64_t times[5], uint64_t *cpu)
{
	uint64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID);
	char byte;

	times[0] = now_ns(CLOCK_MONOTONIC);
	sink += spin(turns); /* at compute */
	times[1] = now_ns(CLOCK_MONOTONIC);
	*cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	nap(length_ns); /* at sleep */
	times[2] = now_ns(CLOCK_MONOTONIC);
	if (read(pipes[0], &byte, 1) != 1) /* at read */
		exit(1);
	times[3] = now_ns(CLOCK_MONOTONIC);
	pthread_mutex_lock(&lock); /* at lock */
	times[4] = now_ns(CLOCK_MONOTONIC);
}

/* The lock is held through all four lines, the byte to read comes after three of them. */
static void run_mixed(void)
{
	static const char *const names[] = {"compute", "sleep", "read", "lock"};
	pthread_t holder, feeder;
	uint64_t times[5], cpu;
	char byte;

	if (pipe(pipes) || pthread_create(&holder, NULL, hold, NULL) ||
	    read(pipes[0], &byte, 1) != 1 || pthread_create(&feeder, NULL, feed, NULL))
		exit(1);
	four_lines(times, &cpu);
	pthread_join(holder, NULL);
	pthread_join(feeder, NULL);
	for (int i = 0; i < 4; i++)
		printf("wall %s %lu\n", names[i], times[i + 1] - times[i]);
	printf("cpu compute %lu\n", cpu);
}

/* How many turns take so long. */
static void calibrate(uint64_t ns)
{
	uint64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID), took;

	sink += spin(20000000);
	took = now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	turns = 20000000 * ns / took;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	uint64_t times[3] = {0};

	if (argc < 2)
		return 2;
	length_ns = strtoull(argv[1], NULL, 10) * 1000000;
	calibrate(length_ns);
	if (!strcmp(what, "threads")) {
		run_threads();
	} else if (!strcmp(what, "workers")) {
		run_workers(NULL, NULL);
	} else if (!strcmp(what, "execs")) {
		run_workers(argv[0], argv[1]);
	} else if (!strcmp(what, "signals")) {
		signal(SIGUSR1, handler);
		raise(SIGUSR1);
		say(in_handler);
	} else if (!strcmp(what, "mixed")) {
		run_mixed();
	} else {
		spend(times);
		say(times);
	}
	return 0;
}
