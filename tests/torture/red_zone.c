// SPDX-License-Identifier: GPL-2.0-or-later
// Leaf functions that keep values below the stack pointer, full of nops of five bytes and others.
#include "torture.h"

#define NOP5 ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n\t"

static unsigned long calls;

/* Compiled code with the red zone in use around nops. */
MEASURED static uint64_t compiled(uint64_t value)
{
	volatile uint64_t low[14];
	uint64_t sum = 0;

	__asm__ volatile(NOP5);
	for (int i = 0; i < 14; i++) {
		low[i] = value + (uint64_t)i;
		__asm__ volatile(NOP5);
	}
	__asm__ volatile(NOP5 NOP5);
	for (int i = 0; i < 14; i++) {
		sum = sum * 31 + low[i];
		__asm__ volatile(NOP5);
	}
	__asm__ volatile(NOP5);
	return sum;
}

/* Written by hand: only the 128 bytes, with a nop before and after each use. */
uint64_t by_hand(uint64_t value);
__asm__(
    ".text\n"
    ".type by_hand, @function\n"
    "by_hand:\n\t" NOP5 "movq %rdi, -8(%rsp)\n\t" NOP5 "movq %rdi, -16(%rsp)\n\t" NOP5
    "movq %rdi, -128(%rsp)\n\t" NOP5 "leaq (%rdi,%rdi,2), %rdx\n\t" NOP5
    "movq %rdx, -64(%rsp)\n\t" NOP5 "movq -8(%rsp), %rax\n\t" NOP5 "addq -16(%rsp), %rax\n\t" NOP5
    "xorq -128(%rsp), %rax\n\t" NOP5 "addq -64(%rsp), %rax\n\t" NOP5 "ret\n"
    ".size by_hand, .-by_hand\n");

/* Nothing but nops: of one byte, five bytes, nine bytes. */
void only_nops(void);
__asm__(".text\n"
	".type only_nops, @function\n"
	"only_nops:\n\t" NOP5 NOP5 "nop\n\t" NOP5
	".byte 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00\n\t" NOP5
	".byte 0x66, 0x90\n\t" NOP5 "ret\n"
	".size only_nops, .-only_nops\n");

/* A nop that is a jump's target. */
MEASURED static uint64_t looping(uint64_t value)
{
	volatile uint64_t low = value;

	for (int i = 0; i < 8; i++) {
		__asm__ volatile(".p2align 4\n1:\n\t" NOP5);
		low = low * 3 + (uint64_t)i;
	}
	return low;
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 300;

	for (long i = 0; i < rounds; i++) {
		uint64_t value = (uint64_t)i;

		torture_mix(compiled(value));
		CHECK(by_hand(value) == ((value + value) ^ value) + value * 3);
		torture_mix(by_hand(value));
		only_nops();
		torture_mix(looping(value));
		calls++;
	}
	torture_calls("compiled", calls);
	torture_calls("by_hand", calls * 2);
	torture_calls("only_nops", calls);
	torture_calls("looping", calls);
	return torture_end();
}
