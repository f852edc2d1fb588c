// SPDX-License-Identifier: GPL-2.0-or-later
// Distances between names, and which name counts as meant.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/nearest.h"

static void test_distances(void **state)
{
	(void)state;
	assert_int_equal(edit_distance("", ""), 0);
	assert_int_equal(edit_distance("", "abc"), 3);
	assert_int_equal(edit_distance("abc", ""), 3);
	assert_int_equal(edit_distance("report", "report"), 0);
	assert_int_equal(edit_distance("Report", "report"), 0);
	assert_int_equal(edit_distance("reprot", "report"), 1);
	assert_int_equal(edit_distance("rport", "report"), 1);
	assert_int_equal(edit_distance("kitten", "sitting"), 3);
}

static void test_long_texts_are_cut(void **state)
{
	char a[1000], b[1000];

	(void)state;
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	a[999] = b[999] = '\0';
	assert_int_equal(edit_distance(a, b), NEAREST_LENGTH_MAX);
}

static void test_nearest(void **state)
{
	static const char *const names[] = {"run", "record", "report"};

	(void)state;
	assert_string_equal(nearest_match("reprot", names, 3), "report");
	assert_string_equal(nearest_match("recrod", names, 3), "record");
	assert_string_equal(nearest_match("rn", names, 3), "run");
	assert_null(nearest_match("frobnicate", names, 3));
	assert_null(nearest_match("run", names, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_distances),
	    cmocka_unit_test(test_long_texts_are_cut),
	    cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
