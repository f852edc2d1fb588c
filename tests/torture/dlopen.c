// SPDX-License-Identifier: GPL-2.0-or-later
// A C program that loads and unloads a C++ library (its second argument) over and over, and through
// whose frames that library throws. With a third argument, each time in a child that it forks.
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "torture.h"

static int (*plugin_work)(int), (*plugin_fail)(int);
static int (*plugin_call)(int (*)(int), int);
static unsigned long *between_calls; /* children add to it, too */

MEASURED static int between(int value)
{
	++*between_calls;
	return plugin_fail(value) + 1; /* an exception may pass here */
}

MEASURED static int between_more(int value)
{
	return between(value) * 2;
}

MEASURED static int use(int value)
{
	int sum = plugin_work(value);

	for (int i = 0; i < 4; i++)
		sum = sum * 31 + plugin_call(i % 2 ? between : between_more, value + i);
	return sum;
}

MEASURED static int cycle(const char *path, int value)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int sum;

	if (!library) {
		printf("%s\n", dlerror());
		exit(1);
	}
	plugin_work = (int (*)(int))dlsym(library, "plugin_work");
	plugin_fail = (int (*)(int))dlsym(library, "plugin_fail");
	plugin_call = (int (*)(int (*)(int), int))dlsym(library, "plugin_call");
	sum = use(value);
	CHECK(dlclose(library) == 0);
	return sum;
}

/* The library comes at once, or later than anybody would expect a child to be new. */
static int cycle_in_child(const char *path, int value)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (value % 16 == 15)
			usleep(30000);
		_exit((unsigned int)cycle(path, value) % 100);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 200;

	if (argc < 3)
		return 2;
	between_calls = mmap(NULL, sizeof(*between_calls), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(between_calls != MAP_FAILED);
	for (long i = 0; i < rounds; i++)
		torture_mix((
		    uint64_t)(argc > 3 ? cycle_in_child(argv[2], (int)i) : cycle(argv[2], (int)i)));
	torture_calls("cycle", (unsigned long)rounds);
	torture_calls("use", (unsigned long)rounds);
	torture_calls("between", *between_calls);
	return torture_end();
}
