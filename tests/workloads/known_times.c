// SPDX-License-Identifier: GPL-2.0-or-later
// Sleeps and spins for times that it measures itself, in nested and recursive functions, and prints
// them: `function NAME CALLS TOTAL SELF` and `line FUNCTION LINE TOTAL SELF`, in ns, as lprof
// counts them: totals of outermost activations, own times without what measured callees took.
// Usage: known_times [ROUNDS]
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE  __attribute__((noinline))
#define DEPTH_MAX 64
#define LINES_MAX 512

enum function { OUTER, MIDDLE, SLEEPER, SPINNER, BRIEF, RECURSIVE, EVEN, ODD, FUNCTIONS };

static const char *const names[] = {
    "outer", "middle", "sleeper", "spinner", "brief", "recursive", "even", "odd"};

static struct {
	uint64_t calls, callees, total, self;
} functions[FUNCTIONS];

static struct {
	uint64_t callees, total, self;
	enum function function;
} lines[LINES_MAX];

/* The program's own stack of calls: which function, at which line. */
static struct {
	enum function function;
	int line;
} stack[DEPTH_MAX];
static int depth;

static uint64_t spins_per_us;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* A time that passed is everybody's on the stack, once each: outermost activations only. */
static void account(uint64_t ns)
{
	for (int at = 0; at < depth; at++) {
		int below = 0;

		while (below < at && stack[below].function != stack[at].function)
			below++;
		if (below < at)
			continue;
		functions[stack[at].function].total += ns;
		lines[stack[at].line].total += ns;
	}
	functions[stack[depth - 1].function].self += ns;
	lines[stack[depth - 1].line].self += ns;
}

static void spin(uint64_t turns)
{
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(turns)::"cc");
}

NOINLINE void spend_spinning(uint64_t us)
{
	uint64_t began = now();

	spin(us * spins_per_us);
	account(now() - began);
}

NOINLINE void spend_sleeping(uint64_t us)
{
	struct timespec time = {.tv_nsec = (long)us * 1000};
	uint64_t began = now();

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
	account(now() - began);
}

NOINLINE void enter(enum function function)
{
	functions[function].calls++;
	if (depth) {
		functions[stack[depth - 1].function].callees++;
		lines[stack[depth - 1].line].callees++;
	}
	stack[depth++] = (typeof(stack[0])){.function = function};
}

NOINLINE void leave(void)
{
	depth--;
}

NOINLINE void at_line(int line)
{
	stack[depth - 1].line = line;
	lines[line].function = stack[depth - 1].function;
}

#define AT at_line(__LINE__)
// clang-format off

NOINLINE void brief(void)
{
	enter(BRIEF);
	AT, spend_spinning(5);
	leave();
}

NOINLINE void spinner(void)
{
	enter(SPINNER);
	AT, spend_spinning(300);
	for (int i = 0; i < 10; i++)
		AT, brief();
	AT, spend_spinning(100);
	leave();
}

NOINLINE void sleeper(void)
{
	enter(SLEEPER);
	AT, spend_sleeping(700);
	AT, spend_sleeping(300);
	leave();
}

NOINLINE void middle(void)
{
	enter(MIDDLE);
	AT, sleeper();
	AT, spend_spinning(200);
	AT, spinner();
	leave();
}

NOINLINE void recursive(int level)
{
	enter(RECURSIVE);
	AT, spend_spinning(50);
	if (level)
		AT, recursive(level - 1);
	AT, spend_spinning(30);
	leave();
}

NOINLINE void odd(int level);

NOINLINE void even(int level)
{
	enter(EVEN);
	AT, spend_spinning(40);
	if (level)
		AT, odd(level - 1);
	leave();
}

NOINLINE void odd(int level)
{
	enter(ODD);
	if (level)
		AT, even(level - 1);
	AT, spend_spinning(60);
	leave();
}

NOINLINE void outer(void)
{
	enter(OUTER);
	AT, middle();
	AT, recursive(10);
	AT, spend_sleeping(500);
	AT, even(7);
	leave();
}

// clang-format on

/* The fastest of some tries: what a turn takes when nothing comes between. */
static void calibrate(void)
{
	uint64_t best = UINT64_MAX, turns = 100000;

	for (int i = 0; i < 20; i++) {
		uint64_t began = now(), took;

		spin(turns);
		took = now() - began;
		if (took < best)
			best = took;
	}
	spins_per_us = turns * 1000 / best;
}

int main(int argc, char **argv)
{
	const struct sched_param priority = {.sched_priority = 1};
	int rounds = argc > 1 ? atoi(argv[1]) : 30;

	sched_setscheduler(0, SCHED_FIFO, &priority); /* where it may: nobody comes between */
	calibrate();
	for (int i = 0; i < rounds; i++)
		outer();
	for (int i = 0; i < FUNCTIONS; i++)
		printf("function %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", names[i],
		    functions[i].calls, functions[i].callees, functions[i].total,
		    functions[i].self);
	for (int i = 0; i < LINES_MAX; i++)
		if (lines[i].total)
			printf("line %s %d %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			    names[lines[i].function], i, lines[i].callees, lines[i].total,
			    lines[i].self);
	return 0;
}
