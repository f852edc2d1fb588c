// SPDX-License-Identifier: GPL-2.0-or-later
// Maps of code made at run time: their lines, which of them holds, and whose files are read.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "target/perf_map.h"

static void expect(const struct perf_map *map, uint64_t address, const char *name)
{
	const char *found = perf_map_find(map, address);

	if (!found != !name || (found && strcmp(found, name) != 0))
		fail_msg("%#lx: %s, not %s", address, found, name);
}

static void parse(const char *text, struct perf_map *ret_map)
{
	assert_int_equal(perf_map_parse(text, strlen(text), ret_map), 0);
}

static void test_lines(void **state)
{
	struct perf_map map CLEANUP(perf_map_fini) = {0};

	(void)state;
	parse("1000 10 first\n0x1020 0X10 no\n1020 0x10 a name (of words)\nffffffffffffffff 2 no\n"
	      "12345678901234567 1 no\n1030 0 no\n1040 4\n1040 4 \nx\n\n1040 4 last\n1050 4 half",
	    &map);
	expect(&map, 0xfff, NULL);
	expect(&map, 0x1000, "first");
	expect(&map, 0x100f, "first");
	expect(&map, 0x1010, NULL);
	expect(&map, 0x102f, "a name (of words)");
	expect(&map, 0x1030, NULL);
	expect(&map, 0x1040, "last");
	expect(&map, 0x1050, NULL); /* not written to its end yet */
	assert_int_equal(map.symbols.count, 3);
}

/* Code is made anew where other code was. */
static void test_later_lines_hold(void **state)
{
	struct perf_map map CLEANUP(perf_map_fini) = {0};

	(void)state;
	parse("1000 100 old\n2000 10 gone\n1080 100 new\n2000 10 newer\n3000 10 kept\n"
	      "2ff0 18 before\n",
	    &map);
	expect(&map, 0x107f, "old");
	expect(&map, 0x1080, "new");
	expect(&map, 0x117f, "new");
	expect(&map, 0x2000, "newer");
	expect(&map, 0x3007, "before");
	expect(&map, 0x3008, "kept");
}

static void test_long_names(void **state)
{
	static char text[5000];
	struct perf_map map CLEANUP(perf_map_fini) = {0};
	int used = snprintf(text, sizeof(text), "10 4 ");

	(void)state;
	memset(text + used, 'n', 4000);
	text[used + 4000] = '\n';
	parse(text, &map);
	assert_int_equal(map.symbols.count, 1);
	assert_int_equal(strlen(map.symbols.items[0].name), PERF_MAP_NAME_MAX);
}

/* ---- The file ---- */

static char own_path[64];

static int try_open(void)
{
	int fd = perf_map_open("/proc", getpid());

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int remove_own(void **state)
{
	(void)state;
	(void)unlink(own_path);
	(void)rmdir(own_path);
	return 0;
}

static int name_own(void **state)
{
	snprintf(own_path, sizeof(own_path), "/tmp/perf-%d.map", (int)getpid());
	return remove_own(state);
}

static void write_own(void)
{
	FILE *file = fopen(own_path, "w");

	assert_non_null(file);
	assert_true(fputs("1000 10 mine\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void test_own_file(void **state)
{
	struct perf_map map CLEANUP(perf_map_fini) = {0};
	CLEANUP_CLOSE int fd = -1;

	(void)state;
	assert_int_equal(try_open(), -ENOENT);
	write_own();
	fd = perf_map_open("/proc", getpid());
	assert_true(fd >= 0);
	assert_int_equal(perf_map_read(fd, &map), 0);
	expect(&map, 0x1004, "mine");
}

static void test_other_files(void **state)
{
	(void)state;
	assert_int_equal(symlink("/etc/passwd", own_path), 0);
	assert_int_equal(try_open(), -ELOOP);
	remove_own(NULL);
	assert_int_equal(mkfifo(own_path, 0600), 0);
	assert_int_equal(try_open(), -EPERM); /* and does not wait for a writer */
	remove_own(NULL);
	if (getuid())
		skip();
	write_own();
	assert_int_equal(chown(own_path, 65534, 65534), 0);
	assert_int_equal(try_open(), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_later_lines_hold),
	    cmocka_unit_test(test_long_names),
	    cmocka_unit_test_setup_teardown(test_own_file, name_own, remove_own),
	    cmocka_unit_test_setup_teardown(test_other_files, name_own, remove_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
