// SPDX-License-Identifier: GPL-2.0-or-later
// A program that traces its own child, as a debugger does: steps it over measured code, stops it at
// system calls, reads and writes its memory there.
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "torture.h"

static unsigned long work_calls;
static volatile uint64_t given = 3;

MEASURED static uint64_t work(uint64_t value, int depth)
{
	uint64_t result;

	if (!depth)
		return value;
	result = work(value * 5 + given, depth - 1);
	KEEP(result);
	return result + (uint64_t)depth;
}

MEASURED static void child_main(int depth)
{
	uint64_t sum;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	sum = work(1, depth);
	sum += (uint64_t)getppid() ? work(sum, depth) : 0;
	_exit((int)(sum % 100));
}

/* Runs the child to its end by `request`, at most `steps` times, then freely. */
MEASURED static int trace(int depth, int request, long steps)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		child_main(depth);
	CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	CHECK(ptrace(PTRACE_POKEDATA, child, (void *)(uintptr_t)&given, (void *)7ul) == 0);
	CHECK(ptrace(PTRACE_PEEKTEXT, child, (void *)(uintptr_t)work, NULL) != -1 || !errno);
	while (WIFSTOPPED(status)) {
		if (ptrace(steps-- > 0 ? request : PTRACE_CONT, child, NULL, NULL) < 0)
			break;
		if (waitpid(child, &status, 0) != child)
			break;
	}
	work_calls += 2ul * ((unsigned long)depth + 1);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 10;

	for (long i = 0; i < rounds; i++) {
		torture_mix((uint64_t)trace((int)(i % 10), PTRACE_SINGLESTEP, 2000));
		torture_mix((uint64_t)trace((int)(i % 10), PTRACE_SYSCALL, 1000));
		torture_mix((uint64_t)trace((int)(i % 10), PTRACE_SINGLESTEP, 50));
	}
	torture_calls("work", work_calls);
	torture_calls("trace", 3ul * (unsigned long)rounds);
	return torture_end();
}
