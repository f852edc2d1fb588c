// SPDX-License-Identifier: GPL-2.0-or-later
// Writes messages to stderr, each in one write so that lines of several processes do not mix, or
// hands them on.
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *log_program = "lprof";
static enum log_level log_level = LOG_LEVEL_NOTE;
static log_writer *log_hand_on;

void log_init(const char *program, enum log_level level)
{
	const char *debug = getenv("LPROF_DEBUG");

	log_program = program;
	log_level = debug && strcmp(debug, "0") ? LOG_LEVEL_DEBUG : level;
}

void log_set_writer(log_writer *writer)
{
	log_hand_on = writer;
}

static void write_line(enum log_level level, const char *text)
{
	static const char *const marks[] = {"", "warning: ", "", "debug: "};
	char line[4096];
	size_t length =
	    (size_t)snprintf(line, sizeof(line) - 1, "%s: %s%s", log_program, marks[level], text);

	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, length);
	(void)written; /* when stderr is gone there is nowhere left to say it */
}

static void write_message(enum log_level level, uint64_t probe, const char *format,
    va_list arguments) __attribute__((format(printf, 3, 0)));

static void write_message(
    enum log_level level, uint64_t probe, const char *format, va_list arguments)
{
	char text[4096];
	int saved = errno, used = 0;

	if (level > log_level)
		return;
	if (probe)
		used = snprintf(text, sizeof(text), "probe %llu: ", (unsigned long long)probe);
	vsnprintf(text + used, sizeof(text) - (size_t)used, format, arguments);
	if (log_hand_on)
		log_hand_on(level, probe, text);
	else
		write_line(level, text);
	errno = saved;
}

void log_message(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_message(level, 0, format, arguments);
	va_end(arguments);
}

void log_probe(enum log_level level, uint64_t probe, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_message(level, probe, format, arguments);
	va_end(arguments);
}
