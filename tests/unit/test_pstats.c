// SPDX-License-Identifier: GPL-2.0-or-later
// cProfile's files: ours say what the profile says, those of each Python are read, damaged ones
// give one sentence that names the place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "files_written.h"
#include "input/input.h"
#include "profile_example.h"

static struct profile *read_back(const struct profile *profile)
{
	struct failure failure = {0};
	struct profile *again = NULL;
	size_t size;
	char *bytes = file_written(output_write_pstats, profile, &size);

	if (input_read_bytes("x", bytes, size, &again, &failure))
		fail_msg("%s", failure.text);
	free(bytes);
	return again;
}

static void test_round_trip(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	CLEANUP(profile_free_p) struct profile *again = NULL;
	const struct profile_function *add, *main_function;

	(void)state;
	profile->functions.items[0].calls = 1ull << 40; /* beyond an int */
	profile->functions.items[0].timed_calls = 1ull << 40;
	again = read_back(profile);
	assert_int_equal(again->functions.count, 2);
	add = &again->functions.items[0];
	main_function = &again->functions.items[1];
	assert_string_equal(add->name, "add");
	assert_string_equal(add->file, "/src/add.c");
	assert_int_equal(add->line, 3);
	assert_true(add->calls == 1ull << 40);
	assert_int_equal(add->primitive_calls, 1000);
	assert_int_equal(add->total_ns, 5000000);
	assert_int_equal(add->self_ns, 4000000);
	assert_int_equal(add->callers.count, 1);
	assert_int_equal(add->callers.items[0].function, 1);
	assert_int_equal(add->callers.items[0].calls, 990);
	assert_int_equal(add->callers.items[0].total_ns, 4900000);
	assert_int_equal(add->callers.items[0].self_ns, 3900000);
	/* times of some calls only stay marked as such */
	assert_string_equal(main_function->name, "main");
	assert_int_equal(main_function->calls, 20);
	assert_int_equal(main_function->primitive_calls, 10);
	assert_int_equal(main_function->timed_calls, 2);
	assert_true(main_function->rate == 0.1);
}

static void check_name(const struct profile *profile, size_t index, const char *wanted)
{
	CLEANUP(profile_free_p) struct profile *again = read_back(profile);

	assert_string_equal(again->functions.items[index].name, wanted);
}

static void test_names(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	struct profile_function *main_function = &profile->functions.items[1];
	char huge[65537], wanted[1100];

	(void)state;
	main_function->timed_calls = main_function->calls;
	main_function->name = "a\nb\x1b\xff\t'\"<b>;";
	check_name(profile, 1, "a^Jb^[\xef\xbf\xbd '\"<b>;");
	main_function->name = "add";
	main_function->line = 3;
	check_name(profile, 0, "add");
	check_name(profile, 1, "add [2]"); /* or one would overwrite the other */
	main_function->file = "";
	check_name(profile, 1, "<lua add>");
	main_function->image = PROFILE_NO_IMAGE;
	check_name(profile, 1, "<add>");
	main_function->name = "<built-in>";
	check_name(profile, 1, "<built-in>");
	main_function->file = "/src/add.c";
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	main_function->name = huge;
	snprintf(wanted, sizeof(wanted), "%.1024s... #f1109dc5", huge);
	check_name(profile, 1, wanted);
	huge[65535] = 'y'; /* differs at its end only */
	wanted[1028] = '\0';
	{
		CLEANUP(profile_free_p) struct profile *again = read_back(profile);

		assert_memory_equal(again->functions.items[1].name, wanted, 1028);
		assert_string_not_equal(again->functions.items[1].name + 1028, "#f1109dc5");
	}
}

/* pstats refuses an empty dict. */
static void test_nothing(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();
	CLEANUP(profile_free_p) struct profile *again = read_back(profile);

	(void)state;
	assert_int_equal(again->functions.count, 1);
	assert_string_equal(again->functions.items[0].name, "<nothing was measured>");
	assert_int_equal(again->functions.items[0].calls, 0);
}

/* Python 2.7: bytes as text, named again by 'R', 64-bit integers; here f is called by itself. */
static const char python2_file[] = "{(\x03\0\0\0t\x04\0\0\0f.pyi\x07\0\0\0t\x01\0\0\0f"
				   "(\x05\0\0\0i\x02\0\0\0I\x03\0\0\0\0\0\0\0"
				   "g\0\0\0\0\0\0\xe0?f\x04"
				   "0.75"
				   "{(\x03\0\0\0R\0\0\0\0i\x07\0\0\0R\x01\0\0\0"
				   "(\x04\0\0\0i\x02\0\0\0i\x01\0\0\0"
				   "g\0\0\0\0\0\0\xd0?i\x01\0\0\0"
				   "00";

static void test_python2_file(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	const struct profile_function *function;
	struct failure failure = {0};

	(void)state;
	if (input_read_bytes("x", python2_file, sizeof(python2_file) - 1, &profile, &failure))
		fail_msg("%s", failure.text);
	assert_int_equal(profile->functions.count, 1);
	function = &profile->functions.items[0];
	assert_string_equal(function->name, "f");
	assert_string_equal(function->file, "f.py");
	assert_int_equal(function->line, 7);
	assert_int_equal(function->primitive_calls, 2);
	assert_int_equal(function->calls, 3);
	assert_int_equal(function->self_ns, 500000000);
	assert_int_equal(function->total_ns, 750000000);
	assert_int_equal(function->callers.count, 1);
	assert_int_equal(function->callers.items[0].function, 0);
	assert_int_equal(function->callers.items[0].calls, 2);
	assert_int_equal(function->callers.items[0].self_ns, 250000000);
	assert_int_equal(function->callers.items[0].total_ns, 1000000000);
}

static void check_refused(const char *bytes, size_t size, const char *sentence)
{
	struct profile *profile = NULL;
	struct failure failure = {0};

	assert_int_not_equal(input_read_pstats("x", bytes, size, &profile, &failure), 0);
	assert_null(profile);
	if (!strstr(failure.text, sentence))
		fail_msg("\"%s\" does not say \"%s\"", failure.text, sentence);
}

static void test_refusals(void **state)
{
#define CASE(bytes, sentence)                      \
	{                                          \
		bytes, sizeof(bytes) - 1, sentence \
	}
#define KEY                 \
	"(\x03\0\0\0z\x01"  \
	"fi\x07\0\0\0z\x01" \
	"f"
	static const struct {
		const char *bytes;
		size_t size;
		const char *sentence;
	} cases[] = {
	    CASE("", "the file is cut off at byte 0"),
	    CASE("N", "it is no dict"),
	    CASE("N0", "more than one value at byte 1"),
	    CASE("c\0\0\0\0", "a value that is not plain data at byte 0"),
	    CASE("{0N", "more than one value"),
	    CASE("{i\x01\0\0\0"
		 "0",
		"a value that is not plain data at byte 6"),
	    CASE("{i\x01\0\0\0N0", "a key of the profile is not (file, line, function)"),
	    CASE("{" KEY "N0", "a row of the profile is not of five numbers"),
	    CASE("{" KEY ")\x05"
		 "NNNNN0",
		"a count of calls is not a whole number"),
	    CASE("{" KEY ")\x05"
		 "i\xff\xff\xff\xffi\0\0\0\0NN{00",
		"a count of calls"),
	    CASE("{" KEY ")\x05"
		 "i\0\0\0\0i\0\0\0\0NN{00",
		"a time is not a number of seconds"),
	    CASE("{" KEY ")\x05"
		 "i\0\0\0\0i\0\0\0\0g\0\0\0\0\0\0\xf0\x7fN{00",
		"a time is not"),
	    CASE("{" KEY ")\x05"
		 "i\0\0\0\0i\0\0\0\0i\0\0\0\0i\0\0\0\0N0",
		"callers of a function"),
	    CASE("{" KEY ")\x05"
		 "i\0\0\0\0i\0\0\0\0i\0\0\0\0i\0\0\0\0{" KEY "N00",
		"a caller is not of four numbers"),
	    CASE("(\xff\xff\xff\xff", "the file is cut off"),
	    CASE("u\xff\xff\xff\xff"
		 "abc",
		"the file is cut off"),
	    CASE("u\x03\0\0\0a\0b", "text with a NUL character"),
	    CASE("r\0\0\0\0", "a reference to nothing"),
	    CASE("\xa8\x01\0\0\0r\0\0\0\0", "a reference to nothing"), /* into itself */
	    CASE("R\0\0\0\0", "a reference to nothing"),
	    CASE("l\x05\0\0\0\xff\x7f\xff\x7f\xff\x7f\xff\x7f\xff\x7f", "a number beyond 64 bits"),
	    CASE("l\x01\0\0\0\xff\xff", "a number beyond 64 bits"),
	    CASE("f\x03"
		 "1x2",
		"a fraction that is none"),
	    CASE("[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0"
		 "[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0"
		 "[\x01\0\0\0[\x01\0\0\0[\x01\0\0\0N",
		"nested too deep"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_refused(cases[i].bytes, cases[i].size, cases[i].sentence);
	for (size_t cut = 0; cut + 1 < sizeof(python2_file); cut++)
		check_refused(python2_file, cut, "the file is cut off at byte");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_python2_file),
	    cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
