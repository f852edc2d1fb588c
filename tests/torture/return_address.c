// SPDX-License-Identifier: GPL-2.0-or-later
// Functions that look at where they will return to, and walks over the stack: what profilers,
// allocators that trace, and loaders do.
#include <execinfo.h>

#include "torture.h"

/* Whether `address` lies in the function that begins at `function`, which is short. */
static int is_in(const void *address, const void *function)
{
	uintptr_t begin = (uintptr_t)function;

	return (uintptr_t)address > begin && (uintptr_t)address < begin + 1024;
}

MEASURED static void *return_address(void)
{
	return __builtin_return_address(0);
}

MEASURED static void *deep_return_address(int depth)
{
	volatile int kept = depth;
	void *address = __builtin_return_address(0);

	return kept ? address : return_address();
}

MEASURED static int walk(int depth)
{
	void *addresses[64];
	int result;

	if (!depth)
		return backtrace(addresses, 64);
	result = walk(depth - 1);
	KEEP(result);
	return result;
}

MEASURED static void caller(long round)
{
	int depth = (int)(round % 20);

	CHECK(is_in(return_address(), (const void *)(uintptr_t)caller));
	CHECK(is_in(deep_return_address(1), (const void *)(uintptr_t)caller));
	torture_mix((uint64_t)walk(depth));
	torture_mix((uint64_t)(walk(depth) - walk(0)));
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 100;

	for (long i = 0; i < rounds; i++)
		caller(i);
	torture_calls("caller", (unsigned long)rounds);
	torture_calls("return_address", (unsigned long)rounds);
	return torture_end();
}
