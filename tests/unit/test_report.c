// SPDX-License-Identifier: GPL-2.0-or-later
// The report, letter by letter; its units and sort keys; hostile text in it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "output/report.h"
#include "output/text.h"
#include "profile_example.h"

static const char source_text[] = "/* an example */\n"
				  "\n"
				  "int add(int a, int b)\n"
				  "{\n"
				  "\tint sum = a; /* \x1b[31m \xe2\x80\xae \xff */\n"
				  "\tfor (int i = 0; i < 4; i++)\n"
				  "\t\tsum += b;\n"
				  "\treturn sum;\n"
				  "}\n";

static const char lines_text[] =
    "Timer unit: 1e-09 s\n"
    "\n"
    "Total time: 0.005 s\n"
    "File: @\n"
    "Function: add at line 3\n"
    "\n"
    "Line #      Hits         Time  Per Hit   % Time  Line Contents\n"
    "==============================================================\n"
    "     3                                           int add(int a, int b)\n"
    "     4                                           {\n"
    "     5      1000    1000000.0   1000.0     20.0  \tint sum = a; /* ^[[31m <U+202E> "
    "\xef\xbf\xbd */\n"
    "     6      4000    4000000.0   1000.0     80.0  \tfor (int i = 0; i < 4; i++)\n"
    "     7                                           \t\tsum += b;\n"
    "     8         0                                 \treturn sum;\n"
    "\n"
    "  1000 calls, all timed; a call took 4.66 us (median), 8.92 us (99%), 9 us (longest)\n"
    "  times: +- 200 us in all (4%)\n"
    "  lines that share their time with a neighbour: 6\n"
    "  line 7 not counted: no safe place for a probe\n"
    "\n";

static const char functions_text[] =
    "         1020 function calls (1010 primitive calls) in 2.000 seconds\n"
    "\n"
    "   Ordered by: cumulative time\n"
    "   Timer unit: 1e-06 s\n"
    "\n"
    "   ncalls  tottime  percall  cumtime  percall file:line(function)\n"
    "    10/20 1100.000  550.000 6000.000 6000.000 @:11(main)\n"
    "     1000 4000.000    4.000 5000.000    5.000 @:3(add)\n"
    "\n"
    "   main: timed 2 of 20 calls (rate 0.1), times are of those; of all calls ~60 ms +- 80.5 ms\n"
    "\n";

static const char cost_text[] =
    "Probes: 8020 hits and following the scheduler (100 us) cost 8.1 ms, 0.405% of one CPU "
    "(emulated 650 ns +- 60 ns, stepped 10.2 us "
    "+- "
    "700 ns, return 900 ns +- 80 ns a hit)\n"
    "Times are corrected for that: of 13.5 ms in all functions' calls, 11 ms remain.\n"
    "4 hits were in processes that are no targets but run the same code.\n"
    "Budget: 2% of one CPU. To keep it probes were taken away 3 times:\n"
    "  budget lines_sliced    90% of the time  main\n"
    "Not measured:\n"
    "  12 calls nested deeper than the frame stack\n"
    "  5 lost by cause from the future\n";

static char source_path[] = "/tmp/lprof-test-XXXXXX";

/* `expected` with each @ as the source's path; the caller frees it. */
static char *with_path(const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	for (; *expected; expected++)
		if (*expected == '@')
			fputs(source_path, stream);
		else
			fputc(*expected, stream);
	fclose(stream);
	return text;
}

static void check_text(const char *expected, const char *actual)
{
	CLEANUP_FREE char *text = with_path(expected);

	assert_string_equal(actual, text);
}

static void follow_off_cpu(struct profile *profile, bool followed)
{
	profile->off_cpu = followed;
	ARRAY_FOREACH (function, &profile->functions)
		function->off_cpu = followed;
}

/* Without samples of CPU time, which have columns and tables of their own. */
static struct profile *exact_example(const char *source)
{
	struct profile *profile = profile_example(source);

	profile->sampling_period_ns = 0;
	follow_off_cpu(profile, false);
	return profile;
}

static char *printed(const struct profile *profile, const struct report_options *options)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_int_equal(report_print(profile, stream, options), 0);
	fclose(stream);
	return text;
}

static void test_line_table(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = exact_example(source_path);
	CLEANUP_FREE char *text = printed(profile, &(struct report_options){.lines = true});
	char expected[4096];

	(void)state;
	snprintf(expected, sizeof(expected), "%s%s", lines_text, cost_text);
	check_text(expected, text);
}

static void test_function_table(void **state)
{
	struct report_options options = {.functions = true, .unit = 1e-6};
	CLEANUP(profile_free_p) struct profile *profile = exact_example(source_path);
	CLEANUP_FREE char *text = printed(profile, &options);
	char expected[4096];

	(void)state;
	snprintf(expected, sizeof(expected), "%s%s", functions_text, cost_text);
	check_text(expected, text);
}

static const char cpu_text[] = "         3 samples of CPU time, 0.003 s at 999 Hz by cycles\n"
			       "\n"
			       "   Ordered by: CPU time of their own\n"
			       "\n"
			       "   self s  % self   total s % total  file:line(function)\n"
			       "    0.002   66.67     0.003  100.00  @:3(add)\n"
			       "    0.001   33.33     0.003  100.00  @:11(main)\n"
			       "\n"
			       "   self s  % self   total s % total  file:line\n";

/* What stands on a CPU: a column of the exact tables, and tables of their own. */
/* The cell of the column "% CPU" of a line of so many samples in so many of its periods. */
static void check_share(double periods, uint64_t samples, const char *cell)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example(source_path);
	struct profile_line *line = &profile->functions.items[0].lines.items[1];
	CLEANUP_FREE char *text = NULL;
	char row[100];

	follow_off_cpu(profile, false);
	profile->functions.items[0].error_ns = line->error_ns = 0;
	profile->sampling_period_ns = (uint64_t)(4000000 / periods);
	line->cpu_total_samples = samples;
	text = printed(profile, &(struct report_options){.lines = true});
	snprintf(
	    row, sizeof(row), "     6      4000    4000000.0   1000.0     80.0  %6s  \t", cell);
	if (!strstr(text, row))
		fail_msg("no '%s' in:\n%s", row, text);
}

static void test_cpu_shares(void **state)
{
	(void)state;
	check_share(400, 300, "75.0");
	check_share(400, 430, "100.0"); /* more than all was by chance */
	check_share(0.1, 1, "");        /* one sample, of a line that ran a tenth of its period */
	check_share(0.1, 0, "");
	check_share(5, 1, "");
	check_share(16, 16, "");
	check_share(20, 20, "100.0");
	check_share(40, 0, "<7.5");
	check_share(40, 1, "<12.1");
	check_share(100000, 0, "0.0");
	check_share(100000, 1000, "1.0");
}

static void test_cpu_tables(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example(source_path);
	struct profile_function *add = &profile->functions.items[0];
	CLEANUP_FREE char *text = NULL, *expected = NULL;

	(void)state;
	follow_off_cpu(profile, false);
	add->cpu_samples = 2;
	add->cpu_total_samples = profile->functions.items[1].cpu_total_samples = 3;
	profile->functions.items[1].cpu_samples = 1;
	profile->sampling_period_ns = 1001001;
	add->lines.items[1].cpu_total_samples = 3;
	text = printed(profile, &(struct report_options){0});
	assert_non_null(strstr(text, "% Time   % CPU  Line Contents\n"));
	/* three samples in 4 ms tell no share */
	assert_non_null(strstr(text, "     6      4000    4000000.0   1000.0     80.0          "));
	assert_non_null(strstr(text, " cputime file:line(function)\n"));
	assert_non_null(strstr(text, " 3003003.0 /tmp"));
	expected = with_path(cpu_text);
	assert_non_null(strstr(text, expected));
	assert_non_null(strstr(text, ":6             \tfor (int i = 0; i < 4; i++)\n"));
	assert_true(
	    strstr(text, "0.003  100.00  lprof-test") < strstr(text, ":5             \tint"));
}

/* Errors of more than a tenth are told, and a time that is no more than its error is no number. */
static void test_uncertain_times(void **state)
{
	struct report_options options = {0};
	CLEANUP(profile_free_p) struct profile *profile = exact_example(source_path);
	struct profile_function *add = &profile->functions.items[0];
	CLEANUP_FREE char *text = NULL;

	(void)state;
	add->error_ns = 1000000;
	add->self_error_ns = 4000000;
	add->lines.items[0].error_ns = 1200000;
	add->lines.items[1].error_ns = 920000;
	text = printed(profile, &options);
	assert_non_null(strstr(text, "\n     5      1000   <2200000.0  <2200.0    <44.0  \tint"));
	assert_non_null(strstr(text, "\n     6      4000    4000000.0   1000.0     80.0  \tfor"));
	assert_non_null(strstr(text, "\n  times: +- 1 ms in all (20%); worse than 10%: line 6 "
				     "23%; < marks what drowns in that: less, if anything\n"));
	assert_non_null(strstr(text, " 1000 <8000000.0  <8000.0 5000000.0    5000.0 "));
	assert_non_null(strstr(text, "\n   add: cumtime +- 20%\n"));
	assert_non_null(strstr(text, "\n   < marks what drowns in the error of the probes'"));
	add->lines.items[0].error_ns = 999999;
	free(text);
	text = printed(profile, &options);
	assert_non_null(strstr(text, "; worse than 10%: line 5 100%, 6 23%\n"));
}

/* A line's time by what its thread did. */
static void test_states(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = exact_example(source_path);
	CLEANUP_FREE char *text = NULL;

	(void)state;
	follow_off_cpu(profile, true);
	text = printed(profile, &(struct report_options){.lines = true});
	assert_non_null(
	    strstr(text, "% Time        On CPU      Waiting      Blocked  Line Contents\n"));
	assert_non_null(strstr(text, " 80.0     3680000.0      20000.0     300000.0  \tfor"));
	assert_non_null(strstr(text, " 20.0     1000000.0          0.0          0.0  \tint"));
}

/* A profile of samples alone has no tables of calls. */
static void test_samples_alone(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();
	struct profile_function *function = profile_add_function(profile);
	CLEANUP_FREE char *text = NULL;

	(void)state;
	function->name = "spin";
	function->cpu_samples = function->cpu_total_samples = 5;
	profile->sampling_period_ns = 1000000;
	text = printed(profile, &(struct report_options){0});
	assert_null(strstr(text, "ncalls"));
	assert_null(strstr(text, "Timer unit"));
	assert_non_null(strstr(text, "    0.005  100.00     0.005  100.00  ~:0(spin)\n"));
}

static void test_missing_source(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = exact_example("/nowhere/add.c");
	CLEANUP_FREE char *text = printed(profile, &(struct report_options){.lines = true});

	(void)state;
	assert_non_null(strstr(text, "The source file is not here: the rows stand without"));
	assert_non_null(strstr(text, "\n     5      1000    1000000.0   1000.0     20.0  \n"));
	assert_null(strstr(text, "\n     4 "));
}

static void test_accounting_that_does_not_close(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = exact_example(source_path);
	CLEANUP_FREE char *text = NULL;

	(void)state;
	profile->functions.items[0].accounting.exits--;
	text = printed(profile, &(struct report_options){0});
	assert_non_null(
	    strstr(text, "  the accounting does not close: 1000 entries, but 999 exits"));
}

static void test_distant_lines(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = exact_example(source_path);
	CLEANUP_FREE char *text = NULL;

	(void)state;
	profile->functions.items[0].lines.items[2].line = UINT32_MAX;
	text = printed(profile, &(struct report_options){.lines = true});
	assert_non_null(strstr(text, "\n   ...\n4294967295         0"));
}

static void test_skip_zero(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = exact_example(source_path);
	CLEANUP_FREE char *text = NULL;
	struct profile_function *function = profile_add_function(profile);

	(void)state;
	function->name = "never_called";
	function->lines_measured = true;
	text = printed(profile, &(struct report_options){.skip_zero = true});
	assert_null(strstr(text, "never_called"));
	free(text);
	text = printed(profile, &(struct report_options){0});
	assert_non_null(strstr(text, "never_called"));
}

static void test_color(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = exact_example(source_path);
	CLEANUP_FREE char *text = printed(profile, &(struct report_options){.color = true});

	(void)state;
	assert_non_null(strstr(text, "\033[1;31m     6      4000"));
	assert_non_null(strstr(text, "i++)\033[0m\n"));
}

static void test_numbers(void **state)
{
	char text[REPORT_NUMBER_MAX], duration[REPORT_DURATION_MAX];

	(void)state;
	assert_string_equal(report_number(12.34, 1, 8, text), "12.3");
	assert_string_equal(report_number(0.0004, 1, 8, text), "0.0004");
	assert_string_equal(report_number(0, 1, 8, text), "0.0");
	assert_string_equal(report_number(1234567890, 1, 8, text), "1.23e+09");
	assert_string_equal(report_duration(0, duration), "0 ns");
	assert_string_equal(report_duration(999.9, duration), "1 us");
	assert_string_equal(report_duration(61e9, duration), "61 s");
	assert_string_equal(report_duration(-1500, duration), "-1.5 us");
}

static void test_words(void **state)
{
	enum report_sort sort;
	double unit;
	bool color;

	(void)state;
	assert_true(report_parse_sort("cumtime", &sort) && sort == REPORT_SORT_CUMULATIVE);
	assert_true(report_parse_sort("tot", &sort) == false); /* total or tottime */
	assert_true(report_parse_sort("cum", &sort) && sort == REPORT_SORT_CUMULATIVE);
	assert_true(report_parse_sort("calls", &sort) && sort == REPORT_SORT_CALLS);
	assert_false(report_parse_sort("", &sort));
	assert_false(report_parse_sort("size", &sort));
	assert_true(report_parse_unit("us", &unit) && unit == 1e-6);
	assert_true(report_parse_unit("1e-3", &unit) && unit == 1e-3);
	assert_false(report_parse_unit("0", &unit));
	assert_false(report_parse_unit("nan", &unit));
	assert_false(report_parse_unit("parsec", &unit));
	assert_true(report_parse_color("always", stdout, &color) && color);
	assert_false(report_parse_color("sometimes", stdout, &color));
}

static void test_utf8(void **state)
{
	uint32_t code;

	(void)state;
	assert_int_equal(text_character("\xe2\x82\xac", &code), 3);
	assert_int_equal(code, 0x20ac);
	assert_int_equal(text_character("\xc0\x80", NULL), 0);         /* overlong */
	assert_int_equal(text_character("\xed\xa0\x80", NULL), 0);     /* a surrogate */
	assert_int_equal(text_character("\xf4\x90\x80\x80", NULL), 0); /* beyond U+10FFFF */
	assert_int_equal(text_character("\xe2\x82", NULL), 0);         /* cut off */
	assert_int_equal(text_character("\xf0\x9f\x98\x80", NULL), 4);
}

static int make_source(void **state)
{
	struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	int fd = mkstemp(source_path);

	(void)state;
	if (write(fd, source_text, sizeof(source_text) - 1) != sizeof(source_text) - 1)
		return -1;
	futimens(fd, old);
	return close(fd);
}

static int remove_source(void **state)
{
	(void)state;
	return unlink(source_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_line_table),
	    cmocka_unit_test(test_function_table),
	    cmocka_unit_test(test_cpu_shares),
	    cmocka_unit_test(test_cpu_tables),
	    cmocka_unit_test(test_uncertain_times),
	    cmocka_unit_test(test_states),
	    cmocka_unit_test(test_samples_alone),
	    cmocka_unit_test(test_missing_source),
	    cmocka_unit_test(test_accounting_that_does_not_close),
	    cmocka_unit_test(test_distant_lines),
	    cmocka_unit_test(test_skip_zero),
	    cmocka_unit_test(test_color),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, make_source, remove_source);
}
