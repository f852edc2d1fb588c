/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the timing programs keep of each thread: for them (frames.bpf.h) and for who looks on. */
#ifndef LPROF_BPF_THREAD_H
#define LPROF_BPF_THREAD_H

#include "capacities.h"
#include "kernel.bpf.h"

struct frame {
	__u64 sp; /* at entry: address of the return address */
	union {
		__u64 entered;        /* virtual time */
		__u64 return_address; /* of an untimed root */
	};
	__u64 cost_entered;   /* the thread's cost sum at entry */
	__u64 since;          /* virtual time at which the present stay began */
	__u64 children;       /* virtual time taken by measured callees and inlined functions */
	__u64 children_since; /* `children` when the present stay began */
	__u32 function;
	__u32 site; /* where the present stay began; NO_SITE: at the entry */
	__u32 host;
	__u32 flags;
	__u32 epoch;       /* its function's at entry */
	__u32 lines_epoch; /* when the present stay began; a carrier's: of the first inlined */
};

struct activation {
	__u32 function;
	__u32 count;
};

struct thread {
	__u64 cost;    /* calibrated cost of all hits so far: virtual time is the clock less this */
	__u64 charged; /* of it, to accounts */
	__u32 depth;
	__u32
	    unclaimed; /* activations that found their slot in `active` taken by another function */
	__u32 returns; /* frames that await a return probe */
	__u32 scope;   /* that it was last found in */
	__u32 far;     /* key of its far frames, 0: none */
	__u32 account; /* that pays for its last hit */
	__u64 epoch;   /* of the frames: they end with the program that runs, and with the gate */
	__u64 ended;   /* stack pointer of the last call that returned */
	__u64 sp;      /* of the present hit */
	__u64 now;     /* virtual time of the present hit */
	/* Of the fork that made its process, see forks.bpf.h. */
	__u64 fork;   /* its number; 0: it was not seen */
	__u64 images; /* pages of code mapped then */
	/* Of a thread's own: the goroutine that it runs, 0: none. Of a goroutine's: its g. */
	__u64 goroutine;
	struct {               /* off the CPU, see off_cpu.bpf.h */
		__u64 since;   /* clock; 0: it is on one */
		__u64 sp;      /* when it came back */
		__u64 blocked; /* this time, ns */
		__u64 waiting;
		__u64 blocks; /* not woken yet */
		__u64 live;   /* some frame was, when it came back last */
		__u64 gone;   /* when the top frame was entered, if none was; 0: not known */
	} off;
	struct activation active[ACTIVE_SLOTS]; /* direct-mapped by function id */
	struct frame near[FRAMES_NEAR];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

#endif
