// SPDX-License-Identifier: GPL-2.0-or-later
// Parses the options of commands that talk to lprofd, and makes their calls.
#include "cmd/control_call.h"

#include <getopt.h>
#include <string.h>

#include "cmd/cmd.h"
#include "control/client.h"
#include "control/protocol.h"

enum { OPTION_JSON = 256 };

bool control_options_parse(int argc, char **argv, bool output, int least, int most,
    const char *wanted, struct control_options *ret_options, int *ret_status)
{
	static const struct option names[] = {{"json", no_argument, NULL, OPTION_JSON},
	    {"help", no_argument, NULL, 'h'}, {"output", required_argument, NULL, 'o'},
	    {NULL, 0, NULL, 0}};
	int option;

	*ret_options =
	    (struct control_options){.command = argv[0], .json = cmd_wants_json(argc, argv)};
	*ret_status = STATUS_OK;
	opterr = 0;
	optind = 0; /* GNU: start anew */
	while ((option = getopt_long(argc, argv, ":ho:", names, NULL)) != -1) {
		if (option == OPTION_JSON)
			continue;
		if (option == 'h') {
			cmd_help(argv[0], stdout);
			return false;
		}
		if (option == 'o' && output && *optarg) {
			ret_options->output = optarg;
			continue;
		}
		*ret_status = cmd_misused(argv[0], ret_options->json,
		    option == ':' ? "%s needs a value" : "unknown option %s", argv[optind - 1]);
		return false;
	}
	ret_options->operands = argv + optind;
	ret_options->operand_count = argc - optind;
	if (ret_options->operand_count >= least && ret_options->operand_count <= most)
		return true;
	*ret_status = cmd_misused(argv[0], ret_options->json, "%s", wanted);
	return false;
}

int control_call(const struct control_options *options, const char *method, const char *parameters,
    struct json_object **ret_reply)
{
	struct failure failure = {0};
	char name[64];

	snprintf(name, sizeof(name), PROTOCOL_INTERFACE ".%s", method);
	if (!client_call(NULL, name, parameters, ret_reply, &failure))
		return STATUS_OK;
	return cmd_failed(options->command, options->json, &failure);
}

void control_print_json(struct json_object *reply)
{
	puts(json_object_to_json_string_ext(
	    reply, JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
}

const char *control_text(struct json_object *object, const char *key)
{
	struct json_object *member = json_object_object_get(object, key);

	return json_object_is_type(member, json_type_string) ? json_object_get_string(member) : "";
}

int64_t control_number(struct json_object *object, const char *key)
{
	return json_object_get_int64(json_object_object_get(object, key));
}
