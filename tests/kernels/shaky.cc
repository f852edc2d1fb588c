// SPDX-License-Identifier: GPL-2.0-or-later
// What probes break first: exceptions through measured functions, values below the stack pointer
// with 5-byte NOPs around them, returns seen by their exits. Checks its own results; comments say
// how often a line runs in all.
#include <cstdint>
#include <cstdio>
#include <stdexcept>

#define NOINLINE __attribute__((noinline, noclone))
#define NOP5     __asm__ volatile(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00")

NOINLINE static void thrower(int value)
{
	if (value % 3 == 0)
		throw std::runtime_error("one in three"); // 101 times
}

NOINLINE static int middle(int value)
{
	thrower(value); // 303 times
	return value;   // 202 times
}

NOINLINE static int catcher(int value)
{
	try {
		return middle(value);
	} catch (const std::runtime_error &) {
		return -1; // 101 times
	}
}

// A leaf keeps its variables below the stack pointer, where an interrupting call would write.
NOINLINE static uint64_t leaf(uint64_t value)
{
	volatile uint64_t low[12];
	uint64_t sum = 0;

	NOP5;
	for (uint64_t i = 0; i < 12; i++) {
		low[i] = value + i; // 12084 times
		NOP5;
	}
	NOP5;
	for (uint64_t i = 0; i < 12; i++)
		sum += low[i]; // 12084 times
	NOP5;
	return sum;
}

NOINLINE static int branches(int value)
{
	if (value % 2)
		return value * 3; // 49 times
	if (value % 5 == 0)
		return value / 5; // 9 times
	return value + 1;         // 39 times
}

int main()
{
	int caught = 0, wrong = 0, sum = 0;

	for (int value = 0; value < 303; value++)
		caught += catcher(value) < 0;
	for (uint64_t value = 0; value < 1007; value++)
		wrong += leaf(value) != value * 12 + 66;
	for (int value = 1; value < 98; value++)
		sum += branches(value);
	std::printf("caught %d, wrong %d, sum %d\n", caught, wrong, sum);
	return caught != 101 || wrong;
}
