// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof plan --price`: tries for a moment what probes would cost.
#include "cmd/price.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "cmd/cmd.h"
#include "cmd/measure.h"
#include "output/text.h"

#define PRICE_MS       1000 /* how long is looked */
#define PRICE_TICK_MS  10
#define PRICE_BUDGET   10 /* percent of a CPU that looking may cost, unless --budget says */
#define NAME_WIDTH_MAX 200

struct priced {
	const char *name;
	double calls, hits; /* a second */
	double share;       /* of one CPU */
};

struct prices {
	ARRAY(struct priced) functions;
	double seconds; /* that the probes stood */
	double share;
};

static void prices_fini(struct prices *prices)
{
	ARRAY_FREE(&prices->functions);
}

static int dearer_first(const void *a, const void *b)
{
	const struct priced *one = a, *two = b;

	return (one->share < two->share) - (one->share > two->share);
}

static double per_second(uint64_t count, uint64_t stood_ns)
{
	return stood_ns ? (double)count * 1e9 / (double)stood_ns : 0;
}

/* While the probes stand they cost what they would always cost. */
static int collect(
    const struct measurement *measurement, const struct profile *profile, struct prices *prices)
{
	const struct plan *plan = measurement->target->plan;
	CLEANUP_FREE struct engine_cost *costs = calloc(plan->functions.count + 1, sizeof(*costs));

	if (!costs)
		return -ENOMEM;
	engine_function_costs(measurement->engine, 0, costs);
	prices->seconds = (double)profile->cost.budget.stood_ns / 1e9;
	for (uint32_t at = 0; at < plan->functions.count; at++) {
		const struct profile_function *function = &profile->functions.items[at];
		const uint64_t calls_ns = function->calls_stand.stood_ns;
		const uint64_t lines_ns = function->lines_stand.stood_ns;
		const struct priced priced = {
		    .name = plan->functions.items[at].name,
		    .calls = per_second(costs[at].calls, calls_ns),
		    .hits = per_second(costs[at].hits - costs[at].line_hits, calls_ns) +
			    per_second(costs[at].line_hits, lines_ns),
		    .share =
			per_second(costs[at].entries_ns, calls_ns) / 1e9 +
			per_second(costs[at].returns_ns, calls_ns) / 1e9 / costs[at].timed_share +
			per_second(costs[at].lines_ns, lines_ns) / 1e9,
		};

		if (ARRAY_APPEND(&prices->functions, priced))
			return -ENOMEM;
		prices->share += priced.share;
	}
	if (prices->functions.count)
		qsort(prices->functions.items, prices->functions.count,
		    sizeof(*prices->functions.items), dearer_first);
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int look(const struct measure_options *options, struct prices *prices,
    struct measurement **ret_measurement, struct failure *failure)
{
	CLEANUP(measure_free_p) struct measurement *measurement = NULL;
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	struct measure_options bounded = *options;
	struct plan_kernel kernel;
	uint64_t end_ms;
	int error = measure_check(options, &kernel, failure);

	if (bounded.budget_percent <= 0)
		bounded.budget_percent = PRICE_BUDGET;
	if (!error)
		error = measure_prepare(&bounded, options->pids.items, options->pids.count, &kernel,
		    true, &measurement, failure);
	if (!error && !measurement->target->plan->functions.count)
		return failure_set(
		    failure, EINVAL, "no functions to price: name some with -f or -l");
	if (!error)
		error = measure_activate(measurement, failure);
	if (error)
		return error;
	end_ms = now_ms() + PRICE_MS;
	while (now_ms() < end_ms) {
		struct pollfd alarm = {.fd = measure_alarm_fd(measurement), .events = POLLIN};

		(void)poll(&alarm, 1, PRICE_TICK_MS);
		measure_tick(measurement);
	}
	error = measure_finish(measurement, &profile, failure);
	if (!error && collect(measurement, profile, prices))
		error = failure_set(failure, ENOMEM, "out of memory");
	*ret_measurement = TAKE(measurement);
	return error;
}

static void print_text(const struct prices *prices)
{
	printf("%12s %12s %9s  %s\n", "calls/s", "hits/s", "% of CPU", "function");
	ARRAY_FOREACH (priced, &prices->functions) {
		printf("%12.0f %12.0f %9.3g  ", priced->calls, priced->hits, 100 * priced->share);
		text_print(stdout, priced->name, NAME_WIDTH_MAX);
		putchar('\n');
	}
	printf("\nIn all %.3g%% of one CPU", 100 * prices->share);
	if (prices->share > 0 && prices->share < 1)
		printf("; one busy thread would take %.3g times as long", 1 / (1 - prices->share));
	printf(" (the probes stood for %.3g s)\n", prices->seconds);
}

static int print_json(const struct prices *prices)
{
	json_object *top = json_object_new_object(), *rows = json_object_new_array();

	ARRAY_FOREACH (priced, &prices->functions) {
		json_object *row = json_object_new_object();

		json_object_object_add(row, "function", json_object_new_string(priced->name));
		json_object_object_add(
		    row, "calls_per_second", json_object_new_double(priced->calls));
		json_object_object_add(
		    row, "hits_per_second", json_object_new_double(priced->hits));
		json_object_object_add(row, "share_of_cpu", json_object_new_double(priced->share));
		json_object_array_add(rows, row);
	}
	json_object_object_add(top, "functions", rows);
	json_object_object_add(top, "share_of_cpu", json_object_new_double(prices->share));
	json_object_object_add(top, "seconds", json_object_new_double(prices->seconds));
	puts(json_object_to_json_string_ext(
	    top, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
	return STATUS_OK;
}

int price(const struct measure_options *options)
{
	CLEANUP(measure_free_p) struct measurement *measurement = NULL;
	CLEANUP(prices_fini) struct prices prices = {0};
	struct failure failure = {0};

	if (!options->pids.count)
		return cmd_misused(
		    "plan", options->json, "--price needs a running process: -p PID");
	if (look(options, &prices, &measurement, &failure))
		return cmd_failed("plan", options->json, &failure);
	if (options->json)
		return print_json(&prices);
	print_text(&prices);
	return STATUS_OK;
}
