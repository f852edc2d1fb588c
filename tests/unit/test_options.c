// SPDX-License-Identifier: GPL-2.0-or-later
// The measuring commands' options: what each command takes, and the exit status of misuse.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The commands are not in the archive. */
#include "cmd/errors.c"
#include "cmd/help.c"
#include "cmd/options.c"

#define PARSE(command, ...) parse(command, (const char *[]){"lprof", __VA_ARGS__, NULL})

static struct measure_options options;
static int status;

static bool parse(enum options_command command, const char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	status = -1;
	measure_options_fini(&options);
	return measure_options_parse(command, argc, (char **)argv, &options, &status);
}

static int forget(void **state)
{
	(void)state;
	measure_options_fini(&options);
	return 0;
}

static void test_defaults(void **state)
{
	(void)state;
	assert_true(PARSE(OPTIONS_RUN, "cmd"));
	assert_int_equal(options.specs.count, 0);
	assert_false(options.cpu);
	assert_int_equal(options.cpu_hz, 999);
	assert_true(options.follow);
	assert_int_equal(options.exit, PLAN_EXIT_AUTO);
	assert_int_equal(options.method, ATTACH_BEST);
	assert_int_equal(options.operand_count, 1);
	assert_null(options.operands[1]);
}

static void test_run_leaves_the_command_alone(void **state)
{
	(void)state;
	assert_true(PARSE(OPTIONS_RUN, "-f", "a", "cmd", "-f", "b", "--json", "--help"));
	assert_int_equal(options.specs.count, 1);
	assert_false(options.json);
	assert_int_equal(options.operand_count, 5);
	assert_true(PARSE(OPTIONS_RUN, "-la", "--", "-f", "--bogus"));
	assert_int_equal(options.specs.count, 1);
	assert_string_equal(options.operands[0], "-f");
}

static void test_values(void **state)
{
	(void)state;
	assert_true(PARSE(OPTIONS_RECORD, "-p", "1,2", "-p3", "-d", "1.5s", "-o", "a.json", "-o",
	    "b.lprof", "-f", "x", "-l", "y*", "--cpu=49", "--budget", "2%", "--exit=sites",
	    "--no-follow", "--attach=perf", "--json"));
	assert_int_equal(options.pids.count, 3);
	assert_true(options.duration_ns == 1500000000);
	assert_int_equal(options.outputs.count, 2);
	assert_string_equal(options.outputs.items[1], "b.lprof");
	assert_false(options.specs.items[0].lines);
	assert_true(options.specs.items[1].lines);
	assert_string_equal(options.specs.items[1].text, "y*");
	assert_true(options.cpu);
	assert_int_equal(options.cpu_hz, 49);
	assert_true(options.budget_percent == 2.0);
	assert_int_equal(options.exit, PLAN_EXIT_SITES);
	assert_int_equal(options.method, ATTACH_PERF);
	assert_false(options.follow);
	assert_true(options.json);
	assert_true(PARSE(OPTIONS_RUN, "--cpu", "--as", "nobody", "cmd"));
	assert_int_equal(options.cpu_hz, 999);
	assert_string_equal(options.user, "nobody");
	assert_int_equal(options.operand_count, 1);
}

static void test_rates_go_with_specs(void **state)
{
	(void)state;
	assert_true(PARSE(
	    OPTIONS_RUN, "-f", "a", "--rate", "0.5", "-f", "b", "--rate=0.25", "-l", "c", "cmd"));
	assert_true(options.specs.items[0].rate == 0.5);
	assert_true(options.specs.items[1].rate == 0.5);
	assert_true(options.specs.items[2].rate == 0.25);
	assert_true(PARSE(OPTIONS_RUN, "-f", "a", "cmd"));
	assert_true(options.specs.items[0].rate == 1.0);
}

static void test_misuse(void **state)
{
	(void)state;
	assert_false(PARSE(OPTIONS_RUN, "--bogus", "cmd"));
	assert_int_equal(status, STATUS_RUN_FAILED);
	assert_false(PARSE(OPTIONS_RUN, "-f", "a"));
	assert_int_equal(status, STATUS_RUN_FAILED);
	assert_false(PARSE(OPTIONS_RUN, "-p", "1", "cmd"));
	assert_false(PARSE(OPTIONS_RECORD, "-f", "a"));
	assert_int_equal(status, STATUS_MISUSED);
	assert_false(PARSE(OPTIONS_RECORD, "-p", "1", "cmd"));
	assert_false(PARSE(OPTIONS_RECORD, "-p", "one"));
	assert_false(PARSE(OPTIONS_RECORD, "-p"));
	assert_false(PARSE(OPTIONS_RECORD, "-p", "1", "--as", "me"));
	assert_false(PARSE(OPTIONS_PLAN, "-f", "a"));
	assert_false(PARSE(OPTIONS_PLAN, "image", "other"));
	assert_int_equal(status, STATUS_MISUSED);
}

static void test_bad_values(void **state)
{
	const char *const bad[] = {"--rate=2", "--rate=x", "--budget=0", "--exit=never",
	    "--attach=glue", "--cpu=0", "--no-follow=1", "-f", "-o", "--as=", NULL};

	(void)state;
	for (const char *const *value = bad; *value; value++) {
		assert_false(strlen(*value) == 2 ? PARSE(OPTIONS_RUN, *value, "", "cmd")
						 : PARSE(OPTIONS_RUN, *value, "cmd"));
		assert_int_equal(status, STATUS_RUN_FAILED);
	}
}

static void test_help_ends_well(void **state)
{
	(void)state;
	assert_false(PARSE(OPTIONS_RECORD, "-p", "1", "--help"));
	assert_int_equal(status, STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_run_leaves_the_command_alone),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_rates_go_with_specs),
	    cmocka_unit_test(test_misuse),
	    cmocka_unit_test(test_bad_values),
	    cmocka_unit_test(test_help_ends_well),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
