// SPDX-License-Identifier: GPL-2.0-or-later
// Says what went wrong: one line on stderr, as a sentence or as JSON, and the exit status for it.
#include "cmd/cmd.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>

#include "base/log.h"

static void print_json(const char *command, const struct failure *failure)
{
	struct json_object *error = json_object_new_object();
	const char *code = strerrorname_np(failure->code);

	json_object_object_add(error, "error", json_object_new_string(failure->text));
	json_object_object_add(error, "code", json_object_new_string(code ? code : "EIO"));
	json_object_object_add(error, "command", json_object_new_string(command));
	fprintf(stderr, "%s\n", json_object_to_json_string_ext(error, JSON_C_TO_STRING_SPACED));
	json_object_put(error);
}

static bool is_run(const char *command)
{
	return !strcmp(command, "run");
}

int cmd_misused(const char *command, bool json, const char *format, ...)
{
	struct failure failure = {0};
	char problem[FAILURE_TEXT_MAX / 2];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem, sizeof(problem), format, arguments);
	va_end(arguments);
	failure_set(
	    &failure, EINVAL, "%s (see lprof %s%s--help)", problem, command, *command ? " " : "");
	if (json)
		print_json(command, &failure);
	else
		log_error("%s%s%s", command, *command ? ": " : "", failure.text);
	return is_run(command) ? STATUS_RUN_FAILED : STATUS_MISUSED;
}

int cmd_failed(const char *command, bool json, const struct failure *failure)
{
	if (json)
		print_json(command, failure);
	else
		log_error("%s", failure->text);
	return is_run(command) ? STATUS_RUN_FAILED : STATUS_FAILED;
}

bool cmd_wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json"))
			return true;
	return false;
}
