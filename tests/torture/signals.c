// SPDX-License-Identifier: GPL-2.0-or-later
// Signal handlers that call measured functions: raised, nested, from timers, and on alternate
// stacks below and above the thread's own.
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "torture.h"

#define STACK_SIZE (256 << 10)

static unsigned long work_calls, nested_calls;
static volatile sig_atomic_t ticks;
static __thread volatile uint64_t in_handler;

MEASURED static uint64_t leaf(uint64_t value)
{
	return value * 3 + 1;
}

MEASURED static uint64_t work(uint64_t value, int depth)
{
	uint64_t result;

	if (!depth)
		return leaf(value);
	result = work(leaf(value), depth - 1);
	KEEP(result);
	return result ^ (uint64_t)depth;
}

MEASURED static void handle_nested(int number)
{
	nested_calls++;
	in_handler += work((uint64_t)number, 2);
}

MEASURED static void handle_raised(int number)
{
	in_handler += work((uint64_t)number, 3);
	raise(SIGUSR2);
	in_handler += leaf(1);
}

/* Timers strike anywhere, so what this does must not show in the result. */
MEASURED static void handle_tick(int number)
{
	ticks++;
	if (leaf((uint64_t)number) == 0)
		abort();
}

MEASURED static uint64_t interrupted(uint64_t value, int depth)
{
	uint64_t result;

	if (!depth) {
		raise(SIGUSR1);
		return leaf(value);
	}
	result = interrupted(value + 1, depth - 1);
	return leaf(result);
}

static void set_handler(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	CHECK(sigaction(number, &action, NULL) == 0);
}

static void set_timer(long microseconds)
{
	struct itimerval timer = {{0, microseconds}, {0, microseconds}};

	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

struct job {
	char *alternate;
	long rounds;
	uint64_t sum;
};

MEASURED static void *run_job(void *given)
{
	struct job *job = given;
	stack_t stack = {.ss_sp = job->alternate, .ss_size = STACK_SIZE};

	if (sigaltstack(&stack, NULL))
		return NULL;
	in_handler = 0;
	for (long i = 0; i < job->rounds; i++)
		job->sum = job->sum * 31 + interrupted((uint64_t)i, (int)(i % 8));
	job->sum += in_handler;
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	return given;
}

/* One thread with its alternate stack above its own, or below. */
MEASURED static void with_alternate_stack(int above, long rounds)
{
	char *memory =
	    mmap(NULL, 2 * STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct job job = {.alternate = memory + (above ? STACK_SIZE : 0), .rounds = rounds};
	pthread_attr_t attributes;
	pthread_t thread;
	void *result;

	CHECK(memory != MAP_FAILED);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, memory + (above ? 0 : STACK_SIZE), STACK_SIZE);
	CHECK(pthread_create(&thread, &attributes, run_job, &job) == 0);
	CHECK(pthread_join(thread, &result) == 0 && result);
	pthread_attr_destroy(&attributes);
	torture_mix(job.sum);
	munmap(memory, 2 * STACK_SIZE);
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 40;

	set_handler(SIGUSR1, handle_raised, SA_ONSTACK);
	set_handler(SIGUSR2, handle_nested, SA_ONSTACK);
	set_handler(SIGALRM, handle_tick, SA_ONSTACK | SA_RESTART);
	for (long i = 0; i < rounds; i++)
		torture_mix(interrupted((uint64_t)i, (int)(i % 10)));
	torture_mix(in_handler);
	with_alternate_stack(1, rounds);
	with_alternate_stack(0, rounds);
	set_timer(300);
	for (long i = 0; i < rounds * 5; i++) {
		torture_mix(work((uint64_t)i, (int)(i % 10)));
		work_calls += (unsigned long)(i % 10) + 1;
	}
	for (long i = 0; !ticks && i < 1000000; i++)
		usleep(1);
	with_alternate_stack(1, rounds);
	set_timer(0);
	CHECK(ticks > 0);
	torture_calls("handle_nested", nested_calls);
	torture_calls("handle_raised", nested_calls);
	torture_calls("handle_tick", (unsigned long)ticks);
	torture_calls("work", work_calls + nested_calls * 7);
	torture_calls("run_job", 3);
	return torture_end();
}
