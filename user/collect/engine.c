// SPDX-License-Identifier: GPL-2.0-or-later
// Drives one measurement through its stages: load, attach, activate, drain, stop.
//
// The order that keeps numbers true: tables are filled before any probe stands; probes stand before
// the gate opens; the gate closes before any probe is taken away; what was counted outlives the
// probes, because maps and programs stay loaded until engine_free().
#include "collect/engine.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "collect/attach.h"
#include "collect/calibrate.h"
#include "collect/counters.h"
#include "collect/drain.h"
#include "collect/features.h"
#include "collect/libbpf_log.h"
#include "collect/uprobe_link.h"
#include "target/process.h"
#include "timing.skel.h"

struct engine_target {
	pid_t pid;
	char *command;
};

struct engine {
	const struct plan *plan;
	struct engine_options options;
	struct features features;
	enum attach_method method;
	struct timing_bpf *skeleton;
	struct bpf_link *fork_link, *exit_link;
	struct counters counters;
	struct attachment *attachment;
	struct costs costs;
	ARRAY(struct engine_target) targets;
	int64_t started_ns;    /* CLOCK_REALTIME */
	uint64_t activated_ns; /* CLOCK_MONOTONIC, 0: not yet */
	uint64_t stopped_ns;   /* 0: not yet */
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A program of its own for each purpose; what the method does not use is not even loaded. */
static void choose_programs(struct engine *engine)
{
	enum attach_method method = engine->method;
	uint32_t type = method == ATTACH_PERF ? 0 : UPROBE_ATTACH_MULTI;
	struct timing_bpf *skeleton = engine->skeleton;

	bpf_program__set_autoload(skeleton->progs.timing_session, method == ATTACH_SESSION);
	bpf_program__set_autoload(skeleton->progs.timing_return, method != ATTACH_SESSION);
	bpf_program__set_autoload(skeleton->progs.follow_fork, engine->options.follow);
	bpf_program__set_expected_attach_type(
	    skeleton->progs.timing_session, (enum bpf_attach_type)UPROBE_ATTACH_SESSION);
	bpf_program__set_expected_attach_type(
	    skeleton->progs.timing_site, (enum bpf_attach_type)type);
	bpf_program__set_expected_attach_type(
	    skeleton->progs.timing_return, (enum bpf_attach_type)type);
}

static void fill_settings(const struct engine *engine)
{
	volatile struct settings *settings = &engine->skeleton->data_settings->settings;

	settings->gate = 0;
	settings->shard_mask = engine->counters.shards - 1;
	settings->sites = engine->counters.site_count;
	settings->functions = engine->counters.function_count;
	settings->lines = engine->counters.line_count;
	settings->follow_forks = engine->options.follow;
	if (!engine->options.correct)
		return;
	for (int class = 0; class < COST_CLASSES; class ++) {
		settings->cost_before_ns[class] = engine->costs.before_ns[class];
		settings->cost_after_ns[class] = engine->costs.after_ns[class];
	}
}

static int load(struct engine *engine, struct failure *failure)
{
	int error;

	engine->skeleton = timing_bpf__open();
	if (!engine->skeleton)
		return failure_set(failure, errno, "cannot read lprof's own BPF programs");
	choose_programs(engine);
	error = counters_prepare(&engine->counters, engine->skeleton, engine->plan,
	    engine->options.shards, engine->options.edges, failure);
	if (error)
		return error;
	error = -timing_bpf__load(engine->skeleton);
	if (error == EPERM || error == EACCES)
		return failure_set(failure, EPERM,
		    "may not load BPF programs: run lprof as root, or with CAP_BPF and "
		    "CAP_PERFMON");
	if (error == ENOMEM)
		return failure_set(failure, error,
		    "no memory for the kernel's tables of %zu probes: measure fewer functions",
		    engine->plan->sites.count);
	if (error)
		return failure_set(failure, error,
		    "the kernel does not accept lprof's BPF programs: %s (LPROF_DEBUG=1 shows why)",
		    strerror(error));
	return 0;
}

static int follow_processes(struct engine *engine, struct failure *failure)
{
	engine->exit_link = bpf_program__attach(engine->skeleton->progs.follow_exit);
	if (!engine->exit_link)
		return failure_set(
		    failure, errno, "cannot follow ending processes: %s", strerror(errno));
	if (!engine->options.follow)
		return 0;
	engine->fork_link = bpf_program__attach(engine->skeleton->progs.follow_fork);
	if (!engine->fork_link)
		return failure_set(
		    failure, errno, "cannot follow forked processes: %s", strerror(errno));
	return 0;
}

static int engine_init(struct engine *engine, struct failure *failure)
{
	int error;

	libbpf_log_init();
	features_detect(&engine->features);
	error = features_check(&engine->features, failure);
	if (error)
		return error;
	error = attach_choose(&engine->features, engine->options.method, &engine->method, failure);
	if (error)
		return error;
	if (engine->options.correct)
		calibrate_costs(engine->method, &engine->costs);
	error = load(engine, failure);
	if (error)
		return error;
	error = counters_open(&engine->counters, engine->skeleton, failure);
	if (error)
		return error;
	counters_fill(&engine->counters, engine->plan);
	fill_settings(engine);
	return follow_processes(engine, failure);
}

int engine_open(const struct plan *plan, const struct engine_options *options,
    struct engine **ret_engine, struct failure *failure)
{
	CLEANUP(engine_free_p) struct engine *engine = calloc(1, sizeof(*engine));
	int error;

	if (!engine)
		return failure_set(failure, ENOMEM, "out of memory");
	engine->plan = plan;
	engine->options = *options;
	error = engine_init(engine, failure);
	if (error)
		return error;
	*ret_engine = TAKE(engine);
	return 0;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	engine_stop(engine);
	attach_free(engine->attachment);
	counters_close(&engine->counters);
	timing_bpf__destroy(engine->skeleton);
	ARRAY_FOREACH (target, &engine->targets)
		free(target->command);
	ARRAY_FREE(&engine->targets);
	free(engine);
}

int engine_add_target(struct engine *engine, pid_t pid, struct failure *failure)
{
	uint32_t key = (uint32_t)pid, value = 1;
	struct engine_target target = {.pid = pid};

	if (kill(pid, 0) < 0 && errno == ESRCH)
		return failure_set(failure, ESRCH, "there is no process %d", (int)pid);
	if (bpf_map_update_elem(
		bpf_map__fd(engine->skeleton->maps.targets), &key, &value, BPF_ANY) < 0)
		return failure_set(failure, errno == E2BIG ? E2BIG : errno,
		    "cannot add process %d to the targets: %s", (int)pid, strerror(errno));
	if (process_read_command("/proc", pid, &target.command, NULL))
		target.command = strdup(""); /* a namespace may hide it */
	if (!target.command || ARRAY_APPEND(&engine->targets, target)) {
		free(target.command);
		return failure_set(failure, ENOMEM, "out of memory");
	}
	return 0;
}

/* The one process that the kernel itself can limit probes to, or 0. */
static pid_t only_process(const struct engine *engine)
{
	if (engine->options.follow || engine->targets.count != 1)
		return 0;
	if (engine->method != ATTACH_PERF && !engine->features.has[FEATURE_PROCESS_FILTER])
		return 0;
	return engine->targets.items[0].pid;
}

static int program_fd(const struct bpf_program *program)
{
	return bpf_program__fd(program); /* negative: not loaded */
}

int engine_attach(struct engine *engine, struct failure *failure)
{
	const struct attach_options options = {
	    .method = engine->method,
	    .programs =
		{
		    .session = program_fd(engine->skeleton->progs.timing_session),
		    .site = program_fd(engine->skeleton->progs.timing_site),
		    .returns = program_fd(engine->skeleton->progs.timing_return),
		},
	    .pid = only_process(engine),
	    .progress = engine->options.progress,
	    .context = engine->options.context,
	};

	/* In a pid namespace BPF sees other ids than we do: only the kernel's filter can tell. */
	if (!engine->features.has[FEATURE_HOST_PIDS]) {
		if (!options.pid)
			return failure_set(failure, ENOSYS,
			    "%s; or measure one process with "
			    "--no-follow",
			    feature_reason(&engine->features, FEATURE_HOST_PIDS));
		engine->skeleton->data_settings->settings.all_processes = 1;
	}
	return attach_open(engine->plan, &options, &engine->attachment, failure);
}

void engine_activate(struct engine *engine)
{
	engine->started_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	engine->activated_ns = clock_ns(CLOCK_MONOTONIC);
	__atomic_store_n(&engine->skeleton->data_settings->settings.gate, 1, __ATOMIC_SEQ_CST);
}

void engine_set_rate(struct engine *engine, uint32_t function, double rate)
{
	engine->counters.functions[function].threshold = counters_threshold(rate);
}

size_t engine_count_targets(const struct engine *engine)
{
	int map = bpf_map__fd(engine->skeleton->maps.targets);
	uint32_t key, *previous = NULL;
	size_t count = 0;

	while (bpf_map_get_next_key(map, previous, &key) == 0 && count < TARGETS_MAX) {
		previous = &key;
		count++;
	}
	return count;
}

/* Runs that the kernel left out because a program was running on the CPU already. */
static uint64_t missed_by(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_program__fd(program) < 0 ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) < 0)
		return 0;
	return info.recursion_misses;
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

int engine_drain(struct engine *engine, struct profile **ret_profile, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	uint64_t until = engine->stopped_ns ? engine->stopped_ns : clock_ns(CLOCK_MONOTONIC);
	const struct drain_input input = {
	    .plan = engine->plan,
	    .counters = &engine->counters,
	    .attachment = engine->attachment,
	    .costs = &engine->costs,
	    .edges = bpf_map__fd(engine->skeleton->maps.edges),
	    .edges_max = bpf_map__max_entries(engine->skeleton->maps.edges),
	    .missed = missed_by(engine->skeleton->progs.timing_session) +
		      missed_by(engine->skeleton->progs.timing_site) +
		      missed_by(engine->skeleton->progs.timing_return),
	    .started_ns = engine->started_ns,
	    .duration_ns = engine->activated_ns ? until - engine->activated_ns : 0,
	};
	int error = drain_profile(&input, &profile, failure);

	if (!error)
		error = drain_targets(engine, profile, failure);
	if (error)
		return error;
	*ret_profile = TAKE(profile);
	return 0;
}

static void detach(struct engine *engine)
{
	struct attachment *attachment = engine->attachment;

	if (attachment)
		attach_close(attachment);
	bpf_link__destroy(engine->fork_link);
	bpf_link__destroy(engine->exit_link);
	engine->fork_link = engine->exit_link = NULL;
}

void engine_stop(struct engine *engine)
{
	if (engine->skeleton && engine->skeleton->data_settings)
		__atomic_store_n(
		    &engine->skeleton->data_settings->settings.gate, 0, __ATOMIC_SEQ_CST);
	if (engine->activated_ns && !engine->stopped_ns)
		engine->stopped_ns = clock_ns(CLOCK_MONOTONIC);
	detach(engine);
}
