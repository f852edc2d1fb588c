// SPDX-License-Identifier: GPL-2.0-or-later
// Reads what /proc says about one process.
#include "target/process.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <linux/limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/strings.h"

#define PROC_FILE_MAX (256 << 20) /* of maps: a million mappings */

static int process_failure(pid_t pid, int error, struct failure *failure)
{
	if (error == ENOENT || error == ESRCH)
		return failure_set(
		    failure, ESRCH, "process %d does not exist (it may have ended)", (int)pid);
	if (error == EPERM || error == EACCES)
		return failure_set(failure, error,
		    "process %d may not be looked at: run as root, or with CAP_SYS_PTRACE",
		    (int)pid);
	return failure_set(
	    failure, error, "cannot read about process %d: %s", (int)pid, strerror(error));
}

/* Reads PROC/PID/NAME whole. */
static int read_entry(const char *proc, pid_t pid, const char *name, char **ret_text,
    size_t *ret_size, struct failure *failure)
{
	char path[PATH_MAX];
	int result;

	snprintf(path, sizeof(path), "%s/%d/%s", proc, (int)pid, name);
	result = file_read(path, PROC_FILE_MAX, ret_text, ret_size, NULL);
	return result ? process_failure(pid, -result, failure) : 0;
}

/* What follows "NAME:" and blanks at a line's start; NULL without. */
static const char *status_field(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (text) {
		if (!strncmp(text, name, length) && text[length] == ':')
			return text + length + 1 + strspn(text + length + 1, " \t");
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return NULL;
}

/* The field's number; of several the one at `place`, or the last with -1. 0 without. */
static unsigned long status_number(const char *text, const char *name, int place)
{
	const char *at = status_field(text, name);
	unsigned long value = 0;

	for (int i = 0; at && (place < 0 || i <= place); i++) {
		at += strspn(at, " \t");
		if (*at < '0' || *at > '9')
			break;
		value = strtoul(at, (char **)&at, 10);
	}
	return value;
}

int process_read_status(
    const char *proc, pid_t pid, struct process_status *ret_status, struct failure *failure)
{
	CLEANUP_FREE char *text = NULL;
	const char *features, *state;
	size_t size, length;
	int result = read_entry(proc, pid, "status", &text, &size, failure);

	if (result)
		return result;
	state = status_field(text, "State");
	features = status_field(text, "x86_Thread_features");
	length = features ? strcspn(features, "\n") : 0;
	*ret_status = (struct process_status){
	    .process = (pid_t)status_number(text, "Tgid", 0),
	    .inner = (pid_t)status_number(text, "NSpid", -1),
	    .tracer = (pid_t)status_number(text, "TracerPid", 0),
	    .user = (uid_t)status_number(text, "Uid", 0),
	    .effective_user = (uid_t)status_number(text, "Uid", 1),
	    .seccomp = (unsigned)status_number(text, "Seccomp", 0),
	    .shadow_stack = length && memmem(features, length, "shstk", strlen("shstk")),
	    .zombie = state && (*state == 'Z' || *state == 'X'),
	};
	return 0;
}

static int read_maps(const char *proc, pid_t pid,
    int (*parse)(const char *text, struct process_maps *ret_maps), struct process_maps *ret_maps,
    struct failure *failure)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int result = read_entry(proc, pid, "maps", &text, &size, failure);

	if (!result && size == 0) /* a zombie, or a kernel thread */
		return failure_set(failure, ESRCH,
		    "process %d runs no program (it has ended, or belongs to the kernel)",
		    (int)pid);
	if (!result && parse(text, ret_maps))
		result = failure_set(
		    failure, ENOMEM, "no memory for the mappings of process %d", (int)pid);
	return result;
}

int process_read_maps(
    const char *proc, pid_t pid, struct process_maps *ret_maps, struct failure *failure)
{
	return read_maps(proc, pid, process_maps_parse, ret_maps, failure);
}

int process_read_code(
    const char *proc, pid_t pid, struct process_maps *ret_maps, struct failure *failure)
{
	return read_maps(proc, pid, process_maps_parse_code, ret_maps, failure);
}

int process_read_threads(const char *proc, pid_t pid, pid_array *threads, struct failure *failure)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int result = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/%d/task", proc, (int)pid);
	directory = opendir(path);
	if (!directory)
		return process_failure(pid, errno, failure);
	while (!result && (entry = readdir(directory))) {
		uint64_t thread;

		if (!parse_integer(entry->d_name, 1, INT32_MAX, &thread))
			result = ARRAY_APPEND(threads, (pid_t)thread);
	}
	closedir(directory);
	return result ? process_failure(pid, ENOMEM, failure) : 0;
}

static int read_name(const char *proc, pid_t pid, char **ret_command, struct failure *failure)
{
	CLEANUP_FREE char *name = NULL;
	size_t size;
	int result = read_entry(proc, pid, "comm", &name, &size, failure);

	if (result)
		return result;
	if (asprintf(ret_command, "[%.*s]", (int)strcspn(name, "\n"), name) < 0)
		return process_failure(pid, ENOMEM, failure);
	return 0;
}

int process_read_command(const char *proc, pid_t pid, char **ret_command, struct failure *failure)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int result = read_entry(proc, pid, "cmdline", &text, &size, failure);

	if (result)
		return result;
	while (size > 0 && text[size - 1] == '\0')
		size--;
	if (size == 0)
		return read_name(proc, pid, ret_command, failure);
	for (size_t i = 0; i < size; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	*ret_command = TAKE(text);
	return 0;
}

int process_read_executable(const char *proc, pid_t pid, char **ret_path, struct failure *failure)
{
	static const char gone[] = " (deleted)";
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/%d/exe", proc, (int)pid);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return process_failure(pid, errno, failure);
	target[length] = '\0';
	if (string_ends(target, gone))
		target[length - (ssize_t)strlen(gone)] = '\0';
	*ret_path = strdup(target);
	return *ret_path ? 0 : process_failure(pid, ENOMEM, failure);
}

int process_read_entry(const char *proc, pid_t pid, uint64_t *ret_address, struct failure *failure)
{
	CLEANUP_FREE char *bytes = NULL;
	size_t size;
	int result = read_entry(proc, pid, "auxv", &bytes, &size, failure);

	if (result)
		return result;
	for (size_t at = 0; at + sizeof(Elf64_auxv_t) <= size; at += sizeof(Elf64_auxv_t)) {
		Elf64_auxv_t entry;

		memcpy(&entry, bytes + at, sizeof(entry));
		if (entry.a_type != AT_ENTRY)
			continue;
		*ret_address = entry.a_un.a_val;
		return 0;
	}
	return failure_set(
	    failure, ENOENT, "process %d does not say where its program begins", (int)pid);
}
