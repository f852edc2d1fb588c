// SPDX-License-Identifier: GPL-2.0-or-later
// Reading /proc: a captured tree with every oddity, and this very process.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "target/process_images.h"

#define CAPTURED "tests/unit/data/proc"

static void test_maps(void **state)
{
	struct failure failure = {0};
	struct process_maps maps;

	(void)state;
	assert_int_equal(process_read_maps(CAPTURED, 1234, &maps, &failure), 0);
	assert_int_equal(maps.mappings.count, 4);
	assert_string_equal(maps.mappings.items[0].path, "/usr/bin/example");
	assert_int_equal(maps.mappings.items[0].start, 0x55d0c0a28000);
	assert_int_equal(maps.mappings.items[0].end, 0x55d0c0b60000);
	assert_int_equal(maps.mappings.items[0].offset, 0x28000);
	assert_int_equal(maps.mappings.items[0].inode, 1835017);
	assert_int_equal(maps.mappings.items[0].device, makedev(0xfe, 1));
	assert_false(maps.mappings.items[0].deleted);
	assert_string_equal(maps.mappings.items[2].path, "/opt/with space/lib\nx.so");
	assert_true(maps.mappings.items[2].deleted);
	process_maps_fini(&maps);
}

static void test_odd_lines_are_left_out(void **state)
{
	static const char text[] = "\n"
				   "-\n"
				   "1-2 r-xp 0 0:0\n"
				   "fffffffffffffffff-2 r-xp 0 1:1 5 /overflow\n"
				   "2-1 r-xp 0 1:1 5 /backwards\n"
				   "1-2 r-xp 0 1:1 5 relative\n"
				   "1-2 r-xp 0 1:1 5a /inode\n"
				   "1-2 r-xp 0 1:1 5 /good";
	struct process_maps maps;

	(void)state;
	assert_int_equal(process_maps_parse(text, &maps), 0);
	assert_int_equal(maps.mappings.count, 1);
	assert_string_equal(maps.mappings.items[0].path, "/good");
	process_maps_fini(&maps);
}

static void test_status(void **state)
{
	struct process_status status;

	(void)state;
	assert_int_equal(process_read_status(CAPTURED, 1234, &status, NULL), 0);
	assert_int_equal(status.process, 1234);
	assert_int_equal(status.inner, 7);
	assert_int_equal(status.tracer, 99);
	assert_int_equal(status.user, 1000);
	assert_int_equal(status.effective_user, 1001);
	assert_int_equal(status.seccomp, 2);
	assert_true(status.shadow_stack);
	assert_false(status.zombie);
	assert_int_equal(process_read_status(CAPTURED, 77, &status, NULL), 0);
	assert_true(status.zombie);
	assert_false(status.shadow_stack);
	assert_int_equal(status.tracer, 0);
}

static void test_command(void **state)
{
	CLEANUP_FREE char *command = NULL, *name = NULL, *path = NULL;
	pid_array threads = {0};
	uint64_t entry;

	(void)state;
	assert_int_equal(process_read_command(CAPTURED, 1234, &command, NULL), 0);
	assert_string_equal(command, "/usr/bin/example --verbose two words");
	assert_int_equal(process_read_command(CAPTURED, 77, &name, NULL), 0);
	assert_string_equal(name, "[kworker/0:1]");
	assert_int_equal(process_read_executable(CAPTURED, 1234, &path, NULL), 0);
	assert_string_equal(path, "/usr/bin/example");
	assert_int_equal(process_read_entry(CAPTURED, 1234, &entry, NULL), 0);
	assert_int_equal(entry, 0x55d0c0a2c0a0);
	assert_int_equal(process_read_threads(CAPTURED, 1234, &threads, NULL), 0);
	assert_int_equal(threads.count, 2);
	ARRAY_FREE(&threads);
}

static void test_failures(void **state)
{
	struct failure failure = {0};
	struct process_maps maps;
	struct process_status status;

	(void)state;
	assert_int_equal(process_read_maps(CAPTURED, 4321, &maps, &failure), -ESRCH);
	assert_string_equal(failure.text, "process 4321 does not exist (it may have ended)");
	failure_clear(&failure);
	assert_int_equal(process_read_maps(CAPTURED, 77, &maps, &failure), -ESRCH);
	assert_non_null(strstr(failure.text, "process 77 runs no program"));
	assert_int_equal(process_read_status(CAPTURED, 4321, &status, NULL), -ESRCH);
}

static void test_images(void **state)
{
	static const pid_t pids[] = {1234, 1234};
	struct process_images images;

	(void)state;
	assert_int_equal(process_images_read(CAPTURED, pids, 2, &images, NULL), 0);
	assert_int_equal(images.images.count, 3);
	assert_true(images.images.items[0].main);
	assert_false(images.images.items[1].main);
	assert_string_equal(images.images.items[1].path, "/usr/lib/x86_64-linux-gnu/libc.so.6");
	process_images_fini(&images);
}

/* Every image of this process can be opened, and is the file that the loader mapped. */
static void test_own_images(void **state)
{
	pid_t self = getpid();
	struct process_images images;
	struct failure failure = {0};
	size_t executables = 0;

	(void)state;
	assert_int_equal(process_images_read("/proc", &self, 1, &images, &failure), 0);
	assert_true(images.images.count >= 3);
	ARRAY_FOREACH (image, &images.images) {
		CLEANUP_CLOSE int fd = process_image_open("/proc", image, &failure);
		struct stat status;

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_equal(status.st_ino, image->inode);
		executables += image->main;
	}
	assert_int_equal(executables, 1);
	process_images_fini(&images);
}

/* A library that was replaced on disk after it was mapped: the old inode, or a clear refusal. */
static void test_replaced_file(void **state)
{
	char name[] = "/tmp/lprof-test-process-XXXXXX", newer[64];
	int fd = mkstemp(name), opened;
	struct failure failure = {0};
	struct process_images images;
	pid_t self = getpid();
	char byte = 0;
	void *map;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "old file", 8), 8);
	map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	close(fd);
	snprintf(newer, sizeof(newer), "%s.new", name);
	fd = open(newer, O_CREAT | O_WRONLY, 0644);
	assert_int_equal(write(fd, "new file", 8), 8);
	close(fd);
	assert_int_equal(rename(newer, name), 0);
	assert_int_equal(process_images_read("/proc", &self, 1, &images, &failure), 0);
	ARRAY_FOREACH (image, &images.images) {
		if (strcmp(image->path, name) != 0)
			continue;
		assert_true(image->deleted);
		opened = process_image_open("/proc", image, &failure);
		if (opened >= 0) {
			assert_int_equal(pread(opened, &byte, 1, 0), 1);
			assert_int_equal(byte, 'o');
			close(opened);
		} else { /* map_files needs privileges */
			assert_true(failure.code == ESTALE || failure.code == EPERM);
			byte = 'o';
		}
	}
	assert_int_equal(byte, 'o');
	process_images_fini(&images);
	munmap(map, 4096);
	unlink(name);
}

/* Without map_files, the name counts only if it leads to the inode that is mapped. */
static void test_inode_is_compared(void **state)
{
	char name[] = "/tmp/lprof-test-process-XXXXXX";
	int fd = mkstemp(name), opened;
	struct process_image image = {.path = name, .pid = getpid(), .start = 1, .end = 2};
	struct failure failure = {0};
	struct stat status;

	(void)state;
	assert_int_equal(fstat(fd, &status), 0);
	image.inode = status.st_ino;
	opened = process_image_open("/proc", &image, &failure);
	assert_true(opened >= 0);
	close(opened);
	image.inode++;
	assert_int_equal(process_image_open("/proc", &image, &failure), -ESTALE);
	assert_non_null(strstr(failure.text, "restart the process"));
	close(fd);
	unlink(name);
}

static void test_process_that_ended(void **state)
{
	struct failure failure = {0};
	struct process_images images;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(process_images_read("/proc", &child, 1, &images, &failure), -ESRCH);
	assert_non_null(strstr(failure.text, "does not exist (it may have ended)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_maps),
	    cmocka_unit_test(test_odd_lines_are_left_out),
	    cmocka_unit_test(test_status),
	    cmocka_unit_test(test_command),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_images),
	    cmocka_unit_test(test_own_images),
	    cmocka_unit_test(test_replaced_file),
	    cmocka_unit_test(test_inode_is_compared),
	    cmocka_unit_test(test_process_that_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
