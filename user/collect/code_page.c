// SPDX-License-Identifier: GPL-2.0-or-later
// Makes executable pages that only this process maps.
#include "collect/code_page.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* Linux 6.3; without it newer kernels complain in their log */
#endif

int code_page_open(const void *code, size_t size, struct code_page *ret_page)
{
	CLEANUP_CLOSE int fd = memfd_create("lprof-code", MFD_CLOEXEC | MFD_EXEC);
	void *memory;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("lprof-code", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, code, size, 0) != (ssize_t)size)
		return -EIO;
	memory = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_page = (struct code_page){.fd = TAKE_FD(fd), .memory = memory, .size = size};
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
