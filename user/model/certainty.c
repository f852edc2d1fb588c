// SPDX-License-Identifier: GPL-2.0-or-later
// Judges times by their errors, and estimates by how much was drawn for them.
#include "model/certainty.h"

#include <math.h>

#include "model/distribution.h"

#define SIGMAS           2
#define SHARE_ERROR_MOST 0.5

bool certainty_drowns(int64_t ns, uint64_t error_ns)
{
	return error_ns && (ns <= 0 || (uint64_t)ns <= error_ns);
}

double certainty_share(int64_t ns, uint64_t error_ns)
{
	return ns > 0 && !certainty_drowns(ns, error_ns) ? (double)error_ns / (double)ns : 0;
}

enum certainty_share_kind certainty_cpu_share(const struct profile *profile,
    const struct profile_function *function, const struct profile_line *line, double line_ns,
    double *ret_share)
{
	const double samples = (double)line->cpu_total_samples;
	const double error = SIGMAS * sqrt(samples + 1); /* none may have been one by chance */
	double all;                                      /* if all of its time were on a CPU */

	if (!profile->sampling_period_ns || line_ns <= 0 || function->lines_stand.away_ns)
		return SHARE_UNKNOWN;
	all = line_ns / (double)profile->sampling_period_ns;
	if (error > SHARE_ERROR_MOST * all)
		return SHARE_UNKNOWN;
	*ret_share = fmin(1, (samples <= error ? samples + 1 + error : samples) / all);
	return samples <= error ? SHARE_BELOW : SHARE_KNOWN;
}

/* Trees of timed calls that were drawn. */
static double roots_of(const struct profile *profile)
{
	double roots = 0;

	ARRAY_FOREACH (function, &profile->functions)
		ARRAY_FOREACH (caller, &function->callers)
			if (caller->function == PROFILE_NO_FUNCTION)
				roots += (double)caller->calls;
	return roots;
}

double certainty_of_estimate(const struct profile *profile, const struct profile_function *function)
{
	const double timed = (double)function->timed_calls, calls = (double)function->calls;
	const double roots = roots_of(profile);
	const double draws = roots > 0 && roots < timed ? roots : timed;
	const double mean = timed > 0 ? (double)function->total_ns / timed : 0;
	double deviation = 1; /* of one draw, as a share; with one alone, nobody knows */

	if (timed <= 0 || timed >= calls)
		return 0;
	if (mean > 0 && distribution_calls(function) > 1)
		deviation = sqrt(distribution_variance(function)) / mean;
	deviation *= sqrt((1 - timed / calls) / draws);
	return calls / timed *
	       ((double)function->error_ns + SIGMAS * deviation * fabs((double)function->total_ns));
}
