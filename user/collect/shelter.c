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

#define STACK_SIZE (1u << 20)

struct call {
	int (*function)(void *);
	void *argument;
	int result;
};

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
