// SPDX-License-Identifier: GPL-2.0-or-later
// The CPU time of processes that come, end, and have their numbers used again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "collect/processor_time.h"

#define MS 1000000ull

static void look(struct processor_time *time, pid_t *pids, size_t count, uint64_t now)
{
	const pid_array all = {.items = pids, .count = count};

	assert_int_equal(processor_time_look(time, &all, now), 0);
}

static uint64_t own_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void spend(uint64_t ns)
{
	const uint64_t until = own_ns() + ns;

	while (own_ns() < until)
		;
}

static void test_what_a_process_takes(void **state)
{
	struct processor_time time = {0};
	pid_t self = getpid();
	uint64_t began, ended;

	(void)state;
	look(&time, &self, 1, 100 * MS);
	assert_true(time.sum_ns == 0); /* what it took before is not told */
	began = own_ns();
	spend(20 * MS);
	look(&time, &self, 1, 200 * MS);
	ended = own_ns();
	assert_true(time.sum_ns >= 20 * (double)MS);
	assert_true(time.sum_ns <= (double)(ended - began) + (double)MS);
	processor_time_fini(&time);
}

/* One that took more, and ended, had our number before us. */
static void test_a_number_used_again(void **state)
{
	struct processor_time time = {0};
	pid_t self = getpid();

	(void)state;
	look(&time, &self, 1, 100 * MS);
	time.processes.items[0].taken_ns = 1ull << 62;
	look(&time, &self, 1, 200 * MS);
	assert_true(time.sum_ns <= (double)own_ns());
	processor_time_fini(&time);
}

/* It is taken to have gone on as between the last two looks. */
static void test_one_that_ends(void **state)
{
	struct processor_time time = {0};
	pid_t self = getpid();

	(void)state;
	look(&time, &self, 1, 100 * MS);
	look(&time, &self, 1, 200 * MS);
	time.processes.items[0].grown_ns = 50 * MS;
	time.sum_ns = 0;
	look(&time, NULL, 0, 400 * MS);
	assert_true(time.sum_ns == 100 * (double)MS);
	look(&time, NULL, 0, 500 * MS);
	assert_true(time.sum_ns == 100 * (double)MS);
	processor_time_fini(&time);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_a_process_takes),
	    cmocka_unit_test(test_a_number_used_again),
	    cmocka_unit_test(test_one_that_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
