/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a profile has counted since it was told last: for who hears counts bit by bit, and adds them
 * up.
 *
 * `told` is the sum, by profile_merge(), of all deltas so far; a zeroed profile is none. What it
 * holds is never told again: a corrected time may sink, and then nothing of it is told until it has
 * grown beyond what was told; a call that was told while it ran is not told again below its caller,
 * which is known when it has ended. So deltas are never negative and add up to what was counted.
 */
#ifndef LPROF_MODEL_PROFILE_DELTA_H
#define LPROF_MODEL_PROFILE_DELTA_H

#include "model/profile.h"

/*
 * The counts and times that `now` has above `told`, by function, caller, line and stack, as a
 * profile of the time between. Extremes are those of `now`; histograms, the account of entries and
 * exits, and for how long probes stood, which are not of one time, are left out. `now` is a profile
 * of everything, so that what is missing from it has not gone on. -EBADMSG: `told` is no sum of
 * deltas; -ENOMEM.
 */
int profile_delta(
    const struct profile *told, const struct profile *now, struct profile **ret_delta);

/*
 * What was counted was taken away, `before` and `after` that were drained: takes it from *told as
 * well, which is replaced. -ENOMEM, -EBADMSG: *told is as it was.
 */
int profile_delta_forget(
    struct profile **told, const struct profile *before, const struct profile *after);

/*
 * Where fewer calls, hits or samples are counted than were told, some were taken away and nobody
 * said so: takes those from *told. Otherwise, and on failure, *told is as it was.
 */
int profile_delta_correct(struct profile **told, const struct profile *now);

/* Whether there is anything to tell: a call, a hit, some time or a sample. */
bool profile_delta_is_empty(const struct profile *delta);

/* Whether there is a call, a hit or a sample, which never sink by themselves. */
bool profile_delta_has_counts(const struct profile *delta);

/*
 * Takes functions, lines, stacks and frames out that have nothing to tell, except callers of those
 * that have. -ENOMEM: nothing changed.
 */
int profile_delta_trim(struct profile *delta);

#endif
