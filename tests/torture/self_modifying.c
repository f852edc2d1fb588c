// SPDX-License-Identifier: GPL-2.0-or-later
// Code that changes while it is measured: functions of the program written anew, generated code in
// anonymous memory that calls back, code generated into a file's private mapping.
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "torture.h"

static unsigned long patched_calls, helper_calls;

/* Written anew, whole: mov $N, %eax; ret. Alone in its page. */
int patched(void);
__asm__(".text\n"
	".p2align 12\n"
	".type patched, @function\n"
	"patched:\n\t"
	"movl $1, %eax\n\t"
	"ret\n\t"
	".size patched, .-patched\n\t"
	".p2align 12\n");

MEASURED static uint64_t helper(uint64_t value)
{
	helper_calls++;
	return value * 3 + 1;
}

static size_t write_code(unsigned char *to, int value)
{
	unsigned char code[] = {0xb8, 0, 0, 0, 0, 0xc3}; /* mov $value, %eax; ret */

	memcpy(code + 1, &value, sizeof(value));
	memcpy(to, code, sizeof(code));
	return sizeof(code);
}

MEASURED static int patch_and_call(int value)
{
	unsigned char *page = (unsigned char *)((uintptr_t)patched & ~4095ul);
	int result;

	CHECK(mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0);
	write_code((unsigned char *)(uintptr_t)patched, value);
	CHECK(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
	result = patched();
	patched_calls++;
	return result;
}

/* Generated code: sub $8, %rsp; mov $helper, %rax; call *%rax; add $8, %rsp; ret. */
static void generate_call(unsigned char *to)
{
	uint64_t target = (uint64_t)(uintptr_t)helper;
	unsigned char code[] = {0x48, 0x83, 0xec, 0x08, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
	    0xd0, 0x48, 0x83, 0xc4, 0x08, 0xc3};

	memcpy(code + 6, &target, sizeof(target));
	memcpy(to, code, sizeof(code));
}

MEASURED static uint64_t call_generated(uint64_t value)
{
	unsigned char *page = mmap(
	    NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t result;

	CHECK(page != MAP_FAILED);
	generate_call(page);
	result = ((uint64_t(*)(uint64_t))(uintptr_t)page)(value);
	munmap(page, 4096);
	return result;
}

/* Our own file, mapped again and executed there, then written over in that mapping. */
MEASURED static int call_copy(int value)
{
	int fd = open("/proc/self/exe", O_RDONLY), before, after;
	static long offset;
	unsigned char *page;

	CHECK(fd >= 0);
	for (; !offset;) { /* where in the file our page is */
		FILE *maps = fopen("/proc/self/maps", "r");
		unsigned long low, high, at;
		char line[512];

		while (maps && fgets(line, sizeof(line), maps))
			if (sscanf(line, "%lx-%lx %*s %lx", &low, &high, &at) == 3 &&
			    (uintptr_t)patched >= low && (uintptr_t)patched < high)
				offset = (long)((uintptr_t)patched - low + at);
		if (maps)
			fclose(maps);
		if (!offset)
			return -1;
	}
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, fd, offset);
	close(fd);
	CHECK(page != MAP_FAILED);
	before = ((int (*)(void))(uintptr_t)page)();
	write_code(page, value);
	after = ((int (*)(void))(uintptr_t)page)();
	munmap(page, 4096);
	return before * 1000 + after;
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 300;

	CHECK(patched() == 1);
	for (long i = 0; i < rounds; i++) {
		CHECK(patch_and_call((int)i) == (int)i);
		torture_mix((uint64_t)patched());
		CHECK(call_generated((uint64_t)i) == (uint64_t)i * 3 + 1);
		if (i % 10 == 0)
			CHECK(call_copy((int)i) == 1000 + (int)i);
	}
	torture_calls("patch_and_call", patched_calls);
	torture_calls("helper", helper_calls);
	return torture_end();
}
