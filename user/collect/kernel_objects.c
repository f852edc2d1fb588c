// SPDX-License-Identifier: GPL-2.0-or-later
// Loads, pins and adopts the timing programs and their maps.
#include "collect/kernel_objects.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "collect/uprobe_link.h"
#include "timing.skel.h"

static const char *const map_names[] = {
#define MAP(name) #name,
    KERNEL_MAPS(MAP)
#undef MAP
};

static const char *const program_names[] = {
#define PROGRAM(name) #name,
    KERNEL_PROGRAMS(PROGRAM)
#undef PROGRAM
};

DEFINE_CLEANUP(struct timing_bpf *, timing_bpf__destroy)

static void skeleton_maps(const struct timing_bpf *skeleton, struct bpf_map *ret_maps[MAP_COUNT])
{
#define MAP(name) ret_maps[MAP_##name] = skeleton->maps.name;
	KERNEL_MAPS(MAP)
#undef MAP
}

static void skeleton_programs(
    const struct timing_bpf *skeleton, struct bpf_program *ret_programs[PROGRAM_COUNT])
{
#define PROGRAM(name) ret_programs[PROGRAM_##name] = skeleton->progs.name;
	KERNEL_PROGRAMS(PROGRAM)
#undef PROGRAM
}

/* A program of its own for each purpose; what the method does not use is not even loaded. */
static void choose_programs(
    const struct timing_bpf *skeleton, enum attach_method method, bool off_cpu)
{
	uint32_t type = method == ATTACH_PERF ? 0 : UPROBE_ATTACH_MULTI;

	bpf_program__set_autoload(skeleton->progs.timing_session, method == ATTACH_SESSION);
	bpf_program__set_autoload(skeleton->progs.timing_return, method != ATTACH_SESSION);
	bpf_program__set_autoload(skeleton->progs.off_cpu_switch, off_cpu);
	bpf_program__set_autoload(skeleton->progs.off_cpu_wakeup, off_cpu);
	bpf_program__set_expected_attach_type(
	    skeleton->progs.timing_session, (enum bpf_attach_type)UPROBE_ATTACH_SESSION);
	bpf_program__set_expected_attach_type(
	    skeleton->progs.timing_site, (enum bpf_attach_type)type);
	bpf_program__set_expected_attach_type(
	    skeleton->progs.timing_return, (enum bpf_attach_type)type);
}

static int size_maps(const struct timing_bpf *skeleton, const struct kernel_options *options,
    struct failure *failure)
{
	const struct counters *counters = options->counters;
	const uint64_t shards = counters->shards;
	const struct {
		struct bpf_map *map;
		uint64_t entries;
	} sizes[] = {
	    {skeleton->maps.sites, counters->site_count},
	    {skeleton->maps.functions, counters->function_count},
	    {skeleton->maps.site_hits, shards * counters->site_count},
	    {skeleton->maps.function_counters, shards * counters->function_count},
	    {skeleton->maps.histograms, shards * counters->function_count},
	    {skeleton->maps.line_counters, shards * counters->line_count},
	    {skeleton->maps.shard_counters, shards},
	    {skeleton->maps.edges, shards * counters->edge_places},
	    {skeleton->maps.stands, counters->function_count},
	    {skeleton->maps.goroutines, options->goroutines},
	    {skeleton->maps.off_cpu_lines, options->off_cpu ? shards * counters->line_count : 1},
	    {skeleton->maps.off_cpu_functions,
		options->off_cpu ? shards * counters->function_count : 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (sizes[i].entries > INT32_MAX)
			return failure_set(failure, E2BIG,
			    "%u probes in %u functions are more than the kernel's tables hold: "
			    "measure fewer functions",
			    counters->site_count, counters->function_count);
		bpf_map__set_max_entries(sizes[i].map, (uint32_t)sizes[i].entries);
	}
	return 0;
}

static int load_skeleton(const struct timing_bpf *skeleton, const struct kernel_options *options,
    struct failure *failure)
{
	int error = -timing_bpf__load((struct timing_bpf *)skeleton);

	if (error == EPERM || error == EACCES)
		return failure_set(failure, EPERM,
		    "may not load BPF programs: run lprof as root, or with CAP_BPF and "
		    "CAP_PERFMON");
	if (error == ENOMEM)
		return failure_set(failure, error,
		    "no memory for the kernel's tables of %u probes: measure fewer functions",
		    options->counters->site_count);
	if (error)
		return failure_set(failure, error,
		    "the kernel does not accept lprof's BPF programs: %s (LPROF_DEBUG=1 shows "
		    "why)%s",
		    strerror(error), options->off_cpu ? "; --off-cpu needs Linux 5.18" : "");
	return 0;
}

#define ACCOUNTS_SIZE (ACCOUNTS_MAX * sizeof(struct account))

static void *map_memory(int map, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* What is looked at all the time; the counters can be unmapped in between. */
static int map_settings(struct kernel_objects *objects, struct failure *failure)
{
	objects->settings = map_memory(objects->maps[MAP_data_settings], sizeof(struct settings));
	objects->accounts = map_memory(objects->maps[MAP_accounts], ACCOUNTS_SIZE);
	if (!objects->settings || !objects->accounts)
		return failure_set(
		    failure, errno, "cannot map the kernel's settings: %s", strerror(errno));
	return 0;
}

/* Descriptors of our own, so that libbpf's memory can go. */
static int take_descriptors(
    const struct timing_bpf *skeleton, struct kernel_objects *objects, struct failure *failure)
{
	struct bpf_program *programs[PROGRAM_COUNT];
	struct bpf_map *maps[MAP_COUNT];
	bool lacking = false;

	skeleton_maps(skeleton, maps);
	skeleton_programs(skeleton, programs);
	for (int i = 0; i < MAP_COUNT; i++) {
		objects->maps[i] = fcntl(bpf_map__fd(maps[i]), F_DUPFD_CLOEXEC, 3);
		lacking = lacking || objects->maps[i] < 0;
	}
	for (int i = 0; i < PROGRAM_COUNT; i++) {
		if (bpf_program__fd(programs[i]) < 0)
			continue;
		objects->programs[i] = fcntl(bpf_program__fd(programs[i]), F_DUPFD_CLOEXEC, 3);
		lacking = lacking || objects->programs[i] < 0;
	}
	if (lacking)
		return failure_set(failure, EMFILE, "no descriptors left: raise ulimit -n");
	return 0;
}

int kernel_load(const struct kernel_options *options, struct kernel_objects *ret_objects,
    struct failure *failure)
{
	CLEANUP(timing_bpf__destroy_p) struct timing_bpf *skeleton = timing_bpf__open();
	int error;

	*ret_objects = KERNEL_OBJECTS_CLOSED;
	if (!skeleton)
		return failure_set(failure, errno, "cannot read lprof's own BPF programs");
	choose_programs(skeleton, options->method, options->off_cpu);
	error = size_maps(skeleton, options, failure);
	if (!error)
		error = load_skeleton(skeleton, options, failure);
	if (!error)
		error = take_descriptors(skeleton, ret_objects, failure);
	if (!error)
		error = map_settings(ret_objects, failure);
	if (error) {
		kernel_close(ret_objects);
		return error;
	}
	ret_objects->settings->layout = WIRE_VERSION;
	return 0;
}

/* ---- Pins ---- */

static void pin_path(char *path, size_t size, const char *directory, const char *name)
{
	snprintf(path, size, "%s/%s", directory, name);
}

static int pin_one(int fd, const char *directory, const char *name, struct failure *failure)
{
	char path[4096];

	if (fd < 0)
		return 0;
	pin_path(path, sizeof(path), directory, name);
	if (bpf_obj_pin(fd, path) < 0)
		return failure_set(failure, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

int kernel_pin(const struct kernel_objects *objects, const char *directory, struct failure *failure)
{
	int error = 0;

	for (int i = 0; i < MAP_COUNT && !error; i++)
		error = pin_one(objects->maps[i], directory, map_names[i], failure);
	for (int i = 0; i < PROGRAM_COUNT && !error; i++)
		error = pin_one(objects->programs[i], directory, program_names[i], failure);
	return error;
}

static int foreign(const char *directory, const char *name, struct failure *failure)
{
	return failure_set(failure, EPROTO,
	    "%s/%s was not pinned by this version of lprof: run lprofd --purge", directory, name);
}

/* A pinned map of the type and the size of elements that this version would make. */
static int adopt_map(const char *directory, const char *name, const struct bpf_map *wanted,
    int *ret_fd, struct failure *failure)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	char path[4096];

	pin_path(path, sizeof(path), directory, name);
	*ret_fd = bpf_obj_get(path);
	if (*ret_fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (*ret_fd < 0 || bpf_obj_get_info_by_fd(*ret_fd, &info, &size) < 0 ||
	    info.type != bpf_map__type(wanted) || info.value_size != bpf_map__value_size(wanted) ||
	    info.key_size != bpf_map__key_size(wanted))
		return foreign(directory, name, failure);
	return 0;
}

static int adopt_program(
    const char *directory, const char *name, int *ret_fd, struct failure *failure)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	char path[4096];

	pin_path(path, sizeof(path), directory, name);
	*ret_fd = bpf_obj_get(path);
	if (*ret_fd < 0 && errno == ENOENT)
		return 0; /* one that the method does not use */
	if (*ret_fd < 0 || bpf_obj_get_info_by_fd(*ret_fd, &info, &size) < 0 ||
	    strncmp(info.name, name, sizeof(info.name) - 1) != 0)
		return foreign(directory, name, failure);
	return 0;
}

static int adopt_all(const char *directory, const struct timing_bpf *skeleton,
    struct kernel_objects *objects, struct failure *failure)
{
	struct bpf_map *maps[MAP_COUNT];
	size_t missing = 0;
	int error = 0;

	skeleton_maps(skeleton, maps);
	for (int i = 0; i < MAP_COUNT && !error; i++) {
		error = adopt_map(directory, map_names[i], maps[i], &objects->maps[i], failure);
		missing += error == -ENOENT;
		error = error == -ENOENT ? 0 : error;
	}
	if (!error && missing == MAP_COUNT)
		return failure_set(failure, ENOENT, "nothing is pinned in %s", directory);
	if (!error && missing)
		return failure_set(failure, EPROTO,
		    "%zu of lprof's tables in %s are gone: run lprofd --purge", missing, directory);
	for (int i = 0; i < PROGRAM_COUNT && !error; i++)
		error = adopt_program(directory, program_names[i], &objects->programs[i], failure);
	if (!error && (objects->programs[PROGRAM_timing_site] < 0 ||
			  objects->programs[PROGRAM_follow_exit] < 0))
		return foreign(directory, program_names[PROGRAM_timing_site], failure);
	return error;
}

int kernel_adopt(const char *directory, struct kernel_objects *ret_objects, struct failure *failure)
{
	CLEANUP(timing_bpf__destroy_p) struct timing_bpf *skeleton = timing_bpf__open();
	int error;

	*ret_objects = KERNEL_OBJECTS_CLOSED;
	if (!skeleton)
		return failure_set(failure, errno, "cannot read lprof's own BPF programs");
	error = adopt_all(directory, skeleton, ret_objects, failure);
	if (!error)
		error = map_settings(ret_objects, failure);
	if (!error && ret_objects->settings->layout != WIRE_VERSION)
		error = foreign(directory, map_names[MAP_data_settings], failure);
	if (error)
		kernel_close(ret_objects);
	return error;
}

void kernel_close(struct kernel_objects *objects)
{
	if (objects->settings)
		munmap((void *)objects->settings, sizeof(struct settings));
	if (objects->accounts)
		munmap((void *)objects->accounts, ACCOUNTS_SIZE);
	for (int i = 0; i < MAP_COUNT; i++)
		cleanup_close(&objects->maps[i]);
	for (int i = 0; i < PROGRAM_COUNT; i++)
		cleanup_close(&objects->programs[i]);
	*objects = KERNEL_OBJECTS_CLOSED;
}

uint32_t kernel_map_entries(const struct kernel_objects *objects, enum kernel_map map)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(objects->maps[map], &info, &size) < 0 ? 0 : info.max_entries;
}

static uint64_t missed_by(int program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (program < 0 || bpf_obj_get_info_by_fd(program, &info, &size) < 0)
		return 0;
	return info.recursion_misses;
}

uint64_t kernel_missed(const struct kernel_objects *objects)
{
	return missed_by(objects->programs[PROGRAM_timing_session]) +
	       missed_by(objects->programs[PROGRAM_timing_site]) +
	       missed_by(objects->programs[PROGRAM_timing_return]) +
	       missed_by(objects->programs[PROGRAM_off_cpu_switch]) +
	       missed_by(objects->programs[PROGRAM_off_cpu_wakeup]);
}
