// SPDX-License-Identifier: GPL-2.0-or-later
// Writes messages to stderr, each in one write so that lines of several processes do not mix.
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *log_program = "lprof";
static enum log_level log_level = LOG_LEVEL_NOTE;

void log_init(const char *program, enum log_level level)
{
	const char *debug = getenv("LPROF_DEBUG");

	log_program = program;
	log_level = debug && strcmp(debug, "0") ? LOG_LEVEL_DEBUG : level;
}

void log_message(enum log_level level, const char *format, ...)
{
	static const char *const marks[] = {"", "warning: ", "", "debug: "};
	char line[4096];
	int saved = errno, used;
	va_list arguments;
	size_t length;

	if (level > log_level)
		return;
	used = snprintf(line, sizeof(line), "%s: %s", log_program, marks[level]);
	va_start(arguments, format);
	vsnprintf(line + used, sizeof(line) - used - 1, format, arguments);
	va_end(arguments);
	length = strlen(line);
	line[length++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, length);
	(void)written; /* when stderr is gone there is nowhere left to say it */
	errno = saved;
}
