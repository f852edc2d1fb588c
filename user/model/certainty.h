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

#endif
