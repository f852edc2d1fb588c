// SPDX-License-Identifier: GPL-2.0-or-later
// Threads that end inside measured calls: pthread_exit, cancellation of both kinds, and the end of
// the process.
#include <pthread.h>
#include <sched.h>

#include "torture.h"

#define THREADS 8

static unsigned long descend_calls, cleanup_calls;
static volatile int spinning;

MEASURED static uint64_t leaf(uint64_t value)
{
	return value * 7 + 3;
}

MEASURED static uint64_t descend(int depth, uint64_t value)
{
	uint64_t result;

	__atomic_fetch_add(&descend_calls, 1, __ATOMIC_RELAXED);
	if (!depth)
		pthread_exit((void *)(uintptr_t)leaf(value));
	result = descend(depth - 1, value + 1);
	KEEP(result);
	return result + leaf(value);
}

MEASURED static void clean_up(void *argument)
{
	__atomic_fetch_add(&cleanup_calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add((uint64_t *)argument, 5, __ATOMIC_RELAXED);
}

MEASURED static void *exiting(void *argument)
{
	return (void *)(uintptr_t)descend((int)(uintptr_t)argument % 20, (uintptr_t)argument);
}

MEASURED static void wait_deferred(uint64_t *counter, int depth)
{
	pthread_cleanup_push(clean_up, counter);
	if (depth)
		wait_deferred(counter, depth - 1);
	for (;;) {
		pthread_testcancel();
		sched_yield();
	}
	pthread_cleanup_pop(0);
}

MEASURED static void *deferred(void *argument)
{
	wait_deferred(argument, 4);
	return NULL;
}

/* Cancelled at any instruction of it. */
MEASURED static uint64_t spin(uint64_t value)
{
	for (;;) {
		value = value * 6364136223846793005u + 1442695040888963407u;
		spinning = 1;
		if (value == 0)
			return value;
	}
}

MEASURED static uint64_t spin_calling(uint64_t value)
{
	for (;;) {
		value = leaf(value);
		spinning = 1;
	}
	return value;
}

MEASURED static void *asynchronous(void *argument)
{
	uint64_t *counter = argument;

	pthread_cleanup_push(clean_up, argument);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	if (*counter % 2)
		spin(1);
	else
		spin_calling(1);
	pthread_cleanup_pop(0);
	return NULL;
}

static uint64_t run_exiting(long round)
{
	pthread_t threads[THREADS];
	uint64_t sum = 0;

	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(
			  &threads[i], NULL, exiting, (void *)(uintptr_t)(round % 100 + i)) == 0);
	for (int i = 0; i < THREADS; i++) {
		void *result;

		CHECK(pthread_join(threads[i], &result) == 0);
		sum = sum * 31 + (uintptr_t)result;
	}
	return sum;
}

static void run_cancelled(void *(*function)(void *), uint64_t *counter, int wait)
{
	pthread_t thread;
	void *result;

	spinning = 0;
	CHECK(pthread_create(&thread, NULL, function, counter) == 0);
	while (wait && !spinning)
		sched_yield();
	CHECK(pthread_cancel(thread) == 0);
	CHECK(pthread_join(thread, &result) == 0);
	CHECK(result == PTHREAD_CANCELED);
}

MEASURED static void *endless(void *argument)
{
	for (;;) {
		spinning = 2;
		usleep((unsigned)leaf((uintptr_t)argument) % 50 + 50);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 25;
	uint64_t counter = 0;

	for (long i = 0; i < rounds; i++) {
		counter = (uint64_t)i;
		torture_mix(run_exiting(i));
		run_cancelled(asynchronous, &counter, 1);
		CHECK(counter == (uint64_t)i + 5);
		if (i % 2)
			continue;
		spinning = 0;
		run_cancelled(deferred, &counter, 0);
	}
	for (int i = 0; i < 3; i++) {
		pthread_t thread;

		CHECK(pthread_create(&thread, NULL, endless, (void *)(uintptr_t)i) == 0);
	}
	while (spinning != 2)
		sched_yield();
	torture_calls("descend", descend_calls);
	torture_calls("clean_up", cleanup_calls);
	torture_calls("exiting", (unsigned long)rounds * THREADS);
	torture_calls("asynchronous", (unsigned long)rounds);
	return torture_end(); /* the endless ones end with the process */
}
