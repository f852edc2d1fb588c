// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a command under probes whose BPF program does nothing: what the kernel itself takes for a
// hit. With =return each entry reports its return as well, in one session program where the kernel
// has them. Usage: empty_probe IMAGE OFFSET[=return]... -- COMMAND [ARGUMENT...]
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SITES_MAX 4096
#define MULTI     48 /* enum bpf_attach_type: BPF_TRACE_UPROBE_MULTI */
#define SESSION   57 /* BPF_TRACE_UPROBE_SESSION */

/* The part of union bpf_attr that makes a uprobe_multi link; older headers lack it. */
struct multi_link {
	uint32_t program, target, type, flags;
	uint64_t path, offsets, reference_counters, cookies;
	uint32_t count, multi_flags, pid, padding;
};

struct sites {
	uint64_t offsets[SITES_MAX];
	uint32_t count;
};

static int load_empty(uint32_t attach_type)
{
	const struct bpf_insn program[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attributes = {
	    .prog_type = BPF_PROG_TYPE_KPROBE,
	    .expected_attach_type = attach_type,
	    .insns = (uintptr_t)program,
	    .insn_cnt = 2,
	    .license = (uintptr_t) "GPL",
	};

	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));
}

static bool attach(const char *image, const struct sites *sites, uint32_t type)
{
	struct multi_link link = {
	    .program = (uint32_t)load_empty(type),
	    .type = type,
	    .path = (uintptr_t)image,
	    .offsets = (uintptr_t)sites->offsets,
	    .count = sites->count,
	};

	if (!sites->count)
		return true;
	if ((int)link.program < 0 || syscall(SYS_bpf, BPF_LINK_CREATE, &link, sizeof(link)) < 0) {
		fprintf(stderr, "empty_probe: cannot attach to %s: %s\n", image, strerror(errno));
		return false;
	}
	return true;
}

static bool add_site(struct sites *sites, const char *text, char **ret_end)
{
	if (sites->count == SITES_MAX)
		return false;
	sites->offsets[sites->count++] = strtoull(text, ret_end, 0);
	return *ret_end != text;
}

static int run(char **command)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	static struct sites entries, lines;
	int at;

	for (at = 2; at < argc && strcmp(argv[at], "--"); at++) {
		bool returns = strstr(argv[at], "=return");
		char *end;

		if (!add_site(returns ? &entries : &lines, argv[at], &end))
			return 2;
	}
	if (at + 1 >= argc) {
		fputs("usage: empty_probe IMAGE OFFSET[=return]... -- COMMAND\n", stderr);
		return 2;
	}
	if (!attach(argv[1], &entries, SESSION) || !attach(argv[1], &lines, MULTI))
		return 1;
	return run(argv + at + 1);
}
