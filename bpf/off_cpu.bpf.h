/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs that tell how long measured calls were off the CPU: loaded only where that is asked
 * for, and no work for the programs on uprobes.
 *
 * A thread that leaves the CPU inside measured calls makes no hit until it is back: all that time
 * belongs to the present stay of each of its frames. So it is charged when the thread comes back,
 * to the lines where its frames stand, as total time is: to outermost activations, and to all
 * charges of a site. It was *blocked* until somebody woke it, and *waiting* for a CPU from then on,
 * or from the start if it was preempted.
 *
 * What this costs is paid as hits are (account.bpf.h). Most switches are of threads that nobody
 * measures, and reading the clock twice would cost as much as they do: so one run in 64 is timed,
 * drawn at random, and stands for 64. All of a run counts but the kernel's way into it. Who has the
 * scheduler followed pays for runs that met no measured thread: they end with its probes.
 *
 * Goroutines are left out: the thread's time off the CPU is not that of what it runs next.
 */
#ifndef LPROF_BPF_OFF_CPU_H
#define LPROF_BPF_OFF_CPU_H

#include "account.bpf.h"
#include "frames.bpf.h"

#define RUNS_A_TIMED_ONE 64

ARRAY_MAP(off_cpu_lines, struct off_cpu_counters);
ARRAY_MAP(off_cpu_functions, struct off_cpu_counters);

static __always_inline void off_cpu_add(
    struct off_cpu_counters *counters, const struct thread *thread)
{
	if (!counters)
		return;
	if (thread->off.blocked)
		count(&counters->blocked_ns, thread->off.blocked);
	if (thread->off.waiting)
		count(&counters->waiting_ns, thread->off.waiting);
}

/* When a run began that is timed; 0: it is not. */
static __always_inline __u64 off_cpu_draw(void)
{
	return bpf_get_prandom_u32() < (1ull << 32) / RUNS_A_TIMED_ONE ? bpf_ktime_get_ns() : 0;
}

/* Charges a run that was timed to whom it was for; NULL: to no measured thread. */
static __always_inline void off_cpu_pay(__u64 begun, const struct thread *thread)
{
	struct shard_counters *counters;
	__u64 spent;

	if (!begun)
		return;
	spent = (bpf_ktime_get_ns() - begun) * RUNS_A_TIMED_ONE;
	counters = shard_counters_now();
	if (counters)
		count(&counters->off_cpu_ns, spent);
	account_charge(thread ? thread->account : (__u32)settings.off_cpu_payer, spent);
}

/* Others' times are whole: a function that was followed for part of its time would look busy. */
static __always_inline bool off_cpu_is_wanted(__u32 id)
{
	const struct function *function = function_find(id);

	return function && function->flags & FUNCTION_OFF_CPU;
}

static __always_inline void off_cpu_add_line(const struct thread *thread, __u32 line)
{
	__u32 at = shard_now() * settings.lines + line;

	off_cpu_add(bpf_map_lookup_elem(&off_cpu_lines, &at), thread);
}

static __always_inline void off_cpu_add_function(const struct thread *thread, __u32 function)
{
	__u32 at = shard_now() * settings.functions + function;

	if (function < settings.functions)
		off_cpu_add(bpf_map_lookup_elem(&off_cpu_functions, &at), thread);
}

/* The lines at a frame's site: those of inlined functions if they are not active further out. */
__noinline int off_cpu_charge_site(struct thread *thread, __u32 id, __u32 host, __u32 outermost)
{
	const struct site *site = bpf_map_lookup_elem(&sites, &id);

	if (!thread || !site)
		return 0;
	for (__u32 at = 0; at < CHARGES_MAX && at < site->charge_count; at++) {
		const struct charge *charge = &site->charges[at];
		bool counts = outermost;

		if (charge->function != host) {
			const struct activation *slot =
			    &thread->active[charge->function & (ACTIVE_SLOTS - 1)];

			counts = !slot->count || slot->function != charge->function;
		}
		if (counts && off_cpu_is_wanted(charge->function))
			off_cpu_add_line(thread, charge->line);
	}
	return 0;
}

__noinline int off_cpu_charge_frame(struct thread *thread, struct far_frames *far, __u32 at)
{
	const struct stack stack = {.thread = thread, .far = far};
	const struct frame *frame = thread ? frame_at(&stack, at) : NULL;
	const struct function *function;
	__u32 outermost;

	if (!frame || frame->flags & FRAME_UNTIMED || frame->sp < thread->off.sp)
		return 0;
	outermost = frame->flags & FRAME_OUTERMOST;
	function = function_find(frame->function);
	/* One of a probe before may be left: the thread left the CPU then, and is not back since.
	 */
	if (function && function->epoch != frame->epoch)
		return 0;
	thread->off.live = 1;
	if (outermost && !(frame->flags & FRAME_ADOPTED) && function &&
	    function->flags & FUNCTION_OFF_CPU)
		off_cpu_add_function(thread, frame->function);
	if (frame->site != NO_SITE)
		return off_cpu_charge_site(thread, frame->site, frame->function, outermost);
	if (outermost && function && function->flags & FUNCTION_OFF_CPU &&
	    function->flags & FUNCTION_LINES)
		off_cpu_add_line(thread, function->entry_line);
	return 0;
}

/* Charges a run of frames from `from` on; gives 1 if that was not all. */
__noinline int off_cpu_charge_run(struct thread *thread, struct far_frames *far, __u32 from)
{
	for (__u32 turn = 0; turn < FRAMES_RUN; turn++) {
		if (!thread || from + turn >= thread->depth)
			return 0;
		off_cpu_charge_frame(thread, far, from + turn);
	}
	return 1;
}

/* Whether the last look found all frames to be of probes before: they come to life no more. */
static __always_inline bool off_cpu_is_gone(struct thread *thread)
{
	const struct stack stack = {.thread = thread};
	const struct frame *top = frame_top(&stack);

	return thread->off.gone && top && top->entered == thread->off.gone;
}

/* What an overdrawn account paid for is ended by user space: none of it is gone on with. */
static __always_inline bool off_cpu_leave(struct thread *thread, bool blocks)
{
	if (!settings.gate || !thread->depth || thread->goroutine ||
	    account_is_shut(thread->account) || off_cpu_is_gone(thread))
		return false;
	thread->off.blocked = thread->off.waiting = 0;
	thread->off.blocks = blocks;
	thread->off.since = bpf_ktime_get_ns();
	return true;
}

static __always_inline void off_cpu_account(struct thread *thread, __u64 now)
{
	__u64 past = now - thread->off.since;

	if (thread->off.blocks)
		thread->off.blocked += past;
	else
		thread->off.waiting += past;
	thread->off.since = now;
	thread->off.blocks = 0;
}

static __always_inline void off_cpu_return(struct thread *thread, struct task_struct *task)
{
	const struct pt_regs *registers = (const struct pt_regs *)bpf_task_pt_regs(task);
	struct far_frames *far = far_find(thread);
	struct stack stack = {.thread = thread};
	const struct frame *top;

	off_cpu_account(thread, bpf_ktime_get_ns());
	thread->off.since = 0;
	if (!settings.gate || thread->epoch != epoch_now(task))
		return;
	thread->off.sp = registers->sp;
	thread->off.live = 0;
	for (__u32 from = 0; from < FRAMES_MAX; from += FRAMES_RUN)
		if (!off_cpu_charge_run(thread, far, from))
			break;
	stack.far = far;
	top = frame_top(&stack);
	thread->off.gone = top && !thread->off.live ? top->entered : 0;
}

/* Who wakes a task that is not off the CPU wakes nobody. */
SEC("tp_btf/sched_wakeup")
int off_cpu_wakeup(__u64 *context)
{
	struct task_struct *task = (struct task_struct *)context[0];
	__u64 begun = off_cpu_draw();
	struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0), *payer = NULL;

	if (thread && thread->off.since && thread->off.blocks) {
		off_cpu_account(thread, bpf_ktime_get_ns());
		payer = thread;
	}
	off_cpu_pay(begun, payer);
	return 0;
}

SEC("tp_btf/sched_switch")
int off_cpu_switch(__u64 *context)
{
	bool preempted = context[0];
	struct task_struct *previous = (struct task_struct *)context[1];
	struct task_struct *next = (struct task_struct *)context[2];
	__u64 begun = off_cpu_draw();
	struct thread *thread = bpf_task_storage_get(&threads, previous, NULL, 0), *payer = NULL;

	if (thread && off_cpu_leave(thread, !preempted && (__u32)context[3]))
		payer = thread;
	thread = bpf_task_storage_get(&threads, next, NULL, 0);
	if (thread && thread->off.since) {
		off_cpu_return(thread, next);
		payer = thread;
	}
	off_cpu_pay(begun, payer);
	return 0;
}

#endif
