// SPDX-License-Identifier: GPL-2.0-or-later
// Instructions as places for probes: what the kernel emulates, refuses or breaks, byte by byte.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/array.h"
#include "target/instruction.h"

#define ADDRESS 0x401000

/* `flags`: e emulated, s slow, r refused. */
static const struct {
	const char *what;
	const char *bytes;
	size_t size;
	enum instruction_kind kind;
	const char *flags;
} rows[] = {
#define ROW(what, bytes, kind, flags)                                     \
	{                                                                 \
		what, bytes, sizeof(bytes) - 1, INSTRUCTION_##kind, flags \
	}
    ROW("push %rbx", "\x53", PLAIN, "e"),
    ROW("push %r12", "\x41\x54", PLAIN, "e"),
    ROW("rex.w push %rax", "\x48\x50", PLAIN, ""),
    ROW("push $1", "\x6a\x01", PLAIN, ""),
    ROW("pop %rbx", "\x5b", PLAIN, ""),
    ROW("nop", "\x90", PLAIN, "e"),
    ROW("xchg %r8,%rax", "\x49\x90", PLAIN, "r"),
    ROW("data16 nop", "\x66\x90", PLAIN, "r"),
    ROW("nopl 0(%rax)", "\x0f\x1f\x40\x00", PLAIN, ""),
    ROW("nopl 0(%rax,%rax)", "\x0f\x1f\x44\x00\x00", PLAIN, "r"),
    ROW("cs nopw", "\x2e\x66\x0f\x1f\x84\x00\x00\x00\x00\x00", PLAIN, "r"),
    ROW("endbr64", "\xf3\x0f\x1e\xfa", PLAIN, ""),
    ROW("mov %rsp,%rbp", "\x48\x89\xe5", PLAIN, ""),
    ROW("jmp rel8", "\xeb\x02", JUMP, "e"),
    ROW("jmp rel32", "\xe9\x00\x01\x00\x00", JUMP, "e"),
    ROW("je rel8", "\x74\x05", BRANCH, "e"),
    ROW("jg rel32", "\x0f\x8f\x00\x01\x00\x00", BRANCH, "e"),
    ROW("jrcxz", "\xe3\x05", BRANCH, ""),
    ROW("data16 je", "\x66\x74\x05", BRANCH, "er"),
    ROW("call rel32", "\xe8\x00\x01\x00\x00", CALL, "es"),
    ROW("call *%rax", "\xff\xd0", CALL, "s"),
    ROW("lcall *(%rax)", "\xff\x18", CALL, "sr"),
    ROW("jmp *%rax", "\xff\xe0", INDIRECT_JUMP, ""),
    ROW("notrack jmp *%rax", "\x3e\xff\xe0", INDIRECT_JUMP, "r"),
    ROW("ret", "\xc3", RETURN, ""),
    ROW("repz ret", "\xf3\xc3", RETURN, ""),
    ROW("ret $8", "\xc2\x08\x00", RETURN, ""),
    ROW("ud2", "\x0f\x0b", STOP, "r"),
    ROW("hlt", "\xf4", STOP, "r"),
    ROW("int3", "\xcc", STOP, "rs"),
    ROW("syscall", "\x0f\x05", PLAIN, "rs"),
    ROW("sysenter", "\x0f\x34", PLAIN, "rs"),
    ROW("rep movsb", "\xf3\xa4", PLAIN, "rs"),
    ROW("movsb", "\xa4", PLAIN, ""),
    ROW("lock inc", "\xf0\xff\x00", PLAIN, "r"),
    ROW("mov %fs:0,%rax", "\x64\x48\x8b\x04\x25\x00\x00\x00\x00", PLAIN, ""),
    ROW("mov %ss:(%rax)", "\x36\x8b\x00", PLAIN, "r"),
    ROW("in", "\xec", PLAIN, "r"),
    ROW("outsb", "\x6e", PLAIN, "r"),
    ROW("pushf", "\x9c", PLAIN, "r"),
    ROW("popf", "\x9d", PLAIN, "r"),
    ROW("vmovdqa load", "\xc5\xfd\x6f\x00", PLAIN, "r"),
    ROW("vmovdqa store", "\xc5\xfd\x7f\x00", PLAIN, "r"), /* 7f: jg */
    ROW("vpcmpeqb", "\xc5\xf5\x74\xc1", PLAIN, "r"),      /* 74: je */
    ROW("vzeroupper", "\xc5\xf8\x77", PLAIN, "r"),        /* 77: ja */
    ROW("vpor", "\xc5\xf5\xeb\xc1", PLAIN, "r"),          /* eb: jmp */
    ROW("vporq %zmm", "\x62\xf1\xf5\x48\xeb\xc1", PLAIN, "r"),
    ROW("vpsubsb", "\xc5\xf5\xe8\xc2", PLAIN, "r"),          /* e8: call */
    ROW("vcmppd", "\xc5\xf5\xc2\xc1\x00", PLAIN, "r"),       /* c2: ret */
    ROW("vfnmadd132sd", "\xc4\xe2\xf1\x9d\xc1", PLAIN, "r"), /* 9d: popf */
    ROW("vpxor", "\xc5\xfd\xef\xc0", PLAIN, "r"),
    ROW("vpaddq", "\xc5\xfd\xd4\xc0", PLAIN, "r"),
    ROW("vaddpd", "\xc5\xfd\x58\xc0", PLAIN, ""),
    ROW("xbegin", "\xc7\xf8\x00\x00\x00\x00", BRANCH, "r"),
    ROW("cpuid", "\x0f\xa2", PLAIN, "s"),
#undef ROW
};

static const struct instruction_kernel kernel = {.rewrites_nop5 = true};

static struct instruction decode(
    const char *bytes, size_t size, const struct instruction_kernel *with)
{
	struct instruction instruction;

	assert_int_equal(
	    instruction_decode((const uint8_t *)bytes, size, ADDRESS, with, &instruction), 0);
	assert_int_equal(instruction.length, size);
	return instruction;
}

static void test_table(void **state)
{
	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(rows); at++) {
		struct instruction got = decode(rows[at].bytes, rows[at].size, &kernel);

		if (strcmp(rows[at].what, "xbegin") && got.kind != rows[at].kind)
			fail_msg("%s: kind %d", rows[at].what, got.kind);
		if (got.emulated != !!strchr(rows[at].flags, 'e'))
			fail_msg("%s: emulated %d", rows[at].what, got.emulated);
		if (got.slow != !!strchr(rows[at].flags, 's'))
			fail_msg("%s: slow %d", rows[at].what, got.slow);
		if (!!got.refused != !!strchr(rows[at].flags, 'r'))
			fail_msg("%s: %s", rows[at].what, got.refused ? got.refused : "allowed");
	}
}

static void test_kernels(void **state)
{
	static const char nop4[] = "\x0f\x1f\x40\x00", nop5[] = "\x0f\x1f\x44\x00\x00";
	static const char call[] = "\xe8\x00\x01\x00\x00";

	(void)state;
	assert_null(decode(nop5, 5, &(struct instruction_kernel){0}).refused);
	assert_false(decode(nop4, 4, &(struct instruction_kernel){0}).emulated);
	assert_true(
	    decode(nop4, 4, &(struct instruction_kernel){.emulates_all_nops = true}).emulated);
	assert_null(decode(call, 5, &(struct instruction_kernel){0}).refused);
	assert_non_null(
	    decode(call, 5, &(struct instruction_kernel){.shadow_stack = true}).refused);
}

static void test_targets(void **state)
{
	(void)state;
	assert_int_equal(decode("\xeb\xfe", 2, &kernel).target, ADDRESS);
	assert_int_equal(decode("\x0f\x84\x10\x00\x00\x00", 6, &kernel).target, ADDRESS + 6 + 0x10);
	assert_int_equal(decode("\x0f\x84\x10\x00\x00\x00", 6, &kernel).condition, 4);
	assert_int_equal(decode("\x7f\x10", 2, &kernel).condition, 0xf);
	assert_int_equal(decode("\xe3\x10", 2, &kernel).condition, 0xff);
	/* lea table(%rip),%rdx */
	assert_int_equal(
	    decode("\x48\x8d\x15\x00\x20\x00\x00", 7, &kernel).data, ADDRESS + 7 + 0x2000);
	/* jmp *table(,%rax,8) */
	assert_int_equal(decode("\xff\x24\xc5\x00\x20\x40\x00", 7, &kernel).data, 0x402000);
	assert_true(decode("\xff\x24\xc5\x00\x20\x40\x00", 7, &kernel).switch_like);
	assert_false(decode("\xff\x25\x00\x20\x00\x00", 6, &kernel).switch_like);
}

static void test_stack(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool known;
		int32_t change;
	} changes[] = {
	    {"\x53", 1, true, -8},                              /* push %rbx */
	    {"\x48\x83\xec\x18", 4, true, -0x18},               /* sub $0x18,%rsp */
	    {"\x48\x81\xec\x00\x10\x00\x00", 7, true, -0x1000}, /* sub $0x1000,%rsp */
	    {"\x48\x89\xe5", 3, true, 0},                       /* mov %rsp,%rbp */
	    {"\x48\x89\xec", 3, false, 0},                      /* mov %rbp,%rsp */
	    {"\x48\x29\xc4", 3, false, 0},                      /* sub %rax,%rsp */
	    {"\xc9", 1, false, 0},                              /* leave */
	    {"\xf3\x0f\x1e\xfa", 4, true, 0},                   /* endbr64 */
	};

	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(changes); at++) {
		int32_t change = 0;
		bool known = instruction_stack_change(
		    (const uint8_t *)changes[at].bytes, changes[at].size, ADDRESS, &change);

		assert_int_equal(known, changes[at].known);
		if (known)
			assert_int_equal(change, changes[at].change);
	}
}

static void test_garbage(void **state)
{
	struct instruction instruction;

	(void)state;
	assert_true(
	    instruction_decode((const uint8_t *)"\x06", 1, ADDRESS, &kernel, &instruction) < 0);
	assert_true(
	    instruction_decode((const uint8_t *)"\xe8\x00", 2, ADDRESS, &kernel, &instruction) < 0);
	assert_true(instruction_decode((const uint8_t *)"", 0, ADDRESS, &kernel, &instruction) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_kernels),
	    cmocka_unit_test(test_targets),
	    cmocka_unit_test(test_stack),
	    cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
