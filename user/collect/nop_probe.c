// SPDX-License-Identifier: GPL-2.0-or-later
// Tells emulated from single-stepped NOPs: stepping needs a page of its own in the process, mapped
// as [uprobes] at its first use, so a child that hit only such a NOP shows which it was.
#include "collect/nop_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "collect/code_page.h"
#include "collect/features.h"
#include "collect/uprobe_link.h"

enum verdict { VERDICT_EMULATED, VERDICT_STEPPED, VERDICT_UNKNOWN };

static const uint8_t code[] = {
    0x0f, 0x1f, 0x40, 0x00, /* nopl 0(%rax): four bytes; those of five are a case of their own */
    0xc3,                   /* ret */
};

static bool stepping_page_mapped(void)
{
	CLEANUP(cleanup_fclose) FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[uprobes]"))
			return true;
	return false;
}

/* In the child, once the probe stands. */
static enum verdict hit_once(const struct code_page *page)
{
	bool mapped_before = stepping_page_mapped();

	if (page->memory[0] != 0xcc || mapped_before)
		return VERDICT_UNKNOWN;
	code_page_call(page, 0, 0);
	return stepping_page_mapped() ? VERDICT_STEPPED : VERDICT_EMULATED;
}

static int attach(const struct code_page *page, pid_t child)
{
	static const uint64_t offset = 0;
	char path[UPROBE_PATH_MAX];
	CLEANUP_CLOSE int multi = feature_load_empty(UPROBE_ATTACH_MULTI);
	CLEANUP_CLOSE int plain = feature_load_empty(0);
	int link;

	uprobe_path(page->fd, path);
	link = uprobe_link_multi(&(struct uprobe_multi_options){
	    .program = multi,
	    .attach_type = UPROBE_ATTACH_MULTI,
	    .path = path,
	    .offsets = &offset,
	    .count = 1,
	});
	if (link >= 0)
		return link;
	return uprobe_link_perf(
	    &(struct uprobe_perf_options){.program = plain, .path = path, .pid = child});
}

int nop_probe_emulated(void)
{
	struct code_page page CLEANUP(code_page_close) = CODE_PAGE_CLOSED;
	CLEANUP_CLOSE int go_read = -1;
	CLEANUP_CLOSE int go_write = -1;
	CLEANUP_CLOSE int link = -1;
	int error = code_page_open(code, sizeof(code), &page), status, ends[2];
	pid_t child;

	if (error)
		return error;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	go_read = ends[0];
	go_write = ends[1];
	child = fork();
	if (child < 0)
		return -errno;
	if (!child) {
		char go;

		close(go_write);
		_exit(read(go_read, &go, 1) == 1 ? hit_once(&page) : VERDICT_UNKNOWN);
	}
	link = attach(&page, child);
	if (link < 0 || write(go_write, "", 1) != 1)
		close(TAKE_FD(go_write));
	if (waitpid(child, &status, 0) != child)
		return -errno;
	if (link < 0)
		return link;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == VERDICT_UNKNOWN)
		return -EAGAIN;
	return WEXITSTATUS(status) == VERDICT_EMULATED ? 0 : -ENOTSUP;
}
