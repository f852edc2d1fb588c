// SPDX-License-Identifier: GPL-2.0-or-later
// void fiber_switch(void **save, void *load): saves the stack pointer, goes on with another stack,
// in the way that SWITCH says.
	.text
	.globl	fiber_switch
	.type	fiber_switch, @function
fiber_switch:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
#if SWITCH == 1
	movq	%rsi, %rsp
#elif SWITCH == 2
	pushq	%rsi
	popq	%rsp
#else
	movq	%rsi, %rax
	xchgq	%rax, %rsp
#endif
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	fiber_switch, .-fiber_switch
	.section .note.GNU-stack, "", @progbits
