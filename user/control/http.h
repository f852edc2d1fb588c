/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lprofd serves over HTTP: /metrics, /healthz, /profile and a page of the live tables. */
#ifndef LPROF_CONTROL_HTTP_H
#define LPROF_CONTROL_HTTP_H

#include <stdint.h>

#include "base/failure.h"
#include "control/daemon.h"

struct http_options {
	struct daemon *daemon;
	int socket; /* listening, taken over; -1: `address` and `port` */
	const char *address;
	uint16_t port;
};

int http_open(const struct http_options *options, struct http **ret_http, struct failure *failure);
void http_free(struct http *http);

#endif
