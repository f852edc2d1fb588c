/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile, and the health of who measures it, for Prometheus: its text format, or OpenMetrics.
 * Names follow Prometheus' conventions: base units, _total on counters.
 *
 * Functions of equal labels (one probe by two requests) are one series. Of a function with more
 * lines than `lines_max` the first ones have series, in the order of the source, and the others are
 * summed up as line="other": which ones does not change, so that no counter ever goes down.
 */
#ifndef LPROF_OUTPUT_METRICS_H
#define LPROF_OUTPUT_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "model/profile.h"

struct metrics_health {
	uint64_t probes, clients, restarts, scrapes;
	double drain_seconds; /* of this scrape */
	struct {
		const char *name;
		uint64_t used, size;
	} tables[3];
};

struct metrics_options {
	bool open_metrics;
	size_t lines_max; /* of a function */
};

/* Errors of the stream are the caller's; -ENOMEM otherwise. */
int metrics_write(const struct profile *profile, const struct metrics_health *health,
    const struct metrics_options *options, FILE *stream);

#endif
