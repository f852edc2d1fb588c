// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the links that tie BPF programs to user code, by raw system calls.
#include "collect/uprobe_link.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINK_CREATE     28        /* BPF_LINK_CREATE */
#define MULTI_RETURN    (1u << 0) /* BPF_F_UPROBE_MULTI_RETURN */
#define PERF_TYPE_PATH  "/sys/bus/event_source/devices/uprobe/type"
#define PERF_RETURN_BIT (1u << 0) /* .../uprobe/format/retprobe, "config:0" on every kernel */

/* The part of union bpf_attr that BPF_LINK_CREATE reads for uprobe_multi. */
struct multi_attributes {
	uint32_t program, target, attach_type, flags;
	uint64_t path, offsets, reference_counters, cookies;
	uint32_t count, multi_flags, pid, padding;
};
_Static_assert(sizeof(struct multi_attributes) == 64, "layout of union bpf_attr");

int uprobe_link_multi(const struct uprobe_multi_options *options)
{
	struct multi_attributes attributes = {
	    .program = options->program,
	    .attach_type = options->attach_type,
	    .path = (uintptr_t)options->path,
	    .offsets = (uintptr_t)options->offsets,
	    .cookies = (uintptr_t)options->cookies,
	    .count = options->count,
	    .multi_flags = options->return_probe ? MULTI_RETURN : 0,
	    .pid = options->pid,
	};
	long fd = syscall(__NR_bpf, LINK_CREATE, &attributes, sizeof(attributes));

	return fd < 0 ? -errno : (int)fd;
}

int uprobe_perf_type(void)
{
	CLEANUP(cleanup_fclose) FILE *file = fopen(PERF_TYPE_PATH, "re");
	int type;

	if (!file)
		return -errno;
	return fscanf(file, "%d", &type) == 1 ? type : -EIO;
}

int uprobe_link_perf(const struct uprobe_perf_options *options)
{
	LIBBPF_OPTS(bpf_link_create_opts, link_options, .perf_event.bpf_cookie = options->cookie);
	struct perf_event_attr attributes = {
	    .size = sizeof(attributes),
	    .config = options->return_probe ? PERF_RETURN_BIT : 0,
	    .config1 = (uintptr_t)options->path,
	    .config2 = options->offset,
	};
	CLEANUP_CLOSE int event = -1;
	int type = uprobe_perf_type(), link;

	if (type < 0)
		return type;
	attributes.type = type;
	/* A process's event counts on any CPU; one for all processes must name a CPU, and the
	 * program then runs on all of them nevertheless. */
	event = (int)syscall(__NR_perf_event_open, &attributes, options->pid ? options->pid : -1,
	    options->pid ? -1 : 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return -errno;
	link = bpf_link_create(options->program, event, BPF_PERF_EVENT, &link_options);
	return link < 0 ? -errno : link;
}

void uprobe_touch(int fd, uint64_t offset)
{
	char instruction[16]; /* the kernel copies as many, perhaps across pages */
	ssize_t length = pread(fd, instruction, sizeof(instruction), (off_t)offset);

	(void)length; /* what cannot be read cannot be probed either: attaching tells */
}

void uprobe_path(int fd, char ret_path[UPROBE_PATH_MAX])
{
	snprintf(ret_path, UPROBE_PATH_MAX, "/proc/self/fd/%d", fd);
}
