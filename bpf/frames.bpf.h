/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread's stack of measured calls, and the arithmetic of time on it.
 *
 * A frame is alive only while its entry stack pointer is at or above the current one; whatever is
 * deeper has been left by a return nobody saw, an exception or longjmp, and is popped as unwound
 * before anything else happens in a hit. The stack pointer decides, never the order of events.
 *
 * Kinds of frames:
 *   timed     pushed by an entry; counted as opened, then as closed by an exit or as unwound.
 *   untimed   the root of a call tree that the rate left out. It only marks the tree, so that what
 *is called inside shares the decision. Where exits are seen by return probes its own return is
 *skipped, and the return address on the stack tells whether it still runs. adopted   pushed by a
 *line of a function whose entry was not seen: it was running before measuring began, or (a carrier,
 *function NO_FUNCTION) it was not asked for and only hosts inlined code of functions that were.
 *Adopted frames carry lines' time and are in no account.
 *
 * Time within a frame is partitioned at line sites. A stay begins at one (or at the entry) and ends
 *at the frame's next hit; its time goes to the charges of the site where it began. `since` and
 *`entered` are virtual times (wire.h), so differences are corrected for the probes' cost.
 *
 *	stay	|--a--|------b------|---c---|		own time of b: b less what callees took in
 *it entry line		line		exit
 */
#ifndef LPROF_BPF_FRAMES_H
#define LPROF_BPF_FRAMES_H

#include "histogram.h"
#include "maps.bpf.h"

enum frame_flags {
	FRAME_UNTIMED = 1 << 0,
	FRAME_ADOPTED = 1 << 1,
	FRAME_OUTERMOST = 1 << 2, /* its function's first activation on this stack */
	FRAME_CLAIMED = 1 << 3,   /* holds one count of its function's slot in thread.active */
	FRAME_RETURNS = 1 << 4,   /* a return probe reports its end */
};

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
};
_Static_assert(sizeof(struct frame) == 64, "960 of them must fit into task storage");

struct activation {
	__u32 function;
	__u32 count;
};

struct thread {
	__u64 cost; /* calibrated cost of all hits so far: virtual time is the clock less this */
	__u32 depth;
	__u32 unclaimed; /* frames whose function found its slot in `active` taken by another */
	__u32 returns;   /* timed frames that await a return probe */
	__u32 reserved;
	struct activation active[ACTIVE_SLOTS]; /* direct-mapped by function id */
	struct frame near[FRAMES_NEAR];
};

struct far_frames {
	struct frame frames[FRAMES_FAR];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct far_frames);
} far_frames SEC(".maps");

/* The stack a hit works on. `far` is NULL until the thread first goes so deep. */
struct stack {
	struct thread *thread;
	struct far_frames *far;
	__u64 sp;
	__u64 now; /* virtual time of the hit */
};

static __always_inline struct frame *frame_at(const struct stack *stack, __u32 at)
{
	struct far_frames *far = stack->far;
	__u64 index = at;

	barrier_var(index); /* what the verifier sees checked must be what is used */
	if (index < FRAMES_NEAR)
		return &stack->thread->near[index];
	index -= FRAMES_NEAR;
	barrier_var(index);
	if (!far || index >= FRAMES_FAR)
		return NULL;
	barrier_var(far);
	return &far->frames[index];
}

static __always_inline struct frame *frame_top(const struct stack *stack)
{
	__u32 depth = stack->thread->depth;

	return depth ? frame_at(stack, depth - 1) : NULL;
}

/* ---- Activations: is a function on the stack already? ---- */

/*
 * Functions of scalars only are global: the verifier walks them once, not at every call. They look
 * the thread up again, which only rare paths do.
 */
static __always_inline bool kernel_has_loop(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id___loop, BPF_FUNC_loop___loop);
}

struct scan {
	struct stack stack;
	__u32 function;
	__u32 found;
};

static long scan_frame(__u32 at, struct scan *scan)
{
	const struct frame *frame = frame_at(&scan->stack, at);

	if (!frame || at >= scan->stack.thread->depth)
		return 1;
	scan->found = frame->function == scan->function && !(frame->flags & FRAME_UNTIMED);
	return scan->found;
}

/* Exact: is the function on the current thread's stack? */
__noinline int function_on_stack(__u32 function)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct scan scan = {.function = function};

	scan.stack.thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!scan.stack.thread)
		return 0;
	scan.stack.far = bpf_task_storage_get(&far_frames, task, NULL, 0);
	if (kernel_has_loop()) {
		bpf_loop(FRAMES_MAX, scan_frame, &scan, 0);
	} else {
		for (__u32 at = 0; at < 128; at++)
			if (scan_frame(at, &scan))
				break;
	}
	return scan.found;
}

static __always_inline bool function_is_active(const struct thread *thread, __u32 function)
{
	const struct activation *slot = &thread->active[function & (ACTIVE_SLOTS - 1)];

	if (slot->count && slot->function == function)
		return true;
	return thread->unclaimed && function_on_stack(function);
}

/* Enters the frame's function into the activations; must precede the push. */
static __always_inline __u32 activation_claim(const struct stack *stack, __u32 function)
{
	struct activation *slot = &stack->thread->active[function & (ACTIVE_SLOTS - 1)];
	__u32 flags = function_is_active(stack->thread, function) ? 0 : FRAME_OUTERMOST;

	if (slot->count && slot->function != function) {
		stack->thread->unclaimed++;
		return flags;
	}
	slot->function = function;
	slot->count++;
	return flags | FRAME_CLAIMED;
}

static __always_inline void activation_release(const struct stack *stack, const struct frame *frame)
{
	struct activation *slot = &stack->thread->active[frame->function & (ACTIVE_SLOTS - 1)];

	if (frame->flags & FRAME_CLAIMED)
		slot->count--;
	else
		stack->thread->unclaimed--;
}

/* ---- Time ---- */

__noinline int charge_line(__u32 line, __s64 total, __s64 self, __u32 outermost)
{
	struct line_counters *counters = line_counters_now(line);

	if (!counters)
		return 0;
	if (outermost)
		count_signed(&counters->total_ns, total);
	if (self)
		count_signed(&counters->self_ns, self);
	count(&counters->stays, 1);
	if (total > 0)
		raise_maximum(&counters->max_ns, total);
	return 0;
}

__noinline int charge_entry(__u32 function_id, __s64 total, __s64 self, __u32 outermost)
{
	const struct function *function = function_find(function_id);

	if (function && function->flags & FUNCTION_LINES)
		charge_line(function->entry_line, total, self, outermost);
	return 0;
}

static __always_inline bool inlined_is_outermost(__u32 function)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	const struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);

	return thread && !function_is_active(thread, function);
}

/*
 * Total goes to every charge of the site, self to the innermost. Gives 1 if that is not the host's:
 * what an inlined function takes is to its host as a callee's time is.
 */
__noinline int charge_site(__u32 id, __u32 host, __s64 total, __s64 self, __u32 outermost)
{
	const struct site *site = bpf_map_lookup_elem(&sites, &id);
	__u32 charges = site ? site->charge_count : 0;
	int inlined = 0;

	for (__u32 at = 0; at < CHARGES_MAX && at < charges; at++) {
		const struct charge *charge = &site->charges[at];

		inlined = charge->function != host;
		charge_line(charge->line, total, at + 1 == charges ? self : 0,
		    inlined ? inlined_is_outermost(charge->function) : outermost);
	}
	return inlined;
}

/* Ends the present stay at virtual time `until` and begins the next. */
static __always_inline void frame_end_stay(struct frame *frame, __u64 until)
{
	__s64 total = until - frame->since;
	__s64 self = total - (__s64)(frame->children - frame->children_since);
	__u32 outermost = frame->flags & FRAME_OUTERMOST;

	if (frame->site == NO_SITE)
		charge_entry(frame->function, total, self, outermost);
	else if (charge_site(frame->site, frame->function, total, self, outermost))
		frame->children += self;
	frame->since = until;
	frame->children_since = frame->children;
}

/* The function that runs at a site: the innermost inlined one, or `host`. */
__noinline __u32 function_at_site(__u32 id, __u32 host)
{
	const struct site *site;
	__u64 last;

	if (id == NO_SITE)
		return host;
	site = bpf_map_lookup_elem(&sites, &id);
	if (!site || !site->charge_count)
		return host;
	last = (site->charge_count - 1) & (CHARGES_MAX - 1);
	barrier_var(last);
	return site->charges[last].function;
}

__noinline int count_edge(__u32 caller, __u32 callee, __s64 total, __s64 self, __u32 outermost)
{
	struct edge_key key = {.caller = caller, .callee = callee, .shard = shard_now()};
	struct edge_counters *edge = bpf_map_lookup_elem(&edges, &key);

	if (!edge) {
		struct edge_counters fresh = {};

		bpf_map_update_elem(&edges, &key, &fresh, BPF_NOEXIST);
		edge = bpf_map_lookup_elem(&edges, &key);
		if (!edge) {
			count_loss(LOSS_EDGES);
			return 0;
		}
	}
	count(&edge->calls, 1);
	count_signed(&edge->self_ns, self);
	if (outermost) {
		count(&edge->primitive, 1);
		count_signed(&edge->total_ns, total);
	}
	return 0;
}

/* ---- Push and pop ---- */

enum pop_reason {
	POP_EXIT,  /* it returned at `until` */
	POP_ENDED, /* its thread ended inside it at `until` */
	POP_DEAD,  /* it was left unseen, some time ago */
};

__noinline int count_duration(__u32 function, __s64 total)
{
	struct function_counters *counters = function_counters_now(function);
	__u32 at = shard_now() * settings.functions + function;
	struct histogram_counters *histogram = bpf_map_lookup_elem(&histograms, &at);
	__u64 duration = total > 0 ? total : 0;
	__u32 bucket = histogram_bucket(duration);

	if (histogram && bucket < HISTOGRAM_BUCKETS)
		__sync_fetch_and_add(&histogram->buckets[bucket], 1);
	if (counters) {
		lower_minimum(&counters->min_ns, duration);
		raise_maximum(&counters->max_ns, duration);
	}
	return 0;
}

/* `cost` is what the probes took during the call, or NOT_OUTERMOST. */
#define NOT_OUTERMOST (-1ll)

__noinline int count_end(__u32 function, __u32 exited, __s64 total, __s64 self, __s64 cost)
{
	struct function_counters *counters = function_counters_now(function);

	if (!counters)
		return 0;
	count(&counters->closed, 1);
	count(exited ? &counters->exits : &counters->unwound, 1);
	count_signed(&counters->self_ns, self);
	if (cost != NOT_OUTERMOST) {
		count_signed(&counters->total_ns, total);
		count(&counters->raw_total_ns, total + cost);
	}
	return 0;
}

static __always_inline void count_timed_end(const struct stack *stack, const struct frame *frame,
    struct frame *parent, __u64 until, enum pop_reason reason)
{
	__u32 caller = parent ? function_at_site(parent->site, parent->function) : NO_FUNCTION;
	__s64 cost = stack->thread->cost - frame->cost_entered, total = until - frame->entered;
	bool outermost = frame->flags & FRAME_OUTERMOST;
	__s64 self = total - (__s64)frame->children;

	count_end(
	    frame->function, reason == POP_EXIT, total, self, outermost ? cost : NOT_OUTERMOST);
	if (reason == POP_EXIT)
		count_duration(frame->function, total);
	count_edge(caller, frame->function, total, self, outermost);
	if (parent)
		parent->children += total;
}

/*
 * A frame found dead ended nobody knows when. Its last sign of life is the start of its last stay,
 * and what its callees took since: time up to there is its own, later time is not.
 */
static __always_inline __u64 frame_last_sign(const struct frame *frame)
{
	return frame->since + (frame->children - frame->children_since);
}

/* Takes the top frame off; `until` is when it ended (ignored where it must be its last sign). */
static __noinline int stack_pop(const struct stack *stack, enum pop_reason reason, __u64 until)
{
	struct frame *frame = frame_top(stack), *parent;

	if (!frame)
		return 0;
	stack->thread->depth--;
	if (frame->flags & FRAME_UNTIMED)
		return 0;
	if (frame->flags & FRAME_RETURNS)
		stack->thread->returns--;
	parent = frame_top(stack);
	if (reason == POP_DEAD)
		until = frame_last_sign(frame);
	if (until != frame->since)
		frame_end_stay(frame, until);
	if (frame->function != NO_FUNCTION)
		activation_release(stack, frame);
	if (!(frame->flags & FRAME_ADOPTED))
		count_timed_end(stack, frame, parent, until, reason);
	else if (parent)
		parent->children +=
		    frame->function == NO_FUNCTION ? frame->children : until - frame->entered;
	return 0;
}

static __always_inline bool stack_pop_if_dead(const struct stack *stack)
{
	const struct frame *frame = frame_top(stack);

	if (!frame || frame->sp >= stack->sp)
		return false;
	stack_pop(stack, POP_DEAD, 0);
	return true;
}

static long pop_dead_frame(__u32 at, struct stack *stack)
{
	return !stack_pop_if_dead(stack);
}

static __noinline int stack_pop_many(struct stack *stack)
{
	if (kernel_has_loop()) {
		bpf_loop(FRAMES_MAX, pop_dead_frame, stack, 0);
	} else {
		for (__u32 at = 0; at < 128; at++)
			if (pop_dead_frame(at, stack))
				break;
	}
	return 0;
}

/* Pops every frame deeper than the current stack pointer. */
static __always_inline void stack_pop_dead(struct stack *stack)
{
	const struct frame *top = frame_top(stack);

	if (top && top->sp < stack->sp)
		stack_pop_many(stack);
}

/* The slot above the top, not yet pushed, or NULL: the stack is full (or no memory for its far
 * part). */
static __always_inline struct frame *stack_slot(struct stack *stack, struct task_struct *task)
{
	__u32 depth = stack->thread->depth;

	if (depth >= FRAMES_NEAR && !stack->far)
		stack->far =
		    bpf_task_storage_get(&far_frames, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return frame_at(stack, depth);
}

#endif
