/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code of lprof's own to put probes on: a page in a file without a name, so that no other process
 * maps it and probes on it trap nobody else.
 */
#ifndef LPROF_COLLECT_CODE_PAGE_H
#define LPROF_COLLECT_CODE_PAGE_H

#include <stddef.h>
#include <stdint.h>

struct code_page {
	int fd;
	uint64_t offset;       /* in the file */
	const uint8_t *memory; /* executable */
	size_t size;
};

#define CODE_PAGE_CLOSED \
	{                \
		.fd = -1 \
	}

/* Makes a page that holds `code`; 0 or -errno. */
int code_page_open(const void *code, size_t size, struct code_page *ret_page);
void code_page_close(struct code_page *page);

/* Calls the code at `offset` as void (*)(uint64_t). */
void code_page_call(const struct code_page *page, size_t offset, uint64_t argument);

#endif
