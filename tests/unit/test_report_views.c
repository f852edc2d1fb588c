// SPDX-License-Identifier: GPL-2.0-or-later
// The report's views beside its tables, letter by letter: trees of callers, a whole annotated file.
#include <setjmp.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "output/report.h"
#include "profile_example.h"

static const char edges_text[] =
    "   Callers (<-) and callees (->), of the calls that were timed\n"
    "   Timer unit: 1e-09 s\n"
    "\n"
    "   ncalls      tottime      cumtime  file:line(function)\n"
    "        2    1100000.0    6000000.0  /src/add.c:11(main)\n"
    "      990    3900000.0    4900000.0    -> /src/add.c:3(add)\n"
    "     1000    4000000.0    5000000.0  /src/add.c:3(add)\n"
    "      990    3900000.0    4900000.0    <- /src/add.c:11(main)\n"
    "       10     100000.0     100000.0    <- code that is not measured\n"
    "        2      50000.0          0.0    <- /src/add.c:3(add)\n"
    "        2      50000.0          0.0    -> /src/add.c:3(add)\n"
    "\n";

/*
 * main add:          30 + 30, at two lines of add
 * main copy add:     25
 * main copy copy:    11
 * main:              3
 * main rare copy:    1, below half a percent
 */
static const char stacks_text[] = "   CPU samples by function, callers below: 401 samples of 1 ms\n"
				  "\n"
				  " 74.8%      300  rare\n"
				  " 21.2%       85  add\n"
				  "                 |-- 15.0% main\n"
				  "                 `--  6.2% copy\n"
				  "                           main\n"
				  "  3.2%       13  copy\n"
				  "                 |--  2.7% copy\n"
				  "                 |         main\n"
				  "                 `--  0.5% in 2 smaller branches\n"
				  "  0.7%        3  main\n"
				  "\n";

static const char annotation_text[] =
    "Timer unit: 1e-09 s\n"
    "\n"
    "File: @\n"
    "\n"
    "Line #      Hits         Time         Self  % Self  Samples  Line Contents\n"
    "==========================================================================\n"
    "     1                                                       int add(int a)\n"
    "     2                                                       {\n"
    "     3                                                       \tint sum = a;\n"
    "     4                                                       \n"
    "     5      1003    1000500.0    1000300.0    25.0        1  \tfor (;;)\n"
    "     6      4000    4000000.0    3000000.0    75.0        2  \t\tsum++;\n"
    "     7                                                       \treturn ^[[31msum;\n"
    "     8         0                                             }\n"
    "    99         7          0.0          0.0     0.0           \n"
    "\n";

static char *begin_text(FILE **ret_stream, char **text, size_t *size)
{
	*ret_stream = open_memstream(text, size);
	assert_non_null(*ret_stream);
	return *text;
}

static void test_edges(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	CLEANUP_FREE char *text = NULL;
	size_t size;
	FILE *stream;

	(void)state;
	ARRAY_APPEND(
	    &profile->functions.items[0].callers, (struct profile_caller){0, 2, 0, 0, 50000});
	begin_text(&stream, &text, &size);
	assert_int_equal(report_tree(profile, 1e-9, stream, &(struct report_options){0}), 0);
	fclose(stream);
	assert_string_equal(text, edges_text);
}

static uint32_t add_frame(struct profile *profile, const char *name, uint32_t line)
{
	ARRAY_APPEND(&profile->frames,
	    (struct profile_frame){profile_intern(profile, name), "", line, PROFILE_NO_IMAGE});
	return (uint32_t)profile->frames.count - 1;
}

static void add_stack(
    struct profile *profile, uint64_t samples, size_t count, const uint32_t *frames)
{
	struct profile_stack stack = {.cpu_samples = samples};

	for (size_t i = 0; i < count; i++)
		ARRAY_APPEND(&stack.frames, frames[i]);
	ARRAY_APPEND(&profile->stacks, stack);
}

static void test_stacks(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();
	uint32_t main_frame = add_frame(profile, "main", 1), add = add_frame(profile, "add", 5);
	uint32_t copy = add_frame(profile, "copy", 7), again = add_frame(profile, "add", 6);
	uint32_t rare = add_frame(profile, "rare", 2);
	CLEANUP_FREE char *text = NULL;
	size_t size;
	FILE *stream;

	(void)state;
	profile->sampling_period_ns = 1000000;
	add_stack(profile, 30, 2, (uint32_t[]){main_frame, add});
	add_stack(profile, 25, 3, (uint32_t[]){main_frame, copy, add});
	add_stack(profile, 30, 2, (uint32_t[]){main_frame, again});
	add_stack(profile, 11, 3, (uint32_t[]){main_frame, copy, copy});
	add_stack(profile, 3, 1, (uint32_t[]){main_frame});
	add_stack(profile, 1, 3, (uint32_t[]){main_frame, rare, copy});
	add_stack(profile, 1, 1, (uint32_t[]){copy});
	add_stack(profile, 300, 1, (uint32_t[]){rare});
	add_stack(profile, 0, 1, (uint32_t[]){add});
	add_stack(profile, 9, 0, NULL);
	begin_text(&stream, &text, &size);
	assert_int_equal(report_stacks(profile, stream, &(struct report_options){0}), 0);
	fclose(stream);
	assert_string_equal(text, stacks_text);
}

/* Stacks deeper than anybody's, alone and parting at every length: printed to a depth, no deeper.
 */
static void test_deep_stacks(void **state)
{
	CLEANUP_FREE uint32_t *frames = calloc(100000, sizeof(*frames));

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		frames[i] = i % 2;
	for (size_t parting = 0; parting < 2; parting++) {
		CLEANUP(profile_free_p) struct profile *profile = profile_new();
		CLEANUP_FREE char *text = NULL;
		size_t size, lines = 0;
		FILE *stream;

		add_frame(profile, "even", 1);
		add_frame(profile, "odd", 1);
		for (size_t length = 1; parting && length < 1000; length++)
			add_stack(profile, 1000, length, frames + 100000 - length);
		add_stack(profile, 1000000, 100000, frames);
		begin_text(&stream, &text, &size);
		assert_int_equal(report_stacks(profile, stream, &(struct report_options){0}), 0);
		fclose(stream);
		for (const char *at = text; (at = strchr(at, '\n')); at++)
			lines++;
		assert_in_range(lines, 40, 500);
		assert_non_null(strstr(text, "...\n"));
	}
}

static void test_tree_color(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	CLEANUP_FREE char *text = NULL;
	size_t size;
	FILE *stream;

	(void)state;
	begin_text(&stream, &text, &size);
	assert_int_equal(
	    report_tree(profile, 1e-9, stream, &(struct report_options){.color = true}), 0);
	fclose(stream);
	assert_non_null(strstr(text, "\033[1;31m     1000    4000000.0"));
	assert_non_null(strstr(text, "/src/add.c:3(add)\033[0m\n"));
	assert_non_null(strstr(text, "\033[31m        2    1100000.0"));
}

static char source_path[] = "/tmp/lprof-test-XXXXXX";
static char other_path[] = "/tmp/lprof-test-XXXXXX";

static int write_source(char *path)
{
	static const char text[] = "int add(int a)\n{\n\tint sum = a;\n\n\tfor (;;)\n\t\tsum++;\n"
				   "\treturn \033[31msum;\n}\n";
	struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		return -1;
	futimens(fd, old);
	return close(fd);
}

static int make_sources(void **state)
{
	(void)state;
	return write_source(source_path) ?: write_source(other_path);
}

static int remove_sources(void **state)
{
	(void)state;
	return unlink(source_path) ?: unlink(other_path);
}

static void add_line(struct profile_function *function, const char *file, uint32_t line,
    uint64_t hits, int64_t total_ns, int64_t self_ns)
{
	struct profile_line row = {.file = file, .line = line, .hits = hits, .sites = 1};

	row.total_ns = total_ns;
	row.self_ns = self_ns;
	assert_int_equal(ARRAY_APPEND(&function->lines, row), 0);
}

static char *annotated(const char *file, int wanted, struct failure *failure, bool color)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example(source_path);
	struct profile_function *function = &profile->functions.items[1];
	char *text = NULL;
	size_t size;
	FILE *stream;

	add_line(function, function->file, 5, 3, 500, 300);
	add_line(function, function->file, 99, 7, 0, 0);
	add_line(function, profile_intern(profile, "/a/x.h"), 1, 7, 0, 0);
	add_line(function, profile_intern(profile, "/b/x.h"), 1, 7, 0, 0);
	function->timed_calls = function->calls - function->accounting.open;
	begin_text(&stream, &text, &size);
	assert_int_equal(report_annotate(profile, file, stream,
			     &(struct report_options){.color = color}, failure),
	    wanted);
	fclose(stream);
	return text;
}

static void test_annotation(void **state)
{
	struct failure failure = {0};
	CLEANUP_FREE char *text = annotated(strrchr(source_path, '/') + 1, 0, &failure, false);
	const char *expected = annotation_text;

	(void)state;
	for (const char *at = text; *expected; expected++) {
		if (*expected == '@') {
			assert_int_equal(strncmp(at, source_path, strlen(source_path)), 0);
			at += strlen(source_path);
		} else if (*at++ != *expected) {
			fail_msg("annotated:\n%s\nexpected: ...%s", text, expected);
		}
	}
	assert_true(strlen(text) == strlen(annotation_text) - 1 + strlen(source_path));
}

static void test_annotation_color(void **state)
{
	struct failure failure = {0};
	CLEANUP_FREE char *text = annotated(source_path, 0, &failure, true);

	(void)state;
	assert_non_null(strstr(text, "\033[1;31m     6      4000"));
	assert_non_null(strstr(text, "\033[31m     5      1003"));
	assert_non_null(strstr(text, "\033[2m     8         0"));
	assert_non_null(strstr(text, "sum++;\033[0m\n"));
}

static void test_files_to_annotate(void **state)
{
	struct failure failure = {0};
	CLEANUP_FREE char *one = annotated("a/x.h", 0, &failure, false);
	CLEANUP_FREE char *two = annotated("./b/x.h", 0, &failure, false);
	CLEANUP_FREE char *both = annotated("x.h", -EINVAL, &failure, false), *none = NULL,
			  *end = NULL;

	(void)state;
	assert_non_null(strstr(one, "File: /a/x.h\nThe source file is not here"));
	assert_non_null(strstr(two, "File: /b/x.h\n"));
	assert_string_equal(both, "");
	assert_string_equal(
	    failure.text, "x.h: is the end of /a/x.h and of /b/x.h; name more of the path");
	failure = (struct failure){0};
	none = annotated("nowhere.c", -ENOENT, &failure, false);
	assert_non_null(
	    strstr(failure.text, "nowhere.c: the profile has nothing of this file; it has "));
	failure = (struct failure){0};
	end = annotated(".h", -ENOENT, &failure, false); /* a part of a name is none */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_stacks),
	    cmocka_unit_test(test_deep_stacks),
	    cmocka_unit_test(test_tree_color),
	    cmocka_unit_test(test_annotation),
	    cmocka_unit_test(test_annotation_color),
	    cmocka_unit_test(test_files_to_annotate),
	};

	return cmocka_run_group_tests(tests, make_sources, remove_sources);
}
