/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What crosses between BPF and user space: the layout of every map's values, sizes asserted.
 *
 * User space fills `sites`, `functions` and the settings before the gate opens; BPF only reads
 * them. BPF adds to the counters; user space reads them through mmap at any time, without a lock.
 * All arrays of counters are indexed by shard * capacity + id, shard being the CPU modulo the
 * number of shards; a sum over the shards is the value.
 *
 * Times are CLOCK_MONOTONIC nanoseconds. "Virtual" time is that clock less the calibrated cost of
 * all hits the thread has taken so far; differences of virtual time are corrected durations. They
 * can be negative by the calibration's error, so their sums are signed.
 */
#ifndef LPROF_WIRE_H
#define LPROF_WIRE_H

#include <linux/types.h>
#include "capacities.h"
#include "losses.h"

#define WIRE_VERSION 10 /* of the pinned layout: raise with any change of size or meaning below */

/* What a site does when hit; one site may do several, in this order. */
enum site_role {
	SITE_EXIT = 1 << 0,   /* the frame whose entry stack pointer equals the current one ends */
	SITE_ENTRY = 1 << 1,  /* a frame begins; the stack pointer is at the return address */
	SITE_LINE = 1 << 2,   /* the counter goes up; time is charged to `charges` from here on */
	SITE_RETURN = 1 << 3, /* the entry wants a return probe (session or uretprobe) */
	SITE_PART = 1 << 4, /* entry of an outlined part: no call when its own function called it */
	SITE_LOOP =
	    1 << 5, /* an ENTRY that a branch of its own function also reaches: no new call */
	SITE_SILENT = 1 << 6, /* a LINE that only moves time: nobody reads its counter */
	SITE_GO = 1 << 13,    /* in Go code: the frames are the goroutine's, whose g is in r14 */
	SITE_IMAGES =
	    1 << 12, /* the dynamic linker's word that images came or went; nothing else */
	SITE_GROWS =
	    1 << 14, /* an ENTRY at Go's jump to growing the stack: no call yet if it is taken */
	SITE_CONDITIONAL = 1 << 7, /* an EXIT by a conditional jump: only if its condition holds */
};

/* How the kernel executes the probed instruction: decides what a hit costs. */
enum cost_class {
	COST_EMULATED,
	COST_STEPPED,
	COST_RETURN,         /* the return half of a session or uretprobe */
	COST_ENTRY_EMULATED, /* an entry that also sets up a return probe */
	COST_ENTRY_STEPPED,
	COST_BARE_ENTRY_EMULATED, /* an entry without one: its clock is read last, a line's first */
	COST_BARE_ENTRY_STEPPED,
	COST_EXIT_STEPPED, /* a ret steps faster than what lines stand on */
	COST_CLASSES
};

/*
 * Whether a site's own counter counts the calls that its hits are: all of them are, and it counts
 * no line. Every hit counts at its site (the lines of timed calls, these entries), as the exit of a
 * function that FUNCTION_COUNTS_RETURNS, or else by class.
 */
#define SITE_COUNTS_ENTRIES(roles) \
	(((roles) & (SITE_ENTRY | SITE_LINE | SITE_PART | SITE_LOOP)) == SITE_ENTRY)

#define NO_FUNCTION 0xffffffffu /* the id of "no function": a host that nobody asked for */
#define NO_SITE     0xffffffffu

/*
 * Whose hits a site counts. A scope is a set of processes: bit `scope % SCOPES_MAX` of a process's
 * value in the map of targets. Its number is never used again within a load, its bit is: threads
 * remember the last scope that they were found in.
 */
#define SCOPE_ALL    0xffffffffu /* whoever hits */
#define SCOPE_CLOSED 0xfffffffeu /* nobody: the site is being attached, or was removed */
#define SCOPE_NONE   0xfffffffdu /* no site's: of a thread that was found in no scope yet */

/* Of a conditional exit, and of Go's jump: the low four bits of the jump's opcode, kept in the
 * roles' upper bits. */
#define SITE_CONDITION_SHIFT  8
#define SITE_CONDITION(roles) (((roles) >> SITE_CONDITION_SHIFT) & 0xf)

/* One table row that time at a site belongs to: a line of `function`. */
struct charge {
	__u32 line; /* index into line counters */
	__u32 function;
};
_Static_assert(sizeof(struct charge) == 8, "wire layout");

struct site {
	__u32 function; /* of ENTRY, EXIT and LINE: the host's function id, or NO_FUNCTION */
	__u32
	    host; /* machine function around the address: tells frames of unmeasured hosts apart */
	__u16 roles; /* enum site_role */
	__u8 cost;   /* enum cost_class */
	__u8 charge_count;
	__s32 stack_offset; /* bytes from the stack pointer up to the return address, if known; else
			       0 */
	/* Host first, innermost inlined function last: total goes to all of them, self to the last.
	 */
	struct charge charges[CHARGES_MAX];
	__u32 scope;   /* whose hits count; written while hits go on */
	__u32 account; /* that pays for its hits */
};
_Static_assert(sizeof(struct site) == 56, "wire layout");

enum function_flags {
	FUNCTION_LINES = 1 << 0,      /* lines are measured */
	FUNCTION_RETURNS = 1 << 1,    /* exits by return probe; else by exit sites */
	FUNCTION_HELD = 1 << 2,       /* no return probes while settings.hold_returns */
	FUNCTION_LINES_AWAY = 1 << 3, /* its lines' probes are away for now; its calls' may stand */
	FUNCTION_OFF_CPU = 1 << 4,    /* its times are split by the scheduler */
};

#define FUNCTION_STEP_SHIFT 8 /* user space's own: enum part_step, in the upper bits */

/* Whether a function's exits are its hits of COST_RETURN that found their frame. */
#define FUNCTION_COUNTS_RETURNS(flags) \
	(((flags) & (FUNCTION_RETURNS | FUNCTION_HELD)) == FUNCTION_RETURNS)

struct function {
	__u64 threshold;  /* a draw of 32 random bits below this is timed: rate * 2^32 */
	__u32 flags;      /* enum function_flags */
	__u32 entry_line; /* line counter charged from entry until the first line site */
	/* Raised each time its probes, or those of its lines, come or go: what was running then is
	 * not gone on with. */
	__u32 epoch, lines_epoch;
};
_Static_assert(sizeof(struct function) == 24, "wire layout");

/* For how long probes were to stand, and did or did not; user space's own. */
struct stand {
	__u64 stood_ns, away_ns; /* until turned_ns */
	__u64 turned_ns;         /* CLOCK_MONOTONIC: when they came or went last; 0: never */
};

struct function_stands {
	struct stand calls, lines;
	__u64 threshold; /* asked for; the function's own may be lower for a while */
};
_Static_assert(sizeof(struct function_stands) == 56, "wire layout");

/*
 * What probes may cost. Each ns that they do is paid by some ns of time: paid_until_ns is by when
 * time has paid for all so far, never more than burst_ns before now. Where that lies in the future
 * the account is overdrawn: hits do nothing more until user space, which is woken, has removed the
 * probes. What a thread's hits cost is charged to the account of the site that makes its sum reach
 * ACCOUNT_CHARGE_NS. Account 0 is charged with everything. What following the scheduler takes for a
 * measured thread is charged to the account that paid for its last hit.
 */
struct account {
	__u64 spent_ns;
	__u64 paid_until_ns; /* CLOCK_MONOTONIC */
	__u64 burst_ns;
	__u32 price;   /* ns of time, times ACCOUNT_PRICE_ONE, that pay for one; 0: no limit */
	__u32 shut;    /* set by BPF when it is overdrawn, taken back by user space */
	__u64 shut_ns; /* when it last was: CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct account) == 40, "wire layout");

#define ACCOUNT_PRICE_ONE 16
#define ACCOUNT_CHARGE_NS 32768

/* Timed calls that ended, of one function by one caller. */
struct edge_counters {
	__u64 calls;
	__u64 nested;   /* of them, those that were not their function's outermost activation */
	__s64 total_ns; /* corrected, outermost activations only */
	__s64 inner_ns; /* total_ns less the calls' own time: in measured callees, if not nested */
};
_Static_assert(sizeof(struct edge_counters) == 32, "wire layout");

/*
 * A function's counters in one shard. Each adding is a locked instruction in the target's way, so
 * what follows from others is not counted, and of two that make up a third the rarer is:
 *	entries		these, and the hits of its sites that SITE_COUNTS_ENTRIES
 *	opened		entries - untimed - lost: frames pushed for timed calls
 *	closed		calls of `unplaced` and of all its edges: frames popped
 *	open		opened - closed
 *	exits		closed - unwound
 *	self_ns		total_ns - inner_ns, of `unplaced` and of all its edges
 *	primitive	opened - nested: outermost activations
 */
struct function_counters {
	__u64 entries;
	__u64 raw_total_ns; /* not corrected, outermost activations only */
	__u64 min_ns;       /* plus one, so that 0 means none */
	__u64 max_ns;
	__u64 nested;
	__u64 unwound;                 /* timed frames found dead, or ended with their thread */
	__u64 untimed;                 /* calls that the rate left out */
	__u64 lost;                    /* calls without a frame, for a counted cause */
	struct edge_counters unplaced; /* calls whose edge found no place in the table */
	__u64 reserved[4];
};
_Static_assert(sizeof(struct function_counters) == 128, "wire layout");

struct histogram_counters {
	__u32 buckets[HISTOGRAM_BUCKETS];
};
_Static_assert(sizeof(struct histogram_counters) == HISTOGRAM_BUCKETS * 4, "wire layout");

struct line_counters {
	__s64 total_ns; /* corrected, outermost activations only */
	__s64 inner_ns; /* total_ns less the line's own time: in measured callees, if not nested */
	__u64 max_ns;   /* longest single stay */
	__u64 reserved;
};
_Static_assert(sizeof(struct line_counters) == 32, "wire layout");

/* Losses, bystanders, and hits by cost class of what no site counted, in one shard. */
struct shard_counters {
	__u64 hits[COST_CLASSES];
	__u64 bystander_hits; /* hits in processes that are not targets but map the same image */
	__u64 losses[LOSS_COUNT];
	__u64 off_cpu_ns; /* that following the scheduler took, by the runs that were timed */
	__u64 reserved[16 - COST_CLASSES - 2 + 8 - LOSS_COUNT + 8];
};
_Static_assert(sizeof(struct shard_counters) == 256, "wire layout");

/*
 * A place in the table of callers, which is a part for each shard, of settings.edge_mask + 1
 * places: an edge stands in one of EDGE_PROBES places from its key's hash on, claimed by the first
 * to write the key there. Places are never given back.
 */
struct edge {
	__u64 key; /* 0: free */
	struct edge_counters counters;
};
_Static_assert(sizeof(struct edge) == 40, "wire layout");

#define EDGE_KEY(caller, callee) (((__u64)(caller) << 32 | (callee)) + 1)
#define EDGE_CALLER(key)         ((__u32)(((key)-1) >> 32)) /* function id, or NO_FUNCTION */
#define EDGE_CALLEE(key)         ((__u32)((key)-1))

/* Of a line or a function, outermost activations only; both are part of its total time. */
struct off_cpu_counters {
	__u64 blocked_ns; /* asleep, until somebody woke the thread */
	__u64 waiting_ns; /* for a CPU */
};
_Static_assert(sizeof(struct off_cpu_counters) == 16, "wire layout");

/* Written by user space at any time; in .data, so it is reached through mmap. */
struct settings {
	__u32 gate;       /* 0: hits are ignored */
	__u32 shard_mask; /* shards - 1 */
	__u32 sites;      /* capacities */
	__u32 functions;
	__u32 lines;
	__u32 all_processes; /* 1: whoever hits is a target */
	__u32 follow_forks;  /* bit by scope: children are targets as well */
	__u32 layout;        /* WIRE_VERSION of the programs: for who finds them pinned */
	/* Set by BPF when a target's images change, before any code of the new ones runs; taken
	 * back by user space once it knows that they unwind no stacks. */
	__u32 hold_returns;
	__u32 image_changes; /* how often */
	__u32 owner; /* the process whose end shuts the gate, as its namespace has it; 0: none */
	__u32 edge_mask;    /* places in one shard's part of the table of callers, less one */
	__u64 owner_device; /* the owner's pid namespace: of stat() on its file */
	__u64 owner_namespace;
	__u64 forks;         /* processes that targets have forked so far */
	__u64 forks_watched; /* of them, whose images user space watches by now */
	/* What a hit adds to the interval before its clock reading, and after it. */
	__u64 cost_before_ns[COST_CLASSES];
	__u64 cost_after_ns[COST_CLASSES];
	__u64 cost_spread_ns[COST_CLASSES]; /* user space's own: for who finds them pinned */
	/* The account that pays for switches of threads that nobody measures: its part has the
	 * scheduler followed. */
	__u64 off_cpu_payer;
};
_Static_assert(sizeof(struct settings) == 280, "wire layout");

#define NEVER_WATCHED (~0ull) /* forks_watched where images do not matter */

#endif
