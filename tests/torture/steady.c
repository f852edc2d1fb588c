// SPDX-License-Identifier: GPL-2.0-or-later
// Computes the same again and again until SIGTERM, checks each result, and tells how many were
// wrong and whether the last rounds were as fast as the first: what lprof's death must not change.
#include <signal.h>
#include <string.h>
#include <time.h>

#include "torture.h"

static volatile sig_atomic_t ending;
static uint64_t numbers[64];

static void handle_end(int number)
{
	(void)number;
	ending = 1;
}

MEASURED static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

MEASURED static uint64_t descend(int depth, uint64_t value)
{
	uint64_t result;

	if (!depth)
		return value;
	result = descend(depth - 1, value * 31 + (uint64_t)depth);
	KEEP(result);
	return result + value;
}

MEASURED static uint64_t fill(uint64_t seed)
{
	for (int at = 0; at < 64; at++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		numbers[at] = seed;
	}
	return seed;
}

MEASURED static uint64_t compute(uint64_t seed)
{
	uint64_t sum = fill(seed);

	qsort(numbers, 64, sizeof(*numbers), compare);
	for (int at = 0; at < 64; at += 9)
		sum = sum * 31 + numbers[at];
	return sum + descend(30, sum);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The fastest of 20 rounds. */
static uint64_t round_ns(uint64_t expected, unsigned long *rounds, unsigned long *wrong)
{
	uint64_t fastest = UINT64_MAX;

	for (int at = 0; at < 20; at++) {
		uint64_t begun = now_ns(), took;

		*wrong += compute(7) != expected;
		took = now_ns() - begun;
		if (took < fastest)
			fastest = took;
		++*rounds;
	}
	return fastest;
}

/* "steady FILE NANOSECONDS": what a round takes unprobed decides what is slow. */
int main(int argc, char **argv)
{
	FILE *report = argc > 1 ? fopen(argv[1], "w") : stdout;
	uint64_t limit = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
	unsigned long rounds = 0, wrong = 0;
	uint64_t expected = 0x004c9080adabfe9du, last;

	if (!report)
		return 2;
	signal(SIGTERM, handle_end);
	fprintf(report, "begun\n");
	fflush(report);
	while (!ending)
		last = round_ns(expected, &rounds, &wrong);
	last = round_ns(expected, &rounds, &wrong);
	fprintf(report, "%lu wrong, %s\n", wrong, last > limit ? "slow" : "fast");
	fprintf(report, "%lu rounds, %llu ns, %016llx\n", rounds, (unsigned long long)last,
	    (unsigned long long)compute(7));
	fclose(report);
	return wrong ? 1 : TORTURE_STATUS;
}
