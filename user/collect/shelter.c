// SPDX-License-Identifier: GPL-2.0-or-later
// Calls functions in a child that shares memory and descriptors and cannot be killed with us.
#include "collect/shelter.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE        (1u << 20)
#define CLOSER_STACK_SIZE (1u << 16)
#define CLOSERS_MAX       32

struct call {
	int (*function)(void *);
	void *argument;
	int result;
};

/* Every so many of an array of descriptors. */
struct closing {
	const int *descriptors;
	size_t count, first, step;
};

static int close_some(void *given)
{
	const struct closing *closing = given;

	for (size_t at = closing->first; at < closing->count; at += closing->step)
		close(closing->descriptors[at]);
	return 0;
}

static int closer_main(void *given)
{
	setsid();
	return close_some(given);
}

void shelter_close(const int *descriptors, size_t count)
{
	const size_t closers = count < CLOSERS_MAX ? count : CLOSERS_MAX;
	struct closing closing[CLOSERS_MAX];
	pid_t children[CLOSERS_MAX];
	char *stacks = mmap(NULL, CLOSERS_MAX * CLOSER_STACK_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	for (size_t at = 0; at < closers; at++) {
		closing[at] = (struct closing){descriptors, count, at, closers};
		children[at] = -1;
		if (stacks != MAP_FAILED)
			children[at] = clone(closer_main, stacks + (at + 1) * CLOSER_STACK_SIZE,
			    CLONE_VM | CLONE_FILES | SIGCHLD, &closing[at]);
	}
	for (size_t at = 0; at < closers; at++) {
		if (children[at] < 0)
			close_some(&closing[at]);
		while (children[at] > 0 && waitpid(children[at], NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (stacks != MAP_FAILED)
		munmap(stacks, CLOSERS_MAX * CLOSER_STACK_SIZE);
}

static int child_main(void *given)
{
	struct call *call = given;

	setsid(); /* what is sent to our group must not reach it either */
	call->result = call->function(call->argument);
	return 0;
}

int shelter_call(int (*function)(void *), void *argument)
{
	struct call call = {.function = function, .argument = argument};
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pid_t child;

	if (stack == MAP_FAILED)
		return function(argument);
	child = clone(
	    child_main, stack + STACK_SIZE, CLONE_VM | CLONE_FILES | CLONE_VFORK | SIGCHLD, &call);
	if (child < 0)
		call.result = function(argument);
	else
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	munmap(stack, STACK_SIZE);
	return call.result;
}
