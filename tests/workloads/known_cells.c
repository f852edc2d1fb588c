// SPDX-License-Identifier: GPL-2.0-or-later
// Spends known times at lines, three calls deep, so densely that probes cost more than the work.
// Each line reads the cycle counter around its own work, in the same instructions, so that what
// probes cost lies outside; what the readings themselves take was measured before, without probes.
// Prints `line FUNCTION LINE HITS NS`, ns being own time. Usage: known_cells [ROUNDS]
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOINLINE  __attribute__((noinline))
#define LINES_MAX 512

static struct {
	uint64_t hits, cycles;
	const char *function;
} lines[LINES_MAX];

static double ns_per_cycle, turns_per_ns, reading_ns;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Spins so many turns and adds the cycles that passed to `cycles`; `first` is its beginning. */
#define SPEND(first, turns, cycles)                                                            \
	__asm__ volatile(first                                                                 \
			 "rdtsc; shl $32,%%rdx; lea (%%rax,%%rdx),%%r8; mov %0,%%rcx\n"        \
			 "1: dec %%rcx; jnz 1b\n"                                              \
			 "rdtsc; shl $32,%%rdx; add %%rdx,%%rax; sub %%r8,%%rax; add %%rax,%1" \
			 :                                                                     \
			 : "m"(turns), "m"(cycles)                                             \
			 : "rax", "rcx", "rdx", "r8", "cc", "memory")

enum length { NS_100, NS_300, NS_1000, NS_3000, NS_10000, LENGTHS };
static const int length_ns[LENGTHS] = {100, 300, 1000, 3000, 10000};
static uint64_t turns_of[LENGTHS];

// clang-format off
#define EMULATED(length) SPEND("nop;", turns_of[length], lines[__LINE__].cycles)
#define STEPPED(length) SPEND("mov %%ecx,%%ecx;", turns_of[length], lines[__LINE__].cycles)

NOINLINE void leaf_short(void)
{
	EMULATED(NS_100);
	EMULATED(NS_300);
}

NOINLINE void leaf_long(void)
{
	EMULATED(NS_1000);
	EMULATED(NS_3000);
}

NOINLINE void leaf_stepped(void)
{
	STEPPED(NS_1000);
	STEPPED(NS_10000);
}

NOINLINE void middle(void)
{
	EMULATED(NS_1000);
	for (int i = 0; i < 10; i++)
		leaf_short();
	leaf_long();
	EMULATED(NS_300);
	leaf_stepped();
	EMULATED(NS_10000);
}

NOINLINE void outer(void)
{
	EMULATED(NS_1000);
	for (int i = 0; i < 3; i++)
		middle();
	STEPPED(NS_3000);
}
// clang-format on

/* Both are the smallest of some tries: what is taken when nothing comes between. */
static void calibrate(void)
{
	uint64_t turns = 100000, none = 1, cycles, best = UINT64_MAX, least = UINT64_MAX;

	for (int i = 0; i < 20; i++) {
		uint64_t began = now(), took;

		SPEND("", turns, cycles);
		took = now() - began;
		best = took < best ? took : best;
		cycles = 0;
		began = now();
		for (int j = 0; j < 1000; j++)
			SPEND("", none, cycles);
		took = (now() - began) - (uint64_t)((double)cycles * ns_per_cycle);
		least = took < least ? took : least;
	}
	turns_per_ns = (double)turns / (double)best;
	reading_ns = (double)least / 1000;
	for (int i = 0; i < LENGTHS; i++)
		turns_of[i] = (uint64_t)(turns_per_ns * length_ns[i]) + 1;
}

static void measure_cycle(void)
{
	uint64_t began = now(), cycles = __builtin_ia32_rdtsc(), ended;

	while ((ended = now()) - began < 50000000)
		;
	ns_per_cycle = (double)(ended - began) / (double)(__builtin_ia32_rdtsc() - cycles);
}

int main(int argc, char **argv)
{
	const struct sched_param priority = {.sched_priority = 1};
	int rounds = argc > 1 ? atoi(argv[1]) : 1000;

	sched_setscheduler(0, SCHED_FIFO, &priority); /* where it may: nobody comes between */
	measure_cycle();
	calibrate();
	for (int i = 0; i < rounds; i++)
		outer();
	for (int i = 0; i < LINES_MAX; i++)
		if (lines[i].cycles)
			printf("line %d %.0f\n", i, (double)lines[i].cycles * ns_per_cycle);
	printf("reading %.1f\n", reading_ns);
	return 0;
}
