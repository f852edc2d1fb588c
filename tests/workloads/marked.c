// SPDX-License-Identifier: GPL-2.0-or-later
// Functions marked with LPROF_PROFILE: marked_static, marked_extern and marked_inlined are, others
// not.
#include <stdio.h>
#include <stdlib.h>

#include "lprof.h"

int marked_extern(int value);

static int plain_before(int value)
{
	return value + 1;
}

LPROF_PROFILE
__attribute__((noinline)) static int marked_static(int value)
{
	int sum = 0;

	for (int i = 0; i < value; i++)
		sum += plain_before(i);
	return sum;
}

static int plain_between(int value)
{
	return value * 2;
}

LPROF_PROFILE int marked_extern(int value)
{
	return plain_between(value) - 1;
}

LPROF_PROFILE
static inline int marked_inlined(int value)
{
	value ^= 5;
	return value * 3;
}

int main(int count, char **arguments)
{
	int calls = count > 1 ? atoi(arguments[1]) : 10;
	int sum = 0;

	for (int i = 0; i < calls; i++)
		sum += marked_static(i % 7) + marked_extern(i) + marked_inlined(i);
	printf("%d calls, sum %d\n", calls, sum);
	return 0;
}
