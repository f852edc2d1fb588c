// SPDX-License-Identifier: GPL-2.0-or-later
// Calls a small function, or goes round a loop of one line, a number of times, and prints how many
// ns each took, by its own clock. Usage: hot call|call_marked|call_stepped|call_c|line NUMBER
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, used))

uint64_t sum; /* of calls, kept by assembly */

/* Begins with push, as functions that save registers do: emulated. */
__asm__(".globl call\n.type call, @function\ncall: push %rbp\nmov %rsp, %rbp\nincq sum(%rip)\npop "
	"%rbp\nret\n"
	".size call, .-call");
/* The same behind the mark that many distributions have at each function's start: stepped there. */
__asm__(
    ".globl call_marked\n.type call_marked, @function\ncall_marked: endbr64\npush %rbp\nmov %rsp, "
    "%rbp\nincq sum(%rip)\npop %rbp\nret\n"
    ".size call_marked, .-call_marked");
/* Begins with a single-stepped instruction. */
__asm__(".globl call_stepped\n.type call_stepped, @function\ncall_stepped: incq sum(%rip)\nmov "
	"%rsp, %rax\nret\n"
	".size call_stepped, .-call_stepped");
void call(void);
void call_marked(void);
void call_stepped(void);

/* In C, so that a compiler can instrument it. */
NOINLINE void call_c(void)
{
	__asm__ volatile("incq sum(%%rip)" : : : "memory");
}

NOINLINE void line(uint64_t count)
{
	sum += count;
	do
		__asm__ volatile("nop");
	while (--count);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(
	    CLOCK_THREAD_CPUTIME_ID, &time); /* with the kernel's, without others' turns */
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void repeat(void (*function)(void), uint64_t count)
{
	while (count--)
		function();
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 0, began = now();

	if (!count)
		return 2;
	if (!strcmp(what, "call"))
		repeat(call, count);
	else if (!strcmp(what, "call_marked"))
		repeat(call_marked, count);
	else if (!strcmp(what, "call_stepped"))
		repeat(call_stepped, count);
	else if (!strcmp(what, "call_c"))
		repeat(call_c, count);
	else if (!strcmp(what, "line"))
		line(count);
	else
		return 2;
	printf("%.3f\n", (double)(now() - began) / (double)count);
	return 0;
}
