// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the sampling program: its perf events, its tables, and the thread that keeps them true.
#include "collect/cpu_sampler.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/array.h"
#include "base/parse.h"
#include "capacities.h"
#include "collect/address_spaces.h"
#include "collect/sample_profile.h"
#include "cpu_sampling.skel.h"

#define RATE_LIMIT_FILE "/proc/sys/kernel/perf_event_max_sample_rate"
#define NEWS_PAGES      16  /* of a CPU's ring of news about processes */
#define POLL_MS         100 /* how soon the thread sees that it shall end */
#define SWEEP_SECONDS   1

struct cpu_sampler {
	struct cpu_sampling_bpf *skeleton;
	ARRAY(int) events; /* one a CPU */
	int targets;
	uint64_t period_ns;
	struct code_images images;
	struct address_spaces spaces;
	/* The thread's, while it runs. */
	int news_map;
	struct perf_buffer *news;
	pthread_t thread;
	bool running, stopping;
	bool ended, overrun; /* some process ended; some news were lost */
	pid_array changed;   /* targets that may map other code now */
	time_t swept;
};

/* ---- News about processes ---- */

static void note_change(struct cpu_sampler *sampler, uint32_t pid)
{
	uint32_t scopes;

	if (bpf_map_lookup_elem(sampler->targets, &pid, &scopes) < 0)
		return;
	ARRAY_FOREACH (known, &sampler->changed)
		if (*known == (pid_t)pid)
			return;
	if (ARRAY_APPEND(&sampler->changed, (pid_t)pid))
		sampler->overrun = true;
}

/* Records of MMAP, COMM and EXIT begin alike, see perf_event_open(2). */
struct process_news {
	struct perf_event_header header;
	uint32_t pid, tid;
};

static enum bpf_perf_event_ret take_news(void *context, int cpu, struct perf_event_header *event)
{
	const struct process_news *news = (const void *)event;
	struct cpu_sampler *sampler = context;

	(void)cpu;
	if (event->type == PERF_RECORD_MMAP || event->type == PERF_RECORD_COMM)
		note_change(sampler, news->pid);
	else if (event->type == PERF_RECORD_EXIT)
		sampler->ended = true;
	else if (event->type == PERF_RECORD_LOST)
		sampler->overrun = true;
	return LIBBPF_PERF_EVENT_CONT;
}

static void refresh_all(struct cpu_sampler *sampler)
{
	uint32_t key, *previous = NULL;

	sampler->overrun = false;
	for (size_t seen = 0; seen < TARGETS_MAX; seen++) {
		if (bpf_map_get_next_key(sampler->targets, previous, &key) < 0)
			return;
		(void)address_spaces_refresh(&sampler->spaces, (pid_t)key);
		previous = &key;
	}
}

static void handle_news(struct cpu_sampler *sampler)
{
	struct timespec now;

	ARRAY_FOREACH (pid, &sampler->changed)
		(void)address_spaces_refresh(&sampler->spaces, *pid);
	sampler->changed.count = 0;
	if (sampler->overrun)
		refresh_all(sampler);
	code_images_unwind(&sampler->images);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (sampler->ended && now.tv_sec - sampler->swept >= SWEEP_SECONDS) {
		sampler->ended = false;
		sampler->swept = now.tv_sec;
		address_spaces_sweep(&sampler->spaces);
	}
}

static void *follow_code(void *context)
{
	struct cpu_sampler *sampler = context;

	while (!__atomic_load_n(&sampler->stopping, __ATOMIC_ACQUIRE)) {
		(void)perf_buffer__poll(sampler->news, POLL_MS);
		handle_news(sampler);
	}
	return NULL;
}

static int news_open(struct cpu_sampler *sampler, struct failure *failure)
{
	struct perf_event_attr attributes = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attributes),
	    .config = PERF_COUNT_SW_DUMMY,
	    .mmap = 1, /* of code */
	    .comm = 1,
	    .task = 1,
	    .watermark = 1,
	    .wakeup_watermark = 1,
	};
	int cpus = libbpf_num_possible_cpus();

	sampler->news_map =
	    bpf_map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, "news", 4, 4, (uint32_t)cpus, NULL);
	if (sampler->news_map >= 0)
		sampler->news = perf_buffer__new_raw(
		    sampler->news_map, NEWS_PAGES, &attributes, take_news, sampler, NULL);
	if (!sampler->news)
		return failure_set(failure, errno ? errno : ENOSYS,
		    "cannot follow what targets map: %s", strerror(errno));
	return 0;
}

/* ---- Open ---- */

static int check_rate(uint32_t hz, struct failure *failure)
{
	FILE *file = fopen(RATE_LIMIT_FILE, "re");
	unsigned limit = 0;

	if (file && fscanf(file, "%u", &limit) != 1)
		limit = 0;
	cleanup_fclose(&file);
	if (limit && hz > limit)
		return failure_set(failure, ERANGE,
		    "--cpu=%u: this kernel takes %u samples a second at most (%s)", hz, limit,
		    RATE_LIMIT_FILE);
	return 0;
}

static int load(struct cpu_sampler *sampler, int threads, struct failure *failure)
{
	struct cpu_sampling_bpf *skeleton = cpu_sampling_bpf__open();
	int error;

	sampler->skeleton = skeleton;
	if (!skeleton)
		return failure_set(failure, errno, "cannot read lprof's own BPF programs");
	error = bpf_map__reuse_fd(skeleton->maps.targets, sampler->targets);
	error = error ? error : bpf_map__reuse_fd(skeleton->maps.threads, threads);
	error = error ? -error : -cpu_sampling_bpf__load(skeleton);
	if (error == EPERM || error == EACCES)
		return failure_set(failure, EPERM,
		    "may not sample CPU time: run lprof as root, or with CAP_BPF and CAP_PERFMON");
	if (error)
		return failure_set(failure, error,
		    "the kernel does not accept the program that samples CPU time: %s (Linux 5.17 "
		    "is the oldest that can; LPROF_DEBUG=1 shows why)",
		    strerror(error));
	sampler->images.images = bpf_map__fd(skeleton->maps.images);
	sampler->images.unwind_tables = bpf_map__fd(skeleton->maps.unwind_tables);
	sampler->spaces.images = &sampler->images;
	sampler->spaces.spaces = bpf_map__fd(skeleton->maps.spaces);
	sampler->spaces.mappings = bpf_map__fd(skeleton->maps.mappings);
	return 0;
}

static int open_event(const struct cpu_sampler *sampler, int cpu)
{
	struct perf_event_attr attributes = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attributes),
	    .config = PERF_COUNT_SW_CPU_CLOCK,
	    .sample_period = sampler->period_ns,
	};

	return (int)syscall(__NR_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int attach(struct cpu_sampler *sampler, struct failure *failure)
{
	int program = bpf_program__fd(sampler->skeleton->progs.sample_cpu);
	int cpus = libbpf_num_possible_cpus();

	for (int cpu = 0; cpu < cpus; cpu++) {
		CLEANUP_CLOSE int event = open_event(sampler, cpu);

		if (event < 0 && errno == ENODEV)
			continue; /* it is not online */
		if (event < 0 || ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0)
			return failure_set(
			    failure, errno, "cannot sample CPU %d: %s", cpu, strerror(errno));
		if (ARRAY_APPEND(&sampler->events, event))
			return failure_set(failure, ENOMEM, "out of memory");
		event = -1;
	}
	return 0;
}

/* The tracepoints' links go with the skeleton. */
static int attach_followers(struct cpu_sampler *sampler, struct failure *failure)
{
	struct cpu_sampling_bpf *skeleton = sampler->skeleton;

	skeleton->links.sample_fork = bpf_program__attach(skeleton->progs.sample_fork);
	skeleton->links.sample_exec = bpf_program__attach(skeleton->progs.sample_exec);
	skeleton->links.sample_exit = bpf_program__attach(skeleton->progs.sample_exit);
	if (!skeleton->links.sample_fork || !skeleton->links.sample_exec ||
	    !skeleton->links.sample_exit)
		return failure_set(failure, errno, "cannot follow processes: %s", strerror(errno));
	return 0;
}

int cpu_sampler_open(const struct cpu_sampler_options *options, struct cpu_sampler **ret_sampler,
    struct failure *failure)
{
	CLEANUP(cpu_sampler_free_p) struct cpu_sampler *sampler = calloc(1, sizeof(*sampler));
	int error;

	if (!sampler)
		return failure_set(failure, ENOMEM, "out of memory");
	sampler->news_map = -1;
	sampler->targets = options->targets;
	sampler->period_ns = 1000000000u / options->hz;
	error = check_rate(options->hz, failure);
	if (!error)
		error = load(sampler, options->threads, failure);
	if (!error)
		error = attach_followers(sampler, failure);
	if (!error)
		error = news_open(sampler, failure); /* before mappings are read: none is missed */
	for (size_t i = 0; i < options->pid_count && !error; i++)
		(void)address_spaces_refresh(&sampler->spaces, options->pids[i]);
	code_images_unwind(&sampler->images);
	if (!error)
		error = attach(sampler, failure);
	if (error)
		return error;
	*ret_sampler = TAKE(sampler);
	return 0;
}

/* ---- Measuring ---- */

int cpu_sampler_activate(struct cpu_sampler *sampler, struct failure *failure)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before); /* signals are the main thread's */
	error = pthread_create(&sampler->thread, NULL, follow_code, sampler);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return failure_set(failure, error, "cannot start a thread: %s", strerror(error));
	sampler->running = true;
	sampler->skeleton->data_sampling->gate = 1;
	return 0;
}

void cpu_sampler_stop(struct cpu_sampler *sampler)
{
	if (sampler->skeleton && sampler->skeleton->data_sampling)
		sampler->skeleton->data_sampling->gate = 0;
	ARRAY_FOREACH (event, &sampler->events)
		cleanup_close(event);
	sampler->events.count = 0;
	if (!sampler->running)
		return;
	__atomic_store_n(&sampler->stopping, true, __ATOMIC_RELEASE);
	pthread_join(sampler->thread, NULL);
	sampler->running = false;
}

int cpu_sampler_drain(struct cpu_sampler *sampler, struct profile *profile, struct failure *failure)
{
	struct bpf_program *program = sampler->skeleton->progs.sample_cpu;
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	struct sample_profile_input input = {
	    .images = &sampler->images,
	    .stacks = bpf_map__fd(sampler->skeleton->maps.stacks),
	    .leaves = bpf_map__fd(sampler->skeleton->maps.leaves),
	    .counts = bpf_map__fd(sampler->skeleton->maps.sampling_counts),
	    .period_ns = sampler->period_ns,
	};
	int error;

	if (!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		input.missed = info.recursion_misses;
	error = sample_profile(&input, profile);
	return error ? failure_set(failure, -error, "cannot read the samples: %s", strerror(-error))
		     : 0;
}

void cpu_sampler_free(struct cpu_sampler *sampler)
{
	if (!sampler)
		return;
	cpu_sampler_stop(sampler);
	ARRAY_FREE(&sampler->events);
	perf_buffer__free(sampler->news);
	cleanup_close(&sampler->news_map);
	cpu_sampling_bpf__destroy(sampler->skeleton);
	address_spaces_fini(&sampler->spaces);
	code_images_fini(&sampler->images);
	ARRAY_FREE(&sampler->changed);
	free(sampler);
}
