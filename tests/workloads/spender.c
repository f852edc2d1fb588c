// SPDX-License-Identifier: GPL-2.0-or-later
// Spends CPU time in known places and says how much, by the threads' own clocks.
//
// Usage: spender MS [threads|workers|execs|signals|mixed]
// For each place it prints "cpu NAME NS": CPU time in the line marked "at NAME", callees included.
// mixed: four lines that compute, sleep, read and wait for a lock, each MS long, with the time that
// each took, ran and waited for a CPU ("wall NAME NS", "ran NAME NS", "waited NAME NS").
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
static int asked[2], told[2]; /* pipes to the helping thread and from it */
static uint64_t length_ns;

static void nap(uint64_t ns)
{
	struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	nanosleep(&time, NULL);
}

static void put(int pipe)
{
	if (write(pipe, "", 1) != 1)
		exit(1);
}

static void get(int pipe)
{
	char byte;

	if (read(pipe, &byte, 1) != 1)
		exit(1);
}

/* Feeds the reader, then holds the lock, each for its time. */
static void *help(void *unused)
{
	get(asked[0]);
	nap(length_ns);
	put(told[1]);
	get(asked[0]);
	pthread_mutex_lock(&lock);
	put(told[1]);
	nap(length_ns);
	pthread_mutex_unlock(&lock);
	return unused;
}

/* What the thread did so far: time, time on a CPU, and time it waited for one. */
struct spent {
	uint64_t wall, cpu, wait;
};

static struct spent spent_now(void)
{
	struct spent now = {now_ns(CLOCK_MONOTONIC), now_ns(CLOCK_THREAD_CPUTIME_ID), 0};
	FILE *file = fopen("/proc/thread-self/schedstat", "r");

	if (!file || fscanf(file, "%*u %lu", &now.wait) != 1)
		exit(1);
	fclose(file);
	return now;
}

static void say_spent(const char *name, const struct spent *before)
{
	struct spent now = spent_now();

	printf("wall %s %lu\nran %s %lu\nwaited %s %lu\n", name, now.wall - before->wall, name,
	    now.cpu - before->cpu, name, now.wait - before->wait);
}

NOINLINE void four_lines(void)
{
	struct spent before = spent_now();
	char byte;

	sink += spin(turns); /* at compute */
	say_spent("compute", &before);
	before = spent_now();
	nap(length_ns); /* at sleep */
	say_spent("sleep", &before);
	put(asked[1]);
	before = spent_now();
	if (read(told[0], &byte, 1) != 1) /* at read */
		exit(1);
	say_spent("read", &before);
	put(asked[1]);
	get(told[0]);
	before = spent_now();
	pthread_mutex_lock(&lock); /* at lock */
	say_spent("lock", &before);
}

static void run_mixed(void)
{
	pthread_t helper;

	if (pipe(asked) || pipe(told) || pthread_create(&helper, NULL, help, NULL))
		exit(1);
	four_lines();
	pthread_join(helper, NULL);
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
