// SPDX-License-Identifier: GPL-2.0-or-later
// The programs on uprobes: what an entry, an exit and a line do to their thread's stack of frames.
//
// A hit reads its site (attach cookie = site id), drops dead frames, and then plays the site's
// roles. The clock is read first at lines and exits and last at entries, so that as little of the
// handler as possible lies inside the time being measured; the rest is calibrated and subtracted
// (wire.h).
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "frames.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define SAMPLE_ALL (1ull << 32) /* threshold of rate 1.0 */

/* One hit on its way through the roles. */
struct hit {
	struct stack stack;
	struct task_struct *task;
	const struct site *site;
	__u64 clock; /* when the program began */
	__u64 sp;
	__u32 id;
};

static __always_inline bool is_target(__u32 process)
{
	return settings.all_processes || bpf_map_lookup_elem(&targets, &process);
}

/* The thread's storage; NULL if it is no target, or without memory. */
static __always_inline struct thread *thread_get(struct task_struct *task, bool *ret_target)
{
	struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	struct shard_counters *counters;

	*ret_target = true;
	if (thread)
		return thread;
	if (!is_target(bpf_get_current_pid_tgid() >> 32)) {
		counters = shard_counters_now();
		if (counters)
			count(&counters->bystander_hits, 1);
		*ret_target = false;
		return NULL;
	}
	thread = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!thread)
		count_loss(LOSS_NO_STORAGE);
	return thread;
}

/* What a hit without a frame stack still owes the accounts. */
static __always_inline void count_without_storage(const struct hit *hit)
{
	struct function_counters *counters;

	if (hit->site->roles & SITE_ENTRY && !(hit->site->roles & SITE_PART)) {
		counters = function_counters_now(hit->site->function);
		if (counters) {
			count(&counters->entries, 1);
			count(&counters->lost, 1);
		}
	}
	if (hit->site->roles & SITE_LINE && !(hit->site->roles & SITE_SILENT))
		count_site_hit(hit->id);
}

/*
 * Finds site and stack, adds what came before the clock reading to the thread's cost, and drops
 * dead frames. False: nothing more to do.
 */
static __always_inline bool hit_begin(
    struct hit *hit, struct registers *registers, __u32 cost_class)
{
	struct shard_counters *counters;
	bool target;

	hit->clock = bpf_ktime_get_ns();
	if (!settings.gate)
		return false;
	hit->task = (struct task_struct *)bpf_get_current_task_btf();
	hit->stack.thread = thread_get(hit->task, &target);
	if (!target)
		return false;
	counters = shard_counters_now();
	if (counters && cost_class < COST_CLASSES)
		count(&counters->hits[cost_class], 1);
	if (!hit->stack.thread) {
		count_without_storage(hit);
		return false;
	}
	hit->stack.far = NULL;
	if (hit->stack.thread->depth >= FRAMES_NEAR)
		hit->stack.far = bpf_task_storage_get(&far_frames, hit->task, NULL, 0);
	if (cost_class < COST_CLASSES)
		hit->stack.thread->cost += settings.cost_before_ns[cost_class];
	hit->stack.sp = hit->sp;
	hit->stack.now = hit->clock - hit->stack.thread->cost;
	stack_pop_dead(&hit->stack);
	return true;
}

static __always_inline void hit_end(const struct hit *hit, __u32 cost_class)
{
	if (cost_class < COST_CLASSES)
		hit->stack.thread->cost += settings.cost_after_ns[cost_class];
}

static __always_inline __u64 read_user_word(__u64 address)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)address);
	return word;
}

/* Whether the call tree that the rate left out still runs; pops its root if not. */
static __always_inline bool under_untimed(const struct hit *hit)
{
	const struct frame *top = frame_top(&hit->stack);

	if (!top || !(top->flags & FRAME_UNTIMED))
		return false;
	if (!(top->flags & FRAME_RETURNS) || top->sp == hit->sp ||
	    read_user_word(top->sp) == top->return_address)
		return true;
	stack_pop(&hit->stack, POP_DEAD, 0);
	return false;
}

/*
 * At a function's entry, whether the top frame with the same stack pointer has ended unseen. It
 * runs on if it jumped here and awaits its return probe: then the kernel's trampoline, which is the
 * start of a page, stands as the return address. Exit sites see such a jump themselves.
 */
static __always_inline bool equal_frame_is_dead(const struct hit *hit, const struct frame *top)
{
	if (!(top->flags & FRAME_RETURNS) || top->flags & FRAME_UNTIMED)
		return true;
	return read_user_word(hit->sp) & 0xfff;
}

/* Whether an entry site was reached without a call: by a loop, or from the part's own function. */
static __always_inline bool entry_is_no_call(const struct hit *hit, const struct frame *top)
{
	if (top->function != hit->site->function || top->flags & FRAME_UNTIMED)
		return false;
	return hit->site->roles & SITE_PART || (hit->site->roles & SITE_LOOP && top->sp == hit->sp);
}

enum entry_outcome { ENTRY_NOT_TIMED, ENTRY_TIMED, ENTRY_AWAITS_RETURN };

static __always_inline bool draw(const struct hit *hit, const struct function *function)
{
	if (hit->stack.thread->depth || function->threshold >= SAMPLE_ALL)
		return true;
	return bpf_get_prandom_u32() < function->threshold;
}

/* Makes the free slot the top frame; its times are the caller's to set. */
static __always_inline void frame_init(struct frame *frame, struct hit *hit, __u32 flags)
{
	hit->stack.thread->depth++;
	frame->sp = hit->sp;
	frame->function = hit->site->function;
	frame->host = hit->site->host;
	frame->site = NO_SITE;
	frame->flags = flags;
	frame->children = 0;
	frame->children_since = 0;
	frame->cost_entered = hit->stack.thread->cost;
}

static __always_inline void push_untimed(struct hit *hit, const struct function *function)
{
	struct frame *frame = stack_slot(&hit->stack, hit->task);

	if (!frame)
		return;
	frame_init(frame, hit, FRAME_UNTIMED);
	if (function->flags & FUNCTION_RETURNS) {
		frame->flags |= FRAME_RETURNS;
		frame->return_address = read_user_word(hit->sp);
	}
}

static __always_inline enum entry_outcome push_timed(
    struct hit *hit, const struct function *function, struct function_counters *counters)
{
	struct frame *frame = stack_slot(&hit->stack, hit->task);
	bool returns = function->flags & FUNCTION_RETURNS;
	__u32 flags = 0;

	if (!frame) {
		count(&counters->lost, 1);
		count_loss(LOSS_DEPTH);
		return ENTRY_NOT_TIMED;
	}
	if (returns && hit->stack.thread->returns >= RETURNS_MAX) {
		returns = false;
		count_loss(LOSS_RETURNS);
	}
	if (returns) {
		flags = FRAME_RETURNS;
		hit->stack.thread->returns++;
	}
	flags |= activation_claim(&hit->stack, hit->site->function);
	frame_init(frame, hit, flags);
	count(&counters->opened, 1);
	if (flags & FRAME_OUTERMOST)
		count(&counters->primitive, 1);
	hit->stack.now = bpf_ktime_get_ns() - hit->stack.thread->cost;
	frame->entered = frame->since = hit->stack.now;
	return returns ? ENTRY_AWAITS_RETURN : ENTRY_TIMED;
}

static __always_inline enum entry_outcome play_entry(struct hit *hit)
{
	const struct function *function = function_find(hit->site->function);
	struct function_counters *counters = function_counters_now(hit->site->function);
	const struct frame *top = frame_top(&hit->stack);

	if (!function || !counters) {
		count_loss(LOSS_BAD_SITE);
		return ENTRY_NOT_TIMED;
	}
	if (top && entry_is_no_call(hit, top))
		return ENTRY_NOT_TIMED;
	count(&counters->entries, 1);
	if (top && top->sp == hit->sp && equal_frame_is_dead(hit, top))
		stack_pop(&hit->stack, POP_DEAD, 0);
	if (under_untimed(hit)) {
		count(&counters->untimed, 1);
		return ENTRY_NOT_TIMED;
	}
	if (!draw(hit, function)) {
		count(&counters->untimed, 1);
		push_untimed(hit, function);
		return ENTRY_NOT_TIMED;
	}
	return push_timed(hit, function, counters);
}

static __always_inline void play_exit(struct hit *hit)
{
	const struct frame *top = frame_top(&hit->stack);

	if (top && top->sp == hit->sp && top->function != hit->site->function &&
	    !(top->flags & FRAME_RETURNS)) {
		stack_pop(&hit->stack, POP_DEAD, 0);
		top = frame_top(&hit->stack);
	}
	if (top && top->sp == hit->sp && top->function == hit->site->function)
		stack_pop(&hit->stack, POP_EXIT, hit->stack.now);
	else if (!top && !(hit->site->roles & SITE_PART))
		count_loss(LOSS_EXIT_WITHOUT_ENTRY);
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

/* A frame for a line whose function's entry was not seen. */
static __always_inline struct frame *push_adopted(struct hit *hit)
{
	bool asked = hit->site->function != NO_FUNCTION;
	const struct function *function = NULL;
	struct frame *frame;
	__u32 flags = FRAME_ADOPTED, sampled = hit->site->function;

	if (!asked && hit->site->charge_count)
		sampled = hit->site->charges[0].function;
	if (sampled == NO_FUNCTION)
		return NULL; /* a silent site of a carrier that is not running: nothing to carry */
	function = function_find(sampled);
	if (!function)
		return NULL;
	frame = stack_slot(&hit->stack, hit->task);
	if (!frame)
		return NULL;
	if (!draw(hit, function))
		flags = FRAME_UNTIMED;
	else if (asked)
		flags |= activation_claim(&hit->stack, hit->site->function);
	if (asked && flags & FRAME_ADOPTED)
		count_loss(LOSS_ADOPTED);
	frame_init(frame, hit, flags);
	frame->entered = frame->since = hit->stack.now;
	return frame;
}

/* The frame that a line belongs to; NULL if there is none to be had. */
static __always_inline struct frame *line_frame(struct hit *hit)
{
	struct frame *top = frame_top(&hit->stack);

	if (top && top->function == hit->site->function &&
	    (top->function != NO_FUNCTION || top->host == hit->site->host))
		return top;
	return push_adopted(hit);
}

static __always_inline void play_line(struct hit *hit)
{
	struct frame *frame;

	if (under_untimed(hit))
		return;
	frame = line_frame(hit);
	if (frame && frame->flags & FRAME_UNTIMED)
		return;
	if (!(hit->site->roles & SITE_SILENT))
		count_site_hit(hit->id);
	if (!frame)
		return;
	if (hit->stack.now != frame->since)
		frame_end_stay(frame, hit->stack.now);
	frame->site = hit->id;
}

/* Entry, then line, then exit: an exit instruction that is a line is still inside the function. */
static __always_inline enum entry_outcome play_roles(struct hit *hit, __u64 flags)
{
	enum entry_outcome outcome = ENTRY_NOT_TIMED;
	__u16 roles = hit->site->roles;

	if (roles & SITE_ENTRY)
		outcome = play_entry(hit);
	if (roles & SITE_LINE)
		play_line(hit);
	if (roles & SITE_EXIT &&
	    (!(roles & SITE_CONDITIONAL) || condition_holds(flags, SITE_CONDITION(roles))))
		play_exit(hit);
	return outcome;
}

static __always_inline bool hit_find_site(struct hit *hit, void *context)
{
	hit->id = bpf_get_attach_cookie(context);
	hit->site = bpf_map_lookup_elem(&sites, &hit->id);
	return hit->site;
}

static __always_inline enum entry_outcome handle_site(struct registers *registers)
{
	struct hit hit = {};
	enum entry_outcome outcome;
	__u32 cost;

	if (!hit_find_site(&hit, registers))
		return ENTRY_NOT_TIMED;
	cost = hit.site->cost;
	hit.sp = registers->rsp + hit.site->stack_offset;
	if (!hit_begin(&hit, registers, cost))
		return ENTRY_NOT_TIMED;
	outcome = play_roles(&hit, registers->flags);
	hit_end(&hit, cost);
	return outcome;
}

static __always_inline void handle_return(struct registers *registers)
{
	struct hit hit = {};

	if (!hit_find_site(&hit, registers))
		return;
	hit.sp = registers->rsp - 8; /* the return has popped its address */
	if (!hit_begin(&hit, registers, COST_RETURN))
		return;
	play_exit(&hit);
	hit_end(&hit, COST_RETURN);
}

/* Entries whose end a return probe reports: 1 from the entry half skips the return. */
SEC("kprobe")
int timing_session(struct registers *registers)
{
	if (registers->rip == bpf_get_func_ip(registers))
		return handle_site(registers) == ENTRY_AWAITS_RETURN ? 0 : 1;
	handle_return(registers);
	return 0;
}

/* Every other site, and entries where the kernel has no sessions. */
SEC("kprobe")
int timing_site(struct registers *registers)
{
	handle_site(registers);
	return 0;
}

/* Return probes where the kernel has no sessions. */
SEC("kprobe")
int timing_return(struct registers *registers)
{
	handle_return(registers);
	return 0;
}

/* A target's new process is a target before its first instruction. */
SEC("raw_tp/sched_process_fork")
int follow_fork(struct bpf_raw_tracepoint_args *context)
{
	const struct task_struct *parent = (const void *)context->args[0];
	const struct task_struct *child = (const void *)context->args[1];
	__u32 from = BPF_CORE_READ(parent, tgid), to = BPF_CORE_READ(child, tgid), one = 1;

	if (!settings.follow_forks || from == to || !bpf_map_lookup_elem(&targets, &from))
		return 0;
	if (bpf_map_update_elem(&targets, &to, &one, BPF_ANY))
		count_loss(LOSS_TARGETS);
	return 0;
}

static long end_frame(__u32 at, struct stack *stack)
{
	if (!stack->thread->depth)
		return 1;
	stack_pop(stack, POP_ENDED, stack->now);
	return 0;
}

/* A thread that ends inside measured calls ends them: they ran until now. */
SEC("raw_tp/sched_process_exit")
int follow_exit(void *context)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct stack stack = {.thread = bpf_task_storage_get(&threads, task, NULL, 0)};
	__u32 process = bpf_get_current_pid_tgid() >> 32;

	if (stack.thread && settings.gate) {
		stack.now = bpf_ktime_get_ns() - stack.thread->cost;
		if (stack.thread->depth >= FRAMES_NEAR)
			stack.far = bpf_task_storage_get(&far_frames, task, NULL, 0);
		if (kernel_has_loop()) {
			bpf_loop(FRAMES_MAX, end_frame, &stack, 0);
		} else {
			for (__u32 at = 0; at < 128; at++)
				if (end_frame(at, &stack))
					break;
		}
	}
	if (!BPF_CORE_READ(task, signal, live.counter))
		bpf_map_delete_elem(&targets, &process);
	return 0;
}
