// SPDX-License-Identifier: GPL-2.0-or-later
// Reading with a bound, and replacing files so that failures leave the old file and no litter.
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/files.h"

static char directory[] = "/tmp/lprof-test-files-XXXXXX";

static int make_directory(void **state)
{
	(void)state;
	return !mkdtemp(directory) || chdir(directory);
}

static int remove_directory(void **state)
{
	(void)state;
	return chdir("/") || rmdir(directory);
}

static unsigned count_files(void)
{
	DIR *files = opendir(".");
	unsigned count = 0;

	assert_non_null(files);
	while (readdir(files))
		count++;
	closedir(files);
	return count - 2;
}

static void assert_content(const char *path, const char *text)
{
	CLEANUP_FREE char *data = NULL;
	size_t size;

	assert_int_equal(file_read(path, 1 << 20, &data, &size, NULL), 0);
	assert_int_equal(size, strlen(text));
	assert_string_equal(data, text);
}

static void test_read_bound(void **state)
{
	CLEANUP_FREE char *data = NULL;
	struct failure failure = {0};
	char big[70000];
	size_t size = 0;

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(file_write_atomically("big", big, sizeof(big), &failure), 0);
	assert_int_equal(file_read("big", sizeof(big) - 1, &data, &size, &failure), -EFBIG);
	assert_null(data);
	assert_non_null(strstr(failure.text, "big"));
	assert_int_equal(file_read("big", sizeof(big), &data, &size, NULL), 0);
	assert_int_equal(size, sizeof(big));
	assert_int_equal(data[size], 0);
	unlink("big");
}

static void test_read_odd_files(void **state)
{
	CLEANUP_FREE char *status = NULL;
	struct failure failure = {0};
	char *none = NULL;
	size_t size;

	(void)state;
	assert_int_equal(file_read("/proc/self/status", 1 << 20, &status, &size, NULL), 0);
	assert_true(size > 100);
	assert_int_equal(file_read(".", 100, &none, &size, &failure), -EISDIR);
	assert_int_equal(file_read("missing", 100, &none, &size, NULL), -ENOENT);
	assert_int_equal(file_write_atomically("empty", "", 0, NULL), 0);
	assert_content("empty", "");
	unlink("empty");
}

static void test_replace_keeps_mode(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(file_write_atomically("file", "one", 3, NULL), 0);
	assert_int_equal(chmod("file", 0640), 0);
	assert_int_equal(file_write_atomically("file", "two!", 4, NULL), 0);
	assert_content("file", "two!");
	assert_int_equal(stat("file", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_int_equal(count_files(), 1);
	unlink("file");
}

static void test_link_is_followed(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(file_write_atomically("real", "one", 3, NULL), 0);
	assert_int_equal(symlink("real", "link"), 0);
	assert_int_equal(file_write_atomically("link", "two", 3, NULL), 0);
	assert_int_equal(lstat("link", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_content("real", "two");
	unlink("link");
	unlink("real");
}

static void test_failures_leave_old_file(void **state)
{
	const struct rlimit small = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY};
	struct failure failure = {0};
	char big[5000] = {0};
	struct rlimit before;

	(void)state;
	assert_int_equal(file_write_atomically("file", "old", 3, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int result = file_write_atomically("file", big, sizeof(big), &failure);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(result, -EFBIG);
	assert_content("file", "old");
	assert_int_equal(count_files(), 1);
	unlink("file");
}

static void test_full_disk_is_named(void **state)
{
	struct failure failure = {0};

	(void)state;
	assert_int_equal(file_write_atomically("/dev/full", "text", 4, &failure), -ENOSPC);
	assert_int_equal(failure.code, ENOSPC);
	assert_non_null(strstr(failure.text, "/dev/full"));
	assert_non_null(strstr(failure.text, "space"));
}

static void test_bad_destinations(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomically(".", "x", 1, NULL), -EISDIR);
	assert_int_equal(file_write_atomically("missing/file", "x", 1, NULL), -ENOENT);
	assert_int_equal(count_files(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read_bound),
	    cmocka_unit_test(test_read_odd_files),
	    cmocka_unit_test(test_replace_keeps_mode),
	    cmocka_unit_test(test_link_is_followed),
	    cmocka_unit_test(test_failures_leave_old_file),
	    cmocka_unit_test(test_full_disk_is_named),
	    cmocka_unit_test(test_bad_destinations),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
