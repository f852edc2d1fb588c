// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof reset`: has lprofd count from zero.
#include "cmd/cmd.h"
#include "cmd/control_call.h"

int cmd_reset(int argc, char **argv)
{
	CLEANUP(json_document_put_p) struct json_object *reply = NULL;
	struct control_options options;
	int status;

	if (!control_options_parse(
		argc, argv, false, 0, 0, "takes no arguments", &options, &status))
		return status;
	status = control_call(&options, "Reset", NULL, &reply);
	if (status == STATUS_OK && options.json)
		control_print_json(reply);
	return status;
}
