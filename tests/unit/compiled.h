/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests that build small programs and read them: a directory of their own, shell commands. */
#ifndef LPROF_TESTS_COMPILED_H
#define LPROF_TESTS_COMPILED_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "target/image_index.h"

#define UNUSED __attribute__((unused))

static char compiled_directory[] = "/tmp/lprof-test-target-XXXXXX";

/* Where the repository is: tests run from its top. */
static char compiled_top[1024];

static inline int compiled_set_up(void **state)
{
	(void)state;
	if (!getcwd(compiled_top, sizeof(compiled_top)))
		return -1;
	/* Leaks of compilers are not ours, and their programs are not to be instrumented. */
	unsetenv("ASAN_OPTIONS");
	return !mkdtemp(compiled_directory) || chdir(compiled_directory);
}

static inline int compiled_tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", compiled_directory);
	return chdir("/") || system(command);
}

UNUSED static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Runs a shell command; its exit status. */
static inline int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline int shell(const char *format, ...)
{
	char command[4096];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	return system(command);
}

/* Whether a tool that a test needs is there; the test says "skipped" if not. */
#define NEED(tool)                                                \
	do {                                                      \
		if (shell("command -v " tool " >/dev/null 2>&1")) \
			skip();                                   \
	} while (0)

UNUSED static int try_index(const char *path, const struct image_index_options *options,
    struct image_index **ret_index, struct failure *failure)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), result;

	assert_true(fd >= 0);
	result = image_index_open(path, fd, options, ret_index, failure);
	if (result)
		close(fd);
	return result;
}

/* The index of a file in the directory, which must be readable. */
UNUSED static struct image_index *index_of_with(
    const char *name, const struct image_index_options *options)
{
	struct failure failure = {0};
	struct image_index *index = NULL;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", compiled_directory, name);
	if (try_index(path, options, &index, &failure))
		fail_msg("%s: %s", name, failure.text);
	return index;
}

UNUSED static struct image_index *index_of(const char *name)
{
	return index_of_with(name, NULL);
}

/* The only function of that name, which must be there. */
UNUSED static const struct source_function *function_named(
    const struct image_index *index, const char *name)
{
	const struct source_function *found = NULL;

	ARRAY_FOREACH (function, &index->functions) {
		if (strcmp(function->name, name) != 0)
			continue;
		if (found)
			fail_msg("%s is there twice", name);
		found = function;
	}
	if (!found)
		fail_msg("no function %s", name);
	return found;
}

UNUSED static size_t functions_named(const struct image_index *index, const char *name)
{
	size_t count = 0;

	ARRAY_FOREACH (function, &index->functions)
		count += !strcmp(function->name, name);
	return count;
}

#endif
