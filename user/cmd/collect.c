// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof collect`: gets lprofd's profile so far.
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/control_call.h"
#include "input/input.h"
#include "output/output.h"
#include "output/report.h"

static int deliver(
    const struct control_options *options, const struct profile *profile, struct failure *failure)
{
	static const struct output_options plain;
	struct report_options report = {0};
	int error;

	if (options->output) {
		error = output_write(profile, options->output, NULL, failure);
		if (!error)
			log_note("wrote %s", options->output);
		return error;
	}
	if (options->json)
		return output_write_json(profile, stdout, &plain, failure);
	(void)report_parse_color("auto", stdout, &report.color);
	error = report_print(profile, stdout, &report);
	return error ? failure_set(failure, -error, "out of memory") : 0;
}

int cmd_collect(int argc, char **argv)
{
	CLEANUP(json_document_put_p) struct json_object *reply = NULL;
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	struct control_options options;
	struct failure failure = {0};
	const char *text;
	int status, error = 0;

	if (!control_options_parse(argc, argv, true, 0, 0, "takes no arguments", &options, &status))
		return status;
	if (options.output && !output_format_for(options.output, &failure))
		return cmd_failed(argv[0], options.json, &failure);
	status = control_call(&options, "Collect", NULL, &reply);
	if (status != STATUS_OK)
		return status;
	text = json_object_to_json_string(json_object_object_get(reply, "profile"));
	error = input_read_json("lprofd's profile", text, strlen(text), &profile, &failure);
	if (!error)
		error = deliver(&options, profile, &failure);
	return error ? cmd_failed(argv[0], options.json, &failure) : STATUS_OK;
}
