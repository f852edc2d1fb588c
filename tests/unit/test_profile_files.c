// SPDX-License-Identifier: GPL-2.0-or-later
// Profiles to files and back: nothing is lost in JSON or in our pickle, foreign pickles are read,
// damaged files give one sentence that names the place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/files.h"
#include "files_written.h"
#include "input/input.h"
#include "profile_example.h"

static void check_round_trip(
    int (*write)(const struct profile *, FILE *, const struct output_options *, struct failure *))
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	CLEANUP(profile_free_p) struct profile *again = NULL;
	CLEANUP_FREE char *file = NULL, *before = NULL, *after = NULL;
	struct failure failure = {0};
	size_t size;

	before = file_written(output_write_json, profile, &size);
	file = file_written(write, profile, &size);
	if (input_read_bytes("x", file, size, &again, &failure))
		fail_msg("%s", failure.text);
	after = file_written(output_write_json, again, &size);
	assert_string_equal(before, after);
	/* a cut at any byte is refused, and never crashes */
	for (size_t cut = 0; cut + 1 < size; cut += 7) {
		struct profile *none = NULL;
		char *part = malloc(cut + 1);

		memcpy(part, file, cut);
		failure_clear(&failure);
		assert_int_not_equal(input_read_bytes("x", part, cut, &none, &failure), 0);
		assert_true(failure.text[0]);
		free(part);
	}
}

static void test_json_round_trip(void **state)
{
	(void)state;
	check_round_trip(output_write_json);
}

static void check_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in:\n%s", part, text);
}

/* Field names and values as DESIGN.md 2.4 has them. */
static void test_json_text(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	CLEANUP_FREE char *text = NULL;
	size_t size;

	(void)state;
	text = file_written(output_write_json, profile, &size);
	check_contains(text, "{\n \"format\": \"lprof\",\n \"version\": 1,\n");
	check_contains(text, "\"started\": \"2026-01-01T00:00:00.123456789Z\",\n");
	check_contains(text, "{\"pid\": 1235, \"command\": \"worker\", \"exit_status\": null}");
	check_contains(text,
	    "{\"name\": \"add\", \"linkage_name\": \"add\", \"image\": \"/bin/lua\", "
	    "\"image_index\": 0, \"file\": \"/src/add.c\", \"line\": 3, \"calls\": 1000, "
	    "\"primitive_calls\": 1000, \"timed_calls\": 1000, \"total_ns\": 5000000, "
	    "\"self_ns\": 4000000, \"error_ns\": 200000, \"self_error_ns\": 150000, \"min_ns\": "
	    "3000, \"max_ns\": 9000, \"raw_total_ns\": "
	    "7000000, \"histogram\": [[5119, 900], [10239, 100]], \"cpu_samples\": 3, "
	    "\"cpu_total_samples\": 4, \"blocked_ns\": 300000, \"waiting_ns\": 20000, "
	    "\"off_cpu\": true, \"exit\": \"return\", \"rate\": 1, \"lines_measured\": true, "
	    "\"inlined_copies\": 0, \"accounting\": {\"entries\": 1000, \"exits\": 1000, "
	    "\"open\": 0, \"unwound\": 0, \"untimed\": 0, \"lost\": 0}");
	check_contains(text,
	    "[{\"function\": 1, \"calls\": 990, \"primitive_calls\": 990, \"total_ns\": "
	    "4900000, \"self_ns\": 3900000}, {\"function\": null, ");
	check_contains(text,
	    "{\"file\": \"/src/add.c\", \"line\": 6, \"hits\": 4000, \"total_ns\": 4000000, "
	    "\"self_ns\": 3000000, \"error_ns\": 160000, \"self_error_ns\": 110000, \"max_ns\": "
	    "8000, \"cpu_samples\": 2, \"cpu_total_samples\": 2, "
	    "\"blocked_ns\": 300000, "
	    "\"waiting_ns\": 20000, "
	    "\"sites\": 2, "
	    "\"timing\": \"shared\"}");
	check_contains(text, "\"losses\": [{\"cause\": \"depth\", \"count\": 12}, ");
	check_contains(text,
	    "\"cost\": {\"hits\": 8020, \"overhead_ns\": 8100000, \"off_cpu_ns\": 100000, "
	    "\"per_hit_ns\": "
	    "{\"emulated\": 650.5, \"stepped\": 10200, \"return\": 900}, \"per_hit_error_ns\": "
	    "{\"emulated\": 60, \"stepped\": 700, \"return\": 80}, \"share_of_cpu\": "
	    "0.00405, \"bystander_hits\": 4, \"cpu_samples\": 1, \"budget\": {\"share\": "
	    "0.02, \"state\": \"sliced\", \"stood_ns\": 1200000, \"slices\": 3}}");
}

/* The example that the schema, the fuzzer and the tests of commands use. */
static void test_json_is_the_example(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	CLEANUP_FREE char *text = NULL, *example = NULL;
	struct failure failure = {0};
	size_t size;

	(void)state;
	if (file_read("tests/fuzz/corpus/json/example.json", 1 << 20, &example, &size, &failure))
		fail_msg("%s", failure.text);
	text = file_written(output_write_json, profile, &size);
	assert_string_equal(text, example);
}

static void test_pickle_round_trip(void **state)
{
	(void)state;
	check_round_trip(output_write_lprof);
}

static void test_hostile_names_stay_valid(void **state)
{
	CLEANUP(profile_free_p)
	struct profile *profile = profile_example("/src/\xff\"\\\n\x1b[31m.c");
	CLEANUP(profile_free_p) struct profile *again = NULL;
	CLEANUP_FREE char *text = NULL;
	struct failure failure = {0};
	size_t size;

	(void)state;
	text = file_written(output_write_json, profile, &size);
	check_contains(text, "\"/src/\xef\xbf\xbd\\\"\\\\\\u000a\\u001b[31m.c\"");
	assert_int_equal(input_read_bytes("x", text, size, &again, &failure), 0);
	assert_string_equal(again->functions.items[0].file, "/src/\xef\xbf\xbd\"\\\n\x1b[31m.c");
}

static void check_refused(const char *bytes, size_t size, const char *sentence)
{
	struct profile *profile = NULL;
	struct failure failure = {0};

	assert_int_not_equal(input_read_bytes("x", bytes, size, &profile, &failure), 0);
	assert_null(profile);
	if (!strstr(failure.text, sentence))
		fail_msg("\"%s\" does not say \"%s\"", failure.text, sentence);
}

static void test_json_refusals(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
	    {"", "x: is empty"},
	    {"hello", "x: is not a profile"},
	    {"{", "x: is not valid JSON at byte 1: it is cut off"},
	    {"{} {}", "x: is not valid JSON"},
	    {"{\"format\": \"lprof\", \"version\": 1}\xff", "x: is not valid JSON"},
	    {"{\"format\": \"pprof\"}", "is JSON, but no profile"},
	    {"{\"format\": 7}", "x: format: must be text, not a number"},
	    {"{\"format\": \"lprof\", \"version\": 2}", "is a profile of version 2; this lprof"},
	    {"[[[[[[[[[[[[[[[[[[[[", "x: is not a profile"},
	    {"{\"a\": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "x: is not valid JSON"},
#define BODY(text) "{\"format\": \"lprof\", \"version\": 1, " text "}"
	    {BODY("\"duration_ns\": -1"), "x: duration_ns: must be a whole number from 0"},
	    {BODY("\"duration_ns\": 1.5"),
		"x: duration_ns: must be a whole number, not a fraction"},
	    {BODY("\"duration_ns\": 99999999999999999999999"), "duration_ns: must be a whole"},
	    {BODY("\"duration_ns\": 9223372036854775808"), "duration_ns: must be a whole"},
	    {BODY("\"duration_ns\": -99999999999999999999999"), "duration_ns: must be a whole"},
	    {BODY("\"started\": \"yesterday\""), "x: started: must be a date"},
	    {BODY("\"started\": \"2026-01-01T00:00:00\""), "x: started: must end in Z"},
	    {BODY("\"functions\": {}"), "x: functions: must be a list, not an object"},
	    {BODY("\"functions\": [1]"), "x: functions[0]: must be an object, not a number"},
	    {BODY("\"functions\": [{\"lines\": [{}, {\"hits\": \"9\"}]}]"),
		"x: functions[0].lines[1].hits: must be a whole number, not text"},
	    {BODY("\"functions\": [{\"rate\": 1.1}]"),
		"x: functions[0].rate: must be a number from"},
	    {BODY("\"functions\": [{\"rate\": NaN}]"), "x: "},
	    {BODY("\"functions\": [{\"line\": 4294967296}]"), "functions[0].line: must be a whole"},
	    {BODY("\"functions\": [{\"name\": \"a\\u0000b\"}]"), "holds a NUL character"},
	    {BODY("\"functions\": [{\"exit\": \"door\"}]"), "exit: \"door\" is not known here"},
	    {BODY("\"functions\": [{\"histogram\": [[1]]}]"), "must be a pair"},
	    {BODY("\"functions\": [{\"callers\": [{\"function\": 1}]}]"),
		"functions[0].callers[0].function: must be a whole number from -1 to 0"},
	    {BODY("\"frames\": [{\"image\": 0}]"),
		"frames[0].image: must be a whole number from -1 to -1"},
	    {BODY("\"frames\": [{}], \"stacks\": [{\"frames\": [1]}]"),
		"stacks[0].frames[0]: must be a whole number from 0 to 0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_refused(cases[i].text, strlen(cases[i].text), cases[i].sentence);
}

static void test_json_ignores_unknown_keys(void **state)
{
	static const char text[] =
	    BODY("\"later\": [{\"a\": null}], \"functions\": [{\"name\": \"f\", \"callers\": "
		 "[{\"function\": null, \"calls\": 2}], \"colour\": 3}]");
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	struct failure failure = {0};

	(void)state;
	assert_int_equal(input_read_bytes("x", text, strlen(text), &profile, &failure), 0);
	assert_string_equal(profile->functions.items[0].name, "f");
	assert_true(profile->functions.items[0].callers.items[0].function == PROFILE_NO_FUNCTION);
	assert_true(profile->functions.items[0].rate == 1.0);
	assert_true(profile->functions.items[0].image == PROFILE_NO_IMAGE);
}

/* What line_profiler 4 writes: protocol 5 with frames, memo, STACK_GLOBAL, tuples named again. */
static const char line_profiler_file[] =
    "\x80\x05\x95\x8f\0\0\0\0\0\0\0\x8c\x1cline_profiler._line_profiler\x94\x8c\x09LineStats\x94"
    "\x93\x94)\x81\x94}\x94(\x8c\x07timings\x94}\x94(\x8c\x04/a.b\x94K\x04\x8c\x01"
    "f\x94\x87\x94]\x94(K"
    "\x05K\x02M\xe8\x03\x87\x94K\x06M\0\x01J\0\0\x01\0\x87\x94"
    "eu\x8c\x04unit\x94G>\x11.\x0b\xe8"
    "&\xd6\x95ub.";

static void test_line_profiler_file(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	const struct profile_function *function;
	struct failure failure = {0};

	(void)state;
	if (input_read_bytes(
		"x", line_profiler_file, sizeof(line_profiler_file) - 1, &profile, &failure))
		fail_msg("%s", failure.text);
	assert_int_equal(profile->functions.count, 1);
	function = &profile->functions.items[0];
	assert_string_equal(function->name, "f");
	assert_string_equal(function->file, "/a.b");
	assert_int_equal(function->line, 4);
	assert_int_equal(function->lines.count, 2);
	assert_int_equal(function->lines.items[0].hits, 2);
	assert_int_equal(function->lines.items[0].total_ns, 1000);
	assert_int_equal(function->lines.items[1].hits, 256);
	assert_int_equal(function->total_ns, 1000 + 65536);
}

/* (5, 2, -256 as LONG1): a line faster than its correction. */
static void test_negative_times(void **state)
{
	static const char bytes[] = "\x80\x02"
				    "cline_profiler._line_profiler\nLineStats\n)\x81}(U\x07"
				    "timings}(U\x01"
				    "aK\x01U\x01"
				    "f\x87](K\x05K\x02\x8a\x02\x00\xff\x87"
				    "eu"
				    "U\x04unitG>\x11.\x0b\xe8&\xd6\x95ub.";
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	struct failure failure = {0};

	(void)state;
	if (input_read_bytes("x", bytes, sizeof(bytes) - 1, &profile, &failure))
		fail_msg("%s", failure.text);
	assert_true(profile->functions.items[0].lines.items[0].total_ns == -256);
}

static void test_pickle_refusals(void **state)
{
#define CASE(bytes, sentence)                      \
	{                                          \
		bytes, sizeof(bytes) - 1, sentence \
	}
	static const struct {
		const char *bytes;
		size_t size;
		const char *sentence;
	} cases[] = {
	    CASE("\x80\x02"
		 "cos\nsystem\n",
		"a class that is not line_profiler's LineStats at byte 2"),
	    CASE("\x80\x02K\x01R.", "opcode 0x52 at byte 4 is refused"),
	    CASE("\x80\x01.", "a protocol that is not 2 to 5"),
	    CASE("\x80\x02.", "an end with other than one value"),
	    CASE("\x80\x02X\xff\xff\xff\xff"
		 "abc",
		"cut off inside an argument"),
	    CASE("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
		 "abc",
		"cut off inside"),
	    CASE("\x80\x02\x8a\x09"
		 "123456789.",
		"a number beyond 64 bits"),
	    CASE("\x80\x02h\x01.", "an unknown memo entry"),
	    CASE("\x80\x02Nr\xff\xff\xff\xff.", "a memo entry out of order"),
	    CASE("\x80\x02(.", "a misplaced mark"),
	    CASE("\x80\x02K\x01u", "a missing mark"),
	    CASE("\x80\x02}(K\x01u", "a key without a value"),
	    CASE("\x80\x02K\x01(K\x01"
		 "e",
		"items for something that holds none"),
	    CASE("\x80\x02\x87", "an empty stack"),
	    CASE("\x80\x02}.", "is a pickle, but not of line_profiler's LineStats"),
	    CASE("\x80\x02X\x03\0\0\0a\0b.", "text with a NUL character"),
	    CASE("\x80\x02"
		 "cline_profiler._line_profiler\nLineStats\n)\x81.",
		"is a LineStats without timings and unit"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_refused(cases[i].bytes, cases[i].size, cases[i].sentence);
}

static void test_unknown_extension(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	struct failure failure = {0};

	(void)state;
	assert_int_equal(output_write(profile, "/tmp/x.docx", NULL, &failure), -EINVAL);
	assert_non_null(strstr(failure.text, "/tmp/x.docx: no format has this extension"));
	assert_non_null(strstr(failure.text, ".lprof, .json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_json_round_trip),
	    cmocka_unit_test(test_json_text),
	    cmocka_unit_test(test_json_is_the_example),
	    cmocka_unit_test(test_pickle_round_trip),
	    cmocka_unit_test(test_hostile_names_stay_valid),
	    cmocka_unit_test(test_json_refusals),
	    cmocka_unit_test(test_json_ignores_unknown_keys),
	    cmocka_unit_test(test_line_profiler_file),
	    cmocka_unit_test(test_negative_times),
	    cmocka_unit_test(test_pickle_refusals),
	    cmocka_unit_test(test_unknown_extension),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
