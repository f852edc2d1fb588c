// SPDX-License-Identifier: GPL-2.0-or-later
// Makes executable pages that only this process maps.
//
// A kernel that has leaked a probe ("failed to unregister, leaking uprobe" in its log) keeps it
// under the address of an inode that may become this page's, and then executes the other file's
// instruction here, if it stood at the same offset [M: Linux 6.18]. So the page lies anywhere in
// its file, and what is free in it are breakpoints, on which whoever gets lost ends.
#include "collect/code_page.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CODE_PAGE_SIZE 4096
#define BREAKPOINT     0xcc
#define OFFSET_BITS    40 /* of a page's place in its file, which has no other */

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* Linux 6.3; without it newer kernels complain in their log */
#endif

/* Zero where nothing is random, or files may not be that long (a write would end lprof). */
static uint64_t choose_offset(void)
{
	const uint64_t end = 1ull << OFFSET_BITS;
	struct rlimit limit;
	uint64_t offset;

	if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur < end ||
	    getrandom(&offset, sizeof(offset), GRND_NONBLOCK) != sizeof(offset))
		return 0;
	return (offset & (end - 1)) / CODE_PAGE_SIZE * CODE_PAGE_SIZE;
}

int code_page_open(const void *code, size_t size, struct code_page *ret_page)
{
	CLEANUP_CLOSE int fd = memfd_create("lprof-code", MFD_CLOEXEC | MFD_EXEC);
	uint8_t page[CODE_PAGE_SIZE];
	const uint64_t offset = choose_offset();
	void *memory;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("lprof-code", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	assert(size <= sizeof(page));
	memset(page, BREAKPOINT, sizeof(page));
	memcpy(page, code, size);
	if (pwrite(fd, page, sizeof(page), (off_t)offset) != (ssize_t)sizeof(page))
		return -EIO;
	memory = mmap(NULL, sizeof(page), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, (off_t)offset);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_page = (struct code_page){
	    .fd = TAKE_FD(fd),
	    .offset = offset,
	    .memory = memory,
	    .size = sizeof(page),
	};
	return 0;
}

void code_page_close(struct code_page *page)
{
	if (page->fd < 0)
		return;
	munmap((void *)page->memory, page->size);
	close(page->fd);
	page->fd = -1;
}

void code_page_call(const struct code_page *page, size_t offset, uint64_t argument)
{
	void (*function)(uint64_t) = (void (*)(uint64_t))(uintptr_t)(page->memory + offset);

	function(argument);
}
