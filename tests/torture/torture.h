/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the torture programs in C and C++ share: a checksum, checks, and known numbers of calls.
 *
 * A program takes one argument, how often to repeat its work. It prints what it computed ("sum")
 * and how often its functions ran ("calls NAME N"), and exits with TORTURE_STATUS if all its own
 * checks held. Lines "calls" may differ between runs: they are what the profile must agree with.
 */
#ifndef TESTS_TORTURE_TORTURE_H
#define TESTS_TORTURE_TORTURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TORTURE_STATUS 42

/* A function that is called as often as the source says, and stays whole. */
#define MEASURED __attribute__((noinline, noclone, noipa))

/* Uses a value between a call and the return, so that the call is none in tail position. */
#define KEEP(value) __asm__ volatile("" : "+r"(value))

static uint64_t torture_sum = 0xcbf29ce484222325u;
static int torture_failures;

static inline void torture_mix(uint64_t value)
{
	torture_sum = (torture_sum ^ value) * 0x100000001b3u;
}

#define CHECK(condition)                                                               \
	do {                                                                           \
		if (!(condition)) {                                                    \
			printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			torture_failures++;                                            \
		}                                                                      \
	} while (0)

static inline long torture_rounds(int argc, char **argv)
{
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1;

	return rounds > 0 ? rounds : 1;
}

static inline void torture_calls(const char *name, unsigned long calls)
{
	printf("calls %s %lu\n", name, calls);
}

static inline int torture_end(void)
{
	printf("sum %016llx, %d failures\n", (unsigned long long)torture_sum, torture_failures);
	fflush(stdout);
	return torture_failures ? 1 : TORTURE_STATUS;
}

#endif
