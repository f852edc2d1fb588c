// SPDX-License-Identifier: GPL-2.0-or-later
// Source files as lines, and which of them a process may show to others.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "output/source.h"

static char folder[] = "/tmp/lprof-test-XXXXXX";
static char inner[64], file[80], link_to_file[80], link_to_folder[80], pipe_path[80];

static int make_files(void **state)
{
	FILE *stream;

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(inner, sizeof(inner), "%s/inner", folder);
	snprintf(file, sizeof(file), "%s/a.c", inner);
	snprintf(link_to_file, sizeof(link_to_file), "%s/link.c", folder);
	snprintf(link_to_folder, sizeof(link_to_folder), "%s/link", folder);
	snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", folder);
	if (chmod(folder, 0755) || mkdir(inner, 0755) || symlink(file, link_to_file) ||
	    symlink(inner, link_to_folder) || mkfifo(pipe_path, 0644))
		return -1;
	stream = fopen(file, "w");
	if (!stream || fputs("one\r\ntwo\n\nfour", stream) < 0)
		return -1;
	return fclose(stream);
}

static int remove_files(void **state)
{
	(void)state;
	return unlink(file) | unlink(link_to_file) | unlink(link_to_folder) | unlink(pipe_path) |
	       rmdir(inner) | rmdir(folder);
}

static bool opens(const char *path, bool public_only)
{
	CLEANUP(source_free_p) struct source *source = source_open(path, public_only);

	return source != NULL;
}

static void test_lines(void **state)
{
	CLEANUP(source_free_p) struct source *source = source_open(file, false);

	(void)state;
	assert_non_null(source);
	assert_string_equal(source_line(source, 1), "one");
	assert_string_equal(source_line(source, 2), "two");
	assert_string_equal(source_line(source, 3), "");
	assert_string_equal(source_line(source, 4), "four");
	assert_null(source_line(source, 5));
	assert_null(source_line(source, 0));
	assert_null(source_line(NULL, 1));
}

static void test_no_source(void **state)
{
	(void)state;
	for (int public_only = 0; public_only < 2; public_only++) {
		assert_false(opens("", public_only));
		assert_false(opens("/", public_only));
		assert_false(opens(folder, public_only));
		assert_false(opens(pipe_path, public_only)); /* nor does it wait for a writer */
		assert_false(opens("/dev/zero", public_only));
		assert_false(opens("/nowhere/a.c", public_only));
	}
}

/* Whoever runs this test may read all of it: only the modes tell. */
static void test_public(void **state)
{
	char dotted[160];

	(void)state;
	chmod(inner, 0711);
	chmod(file, 0604);
	snprintf(dotted, sizeof(dotted), "%s/../inner/./a.c", inner);
	assert_true(opens(file, true));
	assert_true(opens(dotted, true));
	assert_true(opens(link_to_file, true));
	snprintf(dotted, sizeof(dotted), "%s/a.c", link_to_folder);
	assert_true(opens(dotted, true));

	chmod(file, 0640);
	assert_true(opens(file, false));
	assert_false(opens(file, true));
	assert_false(opens(link_to_file, true));
	chmod(file, 0644);
	chmod(inner, 0750);
	assert_true(opens(file, false));
	assert_false(opens(file, true));
	assert_false(opens(link_to_file, true));
	chmod(inner, 0755);
	chmod(folder, 0700);
	assert_false(opens(file, true));
	assert_false(opens(dotted, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_no_source),
	    cmocka_unit_test(test_public),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
