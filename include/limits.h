/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fixed capacities that BPF and user space agree on, each listed once. */
#ifndef LPROF_LIMITS_H
#define LPROF_LIMITS_H

#define FRAMES_NEAR 64 /* frames in the first part of a thread's stack: enough for most threads */
#define FRAMES_FAR \
	960 /* frames in the second part, allocated when a thread first recurses so deep */
#define FRAMES_MAX (FRAMES_NEAR + FRAMES_FAR)
#define ACTIVE_SLOTS \
	256           /* power of two: a thread's direct-mapped counts of activations by function */
#define CHARGES_MAX 4 /* tables that one site's time can belong to: its host and inlined callers \
		       */

#define HISTOGRAM_SUB_BITS 2 /* log2 histogram with 4 sub-buckets an octave */
#define HISTOGRAM_OCTAVES  42
#define HISTOGRAM_BUCKETS  (HISTOGRAM_OCTAVES << HISTOGRAM_SUB_BITS)

#define SHARDS_MAX  16
#define TARGETS_MAX 65536 /* processes followed at once */
#define EDGES_MAX   65536 /* default capacity of the table of callers */

#endif
