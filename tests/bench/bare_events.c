// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a command while every CPU has the event that lprof samples by, with a program that does
// nothing: what sampling costs on this machine, whoever samples.
// Usage: bare_events HZ COMMAND...
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int load_empty(void)
{
	const struct bpf_insn instructions[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
	    {.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "empty", "GPL", instructions, 2, NULL);
}

static int open_event(int cpu, long hz, int program)
{
	struct perf_event_attr attributes = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attributes),
	    .config = PERF_COUNT_SW_CPU_CLOCK,
	    .sample_period = 1000000000ull / (unsigned long)hz,
	};
	int event =
	    (int)syscall(__NR_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return event < 0 ? event : ioctl(event, PERF_EVENT_IOC_SET_BPF, program);
}

int main(int argc, char **argv)
{
	long hz = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
	int program = load_empty(), status;
	pid_t child;

	if (hz <= 0 || program < 0) {
		fprintf(stderr, "usage: bare_events HZ COMMAND..., as root\n");
		return 125;
	}
	for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++)
		if (open_event((int)cpu, hz, program)) {
			perror("bare_events");
			return 125;
		}
	child = fork();
	if (!child) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (waitpid(child, &status, 0) != child)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
