/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end of the control socket: for the commands that talk to lprofd. */
#ifndef LPROF_CONTROL_CLIENT_H
#define LPROF_CONTROL_CLIENT_H

#include <json-c/json.h>

#include "base/failure.h"

/*
 * Calls a method and waits for its reply. `socket` NULL: $LPROFD_SOCKET, else where lprofd listens
 * unless configured otherwise. `parameters` is a JSON object as text, or NULL. Gives the reply's
 * parameters, for the caller to put. Fails with lprofd's own sentence and code, or -ECONNREFUSED:
 * it does not run.
 */
int client_call(const char *socket, const char *method, const char *parameters,
    struct json_object **ret_parameters, struct failure *failure);

#endif
