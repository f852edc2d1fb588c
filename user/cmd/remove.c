// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof remove`: has lprofd remove probes.
#include "cmd/cmd.h"
#include "cmd/control_call.h"

static struct json_object *make_parameters(const struct control_options *options)
{
	struct json_object *parameters = json_object_new_object();
	struct json_object *probes = json_object_new_array();

	for (int at = 0; at < options->operand_count; at++)
		json_object_array_add(probes, json_object_new_string(options->operands[at]));
	json_object_object_add(parameters, "probes", probes);
	return parameters;
}

int cmd_remove(int argc, char **argv)
{
	CLEANUP(json_document_put_p) struct json_object *parameters = NULL, *reply = NULL;
	struct control_options options;
	struct json_object *removed;
	int status;

	if (!control_options_parse(argc, argv, false, 1, argc,
		"needs a probe: lprof remove ID, as lprof list shows it", &options, &status))
		return status;
	parameters = make_parameters(&options);
	status = control_call(&options, "Remove", json_object_to_json_string(parameters), &reply);
	if (status != STATUS_OK)
		return status;
	if (options.json) {
		control_print_json(reply);
		return STATUS_OK;
	}
	removed = json_object_object_get(reply, "removed");
	for (size_t at = 0; at < json_object_array_length(removed); at++)
		printf("removed probe %lld\n",
		    (long long)json_object_get_int64(json_object_array_get_idx(removed, at)));
	return STATUS_OK;
}
