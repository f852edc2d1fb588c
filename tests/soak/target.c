// SPDX-License-Identifier: GPL-2.0-or-later
// What the soak measures: calls each of its functions once a turn, in two threads, and says at its
// end how many turns it made. Usage: target TURNS PAUSE_US (TURNS 0: until SIGTERM)
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 2

volatile uint64_t sink;
static volatile sig_atomic_t ended;
static uint64_t turns_wanted, turns_made;
static useconds_t pause_us;

/* still_*: nobody touches their probes. moving_*: the clients' own. */
#define FUNCTION(name)                             \
	__attribute__((noipa)) void name(void);    \
	__attribute__((noipa)) void name(void)     \
	{                                          \
		for (unsigned i = 0; i < 3; i++) { \
			sink += i;                 \
			if (sink & 1)              \
				sink += 2;         \
		}                                  \
	}
#define EIGHT(DO, name) \
	DO(name##0)     \
	DO(name##1) DO(name##2) DO(name##3) DO(name##4) DO(name##5) DO(name##6) DO(name##7)
#define ALL(DO)             \
	EIGHT(DO, still_)   \
	EIGHT(DO, moving_0) \
	EIGHT(DO, moving_1) \
	EIGHT(DO, moving_2) \
	EIGHT(DO, moving_3) \
	EIGHT(DO, moving_4) EIGHT(DO, moving_5) EIGHT(DO, moving_6) EIGHT(DO, moving_7)

ALL(FUNCTION)

__attribute__((noipa)) void turn(void);
__attribute__((noipa)) void turn(void)
{
#define CALL(name) name();
	ALL(CALL)
#undef CALL
	__asm__ volatile(""); /* the last one is called, not jumped to */
}

static void end(int number)
{
	(void)number;
	ended = 1;
}

static void *work(void *argument)
{
	uint64_t made = 0;

	for (; !ended && (!turns_wanted || made < turns_wanted); made++) {
		turn();
		usleep(pause_us);
	}
	__atomic_fetch_add(&turns_made, made, __ATOMIC_SEQ_CST);
	return argument;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	if (argc != 3)
		return 2;
	turns_wanted = strtoull(argv[1], NULL, 10);
	pause_us = (useconds_t)atoi(argv[2]);
	signal(SIGTERM, end);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, NULL))
			return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("%llu\n", (unsigned long long)turns_made);
	return 0;
}
