/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The histogram of call durations: which bucket a duration falls into, and what a bucket spans. BPF
 * fills it, user space reads it, so both share these functions: no loops, no 64-bit count of
 * leading zeros, nothing that the BPF verifier or an old compiler dislikes.
 *
 * Log2 with 4 sub-buckets an octave: durations below 4 ns have a bucket each; above, a bucket is
 * the octave and the next two bits, so its bounds lie within 25% of each other.
 *	bucket	0  1  2  3  4  5  6  7  8    9    10     11     12 ...
 *	ns	0  1  2  3  4  5  6  7  8-9  10-11  12-13  14-15  16-19 ...
 */
#ifndef LPROF_HISTOGRAM_H
#define LPROF_HISTOGRAM_H

#include <linux/types.h>
#include "capacities.h"

static inline __attribute__((always_inline)) __u32 histogram_bucket(__u64 ns)
{
	__u64 rest = ns;
	__u32 octave = 0, bucket;

	if (ns < (1 << HISTOGRAM_SUB_BITS))
		return (__u32)ns;
	if (rest >> 32) {
		rest >>= 32;
		octave += 32;
	}
	if (rest >> 16) {
		rest >>= 16;
		octave += 16;
	}
	if (rest >> 8) {
		rest >>= 8;
		octave += 8;
	}
	if (rest >> 4) {
		rest >>= 4;
		octave += 4;
	}
	if (rest >> 2) {
		rest >>= 2;
		octave += 2;
	}
	octave += (__u32)(rest >> 1);
	bucket = ((octave - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS) +
		 ((ns >> (octave - HISTOGRAM_SUB_BITS)) & ((1 << HISTOGRAM_SUB_BITS) - 1));
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The shortest duration in the bucket. */
static inline __attribute__((always_inline)) __u64 histogram_lower(__u32 bucket)
{
	__u32 sub = bucket & ((1 << HISTOGRAM_SUB_BITS) - 1);

	if (bucket < (1 << HISTOGRAM_SUB_BITS))
		return bucket;
	return (__u64)((1 << HISTOGRAM_SUB_BITS) + sub) << ((bucket >> HISTOGRAM_SUB_BITS) - 1);
}

/* The longest duration in the bucket; the last bucket has no end: 2^63 - 1. */
static inline __attribute__((always_inline)) __u64 histogram_upper(__u32 bucket)
{
	return bucket >= HISTOGRAM_BUCKETS - 1 ? ~0ULL >> 1 : histogram_lower(bucket + 1) - 1;
}

#endif
