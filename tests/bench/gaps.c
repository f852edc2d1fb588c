// SPDX-License-Identifier: GPL-2.0-or-later
// What a program loses at each interrupt: it reads the time stamp counter over and over, and looks
// for gaps. Of so many gaps as interrupts are due, the longest ones, it prints the median in ns.
// Usage: gaps HZ SECONDS (of its own CPU time: others may run as well)
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

#define GAPS_MAX   (1u << 20)
#define CYCLES_MIN 500 /* shorter ones are no interrupts */

static uint64_t gaps[GAPS_MAX];

static double seconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int longer_first(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a < *b) - (*a > *b);
}

int main(int argc, char **argv)
{
	long hz = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	double seconds = argc == 3 ? strtod(argv[2], NULL) : 0, begun = seconds_of(CLOCK_MONOTONIC);
	uint64_t first = __rdtsc(), last;
	size_t count = 0, due = (size_t)((double)hz * seconds);

	while (due && seconds_of(CLOCK_PROCESS_CPUTIME_ID) < seconds) {
		last = __rdtsc();
		for (int turn = 0; turn < 1000000; turn++) {
			uint64_t now = __rdtsc();

			if (now - last > CYCLES_MIN && count < GAPS_MAX)
				gaps[count++] = now - last;
			last = now;
		}
	}
	if (!due || count < due / 2 + 1) {
		fprintf(stderr, "gaps: only %zu gaps for %zu interrupts\n", count, due);
		return 1;
	}
	qsort(gaps, count, sizeof(*gaps), longer_first);
	printf("%.0f\n", (double)gaps[due / 2] * (seconds_of(CLOCK_MONOTONIC) - begun) * 1e9 /
			     (double)(__rdtsc() - first));
	return 0;
}
