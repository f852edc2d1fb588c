// SPDX-License-Identifier: GPL-2.0-or-later
// Functions without line rows that begin, loop and end in unusual ways; odd_code.c calls them.

	.macro	function name
	.p2align 4
	.globl	\name
	.type	\name, @function
\name:
	.endm
	.macro	end name
	.size	\name, .-\name
	.endm

	.text
// Adds 1 to *rdi, returns the old value.
	function odd_lock
	lock xaddq %rsi, (%rdi)
	movq	%rsi, %rax
	ret
	end odd_lock

// memset(rdi, sil, rdx), then memcpy-like sums in rax.
	function odd_repeat
	rep stosb
	movq	%rdi, %rax
	ret
	end odd_repeat

// rcx = 0: 1, else 2.
	function odd_jrcxz
	jrcxz	1f
	movl	$2, %eax
	ret
1:	movl	$1, %eax
	ret
	end odd_jrcxz

// The first instruction is the loop's target: sums rdi + (rdi - 1) + ... into rax, which begins as
// rsi by way of odd_loop_from.
	function odd_loop_from
	movq	%rsi, %rax
	jmp	odd_loop
	end odd_loop_from

	function odd_loop
	addq	%rdi, %rax
	decq	%rdi
	jnz	odd_loop
	ret
	end odd_loop

// Loops on itself by `loop`.
	function odd_loop_rcx
	addq	$3, %rsi
	loop	odd_loop_rcx
	movq	%rsi, %rax
	ret
	end odd_loop_rcx

	function odd_ret
	ret
	end odd_ret

	function odd_rep_ret
	rep ret
	end odd_rep_ret

	function odd_ret_imm
	movq	%rdi, %rax
	ret	$0
	end odd_ret_imm

// Calls itself; its first instruction is a call.
	function odd_call_first
	call	odd_helper
	addq	$1, %rax
	ret
	end odd_call_first

	.type	odd_helper, @function
odd_helper:
	leaq	5(%rdi), %rax
	ret
	.size	odd_helper, .-odd_helper

// Reads its own address by call/pop: the return address on the stack is used as data.
	function odd_call_pop
	call	1f
1:	popq	%rax
	leaq	1b(%rip), %rdx
	subq	%rdx, %rax
	addq	%rdi, %rax
	ret
	end odd_call_pop

// Leaves by push and ret, as retpolines do: goes to odd_ret_imm.
	function odd_push_ret
	leaq	odd_ret_imm(%rip), %rax
	pushq	%rax
	ret
	end odd_push_ret

// A retpoline.
	function odd_retpoline
	leaq	odd_ret_imm(%rip), %r11
	call	2f
1:	pause
	lfence
	jmp	1b
2:	movq	%r11, (%rsp)
	ret
	end odd_retpoline

// Pops its return address and jumps to it.
	function odd_pop_jump
	movq	%rdi, %rax
	popq	%rdx
	jmp	*%rdx
	end odd_pop_jump

// Two functions share a tail, entered by a jump into the middle of the other.
	function odd_front
	movq	%rdi, %rax
	jmp	.Lshared
	end odd_front
	function odd_back
	leaq	1(%rdi), %rax
.Lshared:
	imulq	$7, %rax, %rax
	ret
	end odd_back

// Falls through into the next function.
	function odd_fall
	addq	$2, %rdi
	end odd_fall
	.type	odd_fallen, @function
	.globl	odd_fallen
odd_fallen:
	imulq	$3, %rdi, %rax
	ret
	.size	odd_fallen, .-odd_fallen

// Data in the middle of code.
	function odd_data
	jmp	1f
	.byte	0x06, 0x0e, 0xcc, 0xc4, 0x62, 0x0f, 0x0b, 0xf0
1:	leaq	9(%rdi), %rax
	ret
	end odd_data

// Prefixes: notrack, segment, operand size, useless ones.
	function odd_prefixes
	.byte	0x2e, 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00
	.byte	0x3e
	movq	%rdi, %rax
	.byte	0x66, 0x66, 0x90
	.byte	0x48, 0xb9
	.quad	0x0102030405060708
	addq	%rcx, %rax
	data16 nop
	repne nop
	ret
	end odd_prefixes

// Flags over every instruction: 1 if they stand.
	function odd_flags
	stc
	nop
	movq	%rdi, %rdx
	leaq	(%rdx,%rdx), %rdx
	pushq	%rdx
	popq	%rdx
	setc	%al
	movzbl	%al, %eax
	cmc
	adcq	$0, %rax
	std
	cld
	pushfq
	popq	%rdx
	andl	$0x500, %edx		// neither the trap flag nor the direction flag
	addq	%rdx, %rax
	ret
	end odd_flags

// The stack pointer as a plain register, and back.
	function odd_stack_pointer
	movq	%rsp, %rdx
	leaq	-256(%rsp), %rsp
	andq	$-64, %rsp
	pushq	%rdx
	xchgq	%rsp, %rdx
	xchgq	%rsp, %rdx
	popq	%rsp
	movq	%rdi, %rax
	ret
	end odd_stack_pointer

	function odd_enter_leave
	enter	$32, $0
	movq	%rdi, -8(%rbp)
	movq	-8(%rbp), %rax
	leave
	ret
	end odd_enter_leave

	.section .note.GNU-stack, "", @progbits
