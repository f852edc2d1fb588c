// SPDX-License-Identifier: GPL-2.0-or-later
// Profiles added up, and compared.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "model/profile_diff.h"
#include "model/profile_merge.h"
#include "profile_example.h"

static void test_merge_doubles(void **state)
{
	CLEANUP(profile_free_p) struct profile *sum = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *more = profile_example("/a.c");
	const struct profile_function *function;

	(void)state;
	assert_int_equal(profile_merge(sum, more), 0);
	assert_int_equal(sum->functions.count, 2);
	assert_int_equal(sum->images.count, 2);
	assert_int_equal(sum->omissions.count, 2);
	assert_int_equal(sum->targets.count, 4);
	assert_int_equal(sum->duration_ns, 4000000000);
	assert_int_equal(sum->losses[LOSS_DEPTH], 24);
	assert_int_equal(sum->other_losses.items[0].count, 10);
	assert_int_equal(sum->cost.hits, 16040);
	function = &sum->functions.items[0];
	assert_int_equal(function->calls, 2000);
	assert_int_equal(function->total_ns, 10000000);
	assert_int_equal(function->error_ns, 400000); /* common to both: no square root */
	assert_int_equal(function->self_error_ns, 300000);
	assert_int_equal(function->min_ns, 3000);
	assert_int_equal(function->max_ns, 9000);
	assert_int_equal(function->histogram.count, 2);
	assert_int_equal(function->histogram.items[0].count, 1800);
	assert_int_equal(function->callers.count, 2);
	assert_int_equal(function->callers.items[0].function, 1);
	assert_int_equal(function->callers.items[0].calls, 1980);
	assert_int_equal(function->lines.count, 3);
	assert_int_equal(function->lines.items[1].hits, 8000);
	assert_int_equal(function->lines.items[1].error_ns, 320000);
	assert_true(sum->functions.items[1].rate == 0.1);
	function = &sum->functions.items[1];
	assert_int_equal(function->in_all.count, 46);
	assert_int_equal(function->in_all.count_error, 3); /* of independent slices */
	assert_int_equal(function->in_all.total_error_ns, 1400000);
	assert_int_equal(function->lines.items[0].in_all.count, 100);
	assert_int_equal(function->lines.items[0].in_all.count_error, 13);
}

/* What always stood is no estimate, and what is added to it makes it one. */
static void test_merge_estimates(void **state)
{
	CLEANUP(profile_free_p) struct profile *sum = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *more = profile_example("/a.c");
	struct profile_function *stood = &sum->functions.items[1];

	(void)state;
	stood->calls_stand = stood->lines_stand = (struct profile_stand){0};
	assert_int_equal(profile_merge(sum, more), 0);
	assert_int_equal(stood->in_all.count, 20 + 23);
	assert_int_equal(stood->in_all.count_error, 2);
	assert_int_equal(stood->in_all.total_ns, 6000000 + 6600000);
	assert_int_equal(stood->lines.items[0].in_all.count, 2 + 50);
	assert_int_equal(stood->lines.items[0].in_all.count_error, 9);
	stood->in_all.count_error = more->functions.items[1].in_all.count_error = INT64_MAX;
	assert_int_equal(profile_merge(sum, more), 0);
	assert_int_equal(stood->in_all.count_error, INT64_MAX); /* what a file can say */
}

/* Nobody wanted it to stand in the time of a profile that does not know it. */
static void test_merge_stands(void **state)
{
	CLEANUP(profile_free_p) struct profile *sum = profile_example("/b.c");
	CLEANUP(profile_free_p) struct profile *more = profile_example("/a.c");
	const struct profile_function *function;

	(void)state;
	assert_int_equal(profile_merge(sum, more), 0);
	assert_int_equal(sum->functions.count, 4);
	function = &sum->functions.items[3];
	assert_string_equal(function->file, "/a.c");
	assert_int_equal(function->lines_stand.stood_ns, 40000000);
	assert_int_equal(function->lines_stand.away_ns, 960000000);
	assert_int_equal(profile_merge(sum, more), 0);
	assert_int_equal(sum->functions.items[3].lines_stand.stood_ns, 80000000);
}

/* Equal stacks are one; other frames and images find their place. */
static void test_merge_stacks(void **state)
{
	CLEANUP(profile_free_p) struct profile *sum = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *more = profile_example("/a.c");

	(void)state;
	more->images.items[0].path = "/other";
	more->images.items[0].build_id = "ef";
	more->frames.items[1].image = 1;
	assert_int_equal(profile_merge(sum, more), 0);
	assert_int_equal(sum->sampling_period_ns, 1001001);
	assert_int_equal(sum->frames.count, 5);
	assert_int_equal(sum->frames.items[3].image, 2);
	assert_int_equal(sum->frames.items[4].image, 1);
	assert_string_equal(sum->frames.items[4].name, "add");
	assert_int_equal(sum->stacks.count, 4);
	assert_int_equal(sum->stacks.items[2].frames.items[0], 3);
	assert_int_equal(sum->stacks.items[2].frames.items[1], 4);
	assert_int_equal(sum->stacks.items[3].frames.items[1], 2);
	assert_int_equal(profile_merge(sum, more), 0);
	assert_int_equal(sum->frames.count, 5);
	assert_int_equal(sum->stacks.count, 4);
	assert_int_equal(sum->stacks.items[2].cpu_samples, 6);
}

/* Samples of the longer period count as the more of the shorter one, whichever came first. */
static void test_merge_periods(void **state)
{
	(void)state;
	for (int swapped = 0; swapped < 2; swapped++) {
		CLEANUP(profile_free_p) struct profile *sum = profile_example("/a.c");
		CLEANUP(profile_free_p) struct profile *more = profile_example("/a.c");

		(swapped ? sum : more)->sampling_period_ns = 10010010;
		assert_int_equal(profile_merge(sum, more), 0);
		assert_int_equal(sum->sampling_period_ns, 1001001);
		assert_int_equal(sum->functions.items[0].cpu_samples, 33);
		assert_int_equal(sum->functions.items[0].lines.items[1].cpu_samples, 22);
		assert_int_equal(sum->stacks.items[0].cpu_samples, 33);
	}
}

/* `more` has another function before the shared one: callers move with their functions. */
static void test_merge_maps_callers(void **state)
{
	CLEANUP(profile_free_p) struct profile *sum = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *more = profile_new();
	struct profile_function *function;

	(void)state;
	function = profile_add_function(more);
	function->name = profile_intern(more, "caller");
	function->calls = 1;
	function = profile_add_function(more);
	function->name = function->linkage_name = profile_intern(more, "add");
	function->file = profile_intern(more, "/a.c");
	function->line = 3;
	function->calls = 4;
	function->timed_calls = 2;
	function->rate = 0.5;
	function->min_ns = 10;
	ARRAY_APPEND(
	    &more->images, (struct profile_image){profile_intern(more, "/elsewhere/lua"), "abcd"});
	ARRAY_APPEND(&function->callers, (struct profile_caller){.function = 0, .calls = 4});
	ARRAY_APPEND(&function->histogram, (struct profile_bucket){15, 2});
	ARRAY_APPEND(
	    &function->lines, (struct profile_line){.file = function->file, .line = 4, .hits = 9});

	assert_int_equal(profile_merge(sum, more), 0);
	assert_int_equal(sum->functions.count, 3);
	assert_string_equal(sum->functions.items[2].name, "caller");
	function = &sum->functions.items[0];
	assert_int_equal(function->calls, 1004);
	assert_true(function->rate == 1002 / 1004.0);
	assert_int_equal(function->min_ns, 10);
	assert_int_equal(function->callers.count, 3);
	assert_int_equal(function->callers.items[2].function, 2);
	assert_int_equal(function->histogram.count, 3);
	assert_int_equal(function->histogram.items[0].upper_ns, 15);
	assert_int_equal(function->lines.count, 4);
	assert_int_equal(function->lines.items[0].line, 4);
	assert_int_equal(function->lines.items[0].hits, 9);
}

/* Overloads share name, file and line in macros: their linkage names tell them apart. */
static void test_merge_tells_overloads_apart(void **state)
{
	CLEANUP(profile_free_p) struct profile *sum = profile_new();
	CLEANUP(profile_free_p) struct profile *more = profile_new();

	(void)state;
	for (int i = 0; i < 2; i++) {
		profile_add_function(sum)->linkage_name = i ? "b" : "a";
		profile_add_function(more)->linkage_name = i ? "a" : "b";
		sum->functions.items[i].calls = 1;
		more->functions.items[i].calls = i ? 10 : 20;
	}
	assert_int_equal(profile_merge(sum, more), 0);
	assert_int_equal(sum->functions.count, 2);
	assert_int_equal(sum->functions.items[0].calls, 11);
	assert_int_equal(sum->functions.items[1].calls, 21);
	more->functions.items[0].linkage_name = "c";
	assert_int_equal(profile_merge(sum, more), 0);
	assert_int_equal(sum->functions.count, 3);
	assert_int_equal(sum->functions.items[2].calls, 20);
}

static const struct diff_function *diff_of(const struct profile_diff *diff, const char *name)
{
	ARRAY_FOREACH (function, &diff->functions)
		if (!strcmp((function->new ? function->new : function->base)->name, name))
			return function;
	return NULL;
}

static void test_diff_of_equals_marks_nothing(void **state)
{
	CLEANUP(profile_free_p) struct profile *base = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *new = profile_example("/a.c");
	struct profile_diff diff;

	(void)state;
	assert_int_equal(profile_diff(base, new, &diff), 0);
	assert_int_equal(diff.functions.count, 2);
	ARRAY_FOREACH (function, &diff.functions) {
		assert_false(function->time_changed);
		ARRAY_FOREACH (line, &function->lines) {
			assert_non_null(line->base);
			assert_non_null(line->new);
			assert_false(line->time_changed || line->hits_changed);
		}
	}
	profile_diff_fini(&diff);
}

/* 4 and 4.5 us a call, known to 0.3 us each: less than the root of both squared. */
static void test_diff_within_error(void **state)
{
	CLEANUP(profile_free_p) struct profile *base = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *new = profile_example("/a.c");
	struct profile_function *before = &base->functions.items[0];
	struct profile_function *after = &new->functions.items[0];
	const struct diff_function *add;
	struct profile_diff diff;

	(void)state;
	before->total_ns = 4000000;
	after->total_ns = 4500000;
	before->error_ns = after->error_ns = 400000;
	after->lines.items[1].total_ns = 6000000; /* 1 -> 1.5 us a hit */
	before->lines.items[1].error_ns = after->lines.items[1].error_ns = 1600000;
	assert_int_equal(profile_diff(base, new, &diff), 0);
	add = diff_of(&diff, "add");
	assert_true(add->within_error && !add->time_changed);
	assert_true(add->lines.items[1].within_error && !add->lines.items[1].time_changed);
	assert_false(add->lines.items[0].within_error);
	profile_diff_fini(&diff);
	after->error_ns = 290000;
	after->lines.items[1].error_ns = 1100000;
	assert_int_equal(profile_diff(base, new, &diff), 0);
	add = diff_of(&diff, "add");
	assert_true(!add->within_error && add->time_changed);
	assert_true(!add->lines.items[1].within_error && add->lines.items[1].time_changed);
	profile_diff_fini(&diff);
}

static void test_diff_marks_changes(void **state)
{
	CLEANUP(profile_free_p) struct profile *base = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *new = profile_example("/a.c");
	struct profile_function *function = &new->functions.items[0];
	const struct diff_function *add;
	struct profile_diff diff;

	(void)state;
	function->total_ns = 7000000;        /* 5 -> 7 us a call, spread 1.5 us, 1,000 calls */
	function->line = 103;                /* the code moved down */
	function->lines.items[0].line = 105; /* 1 us a hit as before */
	function->lines.items[1].line = 106; /* 1 -> 1.5 us a hit */
	function->lines.items[1].total_ns = 6000000;
	function->lines.items[2].line = 108;
	function->lines.items[2].hits = 1000; /* never ran before */
	assert_int_equal(profile_diff(base, new, &diff), 0);
	add = diff_of(&diff, "add");
	assert_ptr_equal(add, &diff.functions.items[0]); /* the largest change comes first */
	assert_true(add->time_changed);
	assert_int_equal(add->lines.count, 3);
	assert_false(add->lines.items[0].time_changed || add->lines.items[0].hits_changed);
	assert_true(add->lines.items[1].time_changed);
	assert_false(add->lines.items[1].hits_changed);
	assert_true(add->lines.items[2].hits_changed);
	profile_diff_fini(&diff);
}

static void test_diff_knows_noise(void **state)
{
	CLEANUP(profile_free_p) struct profile *base = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *new = profile_example("/a.c");
	struct profile_function *function = &new->functions.items[0];
	struct profile_diff diff;

	(void)state;
	function->total_ns = 5100000; /* 2% more, of calls that hardly differ */
	function->histogram.items[0].count = 100000;
	base->functions.items[0].histogram.items[0].count = 100000;
	function->lines.items[1].total_ns = 4800000;
	function->lines.items[1].max_ns = 800000; /* one stay of 0.8 ms explains it */
	assert_int_equal(profile_diff(base, new, &diff), 0);
	assert_false(diff_of(&diff, "add")->time_changed);
	assert_false(diff_of(&diff, "add")->lines.items[1].time_changed);
	profile_diff_fini(&diff);
}

static void test_diff_of_strangers(void **state)
{
	CLEANUP(profile_free_p) struct profile *base = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *new = profile_example("/b.c");
	struct profile_diff diff;

	(void)state;
	assert_int_equal(profile_diff(base, new, &diff), 0);
	assert_int_equal(diff.functions.count, 4);
	ARRAY_FOREACH (function, &diff.functions)
		assert_true(!function->base || !function->new);
	profile_diff_fini(&diff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_merge_doubles),
	    cmocka_unit_test(test_merge_estimates),
	    cmocka_unit_test(test_merge_stands),
	    cmocka_unit_test(test_merge_stacks),
	    cmocka_unit_test(test_merge_periods),
	    cmocka_unit_test(test_merge_maps_callers),
	    cmocka_unit_test(test_merge_tells_overloads_apart),
	    cmocka_unit_test(test_diff_of_equals_marks_nothing),
	    cmocka_unit_test(test_diff_within_error),
	    cmocka_unit_test(test_diff_marks_changes),
	    cmocka_unit_test(test_diff_knows_noise),
	    cmocka_unit_test(test_diff_of_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
