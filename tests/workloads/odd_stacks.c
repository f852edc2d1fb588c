// SPDX-License-Identifier: GPL-2.0-or-later
// Spends CPU time where stacks are hard to tell: in code made at run time, in a file that is
// deleted, far down a recursion. Usage: odd_stacks MS jit|deleted|deep
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE  4096
#define DEPTH 400
#define TURNS 1000000

/* push %rbp; mov %rsp, %rbp; 1: dec %rdi; jnz 1b; pop %rbp; ret */
static const unsigned char code[] = {
    0x55, 0x48, 0x89, 0xe5, 0x48, 0xff, 0xcf, 0x75, 0xfb, 0x5d, 0xc3};

typedef void made(uint64_t turns);

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((noinline)) static void spend_in(made *function, uint64_t ms)
{
	uint64_t end = cpu_ns() + ms * 1000000;

	while (cpu_ns() < end)
		function(TURNS);
}

/* Two functions that the map names, one of them as badly as can be, and one that it does not. */
static int spend_in_made_code(uint64_t ms)
{
	unsigned char *pages =
	    mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char path[64], longest[3000];
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, "wx");
	if (pages == MAP_FAILED || !map)
		return 1;
	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	fprintf(map, "%lx %zx LazyCompile:*plain file.js:7\n", (long)pages, sizeof(code));
	fprintf(map, "%lx %zx </script><b>\"';;\\\033[31m\t\001%s\n", (long)pages + PAGE,
	    sizeof(code), longest);
	fclose(map);
	for (int page = 0; page < 3; page++)
		memcpy(pages + page * PAGE, code, sizeof(code));
	if (mprotect(pages, 3 * PAGE, PROT_READ | PROT_EXEC))
		return 1;
	usleep(100000); /* who looks on must have noticed */
	for (int page = 0; page < 3; page++)
		spend_in((made *)(uintptr_t)(pages + page * PAGE), ms);
	return unlink(path) != 0;
}

__attribute__((noinline)) void spend_here(uint64_t turns)
{
	for (volatile uint64_t turn = 0; turn < turns / 4; turn++)
		;
}

__attribute__((noinline)) static int spend_deep(unsigned depth, uint64_t ms)
{
	int result = depth ? spend_deep(depth - 1, ms) : (spend_in(spend_here, ms), 1);

	__asm__ volatile("" : "+r"(result)); /* no tail call */
	return result + 1;
}

int main(int argc, char **argv)
{
	uint64_t ms = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;

	if (!ms)
		return 2;
	if (!strcmp(argv[2], "jit"))
		return spend_in_made_code(ms);
	if (!strcmp(argv[2], "deep"))
		return spend_deep(DEPTH, ms) != DEPTH + 2;
	if (unlink(argv[0]))
		return 1;
	spend_in(spend_here, ms);
	return 0;
}
