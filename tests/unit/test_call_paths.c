// SPDX-License-Identifier: GPL-2.0-or-later
// What edges say for certain about callers, and where they leave it open.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "output/call_paths.h"
#include "output/text_table.h"
#include "profile_example.h"

static void add_caller(struct profile *profile, uint32_t callee, uint32_t caller, uint64_t calls)
{
	struct profile_function *function = &profile->functions.items[callee];

	ARRAY_APPEND(&function->callers, (struct profile_caller){caller, calls, calls, 10, 10});
	function->timed_calls += calls;
}

static void test_caller(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();

	(void)state;
	for (int i = 0; i < 6; i++)
		profile_add_function(profile);
	add_caller(profile, 0, PROFILE_NO_FUNCTION, 1);
	add_caller(profile, 1, 0, 2);
	add_caller(profile, 2, 1, 2);
	add_caller(profile, 2, 2, 5); /* recursion adds nothing that is not known */
	add_caller(profile, 3, 0, 2);
	add_caller(profile, 3, 1, 1);
	add_caller(profile, 4, PROFILE_NO_FUNCTION, 1);
	add_caller(profile, 4, 1, 1);
	assert_int_equal(call_path_caller(profile, 0), PROFILE_NO_FUNCTION);
	assert_int_equal(call_path_caller(profile, 1), 0);
	assert_int_equal(call_path_caller(profile, 2), 1);
	assert_int_equal(call_path_caller(profile, 3), CALL_PATH_SEVERAL);
	assert_int_equal(call_path_caller(profile, 4), CALL_PATH_SEVERAL);
	/* a file without callers */
	assert_int_equal(call_path_caller(profile, 5), PROFILE_NO_FUNCTION);
	/* an edge was lost */
	profile->functions.items[1].timed_calls = 3;
	assert_int_equal(call_path_caller(profile, 1), CALL_PATH_SEVERAL);
}

static void test_line(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	struct profile_function *add = &profile->functions.items[0];

	(void)state;
	assert_ptr_equal(call_path_line(add), &add->lines.items[1]);
	assert_null(call_path_line(&profile->functions.items[1])); /* has no lines */
	add->lines.items[1].file = "/src/other.h";
	assert_null(call_path_line(add));
	add->lines.items[1].file = add->file;
	add->lines.items[0].total_ns++; /* a second line that called */
	assert_null(call_path_line(add));
	add->lines.items[0].total_ns -= 2; /* recursion: inner calls' own time */
	assert_null(call_path_line(add));
}

static void test_text_table(void **state)
{
	struct text_table table = {0};
	char text[16];
	uint32_t number = 0;

	(void)state;
	for (uint32_t pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < 1000; i++) {
			snprintf(text, sizeof(text), "text %u", i);
			assert_int_equal(text_table_number(&table, text, &number), 0);
			assert_int_equal(number, i);
		}
	assert_int_equal(table.texts.count, 1000);
	assert_string_equal(table.texts.items[999], "text 999");
	text_table_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_caller),
	    cmocka_unit_test(test_line),
	    cmocka_unit_test(test_text_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
