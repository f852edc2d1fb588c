// SPDX-License-Identifier: GPL-2.0-or-later
// Spends 1, 3, 10 and 100 us in nested functions, and measures by the CPU's cycle counter how long
// copies of the same functions take that nobody measures, in turns. It prints the medians, in ns:
// `NAME_US NS` of inner, middle, outer and spend (what each of them does itself).
// Built without frame pointers its functions begin with instructions that are single-stepped under
// a probe; with -DSTEPPED so do its lines. Usage: busy_times [ROUNDS]
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

#define NOINLINE   __attribute__((noinline, noclone))
#define ROUNDS_MAX 2000
#define TURNS      8

#ifdef STEPPED
#define BEGIN "lea (%0), %0\n"
#else
#define BEGIN "nop\n"
#endif

static uint64_t turns_per_us;

/*
 * A line of its own that takes so long; and one that takes no time, so that no call is a jump. What
 * takes time is a chain of multiplications, each of which waits for the one before: a loop of
 * nothing but `dec` and `jnz` takes one cycle a turn or two, by where it stands and by what ran
 * before it, a probe's handler for one.
 */
#define SPEND(us)                                       \
	__asm__ volatile(BEGIN "1: imul %%rdx, %%rdx\n" \
			       "imul %%rdx, %%rdx\n"    \
			       "imul %%rdx, %%rdx\n"    \
			       "imul %%rdx, %%rdx\n"    \
			       "dec %0\njnz 1b"         \
			 :                              \
			 : "r"(turns_per_us * (us))     \
			 : "rdx", "cc", "memory")
#define LEAVE __asm__ volatile("nop")

#define US 1
#define PREFIX
#include "busy_family.h"
#define US 3
#define PREFIX
#include "busy_family.h"
#define US 10
#define PREFIX
#include "busy_family.h"
#define US 100
#define PREFIX
#include "busy_family.h"
#define US     1
#define PREFIX bare_
#include "busy_family.h"
#define US     3
#define PREFIX bare_
#include "busy_family.h"
#define US     10
#define PREFIX bare_
#include "busy_family.h"
#define US     100
#define PREFIX bare_
#include "busy_family.h"

#define SPENDING(us)                               \
	NOINLINE static void bare_spend_##us(void) \
	{                                          \
		SPEND(us);                         \
	}
SPENDING(1)
SPENDING(3)
SPENDING(10)
SPENDING(100)

enum { INNER, MIDDLE, OUTER, SPENT, KINDS };
static const char *const kinds[] = {"inner", "middle", "outer", "spend"};

static const struct family {
	int us;
	void (*measured)(void);
	void (*bare[KINDS])(void);
} families[] = {
    {1, outer_1, {bare_inner_1, bare_middle_1, bare_outer_1, bare_spend_1}},
    {3, outer_3, {bare_inner_3, bare_middle_3, bare_outer_3, bare_spend_3}},
    {10, outer_10, {bare_inner_10, bare_middle_10, bare_outer_10, bare_spend_10}},
    {100, outer_100, {bare_inner_100, bare_middle_100, bare_outer_100, bare_spend_100}},
};
#define FAMILIES (sizeof(families) / sizeof(*families))

static uint64_t cycles[FAMILIES][KINDS][ROUNDS_MAX];

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Fenced, so that all before it is over and nothing after it has begun. */
static uint64_t cycle(void)
{
	uint64_t count;

	_mm_lfence();
	count = __rdtsc();
	_mm_lfence();
	return count;
}

static int compare(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;

	return (one > two) - (one < two);
}

/* The fastest of some tries: what a turn takes when nothing comes between. */
static void calibrate(void)
{
	uint64_t best = UINT64_MAX;

	turns_per_us = 1;
	for (int i = 0; i < 50; i++) {
		uint64_t began = now_ns(), took;

		SPEND(100000);
		took = now_ns() - began;
		if (took < best)
			best = took;
	}
	turns_per_us = 100000 * 1000 / best;
}

/* What a reading itself takes. */
static uint64_t reading_cycles(void)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t began = cycle(), took = cycle() - began;

		if (took < best)
			best = took;
	}
	return best;
}

/* Several calls in a row of each, as a loop makes them; the last bare one is kept. */
static void run(
    const struct family *family, int round, uint64_t reading, uint64_t (*ret_cycles)[ROUNDS_MAX])
{
	for (int turn = 0; turn < TURNS; turn++)
		family->measured();
	for (int kind = 0; kind < KINDS; kind++)
		for (int turn = 0; turn < TURNS; turn++) {
			uint64_t start = cycle();

			family->bare[kind]();
			ret_cycles[kind][round] = cycle() - start - reading;
		}
}

int main(int argc, char **argv)
{
	const struct sched_param priority = {.sched_priority = 1};
	const struct timespec pause = {.tv_nsec = 5000000}; /* or the kernel takes its own */
	int rounds = argc > 1 ? atoi(argv[1]) : 30;
	uint64_t began_ns, began, reading;
	double ns_per_cycle;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	sched_setscheduler(0, SCHED_FIFO, &priority); /* where it may: nobody comes between */
	calibrate();
	reading = reading_cycles();
	began_ns = now_ns();
	began = cycle();
	for (int round = 0; round < rounds; round++, nanosleep(&pause, NULL))
		for (size_t at = 0; at < FAMILIES; at++)
			run(&families[at], round, reading, cycles[at]);
	ns_per_cycle = (double)(now_ns() - began_ns) / (double)(cycle() - began);
	for (size_t at = 0; at < FAMILIES; at++)
		for (int kind = 0; kind < KINDS; kind++) {
			qsort(cycles[at][kind], (size_t)rounds, sizeof(uint64_t), compare);
			printf("%s_%d %.1f\n", kinds[kind], families[at].us,
			    (double)cycles[at][kind][rounds / 2] * ns_per_cycle);
		}
	return 0;
}
