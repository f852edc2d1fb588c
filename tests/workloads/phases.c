/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Works steadily or in bursts of random length for some seconds, and prints how often it came
 * through each line and how long its calls took, by its own clock.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone))

static volatile uint64_t sink;
static uint64_t rare_hits, state = 88172645463325252u;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

NOINLINE static void spin(uint64_t turns)
{
	for (uint64_t turn = 0; turn < turns; turn++)
		sink += turn;
}

/* The test knows the lines by what stands in them. */
NOINLINE void work(uint64_t chance)
{
	spin(5000);
	if (chance == 0) {
		rare_hits++;
		spin(15000);
	}
	sink++;
}

static void pause_ms(uint64_t ms)
{
	struct timespec time = {
	    .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&time, NULL);
}

int main(int count, char **words)
{
	const int bursty = count > 1 && strcmp(words[1], "bursty") == 0;
	const uint64_t end = now_ns() + (uint64_t)(count > 2 ? atoi(words[2]) : 1) * 1000000000u;
	uint64_t calls = 0, took_ns = 0, pause_at = 0;

	state += (uint64_t)(count > 3 ? atoi(words[3]) : 0) * 7919;
	while (now_ns() < end) {
		const uint64_t began = now_ns();

		if (bursty && began > pause_at) {
			pause_ms(draw(400));
			pause_at = now_ns() + draw(200) * 1000000u;
			continue;
		}
		work(draw(5));
		calls++;
		took_ns += now_ns() - began;
	}
	printf("calls %lu rare %lu took %lu\n", calls, rare_hits, took_ns);
	return 0;
}
