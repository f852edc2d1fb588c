// SPDX-License-Identifier: GPL-2.0-or-later
// The programs on uprobes: what an entry, an exit and a line do to their thread's stack of frames.
//
// A hit reads its site (attach cookie = site id), drops dead frames, and then plays the site's
// roles. The clock is read first at lines and exits and last at entries, so that as little of the
// handler as possible lies inside the time being measured; the rest is calibrated and subtracted
// (wire.h). Each reading costs as much as several counters: there is one in a hit, if possible.
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "account.bpf.h"
#include "forks.bpf.h"
#include "frames.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define SAMPLE_ALL (1ull << 32) /* threshold of rate 1.0 */

/* One hit in one of its roles. */
struct hit {
	struct stack stack;
	const struct site *site;
	__u32 id;
};

static __always_inline bool is_target(__u32 process, __u32 scope)
{
	const __u32 *scopes;

	if (scope == SCOPE_CLOSED)
		return false;
	if (settings.all_processes || scope == SCOPE_ALL)
		return true;
	scopes = bpf_map_lookup_elem(&targets, &process);
	return scopes && *scopes >> scope % SCOPES_MAX & 1;
}

/* For hits that no site counts. */
static __always_inline void count_class(__u32 cost_class)
{
	struct shard_counters *counters = shard_counters_now();

	if (counters && cost_class < COST_CLASSES)
		count(&counters->hits[cost_class], 1);
}

/* The thread's storage; NULL if it is no target of the site's scope, or without memory. */
static __always_inline struct thread *thread_get(
    struct task_struct *task, const struct site *site, __u32 cost_class, bool *ret_target)
{
	__u32 scope = site->scope;

	struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	struct shard_counters *counters;

	*ret_target = true;
	if (thread && thread->scope == scope)
		return thread;
	if (!is_target(bpf_get_current_pid_tgid() >> 32, scope)) {
		counters = shard_counters_now();
		if (scope == SCOPE_CLOSED) /* the others of its probes are coming, or going */
			count_class(cost_class);
		else if (counters)
			count(&counters->bystander_hits, 1);
		account_charge(site->account, cost_of_hit(cost_class));
		*ret_target = false;
		return NULL;
	}
	if (!thread)
		thread = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (thread)
		thread->scope = scope;
	else
		count_loss(LOSS_NO_STORAGE);
	return thread;
}

/* What a hit without a frame stack still owes the accounts. */
static __always_inline void count_without_storage(
    __u32 id, const struct site *site, __u32 cost_class)
{
	bool counted = cost_class != COST_RETURN && /* its entry has been counted */
		       (SITE_COUNTS_ENTRIES(site->roles) ||
			   (site->roles & SITE_LINE && !(site->roles & SITE_SILENT)));
	struct function_counters *counters;

	if (counted)
		count_site_hit(id);
	else
		count_class(cost_class);
	if (cost_class == COST_RETURN || !(site->roles & SITE_ENTRY) || site->roles & SITE_PART)
		return;
	counters = function_counters_now(site->function);
	if (!counters)
		return;
	if (!SITE_COUNTS_ENTRIES(site->roles))
		count(&counters->entries, 1);
	count(&counters->lost, 1);
}

/* Drops what is dead at the thread's stack pointer; false: some frames cannot be reached now. */
static __always_inline bool drop_dead_frames(struct thread *thread, struct task_struct *task)
{
	struct stack stack = {.thread = thread};
	__u64 epoch = epoch_now(task), below = thread->sp;

	if (thread->depth >= FRAMES_NEAR)
		stack.far = far_find(thread);
	if (thread->depth > FRAMES_NEAR && !stack.far) {
		count_loss(LOSS_NO_STORAGE);
		return false;
	}
	if (thread->epoch != epoch)
		below = ~0ull;
	thread->epoch = epoch;
	stack_pop_dead(&stack, below);
	stack_pop_stale(&stack);
	return true;
}

static __always_inline __u64 read_user_word(__u64 address)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)address);
	return word;
}

#define GO_STACK_TOP (1ull << 62)

/*
 * The frames of the goroutine whose g is at that address (runtime.g begins with the bounds of its
 * stack), with the stack pointer made independent of where the stack lies. NULL: it is no
 * goroutine, or there is no room for it.
 */
static __always_inline struct thread *goroutine_get(struct thread *thread, __u64 g, __u64 *sp)
{
	struct goroutine_key key = {.g = g, .process = bpf_get_current_pid_tgid() >> 32};
	__u64 low = read_user_word(g), high = read_user_word(g + 8);
	struct thread *goroutine, *empty;
	__u32 zero = 0;

	if (*sp <= low || *sp > high)
		return NULL;
	*sp += GO_STACK_TOP - high;
	thread->goroutine = g;
	goroutine = bpf_map_lookup_elem(&goroutines, &key);
	if (goroutine)
		return goroutine;
	empty = bpf_map_lookup_elem(&empty_thread, &zero);
	if (!empty || bpf_map_update_elem(&goroutines, &key, empty, BPF_NOEXIST))
		return NULL;
	goroutine = bpf_map_lookup_elem(&goroutines, &key);
	if (goroutine)
		goroutine->goroutine = g;
	return goroutine;
}

/* An entry reads the clock when it pushes its frame; if it may push none, for its line now. */
static __always_inline bool clock_is_read_first(const struct site *site, __u32 cost_class)
{
	return cost_class == COST_RETURN || !(site->roles & SITE_ENTRY) ||
	       site->roles & (SITE_LOOP | SITE_PART);
}

/* Whether hits are not measured now; they cost what they cost. */
static __always_inline bool is_ignored(const struct site *site, __u32 cost_class)
{
	bool open = settings.gate;

	if (open && !account_is_shut(site->account))
		return false;
	if (is_target(bpf_get_current_pid_tgid() >> 32, site->scope)) {
		if (open)
			count_loss(LOSS_BUDGET);
		count_class(cost_class);
		account_charge(site->account, cost_of_hit(cost_class));
	}
	return true;
}

/*
 * Finds the thread of a hit, adds what came before the clock reading to its cost, and drops dead
 * frames. NULL: nothing more to do.
 */
static __always_inline struct thread *hit_begin(
    __u32 id, const struct site *site, __u64 sp, __u64 g, __u32 cost_class)
{
	__u64 clock = clock_is_read_first(site, cost_class) ? bpf_ktime_get_ns() : 0;
	struct task_struct *task;
	struct thread *thread;
	bool target;

	if (is_ignored(site, cost_class))
		return NULL;
	task = (struct task_struct *)bpf_get_current_task_btf();
	thread = thread_get(task, site, cost_class, &target);
	if (!target)
		return NULL;
	if (thread && site->roles & SITE_GO) {
		thread = goroutine_get(thread, g, &sp);
		if (!thread)
			count_loss(LOSS_GOROUTINE);
	} else if (thread) {
		thread->goroutine = 0;
	}
	if (thread)
		thread->sp = sp;
	if (!thread || !drop_dead_frames(thread, task)) {
		count_without_storage(id, site, cost_class);
		return NULL;
	}
	if (cost_class < COST_CLASSES)
		thread->cost += settings.cost_before_ns[cost_class];
	thread->now = clock - thread->cost;
	return thread;
}

static __always_inline void hit_end(
    struct thread *thread, const struct site *site, __u32 cost_class)
{
	__u64 cost;

	if (cost_class < COST_CLASSES)
		thread->cost += settings.cost_after_ns[cost_class];
	thread->account = site->account;
	cost = thread->cost - thread->charged;
	if (cost < ACCOUNT_CHARGE_NS)
		return;
	thread->charged = thread->cost;
	account_charge(site->account, cost);
}

static __always_inline bool hit_init(
    struct hit *hit, struct thread *thread, const struct site *site, __u32 id)
{
	hit->id = id;
	hit->site = site;
	hit->stack.thread = thread;
	hit->stack.far = NULL;
	if (!thread || !hit->site)
		return false;
	if (thread->depth >= FRAMES_NEAR)
		hit->stack.far = far_find(thread);
	return true;
}

/* A return probe waits: the kernel's trampoline, the start of a page, is the return address. */
static __always_inline bool is_trampoline(__u64 return_address)
{
	return return_address && !(return_address & 0xfff);
}

/* Whether the call tree that the rate left out still runs; pops its root if not. */
static __always_inline bool under_untimed(const struct hit *hit)
{
	const struct frame *top = frame_top(&hit->stack);
	__u64 word;

	if (!top || !(top->flags & FRAME_UNTIMED))
		return false;
	if (!(top->flags & FRAME_UNSEEN) ||
	    (top->sp == hit->stack.thread->sp && top->function == hit->site->function))
		return true;
	word = read_user_word(top->sp);
	if (word == top->return_address ||
	    is_trampoline(word)) /* without sessions none is skipped */
		return true;
	stack_pop(hit->stack.thread, hit->stack.far, 0, POP_DEAD);
	return false;
}

/*
 * At a function's entry, pops what has the same stack pointer and ended unseen. A frame runs on if
 * it jumped here and awaits its return probe. Exit sites see such a jump themselves.
 */
static __always_inline void pop_equal_frames(const struct hit *hit)
{
	const struct frame *top = frame_top(&hit->stack);

	if (!top || top->sp != hit->stack.thread->sp)
		return;
	if (!(top->flags & FRAME_RETURNS)) {
		stack_pop(hit->stack.thread, hit->stack.far, 0, POP_DEAD);
		stack_pop_stale(&hit->stack);
		top = frame_top(&hit->stack);
		if (!top || top->sp != hit->stack.thread->sp)
			return;
	}
	if (!is_trampoline(read_user_word(hit->stack.thread->sp)))
		stack_pop_dead(&hit->stack, hit->stack.thread->sp + 1);
}

/*
 * Whether the frame at the same stack pointer reached its entry site again: by a loop, or by a jump
 * to an outlined part. A frame whose end nobody sees may be that of an earlier call: no proof.
 */
static __always_inline bool entry_is_reached_again(
    const struct hit *hit, const struct function *function)
{
	const struct frame *top = frame_top(&hit->stack);

	if (!top || top->sp != hit->stack.thread->sp || top->function != hit->site->function ||
	    !(hit->site->roles & (SITE_LOOP | SITE_PART)))
		return false;
	if (top->flags & FRAME_RETURNS)
		return is_trampoline(read_user_word(hit->stack.thread->sp));
	if (hit->site->roles & SITE_PART)
		return !(top->flags & FRAME_UNTIMED);
	return !(function->flags & FUNCTION_RETURNS);
}

/* Whether an outlined part is called by its own function, which is no call of the function. */
static __always_inline bool part_is_called(const struct hit *hit)
{
	const struct frame *top = frame_top(&hit->stack);

	return hit->site->roles & SITE_PART && top && top->function == hit->site->function &&
	       !(top->flags & FRAME_UNTIMED);
}

enum entry_outcome { ENTRY_NOT_TIMED, ENTRY_TIMED, ENTRY_AWAITS_RETURN };

static __always_inline bool draw(const struct hit *hit, const struct function *function)
{
	if (function->threshold >= SAMPLE_ALL)
		return true;
	return hit->stack.thread->depth || bpf_get_prandom_u32() < function->threshold;
}

/* Makes the free slot the top frame; its times are the caller's to set. */
static __always_inline void frame_init(
    struct frame *frame, struct hit *hit, const struct function *function, __u32 flags)
{
	hit->stack.thread->depth++;
	frame->sp = hit->stack.thread->sp;
	frame->function = hit->site->function;
	frame->host = hit->site->host;
	frame->site = NO_SITE;
	frame->flags = flags;
	frame->children = 0;
	frame->children_since = 0;
	frame->cost_entered = hit->stack.thread->cost;
	frame->epoch = function->epoch;
	frame->lines_epoch = function->lines_epoch;
}

/* Whether the call's end can be left to a return probe now. */
static __always_inline bool return_is_seen(const struct hit *hit, const struct function *function)
{
	return function->flags & FUNCTION_RETURNS && hit->stack.thread->returns < RETURNS_MAX &&
	       !(function->flags & FUNCTION_HELD &&
		   (settings.hold_returns || has_unwatched_images(hit->stack.thread)));
}

/*
 * Marks a call that the rate left out: the root of its tree, or one whose entry a loop reaches, so
 * that its turns are told from calls. Its end must be seen; where that cannot be, the return
 * address has to tell, which another call from the same place also leaves on the stack.
 */
static __always_inline enum entry_outcome push_untimed(
    struct hit *hit, const struct function *function)
{
	struct frame *frame;

	if (frame_top(&hit->stack) &&
	    !(hit->site->roles & SITE_LOOP && hit->stack.thread->returns < RETURNS_MAX))
		return ENTRY_NOT_TIMED;
	frame = stack_slot(&hit->stack);
	if (!frame)
		return ENTRY_NOT_TIMED;
	frame_init(frame, hit, function, FRAME_UNTIMED);
	if (return_is_seen(hit, function)) {
		frame->flags |= FRAME_RETURNS;
		hit->stack.thread->returns++;
		return ENTRY_AWAITS_RETURN;
	}
	if (function->flags & FUNCTION_RETURNS) {
		frame->flags |= FRAME_UNSEEN;
		frame->return_address = read_user_word(hit->stack.thread->sp);
	}
	return ENTRY_NOT_TIMED;
}

/* Gives the flags of a frame that is to be pushed over the top one. */
static __always_inline __u32 claim_activations(const struct hit *hit)
{
	return frame_claim(hit->stack.thread, frame_top(&hit->stack), hit->site->function);
}

static __always_inline enum entry_outcome push_timed(
    struct hit *hit, const struct function *function, struct function_counters *counters)
{
	struct frame *frame = stack_slot(&hit->stack);
	bool returns;
	__u32 flags;

	if (!frame) {
		count(&counters->lost, 1);
		count_loss(LOSS_DEPTH);
		return ENTRY_NOT_TIMED;
	}
	flags = claim_activations(hit);
	returns = return_is_seen(hit, function);
	if (!returns && function->flags & FUNCTION_RETURNS)
		count_loss(hit->stack.thread->returns < RETURNS_MAX ? LOSS_IMAGES : LOSS_RETURNS);
	if (returns) {
		flags |= FRAME_RETURNS;
		hit->stack.thread->returns++;
	}
	if ((function->flags & (FUNCTION_LINES | FUNCTION_LINES_AWAY)) == FUNCTION_LINES)
		flags |= FRAME_LINES;
	if (FUNCTION_COUNTS_RETURNS(function->flags))
		flags |= FRAME_COUNTS_RETURN;
	frame_init(frame, hit, function, flags);
	if (!(flags & FRAME_OUTERMOST))
		count(&counters->nested, 1);
	hit->stack.thread->now = bpf_ktime_get_ns() - hit->stack.thread->cost;
	frame->entered = frame->since = hit->stack.thread->now;
	return returns ? ENTRY_AWAITS_RETURN : ENTRY_TIMED;
}

/* Gives an enum entry_outcome. */
__noinline int play_entry(struct thread *thread, const struct site *site, __u32 id)
{
	const struct function *function;
	struct function_counters *counters;
	struct hit found, *hit = &found;

	if (!hit_init(hit, thread, site, id))
		return ENTRY_NOT_TIMED;
	function = function_find(hit->site->function);
	counters = function_counters_now(hit->site->function);
	if (!function || !counters) {
		count_loss(LOSS_BAD_SITE);
		return ENTRY_NOT_TIMED;
	}
	if (entry_is_reached_again(hit, function))
		return ENTRY_NOT_TIMED;
	pop_equal_frames(hit);
	if (part_is_called(hit))
		return ENTRY_NOT_TIMED;
	if (SITE_COUNTS_ENTRIES(hit->site->roles))
		count_site_hit(id);
	else
		count(&counters->entries, 1);
	if (under_untimed(hit) || !draw(hit, function)) {
		count(&counters->untimed, 1);
		return push_untimed(hit, function);
	}
	return push_timed(hit, function, counters);
}

/* Gives 1 if a hit of a return probe was counted. */
__noinline int play_exit(struct thread *thread, const struct site *site, __u32 id)
{
	struct hit found, *hit = &found;
	struct frame *top;
	int counted = 0;

	if (!hit_init(hit, thread, site, id))
		return 0;
	top = frame_top(&hit->stack);
	if (top && top->sp == hit->stack.thread->sp && top->function != hit->site->function &&
	    !(top->flags & FRAME_RETURNS)) {
		stack_pop(thread, hit->stack.far, 0, POP_DEAD);
		stack_pop_stale(&hit->stack);
		top = frame_top(&hit->stack);
	}
	if (top && top->sp == hit->stack.thread->sp && top->function == hit->site->function) {
		counted = !!(top->flags & FRAME_COUNTS_RETURN);
		frame_pop(&hit->stack, top, hit->stack.thread->now, POP_EXIT);
		thread->ended = hit->stack.thread->sp;
	} else if (!top && !(hit->site->roles & SITE_PART) &&
		   thread->ended != hit->stack.thread->sp) {
		/* Several return probes may stand for one call, where entries were no calls. */
		count_loss(LOSS_EXIT_WITHOUT_ENTRY);
	}
	return counted;
}

/* Whether a conditional jump will be taken: Intel SDM vol. 1, appendix B, by the opcode's low bits.
 */
static __always_inline bool condition_holds(__u64 flags, __u32 condition)
{
	bool carry = flags & 0x1, parity = flags & 0x4, zero = flags & 0x40;
	bool sign = flags & 0x80, overflow = flags & 0x800, holds = false;

	switch (condition >> 1) {
	case 0:
		holds = overflow;
		break;
	case 1:
		holds = carry;
		break;
	case 2:
		holds = zero;
		break;
	case 3:
		holds = carry || zero;
		break;
	case 4:
		holds = sign;
		break;
	case 5:
		holds = parity;
		break;
	case 6:
		holds = sign != overflow;
		break;
	case 7:
		holds = zero || sign != overflow;
		break;
	}
	return condition & 1 ? !holds : holds;
}

/*
 * A frame for a line whose function's entry was not seen. NULL for a silent site of a carrier that
 * is not running: nothing to carry.
 */
static __always_inline struct frame *push_adopted(struct hit *hit, const struct function *function)
{
	bool asked = hit->site->function != NO_FUNCTION;
	struct frame *frame;
	__u32 flags = FRAME_ADOPTED;

	if (!function)
		return NULL;
	frame = stack_slot(&hit->stack);
	if (!frame)
		return NULL;
	if (!draw(hit, function))
		flags |= FRAME_UNTIMED;
	else
		flags |= claim_activations(hit);
	if (asked && !(flags & FRAME_UNTIMED))
		count_loss(LOSS_ADOPTED);
	frame_init(frame, hit, function, flags);
	frame->entered = frame->since = hit->stack.thread->now;
	return frame;
}

/* Whether the line's code runs in that frame. */
static __always_inline bool line_is_in(const struct hit *hit, const struct frame *frame)
{
	return frame->function == hit->site->function &&
	       (frame->function != NO_FUNCTION || frame->host == hit->site->host);
}

/* The frame that a line belongs to; NULL if there is none to be had. */
static __always_inline struct frame *line_frame(struct hit *hit, const struct function *owner)
{
	struct frame *top = frame_top(&hit->stack);

	return top && line_is_in(hit, top) ? top : push_adopted(hit, owner);
}

/*
 * Pops an adopted frame that has ended: unseen, where another function has its stack pointer; a
 * carrier, where its inlined code ends.
 */
static __always_inline void pop_adopted(const struct hit *hit)
{
	const struct frame *top = frame_top(&hit->stack);
	enum pop_reason reason = POP_DEAD;

	if (!top || !(top->flags & FRAME_ADOPTED))
		return;
	if (line_is_in(hit, top)) {
		if (hit->site->function != NO_FUNCTION || hit->site->charge_count)
			return;
		reason = POP_ENDED;
	} else if (top->sp != hit->stack.thread->sp) {
		return;
	}
	stack_pop(hit->stack.thread, hit->stack.far, hit->stack.thread->now, reason);
}

/* Gives 1 if the hit was counted at its site. */
__noinline int play_line(struct thread *thread, const struct site *site, __u32 id)
{
	struct hit found, *hit = &found;
	const struct function *owner;
	struct frame *frame;
	int counted;

	if (!hit_init(hit, thread, site, id))
		return 0;
	owner = function_find(site_owner(site)); /* NULL: a silent site of nobody's */
	if (owner && owner->flags & FUNCTION_LINES_AWAY)
		return 0;
	pop_adopted(hit);
	if (under_untimed(hit))
		return 0;
	frame = line_frame(hit, owner);
	if (frame && frame->flags & FRAME_UNTIMED)
		return 0;
	counted = !(hit->site->roles & SITE_SILENT);
	if (counted)
		count_site_hit(hit->id);
	if (!frame)
		return counted;
	frame_end_stay(frame, hit->stack.thread->now);
	frame->site = hit->id;
	if (owner)
		frame->lines_epoch = owner->lines_epoch;
	frame->flags &= ~FRAME_INLINES;
	if (hit->site->charge_count > 1 ||
	    (hit->site->charge_count && hit->site->charges[0].function != frame->function))
		frame->flags |= FRAME_INLINES;
	return counted;
}

/* A goroutine's stack grows: control will come again, with a larger one. A hit, but no call yet. */
static __always_inline void count_growth(const struct site *site, __u64 sp, __u64 g)
{
	struct thread *thread;
	bool target;

	if (is_ignored(site, site->cost))
		return;
	thread =
	    thread_get((struct task_struct *)bpf_get_current_task_btf(), site, site->cost, &target);
	if (!target)
		return;
	count_class(site->cost);
	if (thread && site->roles & SITE_GO)
		thread = goroutine_get(thread, g, &sp);
	if (!thread)
		return;
	if (site->cost < COST_CLASSES)
		thread->cost += settings.cost_before_ns[site->cost];
	hit_end(thread, site, site->cost);
}

/* Entry, then line, then exit: an exit instruction that is a line is still inside the function. */
static __always_inline int handle_site(struct registers *registers)
{
	__u32 id = bpf_get_attach_cookie(registers);
	const struct site *site = bpf_map_lookup_elem(&sites, &id);
	int outcome = ENTRY_NOT_TIMED, counted;
	struct thread *thread;
	__u16 roles;

	if (!site)
		return ENTRY_NOT_TIMED;
	if (site->roles & SITE_IMAGES) {
		if (is_target(bpf_get_current_pid_tgid() >> 32, site->scope))
			hold_returns();
		return ENTRY_NOT_TIMED;
	}
	if (site->roles & SITE_GROWS &&
	    condition_holds(registers->flags, SITE_CONDITION(site->roles))) {
		count_growth(site, registers->rsp + site->stack_offset, registers->r14);
		return ENTRY_NOT_TIMED;
	}
	thread =
	    hit_begin(id, site, registers->rsp + site->stack_offset, registers->r14, site->cost);
	if (!thread)
		return ENTRY_NOT_TIMED;
	roles = site->roles;
	counted = SITE_COUNTS_ENTRIES(roles);
	if (roles & SITE_ENTRY)
		outcome = play_entry(thread, site, id);
	if (outcome == ENTRY_NOT_TIMED && roles & (SITE_LINE | SITE_EXIT) &&
	    !clock_is_read_first(site, site->cost))
		thread->now = bpf_ktime_get_ns() - thread->cost;
	if (roles & SITE_LINE)
		counted = play_line(thread, site, id);
	if (roles & SITE_EXIT && (!(roles & SITE_CONDITIONAL) ||
				     condition_holds(registers->flags, SITE_CONDITION(roles))))
		play_exit(thread, site, id);
	if (!counted)
		count_class(site->cost);
	hit_end(thread, site, site->cost);
	return outcome;
}

static __always_inline void handle_return(struct registers *registers)
{
	__u32 id = bpf_get_attach_cookie(registers);
	const struct site *site = bpf_map_lookup_elem(&sites, &id);
	struct thread *thread;

	if (!site)
		return;
	/* The return has popped its address. */
	thread = hit_begin(id, site, registers->rsp - 8, 0, COST_RETURN);
	if (!thread)
		return;
	if (!play_exit(thread, site, id))
		count_class(COST_RETURN);
	hit_end(thread, site, COST_RETURN);
}

/* Entries whose end a return probe reports: 1 from the entry half skips the return. */
SEC("kprobe")
int timing_session(struct registers *registers)
{
	STAY_ON_THREAD_STACK();
	if (registers->rip == bpf_get_func_ip(registers))
		return handle_site(registers) == ENTRY_AWAITS_RETURN ? 0 : 1;
	handle_return(registers);
	return 0;
}

/* Every other site, and entries where the kernel has no sessions. */
SEC("kprobe")
int timing_site(struct registers *registers)
{
	STAY_ON_THREAD_STACK();
	handle_site(registers);
	return 0;
}

/* Return probes where the kernel has no sessions. */
SEC("kprobe")
int timing_return(struct registers *registers)
{
	STAY_ON_THREAD_STACK();
	handle_return(registers);
	return 0;
}

/* A target's new process is a target before its first instruction. */
SEC("tp_btf/sched_process_fork")
int follow_fork(__u64 *context)
{
	struct task_struct *parent = (struct task_struct *)context[0];
	struct task_struct *child = (struct task_struct *)context[1];
	__u32 from = parent->tgid, to = child->tgid, followed;
	const __u32 *scopes;

	if (from == to) {
		thread_spread(parent, child);
		return 0;
	}
	scopes = bpf_map_lookup_elem(&targets, &from);
	followed = scopes ? *scopes & settings.follow_forks : 0;
	if (followed && bpf_map_update_elem(&targets, &to, &followed, BPF_ANY))
		count_loss(LOSS_TARGETS);
	process_begin(parent, child, followed);
	return 0;
}

/* Another program in a target brings other images. */
SEC("raw_tp/sched_process_exec")
int follow_exec(void *context)
{
	__u32 process = bpf_get_current_pid_tgid() >> 32;

	if (settings.all_processes || bpf_map_lookup_elem(&targets, &process))
		hold_returns();
	return 0;
}

/* A thread that ends inside measured calls ends them: they ran until now. */
static __always_inline void thread_end_frames(struct thread *thread, struct task_struct *task)
{
	const struct pt_regs *registers = (const struct pt_regs *)bpf_task_pt_regs(task);
	struct stack stack = {.thread = thread};
	bool stale = thread->epoch != epoch_now(task);

	if (thread->depth >= FRAMES_NEAR)
		stack.far = far_find(thread);
	stack_pop_below(&stack, stale ? ~0ull : registers->sp, 0, POP_DEAD);
	stack_pop_below(&stack, ~0ull, bpf_ktime_get_ns() - thread->cost, POP_ENDED);
}

/* lprof may see other process ids than the kernel's first namespace. */
static __always_inline bool is_owner(void)
{
	struct bpf_pidns_info found = {};

	return settings.owner &&
	       !bpf_get_ns_current_pid_tgid(
		   settings.owner_device, settings.owner_namespace, &found, sizeof(found)) &&
	       found.tgid == settings.owner;
}

SEC("raw_tp/sched_process_exit")
int follow_exit(void *context)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	__u32 process = bpf_get_current_pid_tgid() >> 32, far = thread ? thread->far : 0;

	if (thread && settings.gate && !thread->goroutine)
		thread_end_frames(thread, task);
	if (far)
		bpf_map_delete_elem(&far_frames, &far);
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	/* lprof was killed: with no more returns awaited, closing its links waits for none. */
	if (is_owner())
		settings.gate = 0;
	bpf_map_delete_elem(&targets, &process);
	return 0;
}

#include "off_cpu.bpf.h"
