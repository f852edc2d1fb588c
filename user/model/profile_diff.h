/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares two profiles by source line.
 *
 * When is a change more than noise? A function's calls have a histogram, so the spread of one call
 * is known: its standard deviation s over n timed calls makes the mean uncertain by s / sqrt(n). A
 * change of the mean is marked when it exceeds 2.58 times the uncertainties of both means together
 * (1 in 100 by chance), and 3% of the base as well: calls of one run are not independent of each
 * other (same caches, same neighbours), so tiny changes of huge counts prove nothing.
 *
 * A line has no histogram. What is known is its mean m and its longest stay: a quantity between 0
 * and max has a variance of at most m * (max - m), whatever its shape. That bound stands in for
 * s * s; where no max is known (line_profiler's files), s = m, as of an exponential. Marked is what
 * exceeds 2.58 uncertainties, 5% of the base and 5 ns, about what the probes' correction leaves.
 * It marks too little rather than too much.
 *
 * Both also have the error of what was subtracted for probes. Two calibrations err independently,
 * so a change must exceed the root of the errors' squares too. One that does not, and else would be
 * marked, is told to be within the error.
 *
 * Hits are counts, not samples: a change of hits per call is marked from 1% on.
 */
#ifndef LPROF_MODEL_PROFILE_DIFF_H
#define LPROF_MODEL_PROFILE_DIFF_H

#include "model/profile.h"

/* A line of a function; NULL: only the other profile has it. */
struct diff_line {
	const struct profile_line *base, *new;
	bool time_changed, hits_changed; /* outside noise */
	bool within_error; /* the time would be, if the probes' cost were known exactly */
};

struct diff_function {
	const struct profile_function *base, *new; /* NULL: only the other profile has it */
	bool time_changed;                         /* time a call, outside noise */
	bool within_error;                         /* likewise as that of lines */
	ARRAY(struct diff_line) lines;             /* by file and line */
};

/* Borrows from both profiles. By size of the change of total time, largest first. */
struct profile_diff {
	ARRAY(struct diff_function) functions;
};

/*
 * Functions are matched by file and name, the nth of equals with the nth; a line by its distance
 * from its function's first line, so that code that only moved down compares with itself. 0 or
 * -ENOMEM.
 */
int profile_diff(
    const struct profile *base, const struct profile *new, struct profile_diff *ret_diff);
void profile_diff_fini(struct profile_diff *diff);

/* Nanoseconds a timed call, outermost activations; 0 without any. */
double profile_time_a_call(const struct profile_function *function);

/* Nanoseconds a hit; 0 without any. */
double profile_time_a_hit(const struct profile_line *line);

#endif
