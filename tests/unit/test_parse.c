// SPDX-License-Identifier: GPL-2.0-or-later
// Values of options: what is accepted, what is refused, and that a refusal changes nothing.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/parse.h"

static void test_integers(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_int_equal(parse_integer("0", 0, 10, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(parse_integer("18446744073709551615", 0, UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
	value = 7;
	for (const char *const *bad =
		 (const char *const[]){"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "one", NULL};
	     *bad; bad++)
		assert_int_equal(parse_integer(*bad, 0, UINT64_MAX, &value), -EINVAL);
	assert_int_equal(parse_integer("18446744073709551616", 0, UINT64_MAX, &value), -ERANGE);
	assert_int_equal(parse_integer("11", 0, 10, &value), -ERANGE);
	assert_int_equal(parse_integer("1", 2, 10, &value), -ERANGE);
	assert_int_equal(value, 7);
}

static void test_rates(void **state)
{
	double rate = 7;

	(void)state;
	assert_int_equal(parse_rate("0.25", &rate), 0);
	assert_true(rate == 0.25);
	assert_int_equal(parse_rate(".5", &rate), 0);
	assert_true(rate == 0.5);
	assert_int_equal(parse_rate("1", &rate), 0);
	assert_true(rate == 1.0);
	assert_int_equal(parse_rate("0", &rate), 0);
	assert_true(rate == 0.0);
	rate = 7;
	for (const char *const *bad = (const char *const[]){"", ".", "1.", "-0.5", "+0.5", "0,5",
		 "nan", "inf", "1e-1", "0x0.8", "50%", " 0.5", NULL};
	     *bad; bad++)
		assert_int_equal(parse_rate(*bad, &rate), -EINVAL);
	assert_int_equal(parse_rate("1.01", &rate), -ERANGE);
	assert_true(rate == 7);
}

static void test_percents(void **state)
{
	double percent = 7;

	(void)state;
	assert_int_equal(parse_percent("2", &percent), 0);
	assert_true(percent == 2);
	assert_int_equal(parse_percent("0.5%", &percent), 0);
	assert_true(percent == 0.5);
	assert_int_equal(parse_percent("2%%", &percent), -EINVAL);
	assert_int_equal(parse_percent("%", &percent), -EINVAL);
	assert_int_equal(parse_percent("0", &percent), -ERANGE);
	assert_int_equal(parse_percent("100001", &percent), -ERANGE);
	assert_true(percent == 0.5);
}

static void test_sizes(void **state)
{
	static const char *const bad[] = {"", "K", "1KB", "1k", "-1", "1 K", "1e3", NULL};
	uint64_t bytes = 7;

	(void)state;
	for (const char *const *text = bad; *text; text++)
		assert_int_equal(parse_size(*text, &bytes), -EINVAL);
	assert_int_equal(parse_size("0", &bytes), -ERANGE);
	assert_int_equal(parse_size("9999999T", &bytes), -ERANGE);
	assert_int_equal(bytes, 7);
	assert_int_equal(parse_size("4096", &bytes), 0);
	assert_int_equal(bytes, 4096);
	assert_int_equal(parse_size("1.5M", &bytes), 0);
	assert_int_equal(bytes, 3 << 19);
	assert_int_equal(parse_size("2G", &bytes), 0);
	assert_int_equal(bytes, 2ull << 30);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {{"500ms", 500000000}, {"10s", 10000000000}, {"5m", 300000000000},
	    {"1h", 3600000000000}, {"1.5s", 1500000000}, {"3", 3000000000}, {"7us", 7000},
	    {"1ns", 1}};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(parse_duration(good[i].text, &ns), 0);
		assert_true(ns == good[i].ns);
	}
	ns = 7;
	for (const char *const *bad = (const char *const[]){"", "s", "10 s", "10S", "10sec", "-1s",
		 "1h30m", "1e3s", NULL};
	     *bad; bad++)
		assert_int_equal(parse_duration(*bad, &ns), -EINVAL);
	assert_int_equal(parse_duration("0s", &ns), -ERANGE);
	assert_int_equal(parse_duration("0.1ns", &ns), -ERANGE);
	assert_int_equal(parse_duration("999999999999h", &ns), -ERANGE);
	assert_int_equal(ns, 7);
}

static void test_pids(void **state)
{
	pid_array pids = {0};

	(void)state;
	assert_int_equal(parse_pids("12,34,12", &pids), 0);
	assert_int_equal(parse_pids("4194304", &pids), 0);
	assert_int_equal(pids.count, 3);
	assert_int_equal(pids.items[0], 12);
	assert_int_equal(pids.items[1], 34);
	assert_int_equal(pids.items[2], 4194304);
	for (const char *const *bad = (const char *const[]){"", ",", "1,", ",1", "1,,2", "1 2",
		 "-1", "self", "5,x", NULL};
	     *bad; bad++)
		assert_int_equal(parse_pids(*bad, &pids), -EINVAL);
	assert_int_equal(parse_pids("0", &pids), -ERANGE);
	assert_int_equal(parse_pids("5,4194305", &pids), -ERANGE);
	assert_int_equal(pids.count, 3);
	ARRAY_FREE(&pids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_integers),
	    cmocka_unit_test(test_rates),
	    cmocka_unit_test(test_percents),
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_pids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
