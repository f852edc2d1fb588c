// SPDX-License-Identifier: GPL-2.0-or-later
// Takes processes to attached probes, and counters to reports.
#include "cmd/measure.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "collect/features.h"
#include "output/output.h"
#include "output/report.h"

#define WARN_SHARE   0.05       /* of one CPU */
#define WARN_STEP_NS 1000000000 /* between two looks, and before the first */

int measure_check(
    const struct measure_options *options, struct plan_kernel *ret_kernel, struct failure *failure)
{
	struct features features;

	ARRAY_FOREACH (output, &options->outputs)
		if (!output_format_for(*output, failure))
			return -EINVAL;
	features_detect(&features);
	*ret_kernel = features_plan_kernel(&features);
	return features_check(&features, failure);
}

static int attach(struct measurement *measurement, const struct measure_options *options,
    const pid_t *pids, size_t count, struct failure *failure)
{
	const struct engine_options engine = {
	    .method = options->method,
	    .follow = options->follow,
	    .off_cpu = options->off_cpu,
	    .correct = measurement->target->plan->sites.count > 0,
	    .progress = progress_step,
	    .context = &measurement->progress,
	};
	int error = engine_open(measurement->target->plan, &engine, &measurement->engine, failure);

	for (size_t i = 0; i < count && !error; i++)
		error = engine_add_target(measurement->engine, pids[i], failure);
	return error ? error : engine_attach(measurement->engine, failure);
}

/* Without functions to measure, CPU time is. */
static bool is_sampled(const struct measure_options *options)
{
	return options->cpu || !options->specs.count;
}

static int sample(struct measurement *measurement, const struct measure_options *options,
    const pid_t *pids, size_t count, struct failure *failure)
{
	struct cpu_sampler_options sampling = {
	    .hz = options->cpu_hz,
	    .threads = engine_threads_map(measurement->engine),
	};
	int error = sample_tables_open(NULL, &measurement->samples, failure);

	sampling.tables = measurement->samples;
	measurement->sampling_period_ns = 1000000000u / options->cpu_hz;
	if (!error)
		error = cpu_sampler_open(&sampling, &measurement->sampler, failure);
	for (size_t at = 0; at < count && !error; at++)
		error =
		    cpu_sampler_add(measurement->sampler, 0, pids[at], options->follow, failure);
	return error;
}

int measure_prepare(const struct measure_options *options, const pid_t *pids, size_t count,
    const struct plan_kernel *kernel, bool marked, struct measurement **ret_measurement,
    struct failure *failure)
{
	CLEANUP(measure_free_p) struct measurement *measurement = calloc(1, sizeof(*measurement));
	struct target_request request = measure_options_request(options);
	int error;

	if (!measurement)
		return failure_set(failure, ENOMEM, "out of memory");
	measurement->budget_percent = options->budget_percent;
	request.marked = marked;
	request.sampled = is_sampled(options);
	progress_init(&measurement->progress);
	progress_step(&measurement->progress, "Reading images", 0, 0);
	error = target_plan_open(pids, count, &request, kernel, &measurement->target, failure);
	if (!error)
		error = attach(measurement, options, pids, count, failure);
	if (!error && is_sampled(options))
		error = sample(measurement, options, pids, count, failure);
	progress_end(&measurement->progress);
	if (error)
		return error;
	*ret_measurement = TAKE(measurement);
	return 0;
}

int measure_activate(struct measurement *measurement, struct failure *failure)
{
	engine_activate(measurement->engine);
	measurement->began_ns = measurement->looked_ns = clock_ns(CLOCK_MONOTONIC);
	budget_init(&measurement->budget, measurement->engine, 0);
	if (budget_set(&measurement->budget, 0, measurement->budget_percent))
		return failure_set(failure, ENOMEM, "out of memory");
	if (!measurement->sampler)
		return 0;
	cpu_sampler_activate(measurement->sampler);
	return cpu_sampler_start_thread(measurement->sampler, failure);
}

/* Whose images have to be looked at: the new targets', or everybody's if any came or went. */
static int list_changed(struct measurement *measurement, bool all, pid_array *news)
{
	if (!all)
		return 0;
	news->count = 0;
	return engine_list_targets(measurement->engine, news, NULL);
}

static void watch_images(struct measurement *measurement)
{
	struct failure failure = {0};
	pid_array news = {0};
	uint32_t changes;
	uint64_t forks;
	bool held;
	int error;

	if (measurement->switched || !measurement->target->plan->watches_images)
		return;
	error = engine_watch_images(measurement->engine, 0, &news, &forks, &failure);
	failure_clear(&failure);
	held = engine_holds_returns(measurement->engine, &changes);
	if (list_changed(measurement, held, &news) ||
	    target_plan_unwinds(measurement->target, news.items, news.count)) {
		measurement->switched = true;
		if (engine_switch_exits(measurement->engine, 0, &failure))
			log_warning("%s: ends of calls are not seen any more", failure.text);
	} else {
		if (held)
			engine_release_returns(measurement->engine, changes);
		if (!error) /* else again at the next tick */
			engine_know_images(measurement->engine, forks);
	}
	ARRAY_FREE(&news);
}

/* Once, where no budget was asked for. */
static void warn_of_cost(struct measurement *measurement)
{
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);
	double share;

	if (measurement->dear || measurement->budget_percent > 0 ||
	    now - measurement->looked_ns < WARN_STEP_NS)
		return;
	measurement->looked_ns = now;
	share =
	    (double)engine_spent_ns(measurement->engine) / (double)(now - measurement->began_ns);
	if (share < WARN_SHARE)
		return;
	measurement->dear = true;
	log_warning("the probes cost %.0f%% of one CPU: with --budget they cost what you allow",
	    100 * share);
}

int measure_alarm_fd(const struct measurement *measurement)
{
	return engine_alarm_fd(measurement->engine);
}

void measure_tick(void *context)
{
	struct measurement *measurement = context;
	struct failure failure = {0};
	bool changed;
	uint64_t next;
	int error;

	watch_images(measurement);
	warn_of_cost(measurement);
	error = budget_tick(&measurement->budget, &next, &changed, &failure);
	if (error && error != -ESRCH && !measurement->stuck)
		log_warning("%s: probes that the budget took away do not come back", failure.text);
	measurement->stuck = error;
	failure_clear(&failure);
}

int measure_finish(
    struct measurement *measurement, struct profile **ret_profile, struct failure *failure)
{
	int error;

	progress_step(&measurement->progress, "Removing probes", 0, 0);
	if (measurement->sampler)
		cpu_sampler_stop(measurement->sampler);
	engine_stop(measurement->engine);
	progress_step(&measurement->progress, "Looking up samples", 0, 0);
	error = engine_drain(measurement->engine, ret_profile, failure);
	if (!error)
		budget_tell(&measurement->budget, *ret_profile);
	if (!error && measurement->sampler)
		error = sample_tables_drain(measurement->samples, 1,
		    measurement->sampling_period_ns, *ret_profile, failure);
	if (!error && measurement->sampler)
		(*ret_profile)->sampling_event =
		    profile_intern(*ret_profile, cpu_sampler_event(measurement->sampler));
	progress_end(&measurement->progress);
	return error;
}

static int print_report(
    const struct measure_options *options, const struct profile *profile, FILE *stream)
{
	static const struct output_options plain;
	struct report_options report = {0};

	if (options->json)
		return output_write_json(profile, stream, &plain, NULL);
	(void)report_parse_color("auto", stream, &report.color);
	return report_print(profile, stream, &report);
}

/* Writes one file; true if that went well. */
static bool write_output(const char *command, const struct measure_options *options,
    const struct profile *profile, const char *path)
{
	struct failure failure = {0};

	if (output_write(profile, path, NULL, &failure)) {
		(void)cmd_failed(command, options->json, &failure);
		return false;
	}
	log_note("wrote %s", path);
	return true;
}

int measure_deliver(
    const char *command, const struct measure_options *options, const struct profile *profile)
{
	struct failure failure = {0};
	bool written = true;

	ARRAY_FOREACH (output, &options->outputs)
		written = write_output(command, options, profile, *output) && written;
	if (written && options->outputs.count)
		return STATUS_OK;
	if (print_report(options, profile, written ? stdout : stderr)) {
		failure_set(&failure, ENOMEM, "out of memory");
		return cmd_failed(command, options->json, &failure);
	}
	if (written)
		return STATUS_OK;
	return strcmp(command, "run") ? STATUS_FAILED : STATUS_RUN_FAILED;
}

void measure_free(struct measurement *measurement)
{
	if (!measurement)
		return;
	progress_end(&measurement->progress);
	cpu_sampler_free(measurement->sampler);
	sample_tables_free(measurement->samples);
	budget_fini(&measurement->budget);
	engine_free(measurement->engine);
	target_plan_free(measurement->target);
	free(measurement);
}
