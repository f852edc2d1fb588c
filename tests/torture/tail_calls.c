// SPDX-License-Identifier: GPL-2.0-or-later
// Tail calls: direct, indirect, conditional, mutual, in long chains, and to functions of other
// files; compiled as C and, with an exception handler elsewhere, as C++.
#include <string.h>

#include "torture.h"

typedef uint64_t (*step)(uint64_t, long);

static unsigned long even_calls, odd_calls, first_calls, second_calls, choose_calls, side_calls;

MEASURED static uint64_t odd(uint64_t value, long left);

MEASURED static uint64_t even(uint64_t value, long left)
{
	even_calls++;
	return left ? odd(value * 3, left - 1) : value;
}

MEASURED static uint64_t odd(uint64_t value, long left)
{
	odd_calls++;
	return left ? even(value + 1, left - 1) : value + 7;
}

MEASURED static uint64_t first(uint64_t value, long left);
MEASURED static uint64_t second(uint64_t value, long left);
static step volatile steps[2] = {first, second};

MEASURED static uint64_t first(uint64_t value, long left)
{
	first_calls++;
	if (!left)
		return value;
	return steps[left & 1](value * 5, left - 1);
}

MEASURED static uint64_t second(uint64_t value, long left)
{
	second_calls++;
	if (left <= 0)
		return value ^ 0x55;
	return steps[value & 1](value + 11, left - 1);
}

MEASURED static uint64_t side(uint64_t value, long left)
{
	side_calls++;
	return value + (uint64_t)left;
}

/* Jumps away under a condition, or goes on. */
MEASURED static uint64_t choose(uint64_t value, long left)
{
	choose_calls++;
	if (left > 5)
		return side(value, left);
	if (left == 3)
		return even(value, 2);
	return value * (uint64_t)left;
}

/* A frame around tail calls. */
MEASURED static uint64_t around(uint64_t value, long left)
{
	uint64_t sum = even(value, left);

	sum += first(sum, left);
	sum += choose(sum, left);
	return sum + second(sum, left / 2);
}

MEASURED static size_t to_library(const char *text)
{
	return strlen(text);
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 120;

	for (long i = 0; i < rounds; i++) {
		torture_mix(around((uint64_t)i, i % 20));
		torture_mix(to_library(argv[0] + strlen(argv[0]) - 1));
		if (i % 100 == 0)
			torture_mix(even(1, 2000)); /* without tail calls deeper than any table */
	}
	torture_calls("even", even_calls);
	torture_calls("odd", odd_calls);
	torture_calls("first", first_calls);
	torture_calls("second", second_calls);
	torture_calls("choose", choose_calls);
	torture_calls("side", side_calls);
	torture_calls("around", (unsigned long)rounds);
	return torture_end();
}
