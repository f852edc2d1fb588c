// SPDX-License-Identifier: GPL-2.0-or-later
// Works until its input ends, or for a number of turns, then prints how often each function was
// called and a checksum that depends on every call. Without an argument it says `ready` once it
// works. Usage: steady [TURNS]
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static uint64_t checksum;

NOINLINE uint64_t mix(uint64_t value)
{
	value ^= value >> 31;
	value *= 0x9e3779b97f4a7c15u;
	return value;
}

NOINLINE void turn(uint64_t number)
{
	for (uint64_t i = 0; i < 3; i++)
		checksum += mix(number + i);
	checksum = checksum << 5 | checksum >> 59;
}

static bool is_input_over(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&input, 1, 0) != 0;
}

int main(int argc, char **argv)
{
	uint64_t turns = argc > 1 ? strtoull(argv[1], NULL, 10) : UINT64_MAX, done = 0;

	if (argc == 1) {
		puts("ready");
		fflush(stdout);
	}
	while (done < turns) {
		turn(done++);
		if (argc == 1 && done % 1024 == 0 && is_input_over())
			break;
	}
	printf("turn %llu mix %llu checksum %016llx\n", (unsigned long long)done,
	    (unsigned long long)done * 3, (unsigned long long)checksum);
	return 0;
}
