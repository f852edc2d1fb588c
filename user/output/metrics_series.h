/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile as the series that monitoring keeps of it, whatever the format they are written in.
 *
 * Functions of equal labels (one probe by two requests) are one series. Of a function with more
 * lines than `lines_max` the first ones have series, in the order of the source, and the others are
 * summed up as one: which ones does not change, so that no counter ever goes down.
 */
#ifndef LPROF_OUTPUT_METRICS_SERIES_H
#define LPROF_OUTPUT_METRICS_SERIES_H

#include "histogram.h"
#include "model/profile.h"

struct line_series {
	const char *file;
	uint32_t line;
	uint64_t hits;
	int64_t total_ns;
	uint64_t samples;
	uint64_t blocked_ns, waiting_ns; /* where the series' are measured */
	size_t labels, labels_size;      /* in the writer's bytes, once it has made them */
};

/* What functions of the same labels have together. */
struct metrics_series {
	const struct profile_function *function; /* the first, for the labels */
	const struct profile_image *image;       /* or NULL */
	size_t labels, labels_size;
	uint64_t calls, timed, samples, open;
	uint64_t blocked_ns, waiting_ns;
	bool off_cpu;      /* these were measured */
	bool sampled_only; /* nothing was measured but samples: it has no other series */
	uint64_t stood_ns, lines_stood_ns;
	enum profile_budget_state budget_state;
	int64_t total_ns, self_ns;
	uint64_t returned; /* calls in the histogram */
	uint64_t buckets[HISTOGRAM_BUCKETS];
	ARRAY(struct line_series) lines;
	bool has_other;
	struct line_series other; /* the lines beyond the limit */
};

struct metrics_set {
	ARRAY(struct metrics_series) series; /* by name, file, line, image and build */
};

/*
 * Free the set in any case; it points into the profile. Of functions that were only sampled those
 * with most samples have series. -ENOMEM.
 */
int metrics_gather(const struct profile *profile, size_t lines_max, size_t sampled_max,
    struct metrics_set *ret_set);
void metrics_set_fini(struct metrics_set *set);

#endif
