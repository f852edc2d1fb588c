// SPDX-License-Identifier: GPL-2.0-or-later
// Preloaded into a program, adds a line with the program's name and its CPU seconds, from its start
// to its exit, to the file $CPU_TIME: the same whatever the program runs under.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static double began;

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

__attribute__((constructor)) static void begin(void)
{
	began = cpu_seconds();
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("CPU_TIME");
	FILE *file = path ? fopen(path, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "%s %.6f\n", program_invocation_short_name, cpu_seconds() - began);
	fclose(file);
}
