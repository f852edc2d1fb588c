/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How profile stores want to be given a profile. The end of the URL's path says which way is meant,
 * since each of them has one of its own:
 *
 *	.../ingest				Pyroscope: pprof as the body, labels in the query
 *	.../push.v1.PusherService/Push		Pyroscope: JSON with pprof in it (Connect)
 *	.../profiles/writeraw			Parca: JSON with pprof in it (its gRPC gateway)
 *
 * As grafana/pyroscope (pkg/ingester/pyroscope/ingest_handler.go, api/push/v1) and parca-dev/parca
 * (proto/parca/profilestore/v1alpha1) have them.
 */
#ifndef LPROF_CONTROL_PUSH_PROTOCOL_H
#define LPROF_CONTROL_PUSH_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/failure.h"

struct push_label {
	char *name, *value;
};

typedef ARRAY(struct push_label) push_labels;

struct push_protocol;

/*
 * The protocol of an http or https URL; NULL: it is not one, has credentials in it, which belong in
 * a file, or its path ends in none of those above.
 */
const struct push_protocol *push_protocol_of(const char *url, struct failure *failure);

/* "Pyroscope", "Parca" */
const char *push_protocol_name(const struct push_protocol *protocol);

/* Whether what is sent to that URL can be read on the way. */
bool push_url_is_plain(const char *url);

/*
 * Reads "service_name=web, region=north" over the labels that a profile has without: service_name
 * (lprofd) and instance (this host's name). -EINVAL. Free them in any case.
 */
int push_labels_read(const char *text, push_labels *ret_labels, struct failure *failure);
void push_labels_fini(push_labels *labels);

/* What is to be posted. */
struct push_message {
	char *url;
	const char *content_type;
	char *body;
	size_t size;
};

/* Makes the message of a profile, whose bytes it takes; -ENOMEM. Free it in any case. */
int push_message_make(const struct push_protocol *protocol, const char *url,
    const push_labels *labels, int64_t from_ns, int64_t until_ns, char *profile, size_t size,
    struct push_message *ret_message);
void push_message_fini(struct push_message *message);

#endif
