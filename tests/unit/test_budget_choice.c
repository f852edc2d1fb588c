// SPDX-License-Identifier: GPL-2.0-or-later
// What a budget pays for: the cheapest functions whole, of the dear ones what it can.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/array.h"
#include "collect/budget_choice.h"

#define BUDGET 0.02

static struct part_choice choices[8];

static void choose(const struct budget_load *loads, size_t count, bool fewer)
{
	assert_int_equal(budget_choose(loads, count, BUDGET, fewer, choices), 0);
}

static void what_fits_is_whole(void **state)
{
	const struct budget_load loads[] = {{.entries = 0.005}, {.entries = 0.001, .lines = 0.009}};

	(void)state;
	choose(loads, ARRAY_SIZE(loads), true);
	assert_int_equal(choices[0].step, STEP_FULL);
	assert_int_equal(choices[1].step, STEP_FULL);
}

static void the_dear_one_pays(void **state)
{
	const struct budget_load loads[] = {
	    {.entries = 0.1, .lines = 0.2}, {.entries = 0.001, .lines = 0.002}, {.entries = 0.002}};

	(void)state;
	choose(loads, ARRAY_SIZE(loads), true);
	assert_int_equal(choices[0].step, STEP_SLICED);
	assert_int_equal(choices[1].step, STEP_FULL);
	assert_int_equal(choices[2].step, STEP_FULL);
}

static void calls_stay_exact_while_they_are_cheap(void **state)
{
	const struct budget_load loads[] = {{.entries = 0.004, .returns = 0.003, .lines = 0.3}};

	(void)state;
	choose(loads, 1, true);
	assert_int_equal(choices[0].step, STEP_LINES);
}

/* Without the probes that slow it down there will be more hits. */
static void what_is_slowed_down_will_speed_up(void **state)
{
	const struct budget_load loads[] = {{.entries = 0.005, .lines = 0.6}};

	(void)state;
	choose(loads, 1, true);
	assert_int_equal(choices[0].step, STEP_SLICED);
}

/* Entries cost 0.4% of a CPU, and all that is left pays for returns: of 10%. */
static void fewer_calls_are_timed(void **state)
{
	const struct budget_load loads[] = {{.entries = 0.004, .returns = 0.1}};

	(void)state;
	choose(loads, 1, true);
	assert_int_equal(choices[0].step, STEP_FEWER);
	assert_in_range((int)(1000 * choices[0].share), 50, 150);
	choose(loads, 1, false); /* that did not help before */
	assert_int_equal(choices[0].step, STEP_SLICED);
}

/* Whatever stands all the time costs less than the budget, with any loads. */
static void the_steady_fit(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int turn = 0; turn < 20000; turn++) {
		struct budget_load loads[ARRAY_SIZE(choices)];
		double steady = 0;

		for (size_t at = 0; at < ARRAY_SIZE(loads); at++) {
			double parts[3];

			for (int part = 0; part < 3; part++) {
				random = random * 6364136223846793005u + 1442695040888963407u;
				parts[part] = (double)(random >> 40) / (1 << 24);
				parts[part] *= parts[part] * parts[part] * 0.05;
			}
			loads[at] = (struct budget_load){
			    parts[0], turn % 3 ? parts[1] : 0, turn % 2 ? parts[2] : 0};
		}
		choose(loads, ARRAY_SIZE(loads), turn % 5);
		for (size_t at = 0; at < ARRAY_SIZE(loads); at++) {
			const struct budget_load *load = &loads[at];

			if (choices[at].step == STEP_FULL)
				steady += load->entries + load->returns + load->lines;
			else if (choices[at].step == STEP_LINES)
				steady += load->entries + load->returns;
			else if (choices[at].step == STEP_FEWER)
				steady += load->entries + choices[at].share * load->returns;
		}
		assert_true(steady <= 0.8 * BUDGET + 1e-9);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_fits_is_whole),
	    cmocka_unit_test(the_dear_one_pays),
	    cmocka_unit_test(calls_stay_exact_while_they_are_cheap),
	    cmocka_unit_test(what_is_slowed_down_will_speed_up),
	    cmocka_unit_test(fewer_calls_are_timed),
	    cmocka_unit_test(the_steady_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
