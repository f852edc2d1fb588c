/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the times of a scrape were, so that those of the next are not less. A corrected time may
 * sink: a stay shorter than the probes' calibrated cost counts less than nothing, so that the sum
 * is true. Prometheus takes a counter that sank for one that began at zero, and would count all of
 * it again. It is given the last value until the sum has caught up.
 *
 * A series whose calls or hits are fewer than before did begin anew, and so does its time.
 */
#ifndef LPROF_OUTPUT_METRICS_MARKS_H
#define LPROF_OUTPUT_METRICS_MARKS_H

#include "output/metrics_series.h"

struct metrics_mark {
	uint64_t key; /* of the series, 0: a free place */
	uint64_t count;
	int64_t ns;
};

/* Zeroed: none yet. Of series without time nothing is kept. */
struct metrics_marks {
	struct metrics_mark *marks; /* by key, the next free place where it is taken */
	size_t places;              /* a power of two, or 0 */
};

void metrics_marks_fini(struct metrics_marks *marks);

/* Raises the set's times to those of the set before, and keeps them. -ENOMEM: nothing changed. */
int metrics_marks_keep(struct metrics_marks *marks, struct metrics_set *set);

#endif
