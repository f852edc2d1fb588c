// SPDX-License-Identifier: GPL-2.0-or-later
// Takes the kernel's side through its stages: load or adopt, activate, drain, stop.
//
// The order that keeps numbers true: tables are filled before any probe stands; probes stand before
// the gate opens; the gate closes before any probe is taken away; what was counted outlives the
// probes, because maps and programs stay loaded until engine_free().
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/calibrate.h"
#include "collect/drain.h"
#include "collect/function_sums.h"
#include "collect/engine_state.h"
#include "collect/libbpf_log.h"

static const struct {
	enum kernel_program program;
	const char *tracepoint, *pin;
} follows[FOLLOW_COUNT] = {
    [FOLLOW_EXIT] = {PROGRAM_follow_exit, "sched_process_exit", "follow_exit_link"},
    [FOLLOW_FORK] = {PROGRAM_follow_fork, "sched_process_fork", "follow_fork_link"},
    [FOLLOW_EXEC] = {PROGRAM_follow_exec, "sched_process_exec", "follow_exec_link"},
};

static void fill_settings(const struct engine *engine)
{
	volatile struct settings *settings = engine->kernel.settings;
	struct stat namespace;

	settings->gate = 0;
	settings->shard_mask = engine->counters.shards - 1;
	settings->sites = engine->counters.site_count;
	settings->functions = engine->counters.function_count;
	settings->lines = engine->counters.line_count;
	settings->edge_mask = engine->counters.edge_places - 1;
	settings->forks_watched = engine->options.pins ? NEVER_WATCHED : 0;
	if (!engine->options.pins && stat("/proc/self/ns/pid", &namespace) == 0) {
		settings->owner = (__u32)getpid();
		settings->owner_device = namespace.st_dev;
		settings->owner_namespace = namespace.st_ino;
	}
	if (!engine->options.correct)
		return;
	for (int class = 0; class < COST_CLASSES; class ++) {
		settings->cost_before_ns[class] = engine->costs.before_ns[class];
		settings->cost_after_ns[class] = engine->costs.after_ns[class];
		settings->cost_spread_ns[class] = engine->costs.spread_ns[class];
	}
}

static void read_settings(struct engine *engine)
{
	const volatile struct settings *settings = engine->kernel.settings;

	for (int class = 0; class < COST_CLASSES; class ++) {
		engine->costs.before_ns[class] = settings->cost_before_ns[class];
		engine->costs.after_ns[class] = settings->cost_after_ns[class];
		engine->costs.spread_ns[class] = settings->cost_spread_ns[class];
		engine->costs.known = engine->costs.known || engine->costs.after_ns[class];
	}
}

static int follow_processes(struct engine *engine, struct failure *failure)
{
	for (int at = 0; at < FOLLOW_COUNT; at++) {
		/* the fork's program is typed, and so knows its tracepoint itself */
		int link =
		    bpf_raw_tracepoint_open(at == FOLLOW_FORK ? NULL : follows[at].tracepoint,
			engine->kernel.programs[follows[at].program]);

		if (link < 0)
			return failure_set(failure, errno, "cannot follow processes (%s): %s",
			    follows[at].tracepoint, strerror(errno));
		engine->follow_links[at] = link;
	}
	return 0;
}

static void follow_close(struct engine *engine)
{
	scheduler_leave(&engine->scheduler);
	for (int at = 0; at < FOLLOW_COUNT; at++) {
		cleanup_close(&engine->follow_links[at]);
		engine->follow_links[at] = -1;
	}
}

/* ---- Pins ---- */

static int make_pin_directory(const char *pins, struct failure *failure)
{
	struct statfs system;

	if (mkdir(pins, 0700) < 0 && errno != EEXIST)
		return failure_set(failure, errno, "cannot make %s: %s%s", pins, strerror(errno),
		    errno == ENOENT ? "; mount the BPF file system: mount -t bpf bpf /sys/fs/bpf"
				    : "");
	if (statfs(pins, &system) < 0)
		return failure_set(failure, errno, "cannot look at %s: %s", pins, strerror(errno));
	if ((unsigned long)system.f_type == BPF_FS_MAGIC)
		return 0;
	(void)rmdir(pins);
	return failure_set(
	    failure, ENOTDIR, "%s is not in a BPF file system: mount -t bpf bpf /sys/fs/bpf", pins);
}

static int pin_link(
    const struct engine *engine, int link, const char *name, struct failure *failure)
{
	CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s", engine->pins, name) < 0)
		return failure_set(failure, ENOMEM, "out of memory");
	if (bpf_obj_pin(link, path) < 0)
		return failure_set(failure, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

static int adopt_link(
    const struct engine *engine, const char *name, int *ret_link, struct failure *failure)
{
	CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s", engine->pins, name) < 0)
		return failure_set(failure, ENOMEM, "out of memory");
	*ret_link = bpf_obj_get(path);
	if (*ret_link < 0)
		return failure_set(failure, EPROTO,
		    "%s is not lprof's any more (%s): run lprofd --purge", path, strerror(errno));
	return 0;
}

static int pin_all(const struct engine *engine, struct failure *failure)
{
	int error = make_pin_directory(engine->pins, failure);

	if (!error)
		error = kernel_pin(&engine->kernel, engine->pins, failure);
	for (int at = 0; at < FOLLOW_COUNT && !error; at++)
		error = pin_link(engine, engine->follow_links[at], follows[at].pin, failure);
	return error;
}

void engine_purge(const char *pins)
{
	DIR *directory = opendir(pins);
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		(void)unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	(void)rmdir(pins);
}

/* ---- Open ---- */

static int engine_new(
    const struct engine_options *options, struct engine **ret_engine, struct failure *failure)
{
	CLEANUP(engine_free_p) struct engine *engine = calloc(1, sizeof(*engine));
	int error;

	if (!engine)
		return failure_set(failure, ENOMEM, "out of memory");
	engine->options = *options;
	engine->kernel = KERNEL_OBJECTS_CLOSED;
	for (int at = 0; at < FOLLOW_COUNT; at++)
		engine->follow_links[at] = -1;
	engine->scheduler = SCHEDULER_LEFT;
	engine->pins = options->pins ? strdup(options->pins) : NULL;
	if (options->pins && !engine->pins)
		return failure_set(failure, ENOMEM, "out of memory");
	libbpf_log_init();
	features_detect(&engine->features);
	error = features_check(&engine->features, failure);
	if (!error)
		error = attach_choose(
		    &engine->features, engine->options.method, &engine->method, failure);
	if (error)
		return error;
	*ret_engine = TAKE(engine);
	return 0;
}

static int ignore_alarm(void *context, void *data, size_t size)
{
	(void)context;
	(void)data;
	(void)size;
	return 0; /* the accounts themselves tell */
}

static int open_alarms(struct engine *engine, struct failure *failure)
{
	engine->alarms =
	    ring_buffer__new(engine->kernel.maps[MAP_alarms], ignore_alarm, NULL, NULL);
	return engine->alarms ? 0
			      : failure_set(failure, errno,
				    "cannot wait for the kernel's alarms: %s", strerror(errno));
}

static void fill_capacity(struct engine *engine)
{
	engine->fill.functions_max = engine->counters.function_count;
	engine->fill.sites_max = engine->counters.site_count;
	engine->fill.lines_max = engine->counters.line_count;
}

static size_t at_least(uint32_t wanted, size_t needed)
{
	return wanted > needed ? wanted : needed;
}

static int load(struct engine *engine, const struct plan *plan, struct failure *failure)
{
	const struct engine_options *options = &engine->options;
	struct kernel_options kernel = {
	    .method = engine->method,
	    .counters = &engine->counters,
	    .off_cpu = options->off_cpu,
	    /* without a plan, some room for plans to come */
	    .goroutines = !plan          ? GOROUTINES_MAX / 8
			  : plan->has_go ? GOROUTINES_MAX
					 : 1,
	};
	const struct counters_capacity capacity = {
	    .functions = at_least(options->functions, plan ? plan->functions.count : 0),
	    .sites = at_least(options->sites, plan ? plan->sites.count : 0),
	    .lines = at_least(options->lines, plan ? plan->lines.count : 0),
	    .shards = options->shards,
	    .edges = options->edges,
	};
	int error;

	if (options->correct)
		calibrate_costs(engine->method, &engine->costs);
	counters_size(&engine->counters, &capacity);
	error = kernel_load(&kernel, &engine->kernel, failure);
	if (error && options->off_cpu && engine->pins) { /* an older kernel may do the rest */
		kernel.off_cpu = false;
		failure_clear(failure);
		error = kernel_load(&kernel, &engine->kernel, failure);
	}
	if (!error)
		error = counters_open(&engine->counters, &engine->kernel, failure);
	if (error)
		return error;
	fill_capacity(engine);
	fill_settings(engine);
	error = open_alarms(engine, failure);
	if (!error)
		error = follow_processes(engine, failure);
	return error || !engine->pins ? error : pin_all(engine, failure);
}

int engine_open(const struct plan *plan, const struct engine_options *options,
    struct engine **ret_engine, struct failure *failure)
{
	CLEANUP(engine_free_p) struct engine *engine = NULL;
	const struct engine_part_options part = {
	    .follow = options->follow, .off_cpu = options->off_cpu};
	uint32_t first;
	int error = engine_new(options, &engine, failure);

	if (!error)
		error = load(engine, plan, failure);
	if (!error && plan)
		error = engine_add(engine, plan, &part, &first, failure);
	if (error)
		return error;
	*ret_engine = TAKE(engine);
	return 0;
}

int engine_adopt(
    const struct engine_options *options, struct engine **ret_engine, struct failure *failure)
{
	CLEANUP(engine_free_p) struct engine *engine = NULL;
	int error = engine_new(options, &engine, failure);

	if (!error)
		error = kernel_adopt(engine->pins, &engine->kernel, failure);
	for (int at = 0; at < FOLLOW_COUNT && !error; at++)
		error = adopt_link(engine, follows[at].pin, &engine->follow_links[at], failure);
	if (!error)
		error = counters_open(&engine->counters, &engine->kernel, failure);
	if (!error)
		error = open_alarms(engine, failure);
	if (error)
		return error;
	if (engine->kernel.programs[PROGRAM_timing_session] >= 0)
		engine->method = ATTACH_SESSION;
	fill_capacity(engine);
	read_settings(engine);
	*ret_engine = TAKE(engine);
	return 0;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	if (!engine->pins)
		engine_stop(engine);
	engine_free_parts(engine);
	follow_close(engine);
	ring_buffer__free(engine->alarms);
	counters_close(&engine->counters);
	kernel_close(&engine->kernel);
	ARRAY_FOREACH (target, &engine->targets)
		free(target->command);
	ARRAY_FREE(&engine->targets);
	free(engine->pins);
	free(engine);
}

void engine_rest(struct engine *engine)
{
	counters_close(&engine->counters);
}

int engine_wake(struct engine *engine, struct failure *failure)
{
	int error;

	if (engine->counters.mapping_count)
		return 0;
	error = counters_open(&engine->counters, &engine->kernel, failure);
	if (error)
		engine_rest(engine); /* not half of them */
	return error;
}

/* ---- Measuring ---- */

void engine_activate(struct engine *engine)
{
	engine_set_started(engine, (int64_t)clock_ns(CLOCK_REALTIME));
	__atomic_store_n(&engine->kernel.settings->gate, 1, __ATOMIC_SEQ_CST);
}

int64_t engine_started(const struct engine *engine)
{
	return engine->started_ns;
}

void engine_set_started(struct engine *engine, int64_t started_ns)
{
	int64_t ago = (int64_t)clock_ns(CLOCK_REALTIME) - started_ns;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	engine->started_ns = started_ns;
	engine->activated_ns = ago > 0 && (uint64_t)ago < now ? now - (uint64_t)ago : now;
}

static int drain_targets(
    const struct engine *engine, struct profile *profile, struct failure *failure)
{
	ARRAY_FOREACH (target, &engine->targets) {
		struct profile_target copy = {
		    .pid = target->pid,
		    .command = profile_intern(profile, target->command),
		    .exit_status = -1,
		};

		if (!copy.command || ARRAY_APPEND(&profile->targets, copy))
			return failure_set(failure, ENOMEM, "out of memory");
	}
	return 0;
}

int engine_drain_parts(struct engine *engine, const bool *wanted, struct profile **ret_profile,
    struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	CLEANUP_FREE const struct part **parts =
	    calloc(engine->parts.count + 1, sizeof(const struct part *));
	uint64_t until = engine->stopped_ns ? engine->stopped_ns : clock_ns(CLOCK_MONOTONIC);
	struct drain_input input = {
	    .parts = parts,
	    .counters = &engine->counters,
	    .functions = engine->fill.functions,
	    .sites = engine->fill.sites,
	    .lines = engine->fill.lines,
	    .costs = &engine->costs,
	    .missed = kernel_missed(&engine->kernel),
	    .started_ns = engine->started_ns,
	    .duration_ns = engine->activated_ns ? until - engine->activated_ns : 0,
	};
	int error = engine_wake(engine, failure);

	if (error)
		return error;
	if (!parts)
		return failure_set(failure, ENOMEM, "out of memory");
	for (size_t at = 0; at < engine->parts.count; at++)
		if (engine->parts.items[at]->shown && (!wanted || wanted[at]))
			parts[input.part_count++] = engine->parts.items[at];
	for (uint32_t at = 0; at < engine->parts.count; at++)
		if (engine->parts.items[at]->live && engine->parts.items[at]->estimates)
			engine_look_at_targets(engine, at);
	error = drain_profile(&input, &profile, failure);
	if (!error)
		error = drain_targets(engine, profile, failure);
	if (error)
		return error;
	*ret_profile = TAKE(profile);
	return 0;
}

int engine_drain(struct engine *engine, struct profile **ret_profile, struct failure *failure)
{
	return engine_drain_parts(engine, NULL, ret_profile, failure);
}

void engine_stop(struct engine *engine)
{
	const bool first = engine->activated_ns && !engine->stopped_ns;

	if (engine->kernel.settings)
		__atomic_store_n(&engine->kernel.settings->gate, 0, __ATOMIC_SEQ_CST);
	if (first)
		engine->stopped_ns = clock_ns(CLOCK_MONOTONIC);
	for (uint32_t part = 0; part < engine->parts.count; part++)
		engine_detach_part(engine, part);
	follow_close(engine);
	if (first && engine->options.correct)
		calibrate_again(engine->method, &engine->costs);
}
