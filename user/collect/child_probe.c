// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a child into a probe on code that only lprof has, and tells from its end what the kernel
// did.
#include "collect/child_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "collect/code_page.h"
#include "collect/features.h"
#include "collect/shelter.h"
#include "collect/uprobe_link.h"

enum verdict { VERDICT_YES, VERDICT_NO, VERDICT_UNKNOWN };

struct trial {
	const uint8_t *code;
	size_t size;
	bool return_probe;
	enum verdict (*hit)(const struct code_page *page); /* in the child, once the probe stands */
};

struct attaching {
	const struct trial *trial;
	const struct code_page *page;
	pid_t child;
};

/* Gives the link, or -errno. */
static int attach(void *given)
{
	const struct attaching *attaching = given;
	const struct trial *trial = attaching->trial;
	const struct code_page *page = attaching->page;
	char path[UPROBE_PATH_MAX];
	CLEANUP_CLOSE int multi = feature_load_empty(UPROBE_ATTACH_MULTI);
	CLEANUP_CLOSE int plain = feature_load_empty(0);
	int link;

	uprobe_path(page->fd, path);
	link = uprobe_link_multi(&(struct uprobe_multi_options){
	    .program = multi,
	    .attach_type = UPROBE_ATTACH_MULTI,
	    .path = path,
	    .offsets = &page->offset,
	    .count = 1,
	    .return_probe = trial->return_probe,
	});
	if (link >= 0)
		return link;
	return uprobe_link_perf(&(struct uprobe_perf_options){.program = plain,
	    .path = path,
	    .offset = page->offset,
	    .pid = attaching->child,
	    .return_probe = trial->return_probe});
}

static void link_close(const int *link)
{
	if (*link >= 0)
		shelter_close(link, 1);
}

/* Waits for the word that the probe stands; the child's exit status is its verdict. */
static _Noreturn void run_child(
    const struct trial *trial, const struct code_page *page, int go_read)
{
	char go;
	enum verdict verdict = VERDICT_UNKNOWN;

	if (read(go_read, &go, 1) == 1 && page->memory[0] == 0xcc)
		verdict = trial->hit(page);
	syscall(SYS_exit, verdict); /* all that strict seccomp allows */
	__builtin_unreachable();
}

/* The child's verdict; VERDICT_NO too if it was killed. -errno: it could not be tried. */
static int try(const struct trial *trial)
{
	struct code_page page CLEANUP(code_page_close) = CODE_PAGE_CLOSED;
	CLEANUP_CLOSE int go_read = -1;
	CLEANUP_CLOSE int go_write = -1;
	int link CLEANUP(link_close) = -1;
	int error = code_page_open(trial->code, trial->size, &page), status, ends[2];
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
		close(go_write);
		run_child(trial, &page, go_read);
	}
	link = shelter_call(attach, &(struct attaching){trial, &page, child});
	if (link < 0 || write(go_write, "", 1) != 1)
		close(TAKE_FD(go_write));
	if (waitpid(child, &status, 0) != child)
		return -errno;
	if (link < 0)
		return link;
	return WIFEXITED(status) ? WEXITSTATUS(status) : VERDICT_NO;
}

/* ---- NOPs: stepping needs a page in the process, mapped as [uprobes] at its first use. ---- */

static bool stepping_page_mapped(void)
{
	CLEANUP(cleanup_fclose) FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[uprobes]"))
			return true;
	return false;
}

static enum verdict hit_nop(const struct code_page *page)
{
	if (stepping_page_mapped())
		return VERDICT_UNKNOWN;
	code_page_call(page, 0, 0);
	return stepping_page_mapped() ? VERDICT_NO : VERDICT_YES;
}

int child_probe_nops(void)
{
	static const uint8_t code[] = {
	    0x0f, 0x1f, 0x40, 0x00, /* nopl 0(%rax): four bytes; five are a case of their own */
	    0xc3,                   /* ret */
	};
	int verdict = try(&(struct trial){.code = code, .size = sizeof(code), .hit = hit_nop});

	if (verdict < 0 || verdict == VERDICT_UNKNOWN)
		return verdict < 0 ? verdict : -EAGAIN;
	return verdict == VERDICT_YES ? 0 : -ENOTSUP;
}

/* ---- Return probes under seccomp ---- */

static enum verdict hit_filtered(const struct code_page *page)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
		return VERDICT_UNKNOWN;
	code_page_call(page, 0, 0);
	return VERDICT_YES;
}

int child_probe_seccomp(void)
{
	static const uint8_t code[] = {
	    0x90, /* nop */
	    0xc3, /* ret */
	};
	int verdict = try(&(struct trial){
	    .code = code, .size = sizeof(code), .return_probe = true, .hit = hit_filtered});

	if (verdict < 0 || verdict == VERDICT_UNKNOWN)
		return verdict < 0 ? verdict : -EAGAIN;
	return verdict == VERDICT_YES ? 0 : -EPERM;
}
