/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pages that lprofd serves, apart from how they are carried. */
#ifndef LPROF_CONTROL_HTTP_PAGES_H
#define LPROF_CONTROL_HTTP_PAGES_H

#include <stddef.h>

#include "control/daemon.h"
#include "output/metrics.h"

struct http_query {
	const char *path;
	const char *accept; /* the header, or NULL */
	const char *format; /* the argument, or NULL */
};

struct http_page {
	unsigned status;
	const char *content_type;
	char *text; /* NULL, without a stream either: no memory */
	size_t size;
	struct metrics_stream *stream; /* or this is the content */
};

void http_page_make(struct daemon *daemon, const struct http_query *query, struct http_page *page);
void http_page_refuse(struct http_page *page, unsigned status, const char *sentence);
void http_page_fini(struct http_page *page);

#endif
