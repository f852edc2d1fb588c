/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps of the timing programs and the one way to each counter. User space sizes every map
 * before load (capacities.h, wire.h); counters are added to atomically because a uprobe program can
 * be preempted by another thread's on the same CPU.
 */
#ifndef LPROF_BPF_MAPS_H
#define LPROF_BPF_MAPS_H

#include "kernel.bpf.h"
#include "wire.h"

volatile struct settings settings SEC(".data.settings");

#define ARRAY_MAP(name, value_type)                \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, 1);            \
		__type(key, __u32);                \
		__type(value, value_type);         \
	} name SEC(".maps")

ARRAY_MAP(sites, struct site);
ARRAY_MAP(functions, struct function);
ARRAY_MAP(site_hits, __u64);
ARRAY_MAP(function_counters, struct function_counters);
ARRAY_MAP(histograms, struct histogram_counters);
ARRAY_MAP(line_counters, struct line_counters);
ARRAY_MAP(shard_counters, struct shard_counters);
ARRAY_MAP(edges, struct edge);
ARRAY_MAP(stands, struct function_stands);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ACCOUNTS_MAX);
	__type(key, __u32);
	__type(value, struct account);
} accounts SEC(".maps");

/* Wakes user space: the numbers of accounts that are overdrawn. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} alarms SEC(".maps");

/* Preallocated: before Linux 6.1 a program on tracepoints that allocates makes the kernel warn. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TARGETS_MAX);
	__type(key, __u32);   /* process id */
	__type(value, __u32); /* its scopes, a bit each (wire.h) */
} targets SEC(".maps");

static __always_inline __u32 shard_now(void)
{
	return bpf_get_smp_processor_id() & settings.shard_mask;
}

static __always_inline void count(__u64 *counter, __u64 more)
{
	__sync_fetch_and_add(counter, more);
}

static __always_inline void count_signed(__s64 *counter, __s64 more)
{
	__sync_fetch_and_add((__u64 *)counter, (__u64)more);
}

static __always_inline struct shard_counters *shard_counters_now(void)
{
	__u32 shard = shard_now();

	return bpf_map_lookup_elem(&shard_counters, &shard);
}

static __always_inline void count_loss(enum loss loss)
{
	struct shard_counters *counters = shard_counters_now();

	if (counters)
		count(&counters->losses[loss], 1);
}

static __always_inline struct function *function_find(__u32 function)
{
	return bpf_map_lookup_elem(&functions, &function);
}

static __always_inline struct function_counters *function_counters_now(__u32 function)
{
	__u32 at = shard_now() * settings.functions + function;

	return bpf_map_lookup_elem(&function_counters, &at);
}

static __always_inline struct line_counters *line_counters_now(__u32 line)
{
	__u32 at = shard_now() * settings.lines + line;

	return bpf_map_lookup_elem(&line_counters, &at);
}

static __always_inline void count_site_hit(__u32 site)
{
	__u32 at = shard_now() * settings.sites + site;
	__u64 *hits = bpf_map_lookup_elem(&site_hits, &at);

	if (hits)
		count(hits, 1);
}

/* NULL: its places are taken. */
static __always_inline struct edge_counters *edge_find(__u32 caller, __u32 callee)
{
	__u64 key = EDGE_KEY(caller, callee), hash = key * 0x9e3779b97f4a7c15 >> 32;
	__u32 mask = settings.edge_mask, first = shard_now() * (mask + 1);

	for (__u32 probe = 0; probe < EDGE_PROBES; probe++) {
		__u32 at = first + ((hash + probe) & mask);
		struct edge *edge = bpf_map_lookup_elem(&edges, &at);
		__u64 found;

		if (!edge)
			return NULL;
		found = *(volatile __u64 *)&edge->key;
		if (!found)
			found = __sync_val_compare_and_swap(&edge->key, 0, key);
		if (!found || found == key)
			return &edge->counters;
	}
	return NULL;
}

/* Raises *extreme to value; gives up, counted, after a few lost races. */
static __always_inline void raise_maximum(__u64 *extreme, __u64 value)
{
	__u64 seen = *(volatile __u64 *)extreme;

	for (int tries = 0; tries < 4; tries++) {
		__u64 found;

		if (value <= seen)
			return;
		found = __sync_val_compare_and_swap(extreme, seen, value);
		if (found == seen)
			return;
		seen = found;
	}
	count_loss(LOSS_EXTREME);
}

/* Likewise downwards; stored plus one, 0 meaning none yet. */
static __always_inline void lower_minimum(__u64 *extreme, __u64 value)
{
	__u64 seen = *(volatile __u64 *)extreme;

	value++;
	for (int tries = 0; tries < 4; tries++) {
		__u64 found;

		if (seen && value >= seen)
			return;
		found = __sync_val_compare_and_swap(extreme, seen, value);
		if (found == seen)
			return;
		seen = found;
	}
	count_loss(LOSS_EXTREME);
}

#endif
