// SPDX-License-Identifier: GPL-2.0-or-later
// Measures what hits cost, by running lprof's own engine on code that takes no time.
#include "collect/calibrate.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "collect/calibration_cache.h"
#include "collect/calibration_code.h"
#include "collect/code_page.h"

#define ROUNDS         40 /* medians over these */
#define TURNS          8 /* of the loop in a round: a millisecond, too short to be often interrupted */
#define TURNS_EMULATED 64  /* of the one that is emulated throughout: some 100 us */
#define ROUND_LONGEST  1.5 /* of the middle one: another's turn is longer, an interrupt is not */

/* One round's mean stays, in ns, and those times less what callees took. */
struct round {
	double total[CALIBRATION_LINES];
	double self[CALIBRATION_LINES];
};

static int plan_functions(struct plan *plan)
{
	for (uint32_t i = 0; i < CODE_FUNCTIONS; i++) {
		bool bare = i == CODE_BARE_EMULATED || i == CODE_BARE_STEPPED;
		bool timed = i != CODE_UNTIMED && i != CODE_SKIPPED;

		if (ARRAY_APPEND(
			&plan->functions, (struct plan_function){
					      .name = "",
					      .linkage_name = "",
					      .file = "",
					      .lines = true,
					      .rate = timed ? 1.0 : 0.0,
					      .exit = bare ? PLAN_EXIT_SITES : PLAN_EXIT_RETURN,
					      .entry_line = calibration_entry_lines[i],
					  }))
			return -ENOMEM;
	}
	return 0;
}

static int plan_sites(struct plan *plan, uint64_t page_offset)
{
	for (uint32_t i = 0; i < calibration_site_count; i++) {
		const struct calibration_site *site = &calibration_sites[i];
		bool line = site->roles & SITE_LINE, returns = site->roles & SITE_RETURN;

		if (ARRAY_APPEND(&plan->sites,
			(struct plan_site){
			    .offset = page_offset + site->offset,
			    .function = site->function,
			    .host = site->function,
			    .roles = site->roles,
			    .cost = (uint8_t)((returns ? COST_ENTRY_EMULATED : COST_EMULATED) +
					      site->stepped),
			    .charge_count = line,
			    .charges = {{.line = site->line, .function = site->function}},
			}))
			return -ENOMEM;
	}
	return 0;
}

/* All lines are the loop's in the report, in order, so that a round finds them in one place. */
static int plan_calibration(struct plan *plan, const struct code_page *page)
{
	if (ARRAY_APPEND(
		&plan->images, (struct plan_image){.path = "", .build_id = "", .fd = page->fd}))
		return -ENOMEM;
	for (uint32_t i = 0; i < CALIBRATION_LINES; i++)
		if (ARRAY_APPEND(&plan->lines, (struct plan_line){.file = "", .line = i}))
			return -ENOMEM;
	plan->has_lines = true;
	return plan_functions(plan) || plan_sites(plan, page->offset) ? -ENOMEM : 0;
}

static void plan_fini(struct plan *plan)
{
	ARRAY_FREE(&plan->images);
	ARRAY_FREE(&plan->functions);
	ARRAY_FREE(&plan->lines);
	ARRAY_FREE(&plan->sites);
}

static double turns_of(enum calibration_line line)
{
	switch (line) {
	case STAY_LINE_LINE:
	case STAY_AROUND_EMULATED:
	case STAY_EMULATED_LINE:
	case STAY_LINE_RETURN:
		return TURNS_EMULATED;
	default:
		return TURNS;
	}
}

/* Runs the loops and adds to `sums` what each line took since measuring began. */
static int run_round(struct engine *engine, const struct code_page *page, struct round *ret_sums)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	int error;

	code_page_call(page, CALIBRATION_LOOP_EMULATED, TURNS_EMULATED);
	code_page_call(page, CALIBRATION_LOOP, TURNS);
	error = engine_drain(engine, &profile, NULL);
	if (error)
		return error;
	for (size_t i = 0; i < CALIBRATION_LINES; i++) {
		ret_sums->total[i] = (double)profile->functions.items[0].lines.items[i].total_ns;
		ret_sums->self[i] = (double)profile->functions.items[0].lines.items[i].self_ns;
	}
	return 0;
}

static int run_rounds(struct engine *engine, const struct code_page *page, struct round *rounds)
{
	struct round before = {0}, now;

	for (int i = -1; i < ROUNDS; i++) { /* the first one only warms up */
		int error = run_round(engine, page, &now);

		if (error)
			return error;
		for (size_t line = 0; line < CALIBRATION_LINES && i >= 0; line++) {
			rounds[i].total[line] =
			    (now.total[line] - before.total[line]) / turns_of(line);
			rounds[i].self[line] =
			    (now.self[line] - before.self[line]) / turns_of(line);
		}
		before = now;
	}
	return 0;
}

/* What one round, or the middle of all, says of hits, in ns. */
struct solution {
	double before[COST_CLASSES], after[COST_CLASSES];
};

static void store(struct solution *costs, enum cost_class class, double before, double after)
{
	costs->before[class] = before;
	costs->after[class] = after;
}

/* Likewise for entries without a return probe, which a ret ends. What comes before an entry's
 * reading is the same with a return probe, which is set up after it. */
static void solve_bare(const struct round *stay, double entry_before, struct solution *costs)
{
	const double *total = stay->total, *self = stay->self;
	double line = total[STAY_LINE_LINE], before = line / 2, after = line - before;
	double exit_after = self[STAY_AROUND_BARE_EMULATED] - line - entry_before;

	store(costs, COST_EXIT_STEPPED, total[STAY_BARE_EMULATED_EXIT] - after, exit_after);
	store(
	    costs, COST_BARE_ENTRY_EMULATED, entry_before, total[STAY_BARE_EMULATED_LINE] - before);
	store(costs, COST_BARE_ENTRY_STEPPED, self[STAY_AROUND_BARE_STEPPED] - line - exit_after,
	    total[STAY_BARE_STEPPED_LINE] - before);
}

/* Solves the equations of calibrate.h. */
static void solve(const struct round *stay, struct solution *costs)
{
	const double *total = stay->total, *self = stay->self;
	double line = total[STAY_LINE_LINE], before = line / 2, after = line - before;
	double return_before = total[STAY_LINE_RETURN] - after;
	/* before(entry) + after(return): only their sum is ever seen, unless a call is unwound. */
	double around = self[STAY_AROUND_EMULATED] - line;
	double return_after = around / 2;

	store(costs, COST_EMULATED, before, after);
	store(costs, COST_STEPPED, total[STAY_LINE_STEPPED] - after,
	    total[STAY_STEPPED_LINE] - before);
	store(costs, COST_RETURN, return_before, return_after);
	store(
	    costs, COST_ENTRY_EMULATED, around - return_after, total[STAY_EMULATED_LINE] - before);
	store(costs, COST_ENTRY_STEPPED, self[STAY_AROUND_STEPPED] - line - return_after,
	    total[STAY_STEPPED_ENTRY_LINE] - before);
	solve_bare(stay, around - return_after, costs);
}

static int compare_doubles(const void *a, const void *b)
{
	double one = *(const double *)a, two = *(const double *)b;

	return one < two ? -1 : one > two;
}

static uint64_t rounded(double ns)
{
	return ns > 0 ? (uint64_t)(ns + 0.5) : 0;
}

/* Sorts the values and gives their median. */
static double median_of(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(*values), compare_doubles);
	return (values[(ROUNDS - 1) / 2] + values[ROUNDS / 2]) / 2;
}

/* Sorts the values and gives how far apart the middle half of them lies. */
static double spread_of(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(*values), compare_doubles);
	return values[ROUNDS * 3 / 4] - values[ROUNDS / 4];
}

/* The mean of those values that are no longer than `most` times their median; sorts them. */
static double mean_within(double values[ROUNDS], double most)
{
	const double longest = most * median_of(values);
	double sum = 0;
	size_t count = 0;

	while (count < ROUNDS && values[count] <= longest)
		sum += values[count++];
	return count ? sum / (double)count : 0;
}

/*
 * How much longer than its median all that was measured took on average. Few hits are interrupted,
 * so medians know nothing of that, but in a program's sums each interrupt has its place.
 */
static double interrupted_share(const struct round *rounds)
{
	double totals[ROUNDS] = {0}, stays[ROUNDS], undisturbed = 0, share;

	for (int line = 0; line < CALIBRATION_LINES; line++) {
		for (size_t i = 0; i < ROUNDS; i++) {
			stays[i] = rounds[i].self[line] * turns_of(line);
			totals[i] += stays[i];
		}
		undisturbed += median_of(stays);
	}
	share = undisturbed > 0 ? mean_within(totals, ROUND_LONGEST) / undisturbed - 1 : 0;
	return share > 0 ? share : 0;
}

static void settle(const struct solution *solutions, double interrupted, struct costs *ret_costs)
{
	double before[ROUNDS], after[ROUNDS], all[ROUNDS];

	for (int class = 0; class < COST_CLASSES; class ++) {
		for (size_t i = 0; i < ROUNDS; i++) {
			before[i] = solutions[i].before[class];
			after[i] = solutions[i].after[class];
			all[i] = before[i] + after[i];
		}
		ret_costs->before_ns[class] = rounded(median_of(before) * (1 + interrupted));
		ret_costs->after_ns[class] = rounded(median_of(after) * (1 + interrupted));
		ret_costs->spread_ns[class] = rounded(spread_of(all));
	}
}

/* Wall time of `turns` calls of CODE_SKIPPED from within an untimed call. */
static double time_skipped(const struct code_page *page, uint64_t turns)
{
	struct timespec began, ended;

	clock_gettime(CLOCK_MONOTONIC, &began);
	code_page_call(page, CALIBRATION_UNTIMED, turns);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	return (double)(ended.tv_sec - began.tv_sec) * 1e9 +
	       (double)(ended.tv_nsec - began.tv_nsec);
}

/* Nothing is timed, so the clock around it has to tell: what more calls take longer. */
static void measure_skipped(const struct code_page *page, struct costs *costs)
{
	double costs_ns[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++)
		costs_ns[i] = (time_skipped(page, 2 * TURNS) - time_skipped(page, TURNS)) / TURNS;
	costs->skipped_ns = rounded(median_of(costs_ns));
	costs->skipped_spread_ns = rounded(spread_of(costs_ns));
}

static int measure(enum attach_method method, struct costs *ret_costs, struct failure *failure)
{
	struct code_page page CLEANUP(code_page_close) = CODE_PAGE_CLOSED;
	struct plan plan CLEANUP(plan_fini) = {0};
	CLEANUP(engine_free_p) struct engine *engine = NULL;
	CLEANUP_FREE struct round *rounds = calloc(ROUNDS, sizeof(*rounds));
	const struct engine_options options = {.method = method};
	struct solution solutions[ROUNDS];
	int error = code_page_open(calibration_code, calibration_code_size, &page);

	if (!error)
		error = rounds ? plan_calibration(&plan, &page) : -ENOMEM;
	if (error)
		return failure_set(failure, -error, "no memory");
	error = engine_open(&plan, &options, &engine, failure);
	if (!error)
		error = engine_add_target(engine, getpid(), failure);
	if (!error)
		error = engine_attach(engine, failure);
	if (error)
		return error;
	engine_activate(engine);
	error = run_rounds(engine, &page, rounds);
	measure_skipped(&page, ret_costs);
	engine_stop(engine);
	if (error)
		return failure_set(failure, -error, "cannot read counters");
	for (size_t i = 0; i < ROUNDS; i++)
		solve(&rounds[i], &solutions[i]);
	settle(solutions, interrupted_share(rounds), ret_costs);
	ret_costs->known = true;
	return 0;
}

void calibrate_costs(enum attach_method method, struct costs *ret_costs)
{
	struct failure failure = {0};

	*ret_costs = (struct costs){0};
	if (measure(method, ret_costs, &failure) == 0 && costs_plausible(ret_costs)) {
		calibration_cache_store(method, ret_costs);
		return;
	}
	if (calibration_cache_load(method, ret_costs) == 0 && costs_plausible(ret_costs))
		return;
	log_warning("the cost of probes could not be measured, so times include it%s%s",
	    failure.code ? ": " : "", failure.text);
	*ret_costs = (struct costs){0};
}

void calibrate_again(enum attach_method method, struct costs *costs)
{
	struct failure failure = {0};
	struct costs now = {0};

	if (!costs->known || measure(method, &now, &failure) || !costs_plausible(&now))
		return;
	for (int class = 0; class < COST_CLASSES; class ++) {
		const uint64_t before = costs_ns(costs, class), after = costs_ns(&now, class);
		const uint64_t change = before > after ? before - after : after - before;

		if (costs->spread_ns[class] < change)
			costs->spread_ns[class] = change;
	}
}

void calibrate_price(enum attach_method method, struct costs *ret_costs)
{
	if (calibration_cache_load(method, ret_costs) || !costs_plausible(ret_costs))
		calibrate_costs(method, ret_costs);
}
