// SPDX-License-Identifier: GPL-2.0-or-later
// Builds a profile from the kernel's counters.
#include "collect/drain.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "collect/drain_edges.h"
#include "collect/function_sums.h"
#include "collect/uncertainty.h"
#include "model/distribution.h"

/* Calibration can err by more than a short stay took: a sum below zero is none. */
static int64_t not_negative(int64_t sum)
{
	return sum > 0 ? sum : 0;
}

/* The error claimed of a time that is shown as 0 where the sum was less. */
static uint64_t error_of(double error, int64_t sum)
{
	return (uint64_t)fmax(ceil(error), sum < 0 ? -(double)sum : 0);
}

static int drain_host(const struct drain_input *input, struct profile *profile)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname system;

	profile->started_ns = input->started_ns;
	profile->duration_ns = input->duration_ns;
	for (size_t at = 0; at < input->part_count; at++)
		profile->off_cpu = profile->off_cpu || input->parts[at]->off_cpu;
	profile->host.cpus = processors > 0 ? (uint32_t)processors : 1;
	profile->host.clock = profile_intern(profile, "CLOCK_MONOTONIC");
	profile->host.kernel =
	    profile_intern(profile, uname(&system) == 0 ? system.release : "unknown");
	return profile->host.clock && profile->host.kernel ? 0 : -ENOMEM;
}

/* What the kernel counted, by its ids, read once. */
struct drained {
	struct function_sums_all sums;
	uint64_t *site_hits;
	struct line_counters *lines;
	double *line_shares; /* of functions: how much of their time their lines stood */
	struct uncertainty uncertainty;
};

static void drained_fini(struct drained *drained)
{
	function_sums_free(&drained->sums);
	free(drained->site_hits);
	free(drained->lines);
	free(drained->line_shares);
	uncertainty_free(&drained->uncertainty);
}

/* Of a function's lines, signed. */
struct line_sums {
	int64_t total_ns, self_ns;
};

/* One part on its way into the profile, with where its ids go there. */
struct drained_part {
	const struct drain_input *input;
	const struct drained *all;
	const struct part *part;
	const struct plan *plan;
	uint32_t first_function; /* in the profile */
	uint32_t *images;        /* the profile's, by the plan's */
	struct line_sums *lines; /* by the plan's functions */
};

/* An image of the parts before, or a new one. */
static int drain_image(
    const struct plan_image *image, size_t known, struct profile *profile, uint32_t *ret_at)
{
	struct profile_image copy = {
	    .path = profile_intern(profile, image->path),
	    .build_id = profile_intern(profile, image->build_id),
	};

	if (!copy.path || !copy.build_id)
		return -ENOMEM;
	for (size_t at = 0; at < known; at++) {
		*ret_at = (uint32_t)at;
		if (profile->images.items[at].path == copy.path &&
		    profile->images.items[at].build_id == copy.build_id)
			return 0;
	}
	*ret_at = (uint32_t)profile->images.count;
	return ARRAY_APPEND(&profile->images, copy);
}

static int drain_images(const struct drained_part *drained, struct profile *profile)
{
	size_t known = profile->images.count;
	int error = 0;

	for (uint32_t at = 0; at < drained->plan->images.count && !error; at++)
		error = drain_image(
		    &drained->plan->images.items[at], known, profile, &drained->images[at]);
	return error;
}

static enum profile_exit exit_of(const struct plan_function *planned)
{
	return planned->exit == PLAN_EXIT_RETURN  ? PROFILE_EXIT_RETURN
	       : planned->exit == PLAN_EXIT_SITES ? PROFILE_EXIT_SITES
						  : PROFILE_EXIT_NONE;
}

static void drain_counts(struct profile_function *function, const struct function_sums *counted,
    const struct time_error *error)
{
	function->calls = counted->entries;
	function->timed_calls = counted->closed;
	function->primitive_calls = counted->primitive;
	if (counted->untimed && counted->opened)
		function->primitive_calls =
		    (uint64_t)((double)(counted->entries - counted->lost) *
			       (double)counted->primitive / (double)counted->opened);
	function->total_ns = not_negative(counted->total_ns);
	function->self_ns = not_negative(counted->self_ns);
	if (function->self_ns > function->total_ns)
		function->self_ns = function->total_ns;
	function->error_ns = error_of(error->total, counted->total_ns);
	function->self_error_ns = error_of(error->self, counted->self_ns);
	function->raw_total_ns = counted->raw_total_ns;
	function->min_ns = counted->min_ns;
	function->max_ns = counted->max_ns;
	function->accounting = (struct profile_accounting){
	    .entries = counted->entries,
	    .exits = counted->exits,
	    .open = counted->open,
	    .unwound = counted->unwound,
	    .untimed = counted->untimed,
	    .lost = counted->lost,
	};
}

static void drain_stands(
    const struct drained_part *drained, uint32_t at, struct profile_function *function)
{
	static const enum profile_budget_state states[STEP_COUNT] = {
	    [STEP_FULL] = PROFILE_BUDGET_FULL,
	    [STEP_FEWER] = PROFILE_BUDGET_FEWER_TIMED,
	    [STEP_LINES] = PROFILE_BUDGET_LINES_SLICED,
	    [STEP_SLICED] = PROFILE_BUDGET_SLICED,
	    [STEP_AWAY] = PROFILE_BUDGET_AWAY,
	};
	const struct counters *counters = drained->input->counters;
	struct function_stands stands;

	part_stands(drained->part, counters, at, &stands);
	function->budget_state = states[part_step(drained->part, counters, at)];
	function->calls_stand = (struct profile_stand){stands.calls.stood_ns, stands.calls.away_ns};
	function->lines_stand = (struct profile_stand){stands.lines.stood_ns, stands.lines.away_ns};
}

static int drain_function(const struct drained_part *drained, uint32_t at, struct profile *profile)
{
	const struct plan_function *planned = &drained->plan->functions.items[at];
	const struct counters *counters = drained->input->counters;
	const uint32_t id = drained->part->place.functions + at;
	struct profile_function *function = profile_add_function(profile);
	uint64_t buckets[HISTOGRAM_BUCKETS];
	struct off_cpu_counters off_cpu;

	if (!function)
		return -ENOMEM;
	function->name = profile_intern(profile, planned->name);
	function->linkage_name = profile_intern(profile, planned->linkage_name);
	function->file = profile_intern(profile, planned->file);
	if (!function->name || !function->linkage_name || !function->file)
		return -ENOMEM;
	function->line = planned->line;
	function->image = drained->images[planned->image];
	function->exit = exit_of(planned);
	function->rate = (double)counters->functions[id].threshold / counters_threshold(1.0);
	drain_stands(drained, at, function);
	function->lines_measured = planned->lines;
	function->inlined_copies = planned->inlined_copies;
	drain_counts(
	    function, &drained->all->sums.functions[id], &drained->all->uncertainty.functions[id]);
	counters_off_cpu_function(counters, id, &off_cpu);
	function->blocked_ns = off_cpu.blocked_ns;
	function->waiting_ns = off_cpu.waiting_ns;
	function->off_cpu = drained->part->off_cpu;
	counters_histogram(counters, id, buckets);
	return distribution_store(function, buckets);
}

/* Lines whose counts miss a site that the kernel refused must not show the rest as the count. */
static void mark_uncounted_lines(const struct drained_part *drained, bool *uncounted)
{
	if (!drained->part->attachment)
		return;
	ARRAY_FOREACH (term, &drained->plan->counts)
		ARRAY_FOREACH (refusal, &drained->part->attachment->refusals)
			if (refusal->site == term->site)
				uncounted[term->line] = true;
}

static int drain_line(const struct drained_part *drained, uint32_t at, uint64_t hits,
    bool uncounted, struct profile *profile)
{
	const struct plan_line *planned = &drained->plan->lines.items[at];
	struct profile_function *function =
	    &profile->functions.items[drained->first_function + planned->function];
	struct off_cpu_counters off_cpu;
	const uint32_t id = drained->part->place.lines + at;
	const struct line_counters *counted = &drained->all->lines[id];
	const struct time_error *error = &drained->all->uncertainty.lines[id];
	const int64_t self_ns = counted->total_ns - counted->inner_ns;
	struct profile_line line = {
	    .file = profile_intern(profile, planned->file),
	    .line = planned->line,
	    .hits = uncounted ? 0 : hits,
	    .sites = uncounted ? 0 : planned->sites,
	    .timing = planned->shared ? PROFILE_TIMING_SHARED : PROFILE_TIMING_OWN,
	};

	drained->lines[planned->function].total_ns += counted->total_ns;
	drained->lines[planned->function].self_ns += self_ns;
	line.total_ns = not_negative(counted->total_ns);
	line.self_ns = not_negative(self_ns);
	line.error_ns = error_of(error->total, counted->total_ns);
	line.self_error_ns = error_of(error->self, self_ns);
	line.max_ns = counted->max_ns;
	counters_off_cpu_line(drained->input->counters, id, &off_cpu);
	line.blocked_ns = off_cpu.blocked_ns;
	line.waiting_ns = off_cpu.waiting_ns;
	return line.file && ARRAY_APPEND(&function->lines, line) == 0 ? 0 : -ENOMEM;
}

static int drain_lines(const struct drained_part *drained, struct profile *profile)
{
	const struct plan *plan = drained->plan;
	CLEANUP_FREE uint64_t *lines = calloc(plan->lines.count + 1, sizeof(*lines));
	CLEANUP_FREE bool *uncounted = calloc(plan->lines.count + 1, sizeof(*uncounted));
	int error = 0;

	if (!lines || !uncounted)
		return -ENOMEM;
	plan_count_lines(plan, drained->all->site_hits + drained->part->place.sites, lines);
	mark_uncounted_lines(drained, uncounted);
	for (uint32_t i = 0; i < plan->lines.count && !error; i++)
		error = drain_line(drained, i, lines[i], uncounted[i], profile);
	return error;
}

/*
 * Calibration errs both ways: what lines below zero lack, those above have too much. Or it errs one
 * way, and then they lack it too: the error claimed is larger by what was taken.
 */
static void scale(int64_t *ns, uint64_t *error_ns, int64_t sum, int64_t positive)
{
	const int64_t before = *ns;

	if (positive <= not_negative(sum))
		return;
	*ns = (int64_t)((double)before * (double)not_negative(sum) / (double)positive);
	*error_ns += (uint64_t)(before - *ns);
}

static void even_out_lines(const struct drained_part *drained, struct profile *profile)
{
	for (uint32_t at = 0; at < drained->plan->functions.count; at++) {
		struct profile_function *function =
		    &profile->functions.items[drained->first_function + at];
		const struct line_sums *sums = &drained->lines[at];
		const int64_t self_ns =
		    sums->self_ns < sums->total_ns ? sums->self_ns : sums->total_ns;
		int64_t total_ns = 0, positive_ns = 0;

		ARRAY_FOREACH (line, &function->lines) {
			total_ns += line->total_ns;
			positive_ns += line->self_ns;
		}
		ARRAY_FOREACH (line, &function->lines) {
			scale(&line->total_ns, &line->error_ns, sums->total_ns, total_ns);
			scale(&line->self_ns, &line->self_error_ns, self_ns, positive_ns);
		}
	}
}

/*
 * Where lines were measured a function's times are their sums, so that tables add up. Not if its
 * lines were away while its calls were not.
 */
static void sum_lines(const struct drained_part *drained, struct profile *profile)
{
	for (size_t at = drained->first_function; at < profile->functions.count; at++) {
		struct profile_function *function = &profile->functions.items[at];

		if (!function->lines_measured ||
		    function->lines_stand.away_ns != function->calls_stand.away_ns)
			continue;
		function->total_ns = function->self_ns = 0;
		ARRAY_FOREACH (line, &function->lines) {
			function->total_ns += line->total_ns;
			function->self_ns += line->self_ns;
		}
	}
}

static int add_omission(
    struct profile *profile, uint32_t function, const char *file, uint32_t line, const char *reason)
{
	struct profile_omission omission = {
	    .function = function,
	    .file = profile_intern(profile, file),
	    .line = line,
	    .reason = profile_intern(profile, reason),
	};

	if (!omission.file || !omission.reason)
		return -ENOMEM;
	return ARRAY_APPEND(&profile->omissions, omission);
}

static int add_refusal(const struct drained_part *drained, const struct attach_refusal *refusal,
    struct profile *profile)
{
	const uint32_t first = drained->first_function;
	const struct plan *plan = drained->plan;
	const struct plan_site *site = &plan->sites.items[refusal->site];
	const char *reason = attach_refusal_reason(refusal->error);
	int error = 0;

	if (site->roles & (SITE_ENTRY | SITE_EXIT) && site->function != NO_FUNCTION)
		error = add_omission(profile, first + site->function, "", 0, reason);
	for (size_t i = 0; i < site->charge_count && !error; i++) {
		const struct plan_line *line = &plan->lines.items[site->charges[i].line];

		error =
		    add_omission(profile, first + line->function, line->file, line->line, reason);
	}
	return error;
}

static int drain_omissions(const struct drained_part *drained, struct profile *profile)
{
	const struct attachment *attachment = drained->part->attachment;
	int error = 0;

	ARRAY_FOREACH (left, &drained->plan->left_out) {
		uint32_t function = left->function == NO_FUNCTION
					? PROFILE_NO_FUNCTION
					: drained->first_function + left->function;

		error = add_omission(profile, function, left->file, left->line, left->reason);
		if (error)
			return error;
	}
	if (!attachment)
		return 0;
	ARRAY_FOREACH (refusal, &attachment->refusals) {
		error = add_refusal(drained, refusal, profile);
		if (error)
			return error;
	}
	return 0;
}

static void drain_cost(
    const struct drain_input *input, const uint64_t *site_hits, struct profile *profile)
{
	struct profile_cost *cost = &profile->cost;
	struct shard_counters counted;

	counters_shards(input->counters, &counted);
	for (int class = 0; class < COST_CLASSES; class ++) {
		const uint64_t hits = counted.hits[class] + site_hits[class];

		cost->hits += hits;
		cost->overhead_ns += hits * costs_ns(input->costs, class);
	}
	cost->off_cpu_ns = counted.off_cpu_ns;
	cost->overhead_ns += counted.off_cpu_ns;
	cost->emulated_error_ns = (double)costs_error_ns(input->costs, COST_EMULATED);
	cost->stepped_error_ns = (double)costs_error_ns(input->costs, COST_STEPPED);
	cost->return_error_ns = (double)costs_error_ns(input->costs, COST_RETURN);
	cost->emulated_ns = (double)costs_ns(input->costs, COST_EMULATED);
	cost->stepped_ns = (double)costs_ns(input->costs, COST_STEPPED);
	cost->return_ns = (double)costs_ns(input->costs, COST_RETURN);
	if (input->duration_ns)
		cost->share_of_cpu = (double)cost->overhead_ns / (double)input->duration_ns;
	cost->bystander_hits = counted.bystander_hits;
	memcpy(profile->losses, counted.losses, sizeof(profile->losses));
	profile->losses[LOSS_MISSED] += input->missed;
}

static double line_share(const struct part *part, const struct counters *counters, uint32_t at)
{
	struct function_stands stands;

	part_stands(part, counters, at, &stands);
	return stands.calls.stood_ns > stands.lines.stood_ns
		   ? (double)stands.lines.stood_ns / (double)stands.calls.stood_ns
		   : 1;
}

static void find_line_shares(const struct drain_input *input, struct drained *drained)
{
	for (size_t i = 0; i < input->part_count; i++) {
		const struct part *part = input->parts[i];

		for (uint32_t at = 0; at < part->plan->functions.count; at++)
			drained->line_shares[part->place.functions + at] =
			    line_share(part, input->counters, at);
	}
}

static int drain_tables(const struct drain_input *input, struct drained *drained)
{
	const struct uncertainty_input wanted = {
	    .costs = input->costs,
	    .sites = input->counters->sites,
	    .site_hits = drained->site_hits = calloc(input->sites + 1, sizeof(uint64_t)),
	    .site_count = input->sites,
	    .functions = input->counters->functions,
	    .sums = &drained->sums,
	    .lines = drained->lines = calloc(input->lines + 1, sizeof(struct line_counters)),
	    .line_count = input->lines,
	    .line_shares = drained->line_shares = calloc(input->functions + 1, sizeof(double)),
	};
	int error = drained->site_hits && drained->lines && drained->line_shares ? 0 : -ENOMEM;

	if (!error)
		error = function_sums_read(
		    input->counters, input->functions, input->sites, &drained->sums);
	if (!error)
		find_line_shares(input, drained);
	for (uint32_t at = 0; at < input->sites && !error; at++)
		drained->site_hits[at] = counters_site_hits(input->counters, at);
	for (uint32_t at = 0; at < input->lines && !error; at++)
		counters_line(input->counters, at, &drained->lines[at]);
	return error ? error : uncertainty_find(&wanted, &drained->uncertainty);
}

/* Not negative, and what a file can say. */
static uint64_t whole(double amount)
{
	return amount > 0 ? (uint64_t)fmin(ceil(amount), 0x1p62) : 0;
}

/* `times`: the part of the gaps' time that is left by the correction. */
static struct profile_estimate estimate_in_all(
    uint64_t count, int64_t total_ns, uint64_t error_ns, const struct estimate *gaps, double times)
{
	const double more = count ? gaps->count / (double)count : 0;

	return (struct profile_estimate){
	    .count = profile_sum(count, whole(gaps->count)),
	    .count_error = whole(gaps->count_error),
	    .total_ns = profile_sum_ns(total_ns, (int64_t)whole(times * gaps->time_ns)),
	    .total_error_ns = whole((double)error_ns * (1 + more) + times * gaps->time_error_ns),
	};
}

static void set_estimates(const struct drained_part *drained, const struct estimates_told *told,
    uint32_t *lines, struct profile_function *functions)
{
	const struct plan *plan = drained->plan;

	for (size_t at = 0; at < plan->functions.count; at++) {
		struct profile_function *function = &functions[at];
		const double raw_ns = (double)function->raw_total_ns;

		function->in_all =
		    estimate_in_all(function->calls, function->total_ns, function->error_ns,
			&told->functions[at], raw_ns > 0 ? (double)function->total_ns / raw_ns : 0);
	}
	for (size_t at = 0; at < plan->lines.count; at++) { /* in the plan's order, still */
		const uint32_t owner = plan->lines.items[at].function;
		struct profile_line *line = &functions[owner].lines.items[lines[owner]++];

		line->in_all = estimate_in_all(
		    line->hits, line->total_ns, line->error_ns, &told->lines[at], 1);
	}
}

/* What the hits' cost may be off, as a share. */
static double cost_error(const struct drained_part *drained)
{
	const struct costs *costs = drained->input->costs;
	double sum = 0, error = 0;

	for (int class = 0; class < COST_CLASSES; class ++) {
		const double hits = (double)drained->all->sums.hits[class];

		sum += hits * (double)costs_ns(costs, class);
		error += hits * (double)costs_error_ns(costs, class);
	}
	return sum > 0 ? error / sum : 0;
}

static int drain_estimates(const struct drained_part *drained, struct profile *profile)
{
	struct profile_function *functions = &profile->functions.items[drained->first_function];
	const size_t count = drained->plan->functions.count;
	CLEANUP_FREE uint32_t *lines = calloc(count + 1, sizeof(*lines));
	struct estimates_told told;
	bool away = false;

	for (size_t at = 0; at < count; at++)
		away = away || profile_was_away(&functions[at]);
	if (!away)
		return 0;
	if (!lines || estimates_tell(drained->part->estimates, drained->part,
			  drained->input->counters, cost_error(drained), &told))
		return -ENOMEM;
	set_estimates(drained, &told, lines, functions);
	estimates_told_free(&told);
	return 0;
}

static int drain_part(const struct drain_input *input, const struct drained *all,
    const struct part *part, uint32_t *functions, struct profile *profile)
{
	const struct plan *plan = part->plan;
	CLEANUP_FREE uint32_t *images = calloc(plan->images.count + 1, sizeof(*images));
	CLEANUP_FREE struct line_sums *lines = calloc(plan->functions.count + 1, sizeof(*lines));
	const struct drained_part drained = {
	    .input = input,
	    .all = all,
	    .part = part,
	    .plan = plan,
	    .first_function = (uint32_t)profile->functions.count,
	    .images = images,
	    .lines = lines,
	};
	int error = images && lines ? drain_images(&drained, profile) : -ENOMEM;

	for (uint32_t at = 0; at < plan->functions.count && !error; at++) {
		functions[part->place.functions + at] = drained.first_function + at;
		error = drain_function(&drained, at, profile);
	}
	if (!error)
		error = drain_lines(&drained, profile);
	if (!error) {
		even_out_lines(&drained, profile);
		sum_lines(&drained, profile);
		error = drain_estimates(&drained, profile);
	}
	return error ? error : drain_omissions(&drained, profile);
}

static int drain_parts(
    const struct drain_input *input, const struct drained *all, struct profile *profile)
{
	const uint32_t count = input->functions;
	CLEANUP_FREE uint32_t *functions = malloc((count + 1) * sizeof(*functions));
	const struct drain_edges_input edges = {
	    .edges = all->sums.edges,
	    .count = all->sums.edge_count,
	    .functions = functions,
	    .function_count = count,
	};
	int error = functions ? 0 : -ENOMEM;

	for (uint32_t id = 0; id < count && !error; id++)
		functions[id] = PROFILE_NO_FUNCTION;
	for (size_t at = 0; at < input->part_count && !error; at++)
		error = drain_part(input, all, input->parts[at], functions, profile);
	return error ? error : drain_edges(&edges, profile);
}

int drain_profile(
    const struct drain_input *input, struct profile **ret_profile, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_new();
	CLEANUP(drained_fini) struct drained all = {0};
	int error = profile ? drain_host(input, profile) : -ENOMEM;

	if (!error)
		error = drain_tables(input, &all);
	if (!error)
		error = drain_parts(input, &all, profile);
	if (error)
		return failure_set(
		    failure, -error, "cannot read the kernel's counters: %s", strerror(-error));
	drain_cost(input, all.sums.hits, profile);
	profile_account(profile);
	*ret_profile = TAKE(profile);
	return 0;
}
