// SPDX-License-Identifier: GPL-2.0-or-later
// Calls work() some two million times a second, in bursts: one of MS milliseconds for each line on
// stdin. After each it prints how many calls it made in each 10 ms of it. Usage: burst MS
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BIN_NS   10000000u
#define BINS_MAX 10000
#define TURNS    90 /* of work(): with the clock's reading half a microsecond */

static volatile uint64_t sink;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((noinline)) void work(uint64_t value)
{
	for (unsigned turn = 0; turn < TURNS; turn++)
		value = value * 0x9e3779b97f4a7c15ull + turn;
	sink += value;
}

static void burst(uint64_t length_ns, uint64_t *bins)
{
	const uint64_t began = now_ns();
	uint64_t passed = 0;

	while (passed < length_ns) {
		bins[passed / BIN_NS]++;
		work(passed);
		passed = now_ns() - began;
	}
}

int main(int argc, char **argv)
{
	const uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) * 1000000 / BIN_NS : 100;
	char line[16];

	if (!count || count > BINS_MAX)
		return 2;
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t bins[BINS_MAX] = {0};

		burst(count * BIN_NS, bins);
		for (uint64_t at = 0; at < count; at++)
			printf("%llu%c", (unsigned long long)bins[at], at + 1 < count ? ' ' : '\n');
		fflush(stdout);
	}
	return 0;
}
