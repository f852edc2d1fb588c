// SPDX-License-Identifier: GPL-2.0-or-later
// longjmp over many measured frames, from signal handlers, nested and again and again.
#include <setjmp.h>
#include <signal.h>

#include "torture.h"

static jmp_buf outer, inner;
static sigjmp_buf from_signal;
static unsigned long descend_calls, handler_calls, bounce_calls;

MEASURED static int descend(int depth, int value)
{
	int result;

	descend_calls++;
	if (!depth)
		longjmp(outer, value + 1);
	result = descend(depth - 1, value);
	KEEP(result);
	return result + depth;
}

MEASURED static int leap(int depth, int value)
{
	int result = setjmp(outer);

	return result ? result : descend(depth, value);
}

MEASURED static void bounce(volatile int *left)
{
	bounce_calls++;
	(*left)--;
	longjmp(inner, 1);
}

/* Many jumps back to one point. */
MEASURED static int repeat(int times)
{
	volatile int left = times;

	setjmp(inner);
	if (left)
		bounce(&left);
	return times;
}

MEASURED static int middle(int depth, int value)
{
	jmp_buf kept;
	int result;

	__builtin_memcpy(&kept, &outer, sizeof(kept));
	result = leap(depth, value);
	__builtin_memcpy(&outer, &kept, sizeof(kept));
	if (value % 2)
		longjmp(outer, result + 1);
	return result;
}

/* Jumps whose target was itself jumped over. */
MEASURED static int nested(int depth, int value)
{
	int result = setjmp(outer);

	return result ? result : middle(depth, value) + 1000;
}

MEASURED static int helper(int value)
{
	return value + 1;
}

MEASURED static void handle(int number)
{
	handler_calls++;
	siglongjmp(from_signal, helper(number));
}

MEASURED static int signalled(int depth)
{
	int result;

	if (!depth)
		return raise(SIGUSR1);
	result = signalled(depth - 1);
	KEEP(result);
	return result + 1;
}

MEASURED static int leap_from_signal(int depth)
{
	int result = sigsetjmp(from_signal, 1);

	return result ? result : signalled(depth);
}

MEASURED static int touch(volatile char *at)
{
	return *at;
}

MEASURED static int leap_from_fault(void)
{
	int result = sigsetjmp(from_signal, 1);

	return result ? result : touch(NULL);
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 150;
	struct sigaction action = {.sa_handler = handle};

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	for (long i = 0; i < rounds; i++) {
		int value = (int)(i % 1000);

		torture_mix((uint64_t)leap((int)(i % 50), value));
		torture_mix((uint64_t)repeat(10));
		torture_mix((uint64_t)nested((int)(i % 20), value));
		torture_mix((uint64_t)leap_from_signal((int)(i % 20)));
		torture_mix((uint64_t)leap_from_fault());
	}
	CHECK(handler_calls == 2ul * (unsigned long)rounds);
	torture_calls("descend", descend_calls);
	torture_calls("bounce", bounce_calls);
	torture_calls("handle", handler_calls);
	torture_calls("helper", handler_calls);
	torture_calls("leap", 2ul * (unsigned long)rounds);
	torture_calls("touch", (unsigned long)rounds);
	return torture_end();
}
