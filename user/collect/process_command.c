// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the command line of a process.
#include "collect/process_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"

#define COMMAND_MAX (4u << 20) /* arguments and environment are limited to this and less */

static char *read_file(pid_t pid, const char *name, size_t *ret_size)
{
	char path[64], *data;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return file_read(path, COMMAND_MAX, &data, ret_size, NULL) == 0 ? data : NULL;
}

char *process_command(pid_t pid)
{
	size_t size = 0;
	char *command = read_file(pid, "cmdline", &size);

	if (!size) {
		free(command);
		command = read_file(pid, "comm", &size);
	}
	if (!command)
		return strdup("");
	while (size && (command[size - 1] == '\0' || command[size - 1] == '\n'))
		command[--size] = '\0';
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)command[i] < ' ' || command[i] == 0x7f)
			command[i] = ' ';
	return command;
}
