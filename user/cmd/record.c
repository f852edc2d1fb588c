// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof record`: measures running processes for a while and leaves them running.
#include <errno.h>

#include "cmd/cmd.h"
#include "cmd/measure.h"
#include "collect/watch.h"
#include "target/process.h"

static int check_process(pid_t pid, struct failure *failure)
{
	struct process_status status;
	int error = process_read_status("/proc", pid, &status, failure);

	if (error)
		return error;
	if (status.process != pid)
		return failure_set(failure, EINVAL,
		    "%d is a thread: measure its process with -p %d", (int)pid,
		    (int)status.process);
	if (status.zombie)
		return failure_set(failure, ESRCH, "process %d has ended", (int)pid);
	if (status.tracer)
		return failure_set(failure, EBUSY,
		    "process %d is being traced by process %d: end the debugger first", (int)pid,
		    (int)status.tracer);
	return 0;
}

static size_t targets_alive(void *context)
{
	const struct measurement *measurement = context;

	return engine_count_targets(measurement->engine);
}

static int measure_processes(const struct measure_options *options,
    const struct plan_kernel *kernel, struct profile **ret_profile, struct failure *failure)
{
	CLEANUP(watch_free_p) struct watch *watch = NULL;
	CLEANUP(measure_free_p) struct measurement *measurement = NULL;
	struct watch_options waiting = {.duration_ns = options->duration_ns};
	int error = watch_open(options->pids.items, options->pids.count, &watch, failure);

	ARRAY_FOREACH (pid, &options->pids)
		if (!error)
			error = check_process(*pid, failure);
	if (!error)
		error = measure_prepare(options, options->pids.items, options->pids.count, kernel,
		    false, &measurement, failure);
	if (error)
		return error;
	if (watch_all_ended(watch))
		return failure_set(failure, ESRCH,
		    "process %d ended while probes were being attached",
		    (int)options->pids.items[0]);
	error = measure_activate(measurement, failure);
	if (error)
		return error;
	waiting.tick = measure_tick;
	waiting.alarm = measure_alarm_fd(measurement);
	waiting.alive = options->follow ? targets_alive : NULL;
	waiting.context = measurement;
	error = watch_wait(watch, &waiting, failure);
	return error ? error : measure_finish(measurement, ret_profile, failure);
}

static int record(const struct measure_options *options)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	struct failure failure = {0};
	struct plan_kernel kernel;
	int error = measure_check(options, &kernel, &failure);

	if (!error)
		error = measure_processes(options, &kernel, &profile, &failure);
	if (error)
		return cmd_failed("record", options->json, &failure);
	return measure_deliver("record", options, profile);
}

int cmd_record(int argc, char **argv)
{
	struct measure_options options;
	int status;

	if (measure_options_parse(OPTIONS_RECORD, argc, argv, &options, &status))
		status = record(&options);
	measure_options_fini(&options);
	return status;
}
