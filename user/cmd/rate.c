// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof rate`: changes the share of calls that lprofd times.
#include "base/parse.h"
#include "cmd/cmd.h"
#include "cmd/control_call.h"

int cmd_rate(int argc, char **argv)
{
	CLEANUP(json_document_put_p) struct json_object *parameters = NULL, *reply = NULL;
	struct control_options options;
	double rate;
	int status;

	if (!control_options_parse(argc, argv, false, 2, 2,
		"needs a probe or a function, and a rate: lprof rate ID 0.1", &options, &status))
		return status;
	if (parse_rate(options.operands[1], &rate))
		return cmd_misused(argv[0], options.json,
		    "'%s' is not a rate; give a share from 0.0 to 1.0", options.operands[1]);
	parameters = json_object_new_object();
	json_object_object_add(parameters, "probe", json_object_new_string(options.operands[0]));
	json_object_object_add(parameters, "rate", json_object_new_double(rate));
	status = control_call(&options, "SetRate", json_object_to_json_string(parameters), &reply);
	if (status != STATUS_OK)
		return status;
	if (options.json)
		control_print_json(reply);
	else
		printf("%lld functions\n", (long long)control_number(reply, "functions"));
	return STATUS_OK;
}
