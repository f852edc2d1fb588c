/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What replies over the control socket look like (protocol.c describes them). */
#ifndef LPROF_CONTROL_METHODS_REPLY_H
#define LPROF_CONTROL_METHODS_REPLY_H

#include "control/daemon.h"
#include "model/profile.h"
#include "output/json_stream.h"

/* Opens {"parameters": {, and closes it. */
void reply_begin(struct json_stream *json, FILE *stream);
void reply_end(struct json_stream *json, bool continues);

void reply_error(FILE *stream, const char *error, const struct failure *failure);

void reply_probe(struct json_stream *json, const char *key, const struct probes *probes,
    const struct probe *probe);

/* The newest build's functions with their prices, and what of it is not probed. */
void reply_functions(
    struct json_stream *json, const struct probes *probes, const struct probe *probe);
void reply_left_out(struct json_stream *json, const struct probe *probe);

void reply_status(
    struct json_stream *json, const struct daemon *daemon, const struct profile *profile);

/* What Watch tells, of lines too if asked. `now_ns`: when the profile was drained, by the
 * monotonic clock. */
void reply_counts(struct json_stream *json, const struct daemon *daemon,
    const struct profile *profile, uint64_t now_ns, bool lines);

#endif
