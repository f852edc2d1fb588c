// SPDX-License-Identifier: GPL-2.0-or-later
// Recursion, plain and mutual, deeper than any table of frames, in several threads.
#include <pthread.h>

#include "torture.h"

static unsigned long down_calls, left_calls, right_calls;

MEASURED static uint64_t down(long depth)
{
	uint64_t result;

	__atomic_fetch_add(&down_calls, 1, __ATOMIC_RELAXED);
	if (!depth)
		return 1;
	result = down(depth - 1);
	KEEP(result);
	return result * 3 + (uint64_t)depth;
}

MEASURED static uint64_t right(long depth);

MEASURED static uint64_t left(long depth)
{
	__atomic_fetch_add(&left_calls, 1, __ATOMIC_RELAXED);
	return depth ? right(depth - 1) * 5 + 1 : 2; /* not in tail position */
}

MEASURED static uint64_t right(long depth)
{
	__atomic_fetch_add(&right_calls, 1, __ATOMIC_RELAXED);
	return depth ? left(depth - 1) * 7 + 2 : 3;
}

MEASURED static void *descend(void *result)
{
	uint64_t sum = down(60) + down(70) + down(1200) + down(3000);

	sum += left(64) + left(65) + left(1023) + left(1025) + left(2500);
	*(uint64_t *)result = sum;
	return NULL;
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv);

	for (long i = 0; i < rounds; i++) {
		pthread_t threads[2];
		uint64_t results[3];

		for (int at = 0; at < 2; at++)
			CHECK(pthread_create(&threads[at], NULL, descend, &results[at]) == 0);
		descend(&results[2]);
		for (int at = 0; at < 2; at++)
			CHECK(pthread_join(threads[at], NULL) == 0);
		CHECK(results[0] == results[1] && results[1] == results[2]);
		torture_mix(results[0]);
	}
	torture_calls("down", down_calls);
	torture_calls("left", left_calls);
	torture_calls("right", right_calls);
	torture_calls("descend", 3ul * (unsigned long)rounds);
	return torture_end();
}
