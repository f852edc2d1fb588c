// SPDX-License-Identifier: GPL-2.0-or-later
// Jump tables and computed gotos, in leaf functions and in functions that call.
#include "torture.h"

static unsigned long select_calls, run_calls, leaf_run_calls;

MEASURED static uint64_t helper(uint64_t value)
{
	return value * 9 + 2;
}

MEASURED static uint64_t choose(unsigned kind, uint64_t value)
{
	select_calls++;
	switch (kind) {
	case 0:
		return helper(value);
	case 1:
		value += 17;
		break;
	case 2:
		value ^= 0xabcdef;
		break;
	case 3:
		value = helper(value) + helper(value + 1);
		break;
	case 4:
		value <<= 3;
		/* fall through */
	case 5:
		value += 3;
		break;
	case 6:
		return value / 3;
	case 7:
		value = value << 5 | value >> 59;
		break;
	case 8:
		for (int i = 0; i < 3; i++)
			value = value * 7 + (uint64_t)i;
		break;
	case 9:
		return ~value;
	default:
		value -= kind;
	}
	return value + 1;
}

enum operation { ADD, MULTIPLY, XOR, ROTATE, AGAIN, CALL, HALT };

/* An interpreter that calls. */
MEASURED static uint64_t run(const unsigned char *program, uint64_t value)
{
	static const void *const labels[] = {
	    &&do_add, &&do_multiply, &&do_xor, &&do_rotate, &&do_again, &&do_call, &&do_halt};
	const unsigned char *at = program;
	int left = 3;

	run_calls++;
	goto *labels[*at++];
do_add:
	value += *at++;
	goto *labels[*at++];
do_multiply:
	value *= *at++;
	goto *labels[*at++];
do_xor:
	value ^= *at++;
	goto *labels[*at++];
do_rotate:
	value = value << 7 | value >> 57;
	goto *labels[*at++];
do_again:
	if (left--)
		at = program;
	goto *labels[*at++];
do_call:
	value = helper(value);
	goto *labels[*at++];
do_halt:
	return value;
}

/* One that does not: its jumps leave with the stack pointer as it was at entry. */
MEASURED static uint64_t run_leaf(const unsigned char *at, uint64_t value)
{
	static const void *const labels[] = {
	    &&do_add, &&do_multiply, &&do_xor, &&do_rotate, &&do_rotate, &&do_xor, &&do_halt};
	const void *next = labels[*at++];

	goto *next;
do_add:
	value += 5;
	next = labels[*at++];
	goto *next;
do_multiply:
	value *= 3;
	next = labels[*at++];
	goto *next;
do_xor:
	value ^= 0x5555;
	next = labels[*at++];
	goto *next;
do_rotate:
	value = value << 7 | value >> 57;
	next = labels[*at++];
	goto *next;
do_halt:
	return value;
}

int main(int argc, char **argv)
{
	static const unsigned char program[] = {
	    ADD, 3, MULTIPLY, 5, ROTATE, CALL, XOR, 9, AGAIN, ADD, 1, HALT};
	static const unsigned char leaf[] = {ADD, XOR, ROTATE, MULTIPLY, ADD, AGAIN, CALL, HALT};
	long rounds = torture_rounds(argc, argv) * 150;

	for (long i = 0; i < rounds; i++) {
		torture_mix(choose((unsigned)(i % 12), (uint64_t)i));
		torture_mix(choose((unsigned)(i * 7 % 11), (uint64_t)i));
		torture_mix(run(program, (uint64_t)i));
		torture_mix(run_leaf(leaf, (uint64_t)i));
		leaf_run_calls++;
	}
	torture_calls("choose", select_calls);
	torture_calls("run", run_calls);
	torture_calls("run_leaf", leaf_run_calls);
	return torture_end();
}
