// SPDX-License-Identifier: GPL-2.0-or-later
// Runs measured calls under seccomp: a filter that kills for all but a few system calls, put on in
// the middle of measured calls, or inherited over exec; and in a child the strict mode.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "torture.h"

#define ALLOW(name)                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), \
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static unsigned long work_calls;

static int filter_system_calls(int inherited)
{
	struct sock_filter strict[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    ALLOW(write),
	    ALLOW(exit),
	    ALLOW(exit_group),
	    ALLOW(rt_sigreturn),
	    ALLOW(brk),
	    ALLOW(newfstatat),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	/* What starts programs, and no more than it takes them to. */
	struct sock_filter wide[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 335, 0, 1), /* uretprobe and beyond */
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(strict) / sizeof(*strict), strict};

	/* rseq (334) is the last that a starting program needs. */
	if (inherited)
		program = (struct sock_fprog){sizeof(wide) / sizeof(*wide), wide};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

MEASURED static uint64_t leaf(uint64_t value)
{
	return value ^ value << 3;
}

MEASURED static uint64_t work(uint64_t value, int depth)
{
	uint64_t result;

	work_calls++;
	if (!depth)
		return leaf(value);
	result = work(leaf(value), depth - 1);
	KEEP(result);
	return result + (uint64_t)depth;
}

/* Entered free, left under the filter. */
MEASURED static uint64_t become_filtered(int depth)
{
	uint64_t result;

	if (depth) {
		result = become_filtered(depth - 1);
		KEEP(result);
		return result + leaf((uint64_t)depth);
	}
	CHECK(filter_system_calls(0) == 0);
	return 1;
}

MEASURED static void work_strictly(long rounds)
{
	uint64_t sum = 0;

	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
	for (long i = 0; i < rounds; i++)
		sum += work((uint64_t)i, 3);
	syscall(SYS_exit, sum % 100 + 1);
}

MEASURED static int run_strict_child(long rounds)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		work_strictly(rounds);
	CHECK(waitpid(child, &status, 0) == child);
	work_calls += 4ul * (unsigned long)rounds; /* counted in its memory, not ours */
	return status;
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 200;
	int inherited = argc > 2 && !strcmp(argv[2], "inherited");

	if (argc > 2 && !strcmp(argv[2], "inherit")) {
		CHECK(filter_system_calls(1) == 0);
		execl("/proc/self/exe", argv[0], argv[1], "inherited", (char *)NULL);
		return 1;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	if (!inherited) {
		torture_mix((uint64_t)run_strict_child(rounds / 10));
		torture_mix(become_filtered(3));
	}
	for (long i = 0; i < rounds; i++)
		torture_mix(work((uint64_t)i, (int)(i % 12)));
	torture_calls("work", work_calls);
	return torture_end();
}
