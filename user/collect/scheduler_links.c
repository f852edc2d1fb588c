// SPDX-License-Identifier: GPL-2.0-or-later
// Attaches and detaches the programs on the scheduler's tracepoints.
#include "collect/scheduler_links.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static const struct {
	enum kernel_program program;
	const char *pin;
} followed[SCHEDULER_LINKS] = {
    {PROGRAM_off_cpu_switch, "off_cpu_switch_link"},
    {PROGRAM_off_cpu_wakeup, "off_cpu_wakeup_link"},
};

static void pin_path(char *path, size_t size, const char *pins, int at)
{
	snprintf(path, size, "%s/%s", pins, followed[at].pin);
}

static int follow_one(
    int at, const struct kernel_objects *kernel, const char *pins, struct failure *failure)
{
	CLEANUP_CLOSE int link = -1;
	char path[4096];

	if (pins) {
		pin_path(path, sizeof(path), pins, at);
		link = bpf_obj_get(path);
		if (link >= 0)
			return TAKE_FD(link);
	}
	link = bpf_raw_tracepoint_open(NULL, kernel->programs[followed[at].program]);
	if (link < 0)
		return failure_set(
		    failure, errno, "cannot follow the scheduler: %s", strerror(errno));
	if (pins && bpf_obj_pin(link, path) < 0)
		return failure_set(failure, errno, "cannot pin %s: %s", path, strerror(errno));
	return TAKE_FD(link);
}

int scheduler_follow(struct scheduler_links *links, const struct kernel_objects *kernel,
    const char *pins, struct failure *failure)
{
	if (kernel->programs[PROGRAM_off_cpu_switch] < 0)
		return failure_set(failure, ENOSYS,
		    "the programs that follow the scheduler are not loaded: --off-cpu needs Linux "
		    "5.18");
	for (int at = 0; at < SCHEDULER_LINKS; at++) {
		if (links->links[at] >= 0)
			continue;
		links->links[at] = follow_one(at, kernel, pins, failure);
		if (links->links[at] < 0) {
			int error = links->links[at];

			links->links[at] = -1;
			scheduler_unpin(links, pins);
			return error;
		}
	}
	return 0;
}

void scheduler_leave(struct scheduler_links *links)
{
	for (int at = 0; at < SCHEDULER_LINKS; at++)
		cleanup_close(&links->links[at]);
	*links = SCHEDULER_LEFT;
}

void scheduler_unpin(struct scheduler_links *links, const char *pins)
{
	char path[4096];

	for (int at = 0; at < SCHEDULER_LINKS && pins; at++) {
		pin_path(path, sizeof(path), pins, at);
		(void)unlink(path);
	}
	scheduler_leave(links);
}
