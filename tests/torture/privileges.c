// SPDX-License-Identifier: GPL-2.0-or-later
// A program that changes what it may: user, dumpable, root directory, namespaces, descriptors.
#include <grp.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "torture.h"

#define NOBODY 65534

static unsigned long work_calls;

MEASURED static uint64_t work(uint64_t value, int depth)
{
	uint64_t result;

	work_calls++;
	if (!depth)
		return value;
	result = work(value * 5 + 1, depth - 1);
	KEEP(result);
	return result + (uint64_t)depth;
}

MEASURED static void work_much(long rounds)
{
	for (long i = 0; i < rounds; i++)
		torture_mix(work((uint64_t)i, (int)(i % 10)));
}

/* Leaves only what it prints to. */
MEASURED static void close_descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++)
		if (fd != STDOUT_FILENO)
			close(fd);
}

MEASURED static void change_namespaces(void)
{
	CHECK(
	    unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

/* The first process of a new pid namespace. */
MEASURED static void fork_inside(long rounds)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		CHECK(getpid() == 1);
		work_much(rounds);
		_exit((int)(torture_sum % 50) + torture_failures * 100);
	}
	CHECK(waitpid(child, &status, 0) == child);
	for (long i = 0; i < rounds; i++)
		work_calls += (unsigned long)(i % 10) + 1;
	torture_mix((uint64_t)status);
}

MEASURED static void change_root(void)
{
	CHECK(chroot("/proc/self/fdinfo") == 0 || chroot("/sys") == 0);
	CHECK(chdir("/") == 0);
}

MEASURED static void become_nobody(void)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(setuid(0) < 0);
	CHECK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

MEASURED static void limit_resources(void)
{
	const struct rlimit none = {0, 0}, few = {8, 8};

	CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK(setrlimit(RLIMIT_NPROC, &none) == 0);
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 100;

	if (getuid() != 0)
		return 77;
	work_much(rounds);
	close_descriptors();
	change_namespaces();
	work_much(rounds);
	fork_inside(rounds);
	change_root();
	work_much(rounds);
	become_nobody();
	limit_resources();
	work_much(rounds);
	torture_calls("work", work_calls);
	torture_calls("work_much", 5);
	torture_calls("become_nobody", 1);
	return torture_end();
}
