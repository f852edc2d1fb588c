/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What calls over the control socket do. */
#ifndef LPROF_CONTROL_METHODS_H
#define LPROF_CONTROL_METHODS_H

#include "control/daemon.h"
#include "control/server.h"

/* Handles a message for server_options.handle; `context` is the daemon. */
bool methods_handle(void *context, struct server_client *client, const char *message, size_t size);

/* Ends what a client that went away was watching. */
void methods_gone(void *context, struct server_client *client);

#endif
