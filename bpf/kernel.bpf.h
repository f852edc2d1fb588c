/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few kernel types that the programs read, relocated to the running kernel by CO-RE. */
#ifndef LPROF_BPF_KERNEL_H
#define LPROF_BPF_KERNEL_H

#include <linux/types.h>
#include <stdbool.h>

struct task_struct {
	int pid;
	int tgid;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct uprobe_task *utask;
	__u64 self_exec_id; /* how often the task has executed another program */
} __attribute__((preserve_access_index));

typedef struct {
	int counter;
} lprof_atomic;

struct signal_struct {
	lprof_atomic live; /* threads that have not ended */
} __attribute__((preserve_access_index));

/* A page that uprobes map into the process: code to step through, and the return trampoline. */
struct xol_area {
	unsigned long vaddr;
} __attribute__((preserve_access_index));

struct uprobes_state {
	struct xol_area *xol_area;
} __attribute__((preserve_access_index));

struct mm_struct {
	unsigned long exec_vm; /* pages of code that are mapped */
	struct uprobes_state uprobes_state;
} __attribute__((preserve_access_index));

/* A return that a return probe waits for. */
struct return_instance {
	unsigned long stack; /* where the return address stood */
	unsigned long orig_ret_vaddr;
	bool chained; /* to that of another probe on the same call */
	struct return_instance *next;
} __attribute__((preserve_access_index));

struct uprobe_task {
	struct return_instance *return_instances; /* innermost first */
} __attribute__((preserve_access_index));

/* A timer, and the perf event of a clock, which has one. */
struct timerqueue_node {
	__s64 expires;
} __attribute__((preserve_access_index));

struct hrtimer {
	struct timerqueue_node node;
} __attribute__((preserve_access_index));

struct hw_perf_event {
	struct hrtimer hrtimer;
} __attribute__((preserve_access_index));

struct perf_event {
	struct hw_perf_event hw;
} __attribute__((preserve_access_index));

/* What a program on perf events is really given: see convert_ctx_access of such programs. */
struct bpf_perf_event_data_kern {
	void *regs;
	void *data;
	struct perf_event *event;
} __attribute__((preserve_access_index));

/* The user's registers as other programs find them. */
struct pt_regs {
	unsigned long sp, ip, bp;
	unsigned long orig_ax; /* number of the system call; negative: none */
} __attribute__((preserve_access_index));

/* The user's registers as a uprobe program sees them: struct pt_regs of
 * arch/x86/include/asm/ptrace.h. */
struct registers {
	__u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	__u64 orig_rax, rip, cs, flags, rsp, ss;
};

/*
 * To stand first in every program on uprobes that has 64 bytes of stack or more. From Linux 6.13
 * the kernel would give it a stack of the CPU's, which is meant for programs that never meet
 * themselves there (a76ab5731e32, "bpf: Find eligible subprogs for private stack support"). On
 * uprobes they do: the thread is preempted in the middle, the next one hits, and both write the
 * same variables. Where the kernel preempts (Debian's from 7.0) that ends in an Oops [M: 7.3,
 * threads on 2 CPUs]. Programs with a tail call keep the thread's own stack. This one is never
 * reached: the verifier finds that out after it has taken note of it, and removes it.
 */
#ifdef __bpf__
#define STAY_ON_THREAD_STACK()                            \
	__asm__ volatile("r0 = 0\n\t"                     \
			 "if r0 == 0 goto +1\n\t"         \
			 "call 12 /* bpf_tail_call */" :: \
			     : "r0", "r1", "r2", "r3", "r4", "r5", "memory")
#else /* the tests' */
#define STAY_ON_THREAD_STACK() ((void)0)
#endif

#endif
