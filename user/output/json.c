// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the native profile, version 1 (DESIGN.md 2.4, docs/profile.schema.json).
#include "output/json_stream.h"
#include "output/output.h"

#include <time.h>

static const char *const exit_names[] = {
    [PROFILE_EXIT_NONE] = "none",
    [PROFILE_EXIT_RETURN] = "return",
    [PROFILE_EXIT_SITES] = "sites",
};

static void write_started(struct json_stream *json, int64_t started_ns)
{
	time_t seconds = started_ns / 1000000000;
	long nanoseconds = (long)(started_ns % 1000000000);
	char date[40], text[64];
	struct tm calendar;

	if (nanoseconds < 0) {
		nanoseconds += 1000000000;
		seconds--;
	}
	gmtime_r(&seconds, &calendar);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &calendar);
	snprintf(text, sizeof(text), "%s.%09ldZ", date, nanoseconds);
	json_text(json, "started", text);
}

static void write_accounting(struct json_stream *json, const struct profile_accounting *accounting)
{
	json_open(json, "accounting", '{', JSON_COMPACT);
	json_unsigned(json, "entries", accounting->entries);
	json_unsigned(json, "exits", accounting->exits);
	json_unsigned(json, "open", accounting->open);
	json_unsigned(json, "unwound", accounting->unwound);
	json_unsigned(json, "untimed", accounting->untimed);
	json_unsigned(json, "lost", accounting->lost);
	json_close(json);
}

static void write_estimate(struct json_stream *json, const struct profile_estimate *estimate)
{
	json_open(json, "in_all", '{', JSON_COMPACT);
	json_unsigned(json, "count", estimate->count);
	json_unsigned(json, "count_error", estimate->count_error);
	json_signed(json, "total_ns", estimate->total_ns);
	json_unsigned(json, "total_error_ns", estimate->total_error_ns);
	json_close(json);
}

static void write_lines(struct json_stream *json, const struct profile_function *function)
{
	json_open(json, "lines", '[', JSON_ROWS);
	ARRAY_FOREACH (line, &function->lines) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "file", line->file);
		json_unsigned(json, "line", line->line);
		json_unsigned(json, "hits", line->hits);
		json_signed(json, "total_ns", line->total_ns);
		json_signed(json, "self_ns", line->self_ns);
		json_unsigned(json, "error_ns", line->error_ns);
		json_unsigned(json, "self_error_ns", line->self_error_ns);
		json_unsigned(json, "max_ns", line->max_ns);
		json_unsigned(json, "cpu_samples", line->cpu_samples);
		json_unsigned(json, "cpu_total_samples", line->cpu_total_samples);
		json_unsigned(json, "blocked_ns", line->blocked_ns);
		json_unsigned(json, "waiting_ns", line->waiting_ns);
		if (profile_was_away(function))
			write_estimate(json, &line->in_all);
		json_unsigned(json, "sites", line->sites);
		json_text(json, "timing", line->timing == PROFILE_TIMING_SHARED ? "shared" : "own");
		json_close(json);
	}
	json_close(json);
}

static void write_callers(struct json_stream *json, const struct profile_function *function)
{
	json_open(json, "callers", '[', JSON_COMPACT);
	ARRAY_FOREACH (caller, &function->callers) {
		json_open(json, NULL, '{', JSON_COMPACT);
		if (caller->function == PROFILE_NO_FUNCTION)
			json_null(json, "function");
		else
			json_unsigned(json, "function", caller->function);
		json_unsigned(json, "calls", caller->calls);
		json_unsigned(json, "primitive_calls", caller->primitive_calls);
		json_signed(json, "total_ns", caller->total_ns);
		json_signed(json, "self_ns", caller->self_ns);
		json_close(json);
	}
	json_close(json);
}

/* `next` walks the ordered omissions in step with the functions. */
static void write_omissions(
    struct json_stream *json, size_t index, const struct profile_omission *const **next)
{
	json_open(json, "omissions", '[', JSON_COMPACT);
	for (; **next && (**next)->function == index; (*next)++) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "file", (**next)->file);
		json_unsigned(json, "line", (**next)->line);
		json_text(json, "reason", (**next)->reason);
		json_close(json);
	}
	json_close(json);
}

static void write_times(struct json_stream *json, const struct profile_function *function)
{
	json_unsigned(json, "calls", function->calls);
	json_unsigned(json, "primitive_calls", function->primitive_calls);
	json_unsigned(json, "timed_calls", function->timed_calls);
	json_signed(json, "total_ns", function->total_ns);
	json_signed(json, "self_ns", function->self_ns);
	json_unsigned(json, "error_ns", function->error_ns);
	json_unsigned(json, "self_error_ns", function->self_error_ns);
	json_unsigned(json, "min_ns", function->min_ns);
	json_unsigned(json, "max_ns", function->max_ns);
	json_unsigned(json, "raw_total_ns", function->raw_total_ns);
	json_open(json, "histogram", '[', JSON_COMPACT);
	ARRAY_FOREACH (bucket, &function->histogram) {
		json_open(json, NULL, '[', JSON_COMPACT);
		json_unsigned(json, NULL, bucket->upper_ns);
		json_unsigned(json, NULL, bucket->count);
		json_close(json);
	}
	json_close(json);
	json_unsigned(json, "cpu_samples", function->cpu_samples);
	json_unsigned(json, "cpu_total_samples", function->cpu_total_samples);
	json_unsigned(json, "blocked_ns", function->blocked_ns);
	json_unsigned(json, "waiting_ns", function->waiting_ns);
	json_boolean(json, "off_cpu", function->off_cpu);
}

static void write_stands(struct json_stream *json, const struct profile_function *function)
{
	if (!profile_was_away(function) && function->budget_state == PROFILE_BUDGET_FULL)
		return;
	json_open(json, "budget", '{', JSON_COMPACT);
	json_text(json, "state", profile_budget_state_name(function->budget_state));
	json_unsigned(json, "stood_ns", function->calls_stand.stood_ns);
	json_unsigned(json, "away_ns", function->calls_stand.away_ns);
	json_unsigned(json, "lines_stood_ns", function->lines_stand.stood_ns);
	json_unsigned(json, "lines_away_ns", function->lines_stand.away_ns);
	json_close(json);
	if (profile_was_away(function))
		write_estimate(json, &function->in_all);
}

static void write_functions(struct json_stream *json, const struct profile *profile,
    const struct profile_omission *const *next_omission)
{
	json_open(json, "functions", '[', JSON_ROWS);
	for (size_t i = 0; i < profile->functions.count; i++) {
		const struct profile_function *function = &profile->functions.items[i];
		const struct profile_image *image = profile_image_of(profile, function);

		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "name", function->name);
		json_text(json, "linkage_name", function->linkage_name);
		json_text(json, "image", image ? image->path : NULL);
		if (image)
			json_unsigned(json, "image_index", function->image);
		json_text(json, "file", function->file);
		json_unsigned(json, "line", function->line);
		write_times(json, function);
		json_text(json, "exit", exit_names[function->exit]);
		json_real(json, "rate", function->rate);
		json_boolean(json, "lines_measured", function->lines_measured);
		json_unsigned(json, "inlined_copies", function->inlined_copies);
		write_stands(json, function);
		write_accounting(json, &function->accounting);
		write_omissions(json, i, &next_omission);
		write_callers(json, function);
		write_lines(json, function);
		json_close(json);
	}
	json_close(json);
}

static void write_targets(struct json_stream *json, const struct profile *profile)
{
	json_open(json, "host", '{', JSON_COMPACT);
	json_text(json, "kernel", profile->host.kernel);
	json_unsigned(json, "cpus", profile->host.cpus);
	json_text(json, "clock", profile->host.clock);
	json_close(json);
	json_open(json, "targets", '[', JSON_ROWS);
	ARRAY_FOREACH (target, &profile->targets) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_signed(json, "pid", target->pid);
		json_text(json, "command", target->command);
		if (target->exit_status < 0)
			json_null(json, "exit_status");
		else
			json_signed(json, "exit_status", target->exit_status);
		json_close(json);
	}
	json_close(json);
	json_open(json, "images", '[', JSON_ROWS);
	ARRAY_FOREACH (image, &profile->images) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "path", image->path);
		json_text(json, "build_id", image->build_id);
		json_close(json);
	}
	json_close(json);
}

static void write_stacks(struct json_stream *json, const struct profile *profile)
{
	json_boolean(json, "off_cpu", profile->off_cpu);
	json_unsigned(json, "sampling_period_ns", profile->sampling_period_ns);
	if (profile->sampling_event)
		json_text(json, "sampling_event", profile->sampling_event);
	json_open(json, "frames", '[', JSON_ROWS);
	ARRAY_FOREACH (frame, &profile->frames) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "name", frame->name);
		json_text(json, "file", frame->file);
		json_unsigned(json, "line", frame->line);
		if (frame->image < profile->images.count)
			json_unsigned(json, "image", frame->image);
		else
			json_null(json, "image");
		json_close(json);
	}
	json_close(json);
	json_open(json, "stacks", '[', JSON_ROWS);
	ARRAY_FOREACH (stack, &profile->stacks) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_open(json, "frames", '[', JSON_COMPACT);
		ARRAY_FOREACH (frame, &stack->frames)
			json_unsigned(json, NULL, *frame);
		json_close(json);
		json_unsigned(json, "cpu_samples", stack->cpu_samples);
		json_close(json);
	}
	json_close(json);
}

static void write_loss(struct json_stream *json, const char *cause, uint64_t count)
{
	if (!count)
		return;
	json_open(json, NULL, '{', JSON_COMPACT);
	json_text(json, "cause", cause);
	json_unsigned(json, "count", count);
	json_close(json);
}

static void write_losses(struct json_stream *json, const struct profile *profile)
{
	json_open(json, "losses", '[', JSON_COMPACT);
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		write_loss(json, loss_cause(loss), profile->losses[loss]);
	ARRAY_FOREACH (other, &profile->other_losses)
		write_loss(json, other->cause, other->count);
	json_close(json);
}

static void write_budget(struct json_stream *json, const struct profile_budget *budget)
{
	if (budget->share <= 0)
		return;
	json_open(json, "budget", '{', JSON_COMPACT);
	json_real(json, "share", budget->share);
	json_text(json, "state", budget->slices ? "sliced" : "full");
	json_unsigned(json, "stood_ns", budget->stood_ns);
	json_unsigned(json, "slices", budget->slices);
	json_close(json);
}

static void write_cost(struct json_stream *json, const struct profile_cost *cost)
{
	json_open(json, "cost", '{', JSON_COMPACT);
	json_unsigned(json, "hits", cost->hits);
	json_unsigned(json, "overhead_ns", cost->overhead_ns);
	if (cost->off_cpu_ns)
		json_unsigned(json, "off_cpu_ns", cost->off_cpu_ns);
	json_open(json, "per_hit_ns", '{', JSON_COMPACT);
	json_real(json, "emulated", cost->emulated_ns);
	json_real(json, "stepped", cost->stepped_ns);
	json_real(json, "return", cost->return_ns);
	json_close(json);
	json_open(json, "per_hit_error_ns", '{', JSON_COMPACT);
	json_real(json, "emulated", cost->emulated_error_ns);
	json_real(json, "stepped", cost->stepped_error_ns);
	json_real(json, "return", cost->return_error_ns);
	json_close(json);
	json_real(json, "share_of_cpu", cost->share_of_cpu);
	json_unsigned(json, "bystander_hits", cost->bystander_hits);
	json_unsigned(json, "cpu_samples", cost->cpu_samples);
	write_budget(json, &cost->budget);
	json_close(json);
}

int output_write_json(const struct profile *profile, FILE *stream,
    const struct output_options *options, struct failure *failure)
{
	CLEANUP_FREE const struct profile_omission **omissions = profile_order_omissions(profile);
	struct json_stream json = {.file = stream};

	(void)options;
	if (!omissions)
		return failure_set(failure, ENOMEM, "no memory to write the profile as JSON");
	json_open(&json, NULL, '{', JSON_ROWS);
	json_text(&json, "format", "lprof");
	json_unsigned(&json, "version", PROFILE_VERSION);
	write_started(&json, profile->started_ns);
	json_unsigned(&json, "duration_ns", profile->duration_ns);
	write_targets(&json, profile);
	write_functions(&json, profile, (const struct profile_omission *const *)omissions);
	write_stacks(&json, profile);
	write_losses(&json, profile);
	write_accounting(&json, &profile->accounting);
	write_cost(&json, &profile->cost);
	json_close(&json);
	return 0;
}
