/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Varlink as lprofd speaks it: JSON messages that end with a NUL byte, over a unix socket.
 *
 *	{"method": "io.lprof.Control.Status", "parameters": {}}
 *	{"parameters": {...}}
 *	{"error": "io.lprof.Control.Failed", "parameters": {"code": "ENOENT", "message": "..."}}
 *
 * With "more", Watch answers again and again, "continues" in each reply but the last; with "oneway"
 * nothing is answered.
 */
#ifndef LPROF_CONTROL_PROTOCOL_H
#define LPROF_CONTROL_PROTOCOL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/failure.h"
#include "control/json_document.h"
#include "input/json_place.h"

#define PROTOCOL_SOCKET      "/run/lprofd/control.sock"
#define PROTOCOL_INTERFACE   "io.lprof.Control"
#define PROTOCOL_REQUEST_MAX (256u << 10) /* bytes of a message to lprofd */
#define PROTOCOL_REPLY_MAX   (256u << 20) /* bytes of one from it */

#define PROTOCOL_FAILED            PROTOCOL_INTERFACE ".Failed"
#define PROTOCOL_INVALID_PARAMETER "org.varlink.service.InvalidParameter"
#define PROTOCOL_METHOD_NOT_FOUND  "org.varlink.service.MethodNotFound"

/* A message to lprofd, checked. Borrows from `document`. */
struct protocol_call {
	struct json_object *document;
	const char *method;
	struct json_object *parameters; /* an object, or NULL */
	bool more, oneway;
};

/* -EBADMSG: not a call. Free with protocol_call_fini in any case. */
int protocol_read_call(
    const char *bytes, size_t size, struct protocol_call *ret_call, struct failure *failure);
void protocol_call_fini(struct protocol_call *call);

/* What io.lprof.Control offers, in Varlink's language. */
extern const char protocol_description[];

#endif
