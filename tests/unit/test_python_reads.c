// SPDX-License-Identifier: GPL-2.0-or-later
// Which sources line_profiler's viewer survives.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "output/python_reads.h"

static void check(const char *text, bool expected)
{
	char path[] = "/tmp/lprof-test-XXXXXX";
	int fd = mkstemp(path);
	FILE *stream = fdopen(fd, "w");
	CLEANUP(source_free_p) struct source *source = NULL;

	fputs(text, stream);
	fclose(stream);
	source = source_open(path, false);
	unlink(path);
	assert_non_null(source);
	if (python_reads(source, 2) != expected)
		fail_msg("%s is said to be %s", text, expected ? "deadly" : "harmless");
}

static void test_verdicts(void **state)
{
	(void)state;
	check("/* isn't read */\nint f(void)\n{\n\treturn g(\"(\") ? 'a' : '\\'';\n}\n", true);
	check("\nint f(void) {\n\treturn 1;\n}\n#define APOSTROPHE isn't (\n", true);
	check("\nint f(void) { return 1; } /* isn't */\n", false);
	check("\nint f(void) { return 1; } /* a smile :) */\n", false);
	check("\nint f(void) { return 1; /* a frown :( */ }\n", false);
	check("\nint f(void); /* \"\"\" */\n", false);
	check("\nint a; \\ int b;\n", false);
	check("\nint a; \\", false);
	check("\nint a; \\\nint b;\n", true);
	check("\nchar *s = \"a\\\nb\";\n", false);
	check("\n", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
