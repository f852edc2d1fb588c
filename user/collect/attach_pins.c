// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps links in a BPF file system, and finds them there.
#include "collect/attach_pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#define PIN_PATH_MAX      4096
#define LINK_PERF_EVENT   7  /* BPF_LINK_TYPE_PERF_EVENT, Linux 5.15 */
#define LINK_UPROBE_MULTI 12 /* BPF_LINK_TYPE_UPROBE_MULTI, Linux 6.6 */

static void pin_path(char path[PIN_PATH_MAX], const char *directory, const char *name, size_t at)
{
	snprintf(path, PIN_PATH_MAX, "%s/%s_%zu", directory, name, at);
}

size_t attach_pin_count(const struct attachment *attachment)
{
	return attachment->multi_links.count + attachment->perf_links.count;
}

static int link_at(const struct attachment *attachment, size_t at)
{
	size_t multi = attachment->multi_links.count;

	return at < multi ? attachment->multi_links.items[at]
			  : attachment->perf_links.items[at - multi];
}

int attach_pins_make(const struct attachment *attachment, const char *directory, const char *name,
    struct failure *failure)
{
	char path[PIN_PATH_MAX];

	for (size_t at = 0; at < attach_pin_count(attachment); at++) {
		pin_path(path, directory, name, at);
		if (bpf_obj_pin(link_at(attachment, at), path) < 0)
			return failure_set(
			    failure, errno, "cannot pin %s: %s", path, strerror(errno));
	}
	return 0;
}

static bool is_probe_link(int fd)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
	       (info.type == LINK_PERF_EVENT || info.type == LINK_UPROBE_MULTI);
}

static int open_pin(const char *path, struct failure *failure)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return failure_set(failure, errno, "cannot open %s: %s", path, strerror(errno));
	if (is_probe_link(fd))
		return fd;
	close(fd);
	return failure_set(failure, EPROTO, "%s is not a probe of lprof's", path);
}

int attach_pins_open(const char *directory, const char *name, size_t count,
    struct attachment **ret_attachment, struct failure *failure)
{
	CLEANUP(attach_free_p) struct attachment *attachment = calloc(1, sizeof(*attachment));
	char path[PIN_PATH_MAX];

	if (!attachment || ARRAY_RESERVE(&attachment->multi_links, count))
		return failure_set(failure, ENOMEM, "out of memory");
	for (size_t at = 0; at < count; at++) {
		int fd;

		pin_path(path, directory, name, at);
		fd = open_pin(path, failure);
		if (fd < 0)
			return fd;
		attachment->multi_links.items[attachment->multi_links.count++] = fd;
	}
	*ret_attachment = TAKE(attachment);
	return 0;
}

void attach_pins_remove(const char *directory, const char *name)
{
	char path[PIN_PATH_MAX];
	size_t at = 0;

	do
		pin_path(path, directory, name, at++);
	while (unlink(path) == 0);
}
