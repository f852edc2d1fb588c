// SPDX-License-Identifier: GPL-2.0-or-later
// Profiles in memory: the histogram's bounds, quantiles, sums that do not wrap, losses by name.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "model/certainty.h"
#include "model/distribution.h"
#include "model/profile.h"

static void test_buckets_touch(void **state)
{
	(void)state;
	for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		uint64_t lower = histogram_lower(bucket), upper = histogram_upper(bucket);

		assert_true(lower <= upper);
		assert_int_equal(histogram_bucket(lower), bucket);
		assert_int_equal(histogram_bucket(upper), bucket);
		if (bucket + 1 < HISTOGRAM_BUCKETS)
			assert_true(histogram_lower(bucket + 1) == upper + 1);
		if (bucket >= 4 && bucket + 1 < HISTOGRAM_BUCKETS)
			assert_true(upper - lower <= lower / 4);
	}
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_bucket(1000), 35); /* octave 9, sub 3: 896 to 1023 */
}

static void test_distribution(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();
	struct profile_function *function = profile_add_function(profile);
	uint64_t counts[HISTOGRAM_BUCKETS] = {0};

	(void)state;
	assert_int_equal(distribution_quantile(function, 0.5), 0);
	for (uint64_t ns = 1; ns <= 1000; ns++)
		counts[histogram_bucket(ns)]++;
	assert_int_equal(distribution_store(function, counts), 0);
	function->min_ns = 1;
	function->max_ns = 1000;
	assert_int_equal(distribution_calls(function), 1000);
	assert_in_range(distribution_quantile(function, 0.5), 490, 510);
	assert_in_range(distribution_quantile(function, 0.99), 980, 1000);
	assert_int_equal(distribution_quantile(function, 1.0), 1000);
	/* of a uniform spread over 999: 999^2 / 12 = 83,167 */
	assert_in_range((uint64_t)distribution_variance(function), 80000, 86000);
}

/* All calls in one bucket, 896 to 1023: what is left is the spread inside it, 127^2 / 12 = 1,344.
 */
static void test_spread_inside_a_bucket(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();
	struct profile_function *function = profile_add_function(profile);
	uint64_t counts[HISTOGRAM_BUCKETS] = {0};

	(void)state;
	counts[histogram_bucket(1000)] = 1000000;
	assert_int_equal(distribution_store(function, counts), 0);
	assert_int_equal((uint64_t)distribution_variance(function), 1344);
}

static void test_sums_do_not_wrap(void **state)
{
	(void)state;
	assert_true(profile_sum(2, 3) == 5);
	assert_true(profile_sum(UINT64_MAX, 3) == INT64_MAX);
	assert_true(profile_sum(INT64_MAX, 1) == INT64_MAX);
	assert_true(profile_sum_ns(INT64_MAX, 1) == INT64_MAX);
	assert_true(profile_sum_ns(INT64_MIN, -1) == -INT64_MAX);
}

static void test_accounting(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();

	(void)state;
	profile_add_function(profile)->accounting =
	    (struct profile_accounting){.entries = 15, 1, 2, 3, 4, 5};
	profile_add_function(profile)->accounting = (struct profile_accounting){.entries = 2, 1};
	profile_account(profile);
	assert_int_equal(profile->accounting.entries, 17);
	assert_int_equal(profile->accounting.exits, 2);
	assert_int_equal(profile->accounting.open, 2);
	assert_int_equal(profile->accounting.unwound, 3);
	assert_int_equal(profile->accounting.untimed, 4);
	assert_int_equal(profile->accounting.lost, 5);
	assert_true(profile_identity_holds(&profile->functions.items[0].accounting));
	assert_false(profile_identity_holds(&profile->functions.items[1].accounting));
	assert_false(profile_identity_holds(&profile->accounting));
}

static void test_losses_by_name(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();

	(void)state;
	assert_int_equal(profile_lose(profile, "depth", 3), 0);
	assert_int_equal(profile_lose(profile, "depth", 4), 0);
	assert_int_equal(profile_lose(profile, "from the future", 5), 0);
	assert_int_equal(profile_lose(profile, "from the future", 6), 0);
	assert_int_equal(profile->losses[LOSS_DEPTH], 7);
	assert_int_equal(profile->other_losses.count, 1);
	assert_int_equal(profile->other_losses.items[0].count, 11);
	assert_string_equal(loss_cause(LOSS_DEPTH), "depth");
}

static void test_certainty(void **state)
{
	(void)state;
	assert_false(certainty_drowns(0, 0)); /* nothing known */
	assert_false(certainty_drowns(5, 0));
	assert_true(certainty_drowns(0, 1));
	assert_true(certainty_drowns(-3, 1));
	assert_true(certainty_drowns(5, 5));
	assert_false(certainty_drowns(6, 5));
	assert_true(certainty_share(10, 5) == 0.5);
	assert_true(certainty_share(5, 5) == 0);
	assert_true(certainty_share(-5, 3) == 0);
}

/* 100 of 400 calls of 10 us, half of them 5 and half 15: the deviation of one is 5 us. */
static void test_certainty_of_estimates(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();
	struct profile_function *function = profile_add_function(profile);
	uint64_t counts[HISTOGRAM_BUCKETS] = {0};

	(void)state;
	function->calls = 400;
	function->timed_calls = 100;
	function->total_ns = 1000000;
	function->min_ns = 4990;
	function->max_ns = 15010;
	counts[histogram_bucket(5000)] = counts[histogram_bucket(15000)] = 50;
	assert_int_equal(distribution_store(function, counts), 0);
	/* 2 deviations: 2 * 4 ms * 0.5 * sqrt(0.75 / 100) */
	assert_in_range(certainty_of_estimate(profile, function), 310000, 385000);
	function->error_ns = 100000;
	assert_in_range(certainty_of_estimate(profile, function), 710000, 785000);
	/* Drawn with 25 call trees: half as sure. */
	ARRAY_APPEND(&function->callers,
	    (struct profile_caller){.function = PROFILE_NO_FUNCTION, .calls = 25});
	function->error_ns = 0;
	assert_in_range(certainty_of_estimate(profile, function), 620000, 770000);
	function->timed_calls = 400;
	assert_true(certainty_of_estimate(profile, function) == 0);
	function->timed_calls = 0;
	assert_true(certainty_of_estimate(profile, function) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_certainty),
	    cmocka_unit_test(test_certainty_of_estimates),
	    cmocka_unit_test(test_buckets_touch),
	    cmocka_unit_test(test_distribution),
	    cmocka_unit_test(test_spread_inside_a_bucket),
	    cmocka_unit_test(test_sums_do_not_wrap),
	    cmocka_unit_test(test_accounting),
	    cmocka_unit_test(test_losses_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
