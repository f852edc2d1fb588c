// SPDX-License-Identifier: GPL-2.0-or-later
// Progress shows on terminals only, after a second only, and is wiped.
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

#include "base/progress.h"

#define LONG_AGO_NS 5000000000
#define END_MARK    "|"

/* What `work` writes to stderr while that is `fd`; read from `reader` up to a mark of ours, since
 * what is written to a terminal arrives some time later. */
static size_t capture(int fd, int reader, void (*work)(struct progress *), char *text, size_t size)
{
	int saved = dup(STDERR_FILENO);
	struct progress progress;
	size_t got = 0;

	assert_true(saved >= 0);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	progress_init(&progress);
	work(&progress);
	fflush(stderr);
	assert_int_equal(write(STDERR_FILENO, END_MARK, 1), 1);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	do {
		ssize_t more = read(reader, text + got, size - got);

		assert_true(more > 0);
		got += (size_t)more;
	} while (text[got - 1] != END_MARK[0]);
	text[--got] = '\0';
	return got;
}

static void work_briefly(struct progress *progress)
{
	progress_step(progress, "Indexing", 1, 10);
	progress_end(progress);
}

static void work_long(struct progress *progress)
{
	progress_step(progress, "Indexing", 1, 10);
	progress->begun_ns -= LONG_AGO_NS;
	progress_step(progress, "Indexing", 2, 10);
	progress->drawn_ns += LONG_AGO_NS;          /* however slow this is */
	progress_step(progress, "Indexing", 3, 10); /* too soon to be drawn again */
	progress_end(progress);
}

static void test_terminal(void **state)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY), user;
	char text[200];

	(void)state;
	if (terminal < 0 || grantpt(terminal) || unlockpt(terminal))
		skip();
	user = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	assert_true(user >= 0);
	assert_int_equal(capture(user, terminal, work_briefly, text, sizeof(text)), 0);
	capture(user, terminal, work_long, text, sizeof(text));
	assert_string_equal(text, "\rIndexing: 2 of 10\033[K\r\033[K");
	close(user);
	close(terminal);
}

static void test_no_terminal(void **state)
{
	char text[200];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(capture(ends[1], ends[0], work_long, text, sizeof(text)), 0);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_terminal),
	    cmocka_unit_test(test_no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
