/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end of the control socket: for the commands that talk to lprofd. */
#ifndef LPROF_CONTROL_CLIENT_H
#define LPROF_CONTROL_CLIENT_H

#include <json-c/json.h>

#include "base/cleanup.h"
#include "base/failure.h"

/*
 * Calls a method and waits for its reply. `socket` NULL: $LPROFD_SOCKET, else where lprofd listens
 * unless configured otherwise. `parameters` is a JSON object as text, or NULL. Gives the reply's
 * parameters, for the caller to put. Fails with lprofd's own sentence and code, or -ECONNREFUSED:
 * it does not run.
 */
int client_call(const char *socket, const char *method, const char *parameters,
    struct json_object **ret_parameters, struct failure *failure);

/* Replies that come again and again: io.lprof.Control.Watch with "more". */
struct client_watch;

/* Calls Watch; arguments as client_call()'s. The first reply comes at once. */
int client_watch_open(const char *socket, const char *parameters, struct client_watch **ret_watch,
    struct failure *failure);
void client_watch_free(struct client_watch *watch);
DEFINE_CLEANUP(struct client_watch *, client_watch_free)

/* To be waited at for what client_watch_read() reads. */
int client_watch_descriptor(const struct client_watch *watch);

/*
 * Reads without waiting. 1: a reply, its parameters are the caller's to put; 0: there is none yet.
 * -ECONNRESET: lprofd ended; or its own failure.
 */
int client_watch_read(
    struct client_watch *watch, struct json_object **ret_parameters, struct failure *failure);

#endif
