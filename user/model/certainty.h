/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a time's error means for who reads it. */
#ifndef LPROF_MODEL_CERTAINTY_H
#define LPROF_MODEL_CERTAINTY_H

#include "model/profile.h"

/* The time is no more than its error: all that is known of it is that it is less than both. */
bool certainty_drowns(int64_t ns, uint64_t error_ns);

/* The error as a share of the time; 0: it has none, or is lost in it. */
double certainty_share(int64_t ns, uint64_t error_ns);

/*
 * How far the total of all calls, estimated from those that were timed, may lie from the truth, in
 * ns: what the timed ones' total may, for all calls, and twice the deviation that comes from having
 * drawn these calls and not others. The rate draws call trees, so as many were drawn independently
 * as there were trees: calls from code that is not measured, if these are fewer than the function's
 * own. 0: all calls were timed, or none.
 */
double certainty_of_estimate(
    const struct profile *profile, const struct profile_function *function);

/* A share that samples tell, at 95%: a number, or only what it is less than, or nothing. */
enum certainty_share_kind { SHARE_UNKNOWN, SHARE_BELOW, SHARE_KNOWN };

/*
 * The share of a line's time that was on a CPU, from 0 to 1. `line_ns` is of all calls. Nothing is
 * known where samples are too few to tell the share to half of the time, as where one sample falls
 * into a line of less than its period; nor of lines whose probes did not stand all of the time,
 * since samples are of all of it.
 */
enum certainty_share_kind certainty_cpu_share(const struct profile *profile,
    const struct profile_function *function, const struct profile_line *line, double line_ns,
    double *ret_share);

#endif
