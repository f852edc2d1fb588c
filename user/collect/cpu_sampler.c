// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the sampling program: its perf events, whom it samples, and what it knows of their code.
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
#include "collect/sample_event.h"
#include "collect/file_users.h"
#include "collect/process_news.h"
#include "cpu_sampling.skel.h"
#include "cpu_wire.h"

#define RATE_LIMIT_FILE "/proc/sys/kernel/perf_event_max_sample_rate"
#define POLL_MS         100 /* how soon the thread sees that it shall end */
#define SWEEP_SECONDS   1

/* Of a slot: the file whose users are sampled; all zero: none. */
struct sampled_users {
	uint64_t device, inode;
};

struct forked {
	pid_t parent, child;
};

struct cpu_sampler {
	struct cpu_sampling_bpf *skeleton;
	struct sample_tables *tables;
	ARRAY(int) events; /* one a CPU */
	int sampled;       /* the kernel's map of whom to sample */
	struct sample_event event;
	struct address_spaces spaces;
	struct sampled_users users[SAMPLING_SLOTS];
	uint64_t file_slots; /* those of files */
	struct process_news *news;
	pthread_t thread;
	bool running, stopping;
	bool swept_late;     /* some process ended or executed since the last sweep */
	bool overrun;        /* some news were lost */
	pid_array changed;   /* sampled processes that may map other code now */
	pid_array newcomers; /* processes that may have begun or ended to map a slot's file */
	ARRAY(struct forked) forks;
	time_t swept;
};

/* ---- Whom to sample ---- */

static uint64_t slots_of(const struct cpu_sampler *sampler, pid_t pid)
{
	uint32_t key = (uint32_t)pid;
	uint64_t slots = 0;

	(void)bpf_map_lookup_elem(sampler->sampled, &key, &slots);
	return slots;
}

static int set_slots(const struct cpu_sampler *sampler, pid_t pid, uint64_t slots)
{
	uint32_t key = (uint32_t)pid;

	if (slots)
		return bpf_map_update_elem(sampler->sampled, &key, &slots, BPF_ANY) < 0 ? -errno
											: 0;
	(void)bpf_map_delete_elem(sampler->sampled, &key);
	return 0;
}

/* Calls `visit` with each process that is sampled; it may change that process's slots. */
static void visit_sampled(struct cpu_sampler *sampler,
    void (*visit)(struct cpu_sampler *sampler, pid_t pid, uint64_t slots, uint64_t argument),
    uint64_t argument)
{
	uint32_t pid, next, *previous = NULL;
	bool more = bpf_map_get_next_key(sampler->sampled, NULL, &next) == 0;

	for (size_t seen = 0; more && seen < TARGETS_MAX; seen++) {
		pid = next;
		previous = &pid;
		more = bpf_map_get_next_key(sampler->sampled, previous, &next) == 0;
		visit(sampler, (pid_t)pid, slots_of(sampler, (pid_t)pid), argument);
	}
}

/* Notes a process for the next look at the news. */
static void note(struct cpu_sampler *sampler, pid_array *pids, pid_t pid)
{
	ARRAY_FOREACH (known, pids)
		if (*known == pid)
			return;
	if (ARRAY_APPEND(pids, pid))
		sampler->overrun = true;
}

static int add_slot(struct cpu_sampler *sampler, pid_t pid, uint32_t slot, struct failure *failure)
{
	int error;

	(void)address_spaces_refresh(&sampler->spaces, pid);
	code_images_unwind(&sampler->tables->images);
	error = set_slots(sampler, pid, slots_of(sampler, pid) | 1ull << slot);
	if (error)
		return failure_set(
		    failure, -error, "cannot sample process %d: %s", (int)pid, strerror(-error));
	note(sampler, &sampler->changed, pid); /* what it mapped meanwhile was no news */
	return 0;
}

int cpu_sampler_add(
    struct cpu_sampler *sampler, uint32_t slot, pid_t pid, bool follow, struct failure *failure)
{
	if (follow)
		sampler->skeleton->data_sampling->followed_slots |= 1ull << slot;
	return add_slot(sampler, pid, slot, failure);
}

/* The slots of files that the process maps, and those that it has for another reason. */
static void update_newcomer(struct cpu_sampler *sampler, pid_t pid)
{
	uint64_t slots = slots_of(sampler, pid), wanted = slots & ~sampler->file_slots;

	for (uint32_t slot = 0; slot < SAMPLING_SLOTS; slot++)
		if (sampler->file_slots & 1ull << slot &&
		    file_is_mapped(pid, sampler->users[slot].device, sampler->users[slot].inode))
			wanted |= 1ull << slot;
	if (wanted == slots)
		return;
	if (wanted)
		(void)address_spaces_refresh(&sampler->spaces, pid);
	(void)set_slots(sampler, pid, wanted);
	note(sampler, &sampler->changed, pid);
}

int cpu_sampler_add_file(struct cpu_sampler *sampler, uint32_t slot, uint64_t device,
    uint64_t inode, struct failure *failure)
{
	pid_array pids = {0};
	int error;

	sampler->users[slot] = (struct sampled_users){.device = device, .inode = inode};
	sampler->file_slots |= 1ull << slot;
	sampler->skeleton->data_sampling->followed_slots |= 1ull << slot;
	error = file_list_users(device, inode, &pids, failure);
	ARRAY_FOREACH (pid, &pids)
		if (!error)
			error = add_slot(sampler, *pid, slot, failure);
	ARRAY_FREE(&pids);
	return error;
}

static void leave_slot(struct cpu_sampler *sampler, pid_t pid, uint64_t slots, uint64_t left)
{
	if (slots & left)
		(void)set_slots(sampler, pid, slots & ~left);
}

void cpu_sampler_remove(struct cpu_sampler *sampler, uint32_t slot)
{
	sampler->skeleton->data_sampling->followed_slots &= ~(1ull << slot);
	sampler->file_slots &= ~(1ull << slot);
	sampler->users[slot] = (struct sampled_users){0};
	visit_sampled(sampler, leave_slot, 1ull << slot);
}

size_t cpu_sampler_count(const struct cpu_sampler *sampler, uint32_t slot)
{
	uint32_t pid, *previous = NULL;
	size_t count = 0;

	for (size_t seen = 0; seen < TARGETS_MAX; seen++) {
		if (bpf_map_get_next_key(sampler->sampled, previous, &pid) < 0)
			break;
		previous = &pid;
		count += slots_of(sampler, (pid_t)pid) >> slot & 1;
	}
	return count;
}

/* ---- News about processes ---- */

static void note_mapped(void *context, pid_t pid, uint64_t inode)
{
	struct cpu_sampler *sampler = context;

	for (uint32_t slot = 0; slot < SAMPLING_SLOTS && sampler->file_slots && inode; slot++)
		if (sampler->users[slot].inode == inode)
			note(sampler, &sampler->newcomers, pid);
	if (slots_of(sampler, pid))
		note(sampler, &sampler->changed, pid);
}

/* A parent may be found to be sampled after it has forked. */
static void note_forked(void *context, pid_t parent, pid_t child)
{
	struct cpu_sampler *sampler = context;

	if (sampler->file_slots && ARRAY_APPEND(&sampler->forks, (struct forked){parent, child}))
		sampler->overrun = true;
}

static void note_executed(void *context, pid_t pid)
{
	struct cpu_sampler *sampler = context;
	uint64_t slots = slots_of(sampler, pid);

	if (!slots)
		return;
	sampler->swept_late = true;
	note(sampler, &sampler->changed, pid);
	if (slots & sampler->file_slots)
		note(sampler, &sampler->newcomers, pid);
}

static void note_ended(void *context, pid_t pid)
{
	struct cpu_sampler *sampler = context;

	(void)pid;
	sampler->swept_late = true;
}

static void note_lost(void *context)
{
	struct cpu_sampler *sampler = context;

	sampler->overrun = true;
}

static bool is_newcomer(const struct cpu_sampler *sampler, pid_t pid)
{
	ARRAY_FOREACH (known, &sampler->newcomers)
		if (*known == pid)
			return true;
	return false;
}

static void update_newcomers(struct cpu_sampler *sampler)
{
	ARRAY_FOREACH (pid, &sampler->newcomers)
		update_newcomer(sampler, *pid);
	ARRAY_FOREACH (fork, &sampler->forks) {
		if (!is_newcomer(sampler, fork->parent) &&
		    !(slots_of(sampler, fork->parent) & sampler->file_slots))
			continue;
		if (slots_of(sampler, fork->child) & sampler->file_slots)
			continue;
		update_newcomer(sampler, fork->child);
		note(sampler, &sampler->newcomers, fork->child);
	}
	sampler->newcomers.count = sampler->forks.count = 0;
}

static void refresh(struct cpu_sampler *sampler, pid_t pid, uint64_t slots, uint64_t unused)
{
	(void)unused;
	if (slots & sampler->file_slots)
		update_newcomer(sampler, pid);
	(void)address_spaces_refresh(&sampler->spaces, pid);
}

/* All that may have been missed. */
static void refresh_all(struct cpu_sampler *sampler)
{
	sampler->overrun = false;
	for (uint32_t slot = 0; slot < SAMPLING_SLOTS; slot++) {
		const struct sampled_users *users = &sampler->users[slot];

		if (sampler->file_slots & 1ull << slot)
			(void)cpu_sampler_add_file(
			    sampler, slot, users->device, users->inode, NULL);
	}
	visit_sampled(sampler, refresh, 0);
}

/* Of a process whose word about its code came before the kernel's that it executes. */
static void refresh_unknown(struct cpu_sampler *sampler, pid_t pid, uint64_t slots, uint64_t unused)
{
	uint32_t key = (uint32_t)pid, space;

	(void)slots;
	(void)unused;
	if (bpf_map_lookup_elem(sampler->spaces.spaces, &key, &space) < 0)
		(void)address_spaces_refresh(&sampler->spaces, pid);
}

static void sweep(struct cpu_sampler *sampler)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (!sampler->swept_late || now.tv_sec - sampler->swept < SWEEP_SECONDS)
		return;
	sampler->swept_late = false;
	sampler->swept = now.tv_sec;
	visit_sampled(sampler, refresh_unknown, 0);
	address_spaces_sweep(&sampler->spaces);
}

void cpu_sampler_follow(struct cpu_sampler *sampler, int timeout_ms)
{
	process_news_take(sampler->news, timeout_ms);
	update_newcomers(sampler);
	ARRAY_FOREACH (pid, &sampler->changed)
		if (slots_of(sampler, *pid))
			(void)address_spaces_refresh(&sampler->spaces, *pid);
	sampler->changed.count = 0;
	if (sampler->overrun)
		refresh_all(sampler);
	code_images_unwind(&sampler->tables->images);
	sweep(sampler);
}

int cpu_sampler_fd(const struct cpu_sampler *sampler)
{
	return process_news_fd(sampler->news);
}

static void *follow_code(void *context)
{
	struct cpu_sampler *sampler = context;

	while (!__atomic_load_n(&sampler->stopping, __ATOMIC_ACQUIRE))
		cpu_sampler_follow(sampler, POLL_MS);
	return NULL;
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

static int reuse_maps(
    const struct cpu_sampling_bpf *skeleton, const struct sample_tables *tables, int threads)
{
	const struct {
		struct bpf_map *map;
		int fd;
	} maps[] = {
	    {skeleton->maps.threads, threads},
	    {skeleton->maps.stacks, tables->maps[TABLE_STACKS]},
	    {skeleton->maps.leaves, tables->maps[TABLE_LEAVES]},
	    {skeleton->maps.sampling_counts, tables->maps[TABLE_COUNTS]},
	    {skeleton->maps.files, tables->maps[TABLE_FILES]},
	};
	int error = 0;

	for (size_t at = 0; at < ARRAY_SIZE(maps) && !error; at++)
		error = bpf_map__reuse_fd(maps[at].map, maps[at].fd);
	return error;
}

static int load(struct cpu_sampler *sampler, int threads, struct failure *failure)
{
	struct cpu_sampling_bpf *skeleton = cpu_sampling_bpf__open();
	struct code_images *images = &sampler->tables->images;
	int error;

	sampler->skeleton = skeleton;
	if (!skeleton)
		return failure_set(failure, errno, "cannot read lprof's own BPF programs");
	error = -reuse_maps(skeleton, sampler->tables, threads);
	error = error ? error : -cpu_sampling_bpf__load(skeleton);
	if (error == EPERM || error == EACCES)
		return failure_set(failure, EPERM,
		    "may not sample CPU time: run lprof as root, or with CAP_BPF and CAP_PERFMON");
	if (error)
		return failure_set(failure, error,
		    "the kernel does not accept the program that samples CPU time: %s (Linux 5.17 "
		    "is the oldest that can; LPROF_DEBUG=1 shows why)",
		    strerror(error));
	code_images_renew(
	    images, bpf_map__fd(skeleton->maps.images), bpf_map__fd(skeleton->maps.unwind_tables));
	sampler->sampled = bpf_map__fd(skeleton->maps.sampled);
	sampler->spaces.images = images;
	sampler->spaces.spaces = bpf_map__fd(skeleton->maps.spaces);
	sampler->spaces.mappings = bpf_map__fd(skeleton->maps.mappings);
	return 0;
}

static int attach(struct cpu_sampler *sampler, struct failure *failure)
{
	int program = bpf_program__fd(sampler->skeleton->progs.sample_cpu);
	int cpus = libbpf_num_possible_cpus();

	sampler->skeleton->data_sampling->by_counter = !sampler->event.is_timer;
	for (int cpu = 0; cpu < cpus; cpu++) {
		CLEANUP_CLOSE int event = (int)syscall(__NR_perf_event_open,
		    &sampler->event.attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

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
	struct process_news_handlers handlers = {
	    .mapped = note_mapped,
	    .forked = note_forked,
	    .executed = note_executed,
	    .ended = note_ended,
	    .lost = note_lost,
	    .context = sampler,
	};
	int error;

	if (!sampler)
		return failure_set(failure, ENOMEM, "out of memory");
	sampler->tables = options->tables;
	sampler->event = sample_event_choose(options->hz, NULL);
	error = check_rate(options->hz, failure);
	if (!error)
		error = load(sampler, options->threads, failure);
	if (!error)
		error = attach_followers(sampler, failure);
	if (!error) /* before mappings are read: none is missed */
		error = process_news_open(&handlers, &sampler->news, failure);
	if (!error)
		error = attach(sampler, failure);
	if (error)
		return error;
	*ret_sampler = TAKE(sampler);
	return 0;
}

/* ---- Measuring ---- */

void cpu_sampler_activate(struct cpu_sampler *sampler)
{
	sampler->skeleton->data_sampling->gate = 1;
}

int cpu_sampler_start_thread(struct cpu_sampler *sampler, struct failure *failure)
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
	return 0;
}

static uint64_t missed_by(const struct cpu_sampling_bpf *skeleton)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(skeleton->progs.sample_cpu), &info, &size)
		   ? 0
		   : info.recursion_misses;
}

const char *cpu_sampler_event(const struct cpu_sampler *sampler)
{
	return sampler->event.name;
}

void cpu_sampler_stop(struct cpu_sampler *sampler)
{
	if (sampler->skeleton && sampler->skeleton->data_sampling)
		sampler->skeleton->data_sampling->gate = 0;
	if (sampler->events.count)
		sampler->tables->missed += missed_by(sampler->skeleton);
	ARRAY_FOREACH (event, &sampler->events)
		cleanup_close(event);
	sampler->events.count = 0;
	if (!sampler->running)
		return;
	__atomic_store_n(&sampler->stopping, true, __ATOMIC_RELEASE);
	pthread_join(sampler->thread, NULL);
	sampler->running = false;
}

void cpu_sampler_free(struct cpu_sampler *sampler)
{
	if (!sampler)
		return;
	cpu_sampler_stop(sampler);
	ARRAY_FREE(&sampler->events);
	process_news_free(sampler->news);
	cpu_sampling_bpf__destroy(sampler->skeleton);
	address_spaces_fini(&sampler->spaces);
	ARRAY_FREE(&sampler->changed);
	ARRAY_FREE(&sampler->newcomers);
	ARRAY_FREE(&sampler->forks);
	free(sampler);
}
