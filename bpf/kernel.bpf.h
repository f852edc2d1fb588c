/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few kernel types that the programs read, relocated to the running kernel by CO-RE. */
#ifndef LPROF_BPF_KERNEL_H
#define LPROF_BPF_KERNEL_H

#include <linux/types.h>

struct task_struct {
	int pid;
	int tgid;
	struct signal_struct *signal;
	__u64 self_exec_id; /* how often the task has executed another program */
} __attribute__((preserve_access_index));

typedef struct {
	int counter;
} lprof_atomic;

struct signal_struct {
	lprof_atomic live; /* threads that have not ended */
} __attribute__((preserve_access_index));

/* The user's registers as other programs find them. */
struct pt_regs {
	unsigned long sp;
} __attribute__((preserve_access_index));

/* The user's registers as a uprobe program sees them: struct pt_regs of
 * arch/x86/include/asm/ptrace.h. */
struct registers {
	__u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	__u64 orig_rax, rip, cs, flags, rsp, ss;
};

#endif
