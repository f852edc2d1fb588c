// SPDX-License-Identifier: GPL-2.0-or-later
// Writes what calls are answered with.
#include "control/methods_reply.h"

#include <string.h>

#include "control/sampling.h"
#include "output/report.h"

#define FUNCTIONS_SHOWN 1000 /* and of what is left out */

void reply_begin(struct json_stream *json, FILE *stream)
{
	*json = (struct json_stream){.file = stream};
	json_open(json, NULL, '{', JSON_COMPACT);
	json_open(json, "parameters", '{', JSON_COMPACT);
}

void reply_end(struct json_stream *json, bool continues)
{
	json_close(json);
	if (continues)
		json_boolean(json, "continues", true);
	json_close(json);
}

void reply_error(FILE *stream, const char *error, const struct failure *failure)
{
	struct json_stream json = {.file = stream};
	const char *code = strerrorname_np(failure->code);

	json_open(&json, NULL, '{', JSON_COMPACT);
	json_text(&json, "error", error);
	json_open(&json, "parameters", '{', JSON_COMPACT);
	json_text(&json, "code", code ? code : "EIO");
	json_text(&json, "message", failure->text);
	json_close(&json);
	json_close(&json);
}

/* The largest step of its functions. */
static enum part_step probe_step(const struct probes *probes, const struct probe *probe)
{
	enum part_step most = STEP_FULL;

	if (engine_wake(probes->options.engine, NULL))
		return most;
	ARRAY_FOREACH (part, &probe->parts)
		for (uint32_t at = 0;
		     part->phase == PART_ATTACHED && at < part->plan->functions.count; at++) {
			struct function_stands stands;
			enum part_step step;

			engine_part_step(probes->options.engine, part->number, at, &step, &stands);
			most = step > most ? step : most;
		}
	return most;
}

void reply_probe(struct json_stream *json, const char *key, const struct probes *probes,
    const struct probe *probe)
{
	size_t functions = 0, sites = 0, builds = 0, targets = 0, all_refused = 0, sampled = 0;

	ARRAY_FOREACH (part, &probe->parts) {
		size_t links, refused;

		engine_part_probes(probes->options.engine, part->number, &links, &refused);
		functions += part->plan->functions.count;
		sites += part->plan->sites.count;
		all_refused += refused;
		builds++;
		if (part->phase == PART_ATTACHED && !probe->request.image)
			targets += engine_part_targets(probes->options.engine, part->number);
		sampled += sampling_targets(probes->options.sampling, part);
	}
	json_open(json, key, '{', JSON_COMPACT);
	json_unsigned(json, "id", probe->id);
	json_unsigned(json, "user", probe->user);
	json_boolean(json, "active", probe->active);
	json_signed(json, "ends_ns", probe->ends_ns);
	json_real(json, "budget_percent", probes_budget(probes, probe));
	json_text(json, "budget_state",
	    profile_budget_state_name((enum profile_budget_state)probe_step(probes, probe)));
	request_write(&probe->request, json);
	if (probe->problem)
		json_text(json, "problem", probe->problem);
	json_unsigned(json, "builds", builds);
	json_unsigned(json, "functions", functions);
	json_unsigned(json, "sites", sites);
	json_unsigned(json, "refused", all_refused);
	json_unsigned(json, "targets", targets);
	json_unsigned(json, "sampled", sampled);
	json_close(json);
}

struct price {
	uint64_t entry, exit; /* the dearest of each */
	unsigned sites;
};

static void add_price(
    const struct engine *engine, const struct plan_site *site, struct price *price)
{
	uint64_t hit = engine_price_ns(engine, site->cost);

	price->sites++;
	if (site->roles & SITE_RETURN)
		hit += engine_price_ns(engine, COST_RETURN);
	if (site->roles & SITE_ENTRY && hit > price->entry)
		price->entry = hit;
	if (site->roles & SITE_EXIT && hit > price->exit)
		price->exit = hit;
}

static void write_function(
    struct json_stream *json, const struct plan_function *function, const struct price *price)
{
	static const char *const exits[] = {"none", "return", "sites"};

	json_open(json, NULL, '{', JSON_COMPACT);
	json_text(json, "name", function->name);
	json_text(json, "file", function->file);
	json_unsigned(json, "line", function->line);
	json_text(json, "exit", exits[function->exit]);
	json_unsigned(json, "sites", price->sites);
	json_unsigned(json, "price_ns", price->entry + price->exit);
	json_close(json);
}

void reply_functions(
    struct json_stream *json, const struct probes *probes, const struct probe *probe)
{
	const struct plan *plan = probe->parts.items[probe->parts.count - 1].plan;
	CLEANUP_FREE struct price *prices = calloc(plan->functions.count + 1, sizeof(*prices));

	json_open(json, "functions", '[', JSON_ROWS);
	ARRAY_FOREACH (site, &plan->sites)
		if (prices && site->function != NO_FUNCTION)
			add_price(probes->options.engine, site, &prices[site->function]);
	for (size_t at = 0; prices && at < plan->functions.count && at < FUNCTIONS_SHOWN; at++)
		write_function(json, &plan->functions.items[at], &prices[at]);
	json_close(json);
}

void reply_left_out(struct json_stream *json, const struct probe *probe)
{
	const struct plan *plan = probe->parts.items[probe->parts.count - 1].plan;

	json_open(json, "left_out", '[', JSON_ROWS);
	for (size_t at = 0; at < plan->left_out.count && at < FUNCTIONS_SHOWN; at++) {
		const struct plan_left_out *left = &plan->left_out.items[at];
		const char *name =
		    left->function == NO_FUNCTION ? "" : plan->functions.items[left->function].name;
		char text[1024];

		if (left->line)
			snprintf(text, sizeof(text), "%s %s:%u: %s", name, left->file, left->line,
			    left->reason);
		else
			snprintf(text, sizeof(text), "%s: %s", name, left->reason);
		json_text(json, NULL, text);
	}
	json_close(json);
}

static size_t count_active(const struct probes *probes)
{
	size_t active = 0;

	ARRAY_FOREACH (probe, &probes->all)
		active += (*probe)->active;
	return active;
}

static void write_losses(struct json_stream *json, const struct profile *profile)
{
	json_open(json, "losses", '{', JSON_COMPACT);
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (profile->losses[loss])
			json_unsigned(json, loss_cause((enum loss)loss), profile->losses[loss]);
	json_close(json);
}

static uint64_t count_samples(const struct profile *profile)
{
	uint64_t samples = 0;

	ARRAY_FOREACH (function, &profile->functions)
		samples += function->cpu_samples;
	return samples;
}

static void write_push(struct json_stream *json, const struct push *push)
{
	struct push_status status;

	push_get_status(push, &status);
	json_open(json, "push", '{', JSON_COMPACT);
	json_text(json, "url", status.url);
	json_text(json, "store", status.store);
	json_unsigned(json, "pushed", status.pushed);
	json_unsigned(json, "failed", status.failed);
	json_unsigned(json, "dropped", status.dropped);
	json_unsigned(json, "spooled", status.spooled);
	json_unsigned(json, "spool_bytes", status.spool_bytes);
	json_unsigned(json, "spool_bytes_max", status.spool_limit);
	json_signed(json, "pushed_ns", status.pushed_ns);
	if (status.problem)
		json_text(json, "problem", status.problem);
	if (status.next_ns)
		json_unsigned(json, "next_ns", status.next_ns);
	json_close(json);
}

void reply_status(
    struct json_stream *json, const struct daemon *daemon, const struct profile *profile)
{
	struct engine_fill fill;

	engine_fill(daemon->engine, &fill);
	json_text(json, "version", LPROF_VERSION);
	json_signed(json, "pid", getpid());
	json_signed(json, "started_ns", engine_started(daemon->engine));
	json_unsigned(json, "restarts", daemon->restarts);
	json_unsigned(json, "probes", count_active(&daemon->probes));
	json_unsigned(json, "clients", server_clients(daemon->server));
	json_unsigned(json, "functions", fill.functions);
	json_unsigned(json, "functions_max", fill.functions_max);
	json_unsigned(json, "sites", fill.sites);
	json_unsigned(json, "sites_max", fill.sites_max);
	json_unsigned(json, "lines", fill.lines);
	json_unsigned(json, "lines_max", fill.lines_max);
	json_unsigned(json, "hits", profile->cost.hits);
	json_unsigned(json, "overhead_ns", profile->cost.overhead_ns);
	json_real(json, "share_of_cpu", profile->cost.share_of_cpu);
	json_unsigned(json, "sampling_hz", sampling_hz(daemon->sampling));
	json_unsigned(json, "cpu_samples", count_samples(profile));
	write_losses(json, profile);
	if (daemon->push)
		write_push(json, daemon->push);
}

static void write_samples(
    struct json_stream *json, const struct profile *profile, uint64_t own, uint64_t total)
{
	if (!profile->sampling_period_ns)
		return;
	json_unsigned(json, "cpu_samples", own);
	json_unsigned(json, "cpu_total_samples", total);
}

static void write_off_cpu(struct json_stream *json, uint64_t blocked_ns, uint64_t waiting_ns)
{
	json_unsigned(json, "blocked_ns", blocked_ns);
	json_unsigned(json, "waiting_ns", waiting_ns);
}

/* A line's file is told where it is not the function's. */
static void write_line(struct json_stream *json, const struct profile *profile,
    const struct profile_function *function, const struct profile_line *line)
{
	json_open(json, NULL, '{', JSON_COMPACT);
	if (strcmp(line->file, function->file) != 0)
		json_text(json, "file", line->file);
	json_unsigned(json, "line", line->line);
	json_unsigned(json, "hits", line->hits);
	json_signed(json, "total_ns", line->total_ns);
	json_signed(json, "self_ns", line->self_ns);
	if (line->sampled)
		json_boolean(json, "sampled_only", true);
	write_samples(json, profile, line->cpu_samples, line->cpu_total_samples);
	if (function->off_cpu && !line->sampled)
		write_off_cpu(json, line->blocked_ns, line->waiting_ns);
	json_close(json);
}

/* Those that are measured, and those that samples found. */
static void write_lines(struct json_stream *json, const struct profile *profile,
    const struct profile_function *function)
{
	json_open(json, "lines", '[', JSON_COMPACT);
	ARRAY_FOREACH (line, &function->lines)
		if (function->lines_measured || line->sampled)
			write_line(json, profile, function, line);
	json_close(json);
}

static void write_counts(struct json_stream *json, const struct profile *profile,
    const struct profile_function *function, bool lines)
{
	json_open(json, NULL, '{', JSON_COMPACT);
	json_text(json, "name", function->name);
	json_text(json, "file", function->file);
	json_unsigned(json, "line", function->line);
	if (function->image < profile->images.count)
		json_text(json, "image", profile->images.items[function->image].path);
	json_unsigned(json, "calls", function->calls);
	json_unsigned(json, "timed_calls", function->timed_calls);
	json_unsigned(json, "open_calls", function->accounting.open);
	json_signed(json, "total_ns", function->total_ns);
	json_signed(json, "self_ns", function->self_ns);
	if (report_is_sampled_only(function))
		json_boolean(json, "sampled_only", true);
	write_samples(json, profile, function->cpu_samples, function->cpu_total_samples);
	if (function->off_cpu)
		write_off_cpu(json, function->blocked_ns, function->waiting_ns);
	if (lines && (function->lines_measured || function->lines.count))
		write_lines(json, profile, function);
	json_close(json);
}

void reply_counts(struct json_stream *json, const struct daemon *daemon,
    const struct profile *profile, uint64_t now_ns, bool lines)
{
	json_unsigned(json, "now_ns", now_ns);
	json_unsigned(json, "probes", count_active(&daemon->probes));
	json_unsigned(json, "hits", profile->cost.hits);
	json_unsigned(json, "overhead_ns", profile->cost.overhead_ns);
	if (profile->sampling_period_ns)
		json_unsigned(json, "sampling_period_ns", profile->sampling_period_ns);
	write_losses(json, profile);
	json_open(json, "functions", '[', JSON_ROWS);
	ARRAY_FOREACH (function, &profile->functions)
		write_counts(json, profile, function, lines);
	json_close(json);
}
