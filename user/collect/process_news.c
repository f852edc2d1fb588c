// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the kernel's records of what processes do, from a ring a CPU.
#include "collect/process_news.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>

#define NEWS_PAGES 16 /* of a CPU's ring */

struct process_news {
	struct process_news_handlers handlers;
	struct perf_buffer *rings;
	int map; /* of the rings' events */
};

/* Records of MMAP2, COMM, FORK and EXIT begin alike, see perf_event_open(2). */
struct record {
	struct perf_event_header header;
	uint32_t pid, tid;
};

struct mapping_record {
	struct record record;
	uint64_t address, length, offset;
	uint32_t major, minor;
	uint64_t inode;
};

struct fork_record {
	struct perf_event_header header;
	uint32_t pid, parent;
};

static enum bpf_perf_event_ret take(void *context, int cpu, struct perf_event_header *event)
{
	const struct process_news *news = context;
	const struct process_news_handlers *handlers = &news->handlers;
	const struct record *record = (const void *)event;
	const struct fork_record *fork = (const void *)event;

	(void)cpu;
	if (event->type == PERF_RECORD_MMAP2)
		handlers->mapped(handlers->context, (pid_t)record->pid,
		    ((const struct mapping_record *)record)->inode);
	else if (event->type == PERF_RECORD_COMM)
		handlers->executed(handlers->context, (pid_t)record->pid);
	else if (event->type == PERF_RECORD_FORK && fork->pid != fork->parent)
		handlers->forked(handlers->context, (pid_t)fork->parent, (pid_t)fork->pid);
	else if (event->type == PERF_RECORD_EXIT)
		handlers->ended(handlers->context, (pid_t)record->pid);
	else if (event->type == PERF_RECORD_LOST)
		handlers->lost(handlers->context);
	return LIBBPF_PERF_EVENT_CONT;
}

int process_news_open(const struct process_news_handlers *handlers, struct process_news **ret_news,
    struct failure *failure)
{
	CLEANUP(process_news_free_p) struct process_news *news = calloc(1, sizeof(*news));
	struct perf_event_attr attributes = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attributes),
	    .config = PERF_COUNT_SW_DUMMY,
	    .mmap = 1, /* of code */
	    .mmap2 = 1,
	    .comm = 1,
	    .task = 1,
	    .watermark = 1,
	    .wakeup_watermark = 1,
	};
	int cpus = libbpf_num_possible_cpus();

	if (!news)
		return failure_set(failure, ENOMEM, "out of memory");
	news->handlers = *handlers;
	news->map =
	    bpf_map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, "news", 4, 4, (uint32_t)cpus, NULL);
	if (news->map >= 0)
		news->rings =
		    perf_buffer__new_raw(news->map, NEWS_PAGES, &attributes, take, news, NULL);
	if (!news->rings)
		return failure_set(failure, errno ? errno : ENOSYS,
		    "cannot follow what targets map: %s", strerror(errno));
	*ret_news = TAKE(news);
	return 0;
}

void process_news_free(struct process_news *news)
{
	if (!news)
		return;
	perf_buffer__free(news->rings);
	cleanup_close(&news->map);
	free(news);
}

void process_news_take(struct process_news *news, int timeout_ms)
{
	/* An event loop that was told has taken the rings' word for it already. */
	if (timeout_ms)
		(void)perf_buffer__poll(news->rings, timeout_ms);
	else
		(void)perf_buffer__consume(news->rings);
}

int process_news_fd(const struct process_news *news)
{
	return perf_buffer__epoll_fd(news->rings);
}
