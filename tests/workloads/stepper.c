// SPDX-License-Identifier: GPL-2.0-or-later
// Calls step() as often as it is told, a thousand times in each call of outer().
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static volatile uint64_t sink;

__attribute__((noinline, noclone)) void step(uint64_t value)
{
	sink += value;
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline, noclone)) void outer(void)
{
	for (uint64_t at = 0; at < 1000; at++)
		step(at);
	__asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
	uint64_t thousands = argc > 1 ? strtoull(argv[1], NULL, 10) / 1000 : 1;

	while (thousands--)
		outer();
	puts("done");
	return 0;
}
