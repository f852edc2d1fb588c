// SPDX-License-Identifier: GPL-2.0-or-later
// Fibers: swapcontext, and with SWITCH=1 a switch in assembly; measured calls are open on all of
// them, and fibers are left inside measured calls and freed.
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "torture.h"

#define FIBERS     8
#define STACK_SIZE (64 << 10)

static int current, live;
static uint64_t results[FIBERS];
static unsigned long descend_calls, yield_calls;
static char *stacks;

#ifdef SWITCH
void fiber_switch(void **save, void *load);
static void *contexts[FIBERS], *scheduler;

static void leave_fiber(int fiber)
{
	fiber_switch(&contexts[fiber], scheduler);
}

static void enter_fiber(int fiber)
{
	fiber_switch(&scheduler, contexts[fiber]);
}
#else
static ucontext_t contexts[FIBERS], scheduler;

static void leave_fiber(int fiber)
{
	swapcontext(&contexts[fiber], &scheduler);
}

static void enter_fiber(int fiber)
{
	swapcontext(&scheduler, &contexts[fiber]);
}
#endif

MEASURED static void yield(void)
{
	yield_calls++;
	leave_fiber(current);
}

MEASURED static uint64_t descend(int depth, uint64_t value)
{
	uint64_t result;

	descend_calls++;
	if (depth % 3 == 0)
		yield();
	if (!depth)
		return value;
	result = descend(depth - 1, value * 31 + (uint64_t)depth);
	KEEP(result);
	if (depth % 5 == 0)
		yield();
	return result + (uint64_t)depth;
}

MEASURED static void fiber_main(void)
{
	int fiber = current;

	results[fiber] = descend(10 + fiber, (uint64_t)fiber);
	live--;
	for (;;)
		yield();
}

static void make_fiber(int fiber)
{
	char *stack = stacks + fiber * STACK_SIZE;

#ifdef SWITCH
	void **top = (void **)(stack + STACK_SIZE - 16);

	memset(top - 8, 0, 8 * sizeof(*top));
	top[-1] = NULL; /* where fiber_main would return to */
	top[-2] = (void *)fiber_main;
	contexts[fiber] = top - 8;
#else
	getcontext(&contexts[fiber]);
	contexts[fiber].uc_stack.ss_sp = stack;
	contexts[fiber].uc_stack.ss_size = STACK_SIZE;
	contexts[fiber].uc_link = NULL;
	makecontext(&contexts[fiber], fiber_main, 0);
#endif
}

/* Runs all fibers in turn, up and down, until their work is done or `turns` are over. */
MEASURED static void schedule(int turns)
{
	while (live && turns--) {
		for (int at = 0; at < FIBERS; at++) {
			current = turns % 2 ? at : FIBERS - 1 - at;
			enter_fiber(current);
		}
	}
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 20;

	stacks = mmap(
	    NULL, FIBERS * STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(stacks != MAP_FAILED);
	for (long i = 0; i < rounds; i++) {
		live = FIBERS;
		for (int fiber = 0; fiber < FIBERS; fiber++)
			make_fiber(fiber);
		schedule(i % 4 ? 1000 : 3); /* every fourth time they are left in mid-call */
		for (int fiber = 0; fiber < FIBERS; fiber++)
			torture_mix(results[fiber]);
	}
	torture_calls("descend", descend_calls);
	torture_calls("yield", yield_calls);
	torture_calls("fiber_main", (unsigned long)rounds * FIBERS);
	torture_calls("schedule", (unsigned long)rounds);
	return torture_end();
}
