// SPDX-License-Identifier: GPL-2.0-or-later
// Sends libbpf's messages to the debug log.
#include "collect/libbpf_log.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

__attribute__((format(printf, 2, 0))) static int print(
    enum libbpf_print_level level, const char *format, va_list arguments)
{
	char line[2048];
	int length;

	if (level == LIBBPF_DEBUG)
		return 0;
	length = vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return length;
}

void libbpf_log_init(void)
{
	libbpf_set_print(print);
}
