/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a forked child begins with.
 *
 * A child that is forked inside measured calls goes on in them, on a copy of its parent's stack. So
 * it gets copies of the frames: its lines count, its calls have the callers that they have,
 * recursion is seen, and the rate's decision about the call tree holds. Its time in those calls,
 * from the fork on, is added to theirs; the calls themselves are counted once, by the parent. That
 * is sound only for who stands where the parent stood: clone() with another stack begins anew.
 *
 * Nobody sees what a child loads until user space watches it. Until then, a child that has other
 * code mapped than at the fork gets no return probes where a new image could unwind.
 */
#ifndef LPROF_BPF_FORKS_H
#define LPROF_BPF_FORKS_H

#include "frames.bpf.h"

/* Pages of code that a task's process maps, without those that uprobes add. */
static __always_inline __u64 code_pages(const struct task_struct *task)
{
	const struct mm_struct *mm = BPF_CORE_READ(task, mm);
	__u64 pages = BPF_CORE_READ(mm, exec_vm);

	return BPF_CORE_READ(mm, uprobes_state.xol_area) ? pages - 1 : pages;
}

/* Whether the thread's process has other images than at its fork, and nobody has looked at them. */
static __always_inline bool has_unwatched_images(const struct thread *thread)
{
	return thread->fork > settings.forks_watched &&
	       code_pages((const struct task_struct *)bpf_get_current_task_btf()) != thread->images;
}

/*
 * Images of a target came or went. One of them may throw through frames to come, which a return
 * probe would turn into the target's end; frames that stand already were there before whatever
 * could catch.
 */
static __always_inline void hold_returns(void)
{
	settings.hold_returns = 1;
	__sync_fetch_and_add((__u32 *)&settings.image_changes, 1);
}

static __always_inline void frame_inherit(const struct thread *thread, struct frame *frame)
{
	if (frame->flags & FRAME_UNTIMED)
		return;
	frame->flags = (frame->flags | FRAME_INHERITED) & ~FRAME_COUNTS_RETURN;
	frame->entered = frame->since = thread->now;
	frame->children = frame->children_since = 0;
	frame->cost_entered = thread->cost;
}

/* Makes a run of frames from `from` on the child's own; gives 1 if that was not all. */
__noinline int inherit_run(struct thread *thread, struct far_frames *far, __u32 from)
{
	const struct stack stack = {.thread = thread, .far = far};

	for (__u32 turn = 0; turn < FRAMES_RUN; turn++) {
		struct frame *frame;

		if (!thread || from + turn >= thread->depth)
			return 0;
		frame = frame_at(&stack, from + turn);
		if (!frame)
			return 0;
		frame_inherit(thread, frame);
	}
	return 1;
}

/* Whether the child goes on where its parent stands. */
static __always_inline bool shares_place(struct task_struct *parent, struct task_struct *child)
{
	const struct pt_regs *before = (const struct pt_regs *)bpf_task_pt_regs(parent);
	const struct pt_regs *after = (const struct pt_regs *)bpf_task_pt_regs(child);

	return before->sp == after->sp;
}

/* Gives a child's first thread, which is new, the frames of the thread that forked it; false: there
 * is no room for the far ones. */
static __always_inline bool inherit_frames(
    const struct thread *from, struct thread *thread, __u32 child)
{
	struct far_frames *far = from->depth > FRAMES_NEAR ? far_find(from) : NULL;

	if (from->depth > FRAMES_NEAR &&
	    (!far || bpf_map_update_elem(&far_frames, &child, far, BPF_NOEXIST)))
		return false;
	bpf_probe_read_kernel(thread, sizeof(*thread), from);
	thread->far = far ? child : 0;
	thread->goroutine = 0;
	thread->off.since = 0;
	thread->now = bpf_ktime_get_ns() - thread->cost;
	far = far_find(thread);
	for (__u32 at = 0; at < FRAMES_MAX; at += FRAMES_RUN)
		if (!inherit_run(thread, far, at))
			break;
	return true;
}

/* Begins a thread that nothing has hit yet; NULL: nobody knows what its process loads. */
static __always_inline struct thread *thread_begin(struct task_struct *task)
{
	struct thread *thread =
	    bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (thread) {
		thread->scope = SCOPE_NONE;
		return thread;
	}
	count_loss(LOSS_NO_STORAGE);
	hold_returns();
	return NULL;
}

static __always_inline bool is_in_scopes(__u32 scope, __u32 scopes)
{
	return settings.all_processes || scope == SCOPE_ALL ||
	       (scope < SCOPE_NONE && scopes >> scope % SCOPES_MAX & 1);
}

/* A new process, which is a target in the scopes of that set. */
static __always_inline void process_begin(
    struct task_struct *parent, struct task_struct *child, __u32 scopes)
{
	const struct thread *from = bpf_task_storage_get(&threads, parent, NULL, 0);
	bool inherits = from && from->depth && settings.gate && from->epoch == epoch_now(parent) &&
			is_in_scopes(from->scope, scopes) && shares_place(parent, child);
	bool watched = !scopes || settings.forks_watched == NEVER_WATCHED;
	struct thread *thread;

	if (!inherits && watched)
		return;
	thread = thread_begin(child);
	if (!thread)
		return;
	if (inherits)
		inherit_frames(from, thread, (__u32)child->pid);
	/* what came unwatched to the parent is new in the child, too */
	thread->images =
	    from && from->fork > settings.forks_watched ? from->images : code_pages(child);
	thread->fork = __sync_fetch_and_add(&settings.forks, 1) + 1;
}

/* A new thread of a process that nobody watches yet. */
static __always_inline void thread_spread(struct task_struct *parent, struct task_struct *child)
{
	const struct thread *from = bpf_task_storage_get(&threads, parent, NULL, 0);
	struct thread *thread;

	if (!from || from->fork <= settings.forks_watched)
		return;
	thread = thread_begin(child);
	if (!thread)
		return;
	thread->images = from->images;
	thread->fork = from->fork;
}

#endif
