// SPDX-License-Identifier: GPL-2.0-or-later
// What was counted since it was told last: deltas add up, whatever becomes of the counters.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "model/profile_delta.h"
#include "model/profile_merge.h"
#include "profile_example.h"

/* "main", which called "add" `calls` times for `ns`, in one line; main has not ended. */
static struct profile *counted(uint64_t calls, uint64_t ended, int64_t ns)
{
	struct profile *profile = profile_new();
	struct profile_function *function;

	profile->started_ns = 1000;
	profile->duration_ns = 10 * calls;
	function = profile_add_function(profile);
	function->name = function->linkage_name = profile_intern(profile, "main");
	function->file = profile_intern(profile, "/m.c");
	function->image = PROFILE_NO_IMAGE;
	function->calls = 1;
	function = profile_add_function(profile);
	function->name = function->linkage_name = profile_intern(profile, "add");
	function->file = profile_intern(profile, "/m.c");
	function->line = 3;
	function->image = PROFILE_NO_IMAGE;
	function->calls = calls;
	function->timed_calls = ended;
	function->total_ns = function->self_ns = ns;
	function->lines_measured = true;
	function->accounting = (struct profile_accounting){.entries = calls, .exits = ended};
	ARRAY_APPEND(&function->histogram, (struct profile_bucket){15, ended});
	ARRAY_APPEND(&function->callers, (struct profile_caller){.function = 0, .calls = ended});
	ARRAY_APPEND(&function->lines,
	    (struct profile_line){
		.file = function->file, .line = 4, .hits = calls, .total_ns = ns, .self_ns = ns});
	return profile;
}

/* Tells what is new in a profile, which it frees; the delta. */
static struct profile *tell(struct profile *told, struct profile *now)
{
	struct profile *delta;

	assert_int_equal(profile_delta(told, now, &delta), 0);
	assert_int_equal(profile_merge(told, delta), 0);
	profile_free(now);
	return delta;
}

static const struct profile_function *find(const struct profile *profile, const char *name)
{
	ARRAY_FOREACH (function, &profile->functions)
		if (!strcmp(function->name, name))
			return function;
	fail_msg("there is no %s", name);
	return NULL;
}

static void assert_add(const struct profile *profile, uint64_t calls, uint64_t ended, int64_t ns)
{
	const struct profile_function *add = find(profile, "add");

	assert_int_equal(add->calls, calls);
	assert_int_equal(add->timed_calls, ended);
	assert_int_equal(add->callers.items[0].calls, ended);
	assert_int_equal(add->total_ns, ns);
	assert_int_equal(add->self_ns, ns);
	assert_int_equal(add->lines.items[0].hits, calls);
	assert_int_equal(add->lines.items[0].total_ns, ns);
}

static void test_deltas_add_up(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	CLEANUP(profile_free_p) struct profile *first = tell(told, counted(10, 10, 700));
	CLEANUP(profile_free_p) struct profile *second = tell(told, counted(17, 17, 900));
	CLEANUP(profile_free_p) struct profile *nothing = tell(told, counted(17, 17, 900));

	(void)state;
	assert_add(first, 10, 10, 700);
	assert_int_equal(find(first, "main")->calls, 1);
	assert_int_equal(find(first, "add")->histogram.count, 0);
	assert_int_equal(first->started_ns, 1000);
	assert_int_equal(first->duration_ns, 100);
	assert_add(second, 7, 7, 200);
	assert_int_equal(find(second, "main")->calls, 0);
	assert_int_equal(second->started_ns, 1100);
	assert_int_equal(second->duration_ns, 70);
	assert_false(profile_delta_is_empty(second));
	assert_true(profile_delta_is_empty(nothing));
	assert_add(told, 17, 17, 900);
}

/* A time that sank is not taken back, and told again only beyond what it was. */
static void test_times_sink(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	CLEANUP(profile_free_p) struct profile *first = tell(told, counted(10, 10, 700));
	CLEANUP(profile_free_p) struct profile *second = tell(told, counted(11, 11, 650));
	CLEANUP(profile_free_p) struct profile *third = tell(told, counted(12, 12, 730));

	(void)state;
	assert_add(first, 10, 10, 700);
	assert_add(second, 1, 1, 0);
	assert_add(third, 1, 1, 30);
}

/* A call that was told while it ran: its caller is known later, and then it is no new call. */
static void test_calls_that_run(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	CLEANUP(profile_free_p) struct profile *first = tell(told, counted(10, 9, 700));
	CLEANUP(profile_free_p) struct profile *second = tell(told, counted(10, 10, 800));
	CLEANUP(profile_free_p) struct profile *third = tell(told, counted(12, 12, 900));

	(void)state;
	assert_add(first, 10, 9, 700);
	assert_add(second, 0, 0, 100);
	assert_add(third, 2, 2, 100);
}

/* Functions outside of their lines have times too. */
static void test_times_without_lines(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	struct profile *now = counted(10, 10, 700);
	CLEANUP(profile_free_p) struct profile *first = NULL, *second = NULL;

	(void)state;
	now->functions.items[0].total_ns = 5000;
	first = tell(told, now);
	now = counted(10, 10, 690);
	now->functions.items[0].total_ns = 5100;
	now->functions.items[1].total_ns = 790;
	second = tell(told, now);
	assert_int_equal(find(first, "main")->total_ns, 5000);
	assert_int_equal(find(second, "main")->total_ns, 100);
	assert_int_equal(find(second, "add")->total_ns, 100);
	assert_int_equal(find(second, "add")->lines.items[0].total_ns, 0);
}

/* Probes that followed each other show a function twice. */
static void test_equal_functions(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	CLEANUP(profile_free_p) struct profile *first = NULL, *second = NULL;

	(void)state;
	for (uint64_t round = 1; round <= 2; round++) {
		struct profile *now = counted(10 * round, 10 * round, 700),
			       *more = counted(5, 5, 60);
		struct profile_function *again = profile_add_function(now);

		*again = more->functions.items[1];
		again->name = again->linkage_name = profile_intern(now, "add");
		again->file = again->lines.items[0].file = profile_intern(now, "/m.c");
		more->functions.count = 1;
		*(round == 1 ? &first : &second) = tell(told, now);
		profile_free(more);
	}
	assert_int_equal(first->functions.count, 2);
	assert_add(first, 15, 15, 760);
	assert_add(second, 10, 10, 0);
}

static void test_stacks(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	struct profile *now = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *first = NULL, *second = NULL;
	uint64_t samples;

	(void)state;
	samples = now->stacks.items[1].cpu_samples;
	first = tell(told, now);
	now = profile_example("/a.c");
	now->stacks.items[1].cpu_samples += 5;
	now->functions.items[0].lines.items[1].cpu_samples += 2;
	second = tell(told, now);
	assert_int_equal(first->stacks.items[1].cpu_samples, samples);
	assert_int_equal(second->stacks.items[0].cpu_samples, 0);
	assert_int_equal(second->stacks.items[1].cpu_samples, 5);
	assert_int_equal(second->functions.items[0].lines.items[1].cpu_samples, 2);
	assert_int_equal(second->losses[LOSS_DEPTH], 0);
	assert_int_equal(second->cost.hits, 0);
	assert_int_equal(profile_delta_trim(second), 0);
	assert_int_equal(second->stacks.count, 1);
	ARRAY_FOREACH (frame, &second->stacks.items[0].frames)
		assert_true(*frame < second->frames.count);
}

/* Two files of one build are one image: their stacks are one, and told once. */
static void test_copies_of_an_image(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	CLEANUP(profile_free_p) struct profile *first = NULL, *second = NULL, *third = NULL;

	(void)state;
	for (int round = 0; round < 3; round++) {
		struct profile *now = profile_example("/a.c");
		struct profile_frame copy = now->frames.items[1];

		now->images.items[1].path = profile_intern(now, "/copy/of/lua");
		now->images.items[1].build_id = now->images.items[0].build_id;
		copy.image = 1;
		ARRAY_APPEND(&now->frames, copy);
		ARRAY_APPEND(
		    &now->stacks, (struct profile_stack){.cpu_samples = round == 2 ? 9 : 7});
		ARRAY_APPEND(&now->stacks.items[2].frames, 0);
		ARRAY_APPEND(&now->stacks.items[2].frames, 3);
		*(round == 0 ? &first : round == 1 ? &second : &third) = tell(told, now);
	}
	assert_int_equal(first->frames.count, 3);
	assert_int_equal(first->stacks.count, 2);
	assert_int_equal(first->stacks.items[0].cpu_samples, 3 + 7);
	assert_true(profile_delta_is_empty(second));
	assert_int_equal(third->stacks.items[0].cpu_samples, 2);
	assert_int_equal(third->stacks.items[1].cpu_samples, 0);
}

/* How long probes stood is of all of the time: deltas do not add it up. */
static void test_stands(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	CLEANUP(profile_free_p) struct profile *first = tell(told, profile_example("/a.c"));
	CLEANUP(profile_free_p) struct profile *second = tell(told, profile_example("/a.c"));

	(void)state;
	assert_false(profile_was_away(find(first, "main")));
	assert_false(profile_was_away(find(told, "main")));
	assert_int_equal(second->cost.budget.slices, 0);
	assert_int_equal(told->cost.budget.stood_ns, 0);
}

/* Counts that a reset takes away are taken from what was told: all that comes is new. */
static void test_reset(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	CLEANUP(profile_free_p) struct profile *before = counted(10, 9, 700);
	CLEANUP(profile_free_p) struct profile *after = counted(1, 0, 0); /* one runs */
	CLEANUP(profile_free_p) struct profile *first = tell(told, counted(10, 9, 700));
	CLEANUP(profile_free_p) struct profile *second = NULL;

	(void)state;
	assert_add(first, 10, 9, 700);
	assert_int_equal(profile_delta_forget(&told, before, after), 0);
	assert_int_equal(find(told, "main")->calls, 1);
	assert_int_equal(find(told, "add")->lines.count, 1);
	assert_int_equal(told->started_ns + (int64_t)told->duration_ns, 1100);
	second = tell(told, counted(6, 6, 90));
	assert_add(second, 5, 5, 90);
}

/* What is taken away as a whole leaves nothing behind, however often that is. */
static void test_reset_of_all(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	CLEANUP(profile_free_p) struct profile *before = profile_example("/a.c");
	CLEANUP(profile_free_p) struct profile *after = profile_new();
	CLEANUP(profile_free_p) struct profile *first = tell(told, profile_example("/a.c"));

	(void)state;
	assert_int_equal(first->stacks.count, 2);
	assert_int_equal(profile_delta_forget(&told, before, after), 0);
	assert_int_equal(told->functions.count, 0);
	assert_int_equal(told->stacks.count, 0);
	assert_int_equal(told->frames.count, 0);
}

/* What somebody took away and did not say is found; a time that sank is none of it. */
static void test_correct(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	CLEANUP(profile_free_p) struct profile *first = tell(told, counted(10, 10, 700));
	CLEANUP(profile_free_p) struct profile *sunk = counted(10, 10, 600);
	CLEANUP(profile_free_p) struct profile *fewer = counted(4, 4, 100);
	CLEANUP(profile_free_p) struct profile *second = NULL;

	(void)state;
	assert_add(first, 10, 10, 700);
	assert_int_equal(profile_delta_correct(&told, sunk), 0);
	assert_add(told, 10, 10, 700);
	assert_int_equal(profile_delta_correct(&told, fewer), 0);
	assert_add(told, 4, 4, 100);
	second = tell(told, counted(6, 6, 120));
	assert_add(second, 2, 2, 20);
}

/* What has nothing to tell goes; callers of what has stay, and are found. */
static void test_trim(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_new();
	CLEANUP(profile_free_p) struct profile *idle = NULL, *first = NULL, *second = NULL;
	struct profile *now = counted(1, 1, 0);

	(void)state;
	now->functions.items[0].name = now->functions.items[0].linkage_name =
	    profile_intern(now, "idle");
	now->functions.items[1].callers.count = 0;
	idle = tell(told, now);
	now = counted(11, 11, 700);
	ARRAY_APPEND(&now->omissions, (struct profile_omission){1, "", 0, "add's"});
	first = tell(told, now);
	now = counted(12, 12, 700);
	now->functions.items[1].lines.items[0].hits = 11;
	ARRAY_APPEND(&now->omissions, (struct profile_omission){0, "", 0, "main's"});
	second = tell(told, now);
	assert_int_equal(first->functions.count, 3);
	assert_int_equal(profile_delta_trim(first), 0);
	assert_int_equal(first->functions.count, 2);
	assert_int_equal(first->omissions.count, 1);
	assert_string_equal(first->functions.items[first->omissions.items[0].function].name, "add");
	assert_ptr_equal(&first->functions.items[1], find(first, "main"));
	assert_int_equal(find(first, "add")->callers.items[0].function, 1);
	assert_int_equal(find(first, "add")->lines.count, 1);
	assert_int_equal(profile_delta_trim(second), 0);
	assert_int_equal(second->functions.count, 2);
	assert_int_equal(find(second, "add")->lines.count, 0);
	assert_int_equal(find(second, "main")->calls, 0);
	assert_int_equal(profile_delta_trim(idle), 0);
	assert_int_equal(idle->functions.count, 2);
}

static void test_damaged(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = counted(10, 10, 700);
	CLEANUP(profile_free_p) struct profile *now = counted(11, 11, 700);
	struct profile *delta;

	(void)state;
	told->functions.items[0].name = told->functions.items[0].linkage_name =
	    profile_intern(told, "add");
	told->functions.items[0].line = 3;
	assert_int_equal(profile_delta(told, now, &delta), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_deltas_add_up),
	    cmocka_unit_test(test_times_sink),
	    cmocka_unit_test(test_calls_that_run),
	    cmocka_unit_test(test_times_without_lines),
	    cmocka_unit_test(test_equal_functions),
	    cmocka_unit_test(test_stacks),
	    cmocka_unit_test(test_copies_of_an_image),
	    cmocka_unit_test(test_stands),
	    cmocka_unit_test(test_reset),
	    cmocka_unit_test(test_reset_of_all),
	    cmocka_unit_test(test_correct),
	    cmocka_unit_test(test_trim),
	    cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
