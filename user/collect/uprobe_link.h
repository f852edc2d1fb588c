/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls that tie a BPF program to user code. libbpf 1.1 cannot make a multi link, so
 * these are made by hand (KERNEL.md section 2). All descriptors are CLOEXEC; closing one detaches.
 */
#ifndef LPROF_COLLECT_UPROBE_LINK_H
#define LPROF_COLLECT_UPROBE_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Values of the kernel's enum bpf_attach_type that Debian 12's header lacks. */
#define UPROBE_ATTACH_MULTI   48 /* BPF_TRACE_UPROBE_MULTI, Linux 6.6 */
#define UPROBE_ATTACH_SESSION 57 /* BPF_TRACE_UPROBE_SESSION, Linux 6.13 */

#define UPROBE_SITES_PER_LINK (1u << 20) /* MAX_UPROBE_MULTI_CNT in kernel/trace/bpf_trace.c */

struct uprobe_multi_options {
	int program;             /* descriptor, loaded with the same attach type */
	uint32_t attach_type;    /* UPROBE_ATTACH_* */
	const char *path;        /* as the kernel shall resolve it */
	const uint64_t *offsets; /* in the file */
	const uint64_t *cookies; /* may be NULL */
	uint32_t count;
	bool return_probe;
	int32_t pid; /* only this process; 0: all */
};

/* One link for many sites, all or nothing; a descriptor or -errno. */
int uprobe_link_multi(const struct uprobe_multi_options *options);

struct uprobe_perf_options {
	int program;
	const char *path;
	uint64_t offset;
	uint64_t cookie; /* given through a BPF link (5.15) */
	bool return_probe;
	pid_t pid; /* only this process; 0: all */
};

/* One perf uprobe with its link; a descriptor (of the link, which holds the event) or -errno. */
int uprobe_link_perf(const struct uprobe_perf_options *options);

/* The perf event type of uprobes, or -errno where the kernel has none. */
int uprobe_perf_type(void);

/*
 * Reads the page of a site into the page cache. Where it is not there, the kernel's uprobes read it
 * without the lock that ext4 wants held then, and 6.18 says so in its log.
 */
void uprobe_touch(int fd, uint64_t offset);

/* `/proc/self/fd/N`: the kernel opens the very file that `fd` holds, whatever its name is now. */
#define UPROBE_PATH_MAX 32
void uprobe_path(int fd, char ret_path[UPROBE_PATH_MAX]);

#endif
