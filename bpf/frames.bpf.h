/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread's stack of measured calls, and the arithmetic of time on it.
 *
 * A frame is alive only while its entry stack pointer is at or above the current one; whatever is
 * deeper has been left by a return nobody saw, an exception or longjmp, and is popped as unwound
 * before anything else happens in a hit. The stack pointer decides, never the order of events.
 *
 * A *timed* frame is pushed by an entry; it counts as opened, then as closed by an exit or unwound.
 *
 * An *untimed* frame is the root of a call tree that the rate left out. It only marks the tree, so
 * that what is called inside shares the decision. Where exits are seen by return probes its own
 * return is skipped, and the return address on the stack tells whether it still runs.
 *
 * An *adopted* frame is pushed by a line of a function whose entry was not seen: it was running
 * before measuring began, or (a *carrier*, function NO_FUNCTION) it was not asked for and only
 * hosts inlined code of functions that were, until a site without charges says that it does no
 * longer. Adopted frames carry lines' time and are in no account.
 *
 * An *inherited* frame is a forked child's copy of its parent's (forks.bpf.h). It ends as others
 *do, and its time is counted, but no call.
 *
 * Time within a frame is partitioned at line sites. A stay begins at one (or at the entry) and ends
 * at the frame's next hit; its time goes to the charges of the site where it began. `since` and
 * `entered` are virtual times (wire.h), so differences are corrected for the probes' cost.
 *
 *	stay	|--a--|------b------|---c---|
 *		entry line	    line    exit	own time of b: b less what callees took in
 *it
 *
 * Functions that are not static are global to the verifier: it walks them once, not at every call,
 * for any pointers to what their arguments point to.
 */
#ifndef LPROF_BPF_FRAMES_H
#define LPROF_BPF_FRAMES_H

#include "histogram.h"
#include "maps.bpf.h"
#include "thread.bpf.h"

enum frame_flags {
	FRAME_UNTIMED = 1 << 0,
	FRAME_ADOPTED = 1 << 1,
	FRAME_OUTERMOST = 1 << 2, /* its function's first activation on this stack */
	FRAME_CLAIMED = 1 << 3,   /* holds one count of its function's slot in thread.active */
	FRAME_RETURNS = 1 << 4,   /* a return probe reports its end */
	FRAME_UNSEEN = 1 << 7,  /* untimed, and its return is not seen: the return address tells */
	FRAME_INLINES = 1 << 5, /* stands at a site of inlined functions */
	FRAME_INLINED =
	    1 << 6, /* was called from such a site; holds activations for its functions */
	FRAME_LINES = 1 << 12,          /* its function's lines are measured */
	FRAME_COUNTS_RETURN = 1 << 13,  /* its exit counts its return probe's hit as well */
	FRAME_INHERITED = 1 << 14,      /* a forked child's copy: the call is its parent's */
	FRAME_INLINED_CLAIMED = 1 << 8, /* ... of the site's charges: of the first, of the second */
};

struct far_frames {
	struct frame frames[FRAMES_FAR];
};

/*
 * By thread. Not task storage: from Linux 7.2 at the latest that creates no more than two pages,
 * since it allocates without locks (kmalloc_nolock()).
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEEP_THREADS_MAX);
	__type(key, __u32);
	__type(value, struct far_frames);
} far_frames SEC(".maps");

/* What they start as: too large for a program's stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct far_frames);
} empty_far SEC(".maps");

/* NULL: it has none. */
static __always_inline struct far_frames *far_find(const struct thread *thread)
{
	__u32 key = thread->far;

	return key ? bpf_map_lookup_elem(&far_frames, &key) : NULL;
}

/* NULL: DEEP_THREADS_MAX threads have some. execve() changes a thread's id, so it is kept. */
static __always_inline struct far_frames *far_new(struct thread *thread)
{
	__u32 key = (__u32)bpf_get_current_pid_tgid(), zero = 0;
	const struct far_frames *empty = bpf_map_lookup_elem(&empty_far, &zero);

	if (!empty || bpf_map_update_elem(&far_frames, &key, empty, BPF_NOEXIST))
		return NULL;
	thread->far = key;
	return far_find(thread);
}

/*
 * In Go programs goroutines own frames, not the threads that happen to run them. Their stacks move
 * as they grow, so their stack pointers are kept as distances from the stack's upper end. They have
 * no far part. User space sizes the map; one entry where no image is Go's.
 */
struct goroutine_key {
	__u64 g;
	__u64 process;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct goroutine_key);
	__type(value, struct thread);
} goroutines SEC(".maps");

/* What a new goroutine starts as: too large for a program's stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread);
} empty_thread SEC(".maps");

/* Whose frames the present hit works on: the current thread's, or those of the goroutine it runs.
 */
static __always_inline struct thread *thread_now(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	struct goroutine_key key = {.process = bpf_get_current_pid_tgid() >> 32};

	if (!thread || !thread->goroutine)
		return thread;
	key.g = thread->goroutine;
	return bpf_map_lookup_elem(&goroutines, &key);
}

/* The stack a hit works on. `far` is NULL until the thread first goes so deep. */
struct stack {
	struct thread *thread;
	struct far_frames *far;
};

/* Loops over all frames are loops over runs of them, each in a function of its own: the verifier
 * follows the turns of a loop one by one, and calls of global functions not at all. */
#define FRAMES_RUN 8
_Static_assert(FRAMES_MAX % FRAMES_RUN == 0, "whole runs");

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

/*
 * Frames belong to the program that the process ran and to the gate that was open when they were
 * pushed: what came since execve(), or while the gate was closed, was not seen.
 */
static __always_inline __u64 epoch_now(const struct task_struct *task)
{
	return task->self_exec_id << 32 | settings.gate;
}

/* ---- Activations: is a function on the stack already? ---- */

/* Whether the function is inlined at a site of its host, another function. */
__noinline int site_inlines(__u32 id, __u32 host, __u32 function)
{
	const struct site *site = bpf_map_lookup_elem(&sites, &id);

	if (!site)
		return 0;
	for (__u32 at = 0; at < CHARGES_MAX && at < site->charge_count; at++)
		if (site->charges[at].function == function)
			return function != host;
	return 0;
}

enum scan_result { SCAN_CONTINUES, SCAN_FOUND, SCAN_ENDED };

/* Looks for the function in the run of frames from `from` on, and in what is inlined in callers. */
__noinline int scan_frames(
    struct thread *thread, struct far_frames *far, __u32 from, __u32 function)
{
	const struct stack stack = {.thread = thread, .far = far};
	const struct frame *below = NULL;

	if (!thread)
		return SCAN_ENDED;
	if (from)
		below = frame_at(&stack, from - 1);
	for (__u32 turn = 0; turn < FRAMES_RUN; turn++) {
		__u32 at = from + turn;
		const struct frame *frame = at < thread->depth ? frame_at(&stack, at) : NULL;

		if (!frame)
			return SCAN_ENDED;
		if (frame->function == function && !(frame->flags & FRAME_UNTIMED))
			return SCAN_FOUND;
		if (below && frame->flags & FRAME_INLINED &&
		    site_inlines(below->site, below->function, function))
			return SCAN_FOUND;
		below = frame;
	}
	return SCAN_CONTINUES;
}

/* Exact: is the function on the current thread's stack, inlined copies of it included? */
__noinline int function_on_stack(__u32 function)
{
	struct thread *thread = thread_now();
	struct far_frames *far;
	int found = SCAN_CONTINUES;

	if (!thread)
		return 0;
	far = far_find(thread);
	for (__u32 from = 0; from < FRAMES_MAX && found == SCAN_CONTINUES; from += FRAMES_RUN)
		found = scan_frames(thread, far, from, function);
	return found == SCAN_FOUND;
}

static __always_inline bool function_is_active(const struct thread *thread, __u32 function)
{
	const struct activation *slot = &thread->active[function & (ACTIVE_SLOTS - 1)];

	if (slot->count && slot->function == function)
		return true;
	return thread->unclaimed && function_on_stack(function);
}

/* Counts an activation of the function; false: it found its slot taken. */
static __always_inline bool activation_claim(struct thread *thread, __u32 function)
{
	struct activation *slot = &thread->active[function & (ACTIVE_SLOTS - 1)];

	if (slot->count && slot->function != function) {
		thread->unclaimed++;
		return false;
	}
	slot->function = function;
	slot->count++;
	return true;
}

static __always_inline void activation_release(struct thread *thread, __u32 function, bool claimed)
{
	if (claimed)
		thread->active[function & (ACTIVE_SLOTS - 1)].count--;
	else
		thread->unclaimed--;
}

/*
 * While a call that inlined code makes is on the stack, the inlined functions are active as well:
 * their own frames, or inlined copies, further down are not outermost. Gives the flags of the
 * callee's frame, which it shall give back when it goes.
 */
__noinline int inlined_claim(struct thread *thread, __u32 id, __u32 host)
{
	const struct site *site = bpf_map_lookup_elem(&sites, &id);
	__u32 flags = 0;

	if (!thread || !site)
		return 0;
	for (__u32 at = 0; at < CHARGES_MAX && at < site->charge_count; at++)
		if (site->charges[at].function != host &&
		    activation_claim(thread, site->charges[at].function))
			flags |= FRAME_INLINED_CLAIMED << at;
	return flags | FRAME_INLINED;
}

__noinline int inlined_release(struct thread *thread, __u32 id, __u32 host, __u32 flags)
{
	const struct site *site = bpf_map_lookup_elem(&sites, &id);

	if (!thread || !site)
		return 0;
	for (__u32 at = 0; at < CHARGES_MAX && at < site->charge_count; at++)
		if (site->charges[at].function != host)
			activation_release(thread, site->charges[at].function,
			    flags & FRAME_INLINED_CLAIMED << at);
	return 0;
}

/*
 * Enters a frame of the function (NO_FUNCTION: of a carrier) into the activations, which is to be
 * pushed over `top`. Gives the frame's flags.
 */
__noinline int frame_claim(struct thread *thread, const struct frame *top, __u32 function)
{
	__u32 flags = 0;
	bool active;

	if (!thread)
		return 0;
	active = function != NO_FUNCTION && function_is_active(thread, function);
	if (top && top->flags & FRAME_INLINES) {
		active = active || site_inlines(top->site, top->function, function);
		flags = inlined_claim(thread, top->site, top->function);
	}
	if (function == NO_FUNCTION)
		return flags;
	if (activation_claim(thread, function))
		flags |= FRAME_CLAIMED;
	return active ? flags : flags | FRAME_OUTERMOST;
}

/* ---- Time ---- */

__noinline int charge_line(__u32 line, __s64 total, __s64 self, __u32 outermost)
{
	struct line_counters *counters = line_counters_now(line);

	if (!counters)
		return 0;
	if (total > 0)
		raise_maximum(&counters->max_ns, total);
	if (outermost)
		count_signed(&counters->total_ns, total);
	else
		total = 0;
	if (total != self)
		count_signed(&counters->inner_ns, total - self);
	return 0;
}

__noinline int charge_entry(__u32 function_id, __s64 total, __s64 self, __u32 outermost)
{
	const struct function *function = function_find(function_id);

	if (function)
		charge_line(function->entry_line, total, self, outermost);
	return 0;
}

static __always_inline bool inlined_is_outermost(__u32 function)
{
	const struct thread *thread = thread_now();

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

/* The function whose lines a site's are first of all. */
static __always_inline __u32 site_owner(const struct site *site)
{
	if (site->function != NO_FUNCTION || !site->charge_count)
		return site->function;
	return site->charges[0].function;
}

/* Whether the probes of lines have stood since the present stay began: else nobody knows when it
 * ended. */
__noinline int stay_is_seen(__u32 function, __u32 site_id, __u32 lines_epoch)
{
	const struct function *owner;

	if (function == NO_FUNCTION) {
		const struct site *site = bpf_map_lookup_elem(&sites, &site_id);

		function = site ? site_owner(site) : NO_FUNCTION;
	}
	owner = function_find(function);
	return !owner ||
	       (!(owner->flags & FUNCTION_LINES_AWAY) && owner->lines_epoch == lines_epoch);
}

static __always_inline void frame_charge_stay(struct frame *frame, __s64 total, __s64 self)
{
	__u32 outermost = frame->flags & FRAME_OUTERMOST;

	if (frame->site == NO_SITE && !(frame->flags & FRAME_LINES))
		return;
	if (!stay_is_seen(frame->function, frame->site, frame->lines_epoch))
		return;
	if (frame->site == NO_SITE)
		charge_entry(frame->function, total, self, outermost);
	else if (charge_site(frame->site, frame->function, total, self, outermost))
		frame->children += self;
}

/* Ends the present stay, unless it is empty, at virtual time `until` and begins the next. */
static __always_inline void frame_end_stay(struct frame *frame, __u64 until)
{
	__s64 total = until - frame->since;
	__s64 self = total - (__s64)(frame->children - frame->children_since);

	if (!total && !self)
		return;
	frame_charge_stay(frame, total, self);
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

/* ---- Push and pop ---- */

enum pop_reason {
	POP_EXIT,  /* it returned at `until` */
	POP_ENDED, /* its thread ended inside it at `until` */
	POP_DEAD,  /* it was left unseen, some time ago */
};

static __always_inline void count_duration(
    struct function_counters *counters, __u32 function, __s64 total)
{
	__u32 at = shard_now() * settings.functions + function;
	struct histogram_counters *histogram = bpf_map_lookup_elem(&histograms, &at);
	__u64 duration = total > 0 ? total : 0;
	__u32 bucket = histogram_bucket(duration);

	if (histogram && bucket < HISTOGRAM_BUCKETS)
		__sync_fetch_and_add(&histogram->buckets[bucket], 1);
	lower_minimum(&counters->min_ns, duration);
	raise_maximum(&counters->max_ns, duration);
}

enum call_end {
	CALL_UNWOUND,
	CALL_EXITED,
	CALL_ELSEWHERE, /* in the parent: what ends here is a forked child's part of it */
};

/* A timed call's end; `cost` is what the probes took meanwhile, or NOT_OUTERMOST. */
#define NOT_OUTERMOST (-1ll)

static __always_inline void count_end(
    __u64 edge_key, enum call_end end, __s64 total, __s64 self, __s64 cost)
{
	__u32 function = EDGE_CALLEE(edge_key);
	struct function_counters *counters = function_counters_now(function);
	struct edge_counters *edge = edge_find(EDGE_CALLER(edge_key), function);
	__s64 total_counted = total;

	if (!counters)
		return;
	if (!edge) {
		count_loss(LOSS_EDGES);
		edge = &counters->unplaced;
	}
	if (end != CALL_ELSEWHERE)
		count(&edge->calls, 1); /* before `unwound`, which never exceeds it so */
	if (cost != NOT_OUTERMOST) {
		count_signed(&edge->total_ns, total);
		count(&counters->raw_total_ns, total + cost);
	} else {
		if (end != CALL_ELSEWHERE)
			count(&edge->nested, 1);
		total_counted = 0;
	}
	if (total_counted != self)
		count_signed(&edge->inner_ns, total_counted - self);
	if (end == CALL_EXITED)
		count_duration(counters, function, total);
	else if (end == CALL_UNWOUND)
		count(&counters->unwound, 1);
}

static __always_inline void count_timed_end(const struct thread *thread, const struct frame *frame,
    struct frame *parent, __u64 until, enum pop_reason reason)
{
	__u32 caller = parent ? function_at_site(parent->site, parent->function) : NO_FUNCTION;
	__s64 cost = thread->cost - frame->cost_entered, total = until - frame->entered;
	bool outermost = frame->flags & FRAME_OUTERMOST;
	__s64 self = total - (__s64)frame->children;

	enum call_end end = reason == POP_EXIT ? CALL_EXITED : CALL_UNWOUND;

	if (frame->flags & FRAME_INHERITED)
		end = CALL_ELSEWHERE;
	count_end(
	    EDGE_KEY(caller, frame->function), end, total, self, outermost ? cost : NOT_OUTERMOST);
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

/* Whether its probes were away while it ran: nobody saw whether it went on. */
static __always_inline bool frame_is_stale(const struct frame *frame)
{
	const struct function *function;
	const struct site *site;
	__u32 host = frame->host;

	if (frame->function != NO_FUNCTION) {
		function = function_find(frame->function);
		return !function || function->epoch != frame->epoch;
	}
	site = bpf_map_lookup_elem(&sites, &host);
	return site && site->scope == SCOPE_CLOSED;
}

/*
 * Takes off `frame`, the top one; `until` is when it ended (ignored where it must be its last
 * sign). Inlined where most calls end, which spares each of them two calls.
 */
static __always_inline void frame_pop(
    const struct stack *stack, struct frame *frame, __u64 until, enum pop_reason reason)
{
	struct thread *thread = stack->thread;
	struct frame *parent;

	if (frame->flags & FRAME_RETURNS)
		thread->returns--;
	if (!(frame->flags & FRAME_UNTIMED)) {
		if (reason == POP_ENDED && frame_is_stale(frame))
			reason = POP_DEAD;
		if (reason == POP_DEAD)
			until = frame_last_sign(frame);
		frame_end_stay(frame, until); /* while the frame still counts as active */
	}
	thread->depth--;
	if (frame->flags & FRAME_UNTIMED)
		return;
	parent = frame_top(stack);
	if (frame->function != NO_FUNCTION)
		activation_release(thread, frame->function, frame->flags & FRAME_CLAIMED);
	if (parent && frame->flags & FRAME_INLINED)
		inlined_release(thread, parent->site, parent->function, frame->flags);
	if (!(frame->flags & FRAME_ADOPTED))
		count_timed_end(thread, frame, parent, until, reason);
	else if (parent)
		parent->children += until - frame->entered;
}

/* Takes the top frame off, if there is one. */
__noinline int stack_pop(
    struct thread *thread, struct far_frames *far, __u64 until, enum pop_reason reason)
{
	const struct stack stack = {.thread = thread, .far = far};
	struct frame *frame = thread ? frame_top(&stack) : NULL;

	if (frame)
		frame_pop(&stack, frame, until, reason);
	return 0;
}

/* Pops frames that were entered deeper than `below`, at most a run; gives 1 if that was not all. */
__noinline int stack_pop_run(
    struct thread *thread, struct far_frames *far, __u64 below, __u64 until, enum pop_reason reason)
{
	const struct stack stack = {.thread = thread, .far = far};

	if (!thread)
		return 0;
	for (__u32 at = 0; at < FRAMES_RUN; at++) {
		const struct frame *top = frame_top(&stack);

		if (!top || top->sp >= below)
			return 0;
		stack_pop(thread, far, until, reason);
	}
	return 1;
}

/* Pops all frames that were entered deeper than `below`. */
static __always_inline void stack_pop_below(
    const struct stack *stack, __u64 below, __u64 until, enum pop_reason reason)
{
	for (__u32 at = 0; at <= FRAMES_MAX; at += FRAMES_RUN)
		if (!stack_pop_run(stack->thread, stack->far, below, until, reason))
			break;
}

static __always_inline void stack_pop_dead(const struct stack *stack, __u64 below)
{
	const struct frame *top = frame_top(stack);

	if (top && top->sp < below)
		stack_pop_below(stack, below, 0, POP_DEAD);
}

/* Pops what stands on top and is stale, at most a run; gives 1 if that was not all. */
__noinline int stack_pop_stale_run(struct thread *thread, struct far_frames *far)
{
	const struct stack stack = {.thread = thread, .far = far};

	if (!thread)
		return 0;
	for (__u32 at = 0; at < FRAMES_RUN; at++) {
		const struct frame *top = frame_top(&stack);

		if (!top || !frame_is_stale(top))
			return 0;
		stack_pop(thread, far, 0, POP_DEAD);
	}
	return 1;
}

/* What stands below others waits until they have ended. */
static __always_inline void stack_pop_stale(const struct stack *stack)
{
	const struct frame *top = frame_top(stack);

	if (!top || !frame_is_stale(top))
		return;
	for (__u32 at = 0; at <= FRAMES_MAX; at += FRAMES_RUN)
		if (!stack_pop_stale_run(stack->thread, stack->far))
			break;
}

/* The slot above the top, not yet pushed, or NULL: the stack is full (or no room for its far
 * part). */
static __always_inline struct frame *stack_slot(struct stack *stack)
{
	__u32 depth = stack->thread->depth;

	if (depth >= FRAMES_NEAR && stack->thread->goroutine)
		return NULL;
	if (depth >= FRAMES_NEAR && !stack->far)
		stack->far = far_new(stack->thread);
	return frame_at(stack, depth);
}

#endif
