// SPDX-License-Identifier: GPL-2.0-or-later
// Times after correction: an empty function takes nothing, a busy one what it says.
#include "collect/calibrate.h"
#include "collect/calibration_cache.h"
#include "kernel/measured.h"
#include "model/distribution.h"

#define EMULATED_ERROR_MAX_NS 100
#define STEPPED_ERROR_MAX_NS  1500
#define BUSY_ERROR_MAX_NS     2000

/* On a loaded machine the mean of wall times says more about the load than about the program. */
static struct profile *run(const char *name, const char *what, const char *argument)
{
	static const struct engine_options options = {.correct = true};
	struct plan plan CLEANUP(plan_fini);
	struct profile *profile;

	plan_init(&plan, counted_path());
	plan_add_function(&plan, name);
	profile = measure(&plan, &options, what, argument);
	assert_true(profile->cost.hits >= 2 * profile->functions.items->calls);
	assert_true(profile->cost.overhead_ns > 0);
	return profile;
}

static uint64_t median_of(const char *name, const char *what)
{
	CLEANUP(profile_free_p) struct profile *profile = run(name, what, NULL);

	return distribution_quantile(profile->functions.items, 0.5);
}

static void assert_busy_takes(uint64_t ns, const char *argument)
{
	CLEANUP(profile_free_p) struct profile *profile = run("busy", "busy", argument);

	assert_in_range(
	    profile->functions.items->min_ns, ns - BUSY_ERROR_MAX_NS / 2, ns + BUSY_ERROR_MAX_NS);
}

static void costs_are_plausible(void **state)
{
	struct costs costs;

	(void)state;
	calibrate_costs(need_method(&(struct engine_options){0}), &costs);
	assert_true(costs.known);
	assert_true(costs_plausible(&costs));
	/* Stepping takes a trap more than emulating. */
	assert_true(costs.after_ns[COST_STEPPED] > costs.after_ns[COST_EMULATED]);
	/* An entry that is not timed keeps no frame, and leaves its return out where it can. */
	assert_in_range(costs.skipped_ns, costs_ns(&costs, COST_EMULATED) / 2,
	    costs_ns(&costs, COST_ENTRY_EMULATED) + costs_ns(&costs, COST_RETURN));
	assert_true(costs.spread_ns[COST_EMULATED] < costs_ns(&costs, COST_EMULATED));
	assert_true(costs_error_ns(&costs, COST_EMULATED) > costs.spread_ns[COST_EMULATED]);
}

/* Another lprof on this machine may keep its own in between. */
static void costs_are_kept(void **state)
{
	const enum attach_method method = need_method(&(struct engine_options){0});
	struct costs measured, kept;

	(void)state;
	for (int again = 0; again < 5; again++) {
		calibrate_costs(method, &measured);
		if (calibration_cache_load(method, &kept) == 0 &&
		    memcmp(&measured, &kept, sizeof(kept)) == 0)
			return;
	}
	fail_msg("what is kept is not what was measured");
}

static void empty_function_takes_nothing(void **state)
{
	(void)state;
	assert_in_range(median_of("lines", "lines"), 0, EMULATED_ERROR_MAX_NS);
	assert_in_range(median_of("leaf", "leaf"), 0, STEPPED_ERROR_MAX_NS);
}

static void busy_function_takes_what_it_says(void **state)
{
	(void)state;
	assert_busy_takes(10000, "10000");
	assert_busy_takes(100000, "100000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(costs_are_plausible),
	    cmocka_unit_test(costs_are_kept),
	    cmocka_unit_test(empty_function_takes_nothing),
	    cmocka_unit_test(busy_function_takes_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
