// SPDX-License-Identifier: GPL-2.0-or-later
// Serves requests, each of them one call tree: request() calls parse() once, step() twice and
// through the last step() finish() once. Usage: requests [NUMBER]
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))

static uint64_t sum;

NOINLINE void finish(uint64_t value)
{
	sum += value;
	sum ^= value << 7;
}

NOINLINE void step(uint64_t value, int last)
{
	sum += value;
	if (last)
		finish(value);
	sum++;
}

NOINLINE void parse(uint64_t value)
{
	sum ^= value;
}

NOINLINE void request(uint64_t value)
{
	parse(value);
	step(value, 0);
	step(value, 1);
	sum++;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;

	for (uint64_t i = 0; i < count; i++)
		request(i);
	printf("requests: %llu\n", (unsigned long long)sum);
	return 0;
}
