/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fixed capacities that BPF and user space agree on, each listed once. */
#ifndef LPROF_CAPACITIES_H
#define LPROF_CAPACITIES_H

/* Frames in the first part of a thread's stack, enough for most threads, and in the second, which
 * is allocated when a thread first goes so deep. */
#define FRAMES_NEAR 64
#define FRAMES_FAR  960
#define FRAMES_MAX  (FRAMES_NEAR + FRAMES_FAR)

/* Threads that can have a second part at once: 60 KiB each, there from the start. */
#define DEEP_THREADS_MAX 64

/* Return probes that one thread may have outstanding. The kernel stops at 64 (MAX_URETPROBE_DEPTH),
 * for all tools together, and says so in its log at every further one. */
#define RETURNS_MAX 60

/* A thread's direct-mapped counts of activations by function; a power of two. */
#define ACTIVE_SLOTS 256

/* Tables that one site's time can belong to: its host and inlined callers; a power of two. */
#define CHARGES_MAX 4

#define HISTOGRAM_SUB_BITS 2 /* log2 histogram with 4 sub-buckets an octave */
#define HISTOGRAM_OCTAVES  42
#define HISTOGRAM_BUCKETS  (HISTOGRAM_OCTAVES << HISTOGRAM_SUB_BITS)

#define GOROUTINES_MAX \
	4096 /* of one Go program, ended ones' places included: they are used again */
#define SHARDS_MAX   16
#define TARGETS_MAX  65536 /* processes followed at once */
#define SCOPES_MAX   32    /* sets of processes measured apart at once: bits of a target's value */
#define ACCOUNTS_MAX 1025  /* of costs: one for all, two for each part that is measured */
#define EDGES_MAX    65536 /* default capacity of the table of callers, all shards together */
#define EDGE_PROBES  8     /* places in which an edge may stand */

#endif
