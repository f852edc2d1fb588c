/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile, and the health of who measures it, for Prometheus: as text, as OpenMetrics, or as
 * protobuf messages, which alone have native histograms. Names follow Prometheus' conventions: base
 * units, _total on counters.
 */
#ifndef LPROF_OUTPUT_METRICS_H
#define LPROF_OUTPUT_METRICS_H

#include <stdint.h>
#include <sys/types.h>

#include "model/profile.h"
#include "output/metrics_marks.h"

enum metrics_format { METRICS_TEXT, METRICS_OPEN, METRICS_PROTOBUF };

/* What becomes of pushes, in the order of metrics_health's: "ok", "failed", "dropped". */
#define METRICS_PUSH_RESULTS 3

struct metrics_health {
	uint64_t probes, clients, restarts, scrapes;
	uint64_t drain_ns;  /* of this scrape */
	uint64_t scrape_ns; /* of the one before, 0: none */
	struct {
		const char *name;
		uint64_t used, size;
	} tables[3];
	uint64_t pushes[METRICS_PUSH_RESULTS]; /* all 0 where nothing is pushed */
	uint64_t push_spool, push_spool_bytes;
};

struct metrics_options {
	enum metrics_format format;
	size_t lines_max;            /* of a function */
	size_t sampled_max;          /* functions that are only sampled */
	struct metrics_marks *marks; /* of the scrapes before */
	uint64_t *took_ns; /* set when the stream is closed: what opening and reading it took */
};

/*
 * The format that a scraper likes best, by its Accept header (RFC 9110; NULL: none). Whatever it
 * says, it gets one: text, if we have none of those that it names.
 */
enum metrics_format metrics_negotiate(const char *accept);

/* The format's Content-Type. */
const char *metrics_content_type(enum metrics_format format);

/*
 * A scrape being written, piece by piece: it is tens of megabytes where lines are many. Takes the
 * profile, also on failure. NULL: no memory.
 */
struct metrics_stream *metrics_open(struct profile *profile, const struct metrics_health *health,
    const struct metrics_options *options);
void metrics_close(struct metrics_stream *stream);

/* Fills the room from what comes next; how many bytes, 0: that was all, -ENOMEM. */
ssize_t metrics_read(struct metrics_stream *stream, char *room, size_t size);

#endif
