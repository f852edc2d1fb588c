/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that talk to lprofd share: their options, and calls whose errors are said. */
#ifndef LPROF_CMD_CONTROL_CALL_H
#define LPROF_CMD_CONTROL_CALL_H

#include <json-c/json.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "control/json_document.h"

struct control_options {
	const char *command;
	bool json;
	const char *output; /* -o, for commands that take it */
	char **operands;
	int operand_count;
};

/*
 * Parses argv of a command that takes --json, -o FILE if `output`, and from `least` to `most`
 * operands, which `wanted` names. True: go on; false: *ret_status, and everything was said.
 */
bool control_options_parse(int argc, char **argv, bool output, int least, int most,
    const char *wanted, struct control_options *ret_options, int *ret_status);

/* Calls io.lprof.Control.METHOD; 0, or the status to exit with after the failure was said. */
int control_call(const struct control_options *options, const char *method, const char *parameters,
    struct json_object **ret_reply);

/* Prints the reply as it came, on a line. */
void control_print_json(struct json_object *reply);

/* A member's text or number; "" or 0 where it is missing. */
const char *control_text(struct json_object *object, const char *key);
int64_t control_number(struct json_object *object, const char *key);

#endif
