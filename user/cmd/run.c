// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof run`: starts a command, measures it to its end, reports.
#include "cmd/cmd.h"
#include "cmd/measure.h"
#include "collect/spawn.h"

/* The command's status is ours, unless lprof itself fails. */
static int measure_command(const struct measure_options *options, const struct plan_kernel *kernel,
    struct spawn *spawn, int *ret_status, struct failure *failure)
{
	CLEANUP(measure_free_p) struct measurement *measurement = NULL;
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	const pid_t pid = spawn_pid(spawn);
	int error = measure_prepare(options, &pid, 1, kernel, true, &measurement, failure),
	    delivered;

	if (error)
		return error; /* the command never ran: spawn_free() kills it */
	error = measure_activate(measurement, failure);
	if (error)
		return error;
	(void)spawn_release(spawn, NULL); /* if it was killed meanwhile, waiting tells */
	error = spawn_wait(spawn,
	    &(struct spawn_waiting){
		.tick = measure_tick,
		.alarm = measure_alarm_fd(measurement),
		.context = measurement,
	    },
	    ret_status, failure);
	if (!error)
		error = measure_finish(measurement, &profile, failure);
	if (error)
		return error;
	if (profile->targets.count)
		profile->targets.items[0].exit_status = *ret_status;
	delivered = measure_deliver("run", options, profile);
	if (delivered != STATUS_OK)
		*ret_status = delivered;
	return 0;
}

static int run(const struct measure_options *options)
{
	CLEANUP(spawn_free_p) struct spawn *spawn = NULL;
	const struct spawn_options command = {
	    .arguments = (const char *const *)options->operands, .user = options->user};
	struct failure failure = {0};
	struct plan_kernel kernel;
	int status = STATUS_RUN_FAILED, error = measure_check(options, &kernel, &failure);

	if (error)
		return cmd_failed("run", options->json, &failure);
	error = spawn_open(&command, &spawn, &status, &failure);
	if (error) {
		(void)cmd_failed("run", options->json, &failure);
		return status;
	}
	error = measure_command(options, &kernel, spawn, &status, &failure);
	return error ? cmd_failed("run", options->json, &failure) : status;
}

int cmd_run(int argc, char **argv)
{
	struct measure_options options;
	int status;

	if (measure_options_parse(OPTIONS_RUN, argc, argv, &options, &status))
		status = run(&options);
	measure_options_fini(&options);
	return status;
}
