// SPDX-License-Identifier: GPL-2.0-or-later
// What a killed lprofd left beside its state goes; what it wrote stays.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "control/daemon_files.h"

static void path_of(char path[128], const char *directory, const char *name)
{
	snprintf(path, 128, "%s/%s", directory, name);
}

static void test_leftovers_go(void **state)
{
	static const char *const left[] = {
	    "state.json.a1B2c3", "plan-12.json.ABCdef", "snapshot-20260101T000000Z.lprof.012345"};
	static const char *const stay[] = {"state.json", "state.json.damaged", "plan-12.json",
	    "snapshot-20260101T000000Z.lprof", "report.lprof.backup", "notes.ABCdef", "lock"};
	char directory[] = "/tmp/lprof-files-XXXXXX", path[128];
	struct daemon daemon = {.state_directory = directory};

	(void)state;
	assert_non_null(mkdtemp(directory));
	for (size_t at = 0; at < ARRAY_SIZE(left) + ARRAY_SIZE(stay); at++) {
		path_of(path, directory,
		    at < ARRAY_SIZE(left) ? left[at] : stay[at - ARRAY_SIZE(left)]);
		CLEANUP_CLOSE int fd = open(path, O_CREAT | O_WRONLY, 0600);
		assert_true(fd >= 0);
	}
	daemon_remove_leftovers(&daemon);
	for (size_t at = 0; at < ARRAY_SIZE(left); at++) {
		path_of(path, directory, left[at]);
		assert_int_not_equal(unlink(path), 0);
	}
	for (size_t at = 0; at < ARRAY_SIZE(stay); at++) {
		path_of(path, directory, stay[at]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_leftovers_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
