// SPDX-License-Identifier: GPL-2.0-or-later
// Prints what the probes cost, what was corrected for it, and what was not measured, by cause.
#include "output/report.h"

#include <inttypes.h>

#include "output/text.h"

#define NAME_MAX_PRINTED 200

static void print_price(
    FILE *stream, const char **before, const char *class, double ns, double error_ns)
{
	char text[REPORT_DURATION_MAX];

	if (ns <= 0)
		return;
	fprintf(stream, "%s%s %s", *before, class, report_duration(ns, text));
	if (error_ns > 0)
		fprintf(stream, " +- %s", report_duration(error_ns, text));
	*before = ", ";
}

static void print_probes(const struct profile *profile, FILE *stream)
{
	const struct profile_cost *cost = &profile->cost;
	char text[REPORT_DURATION_MAX], corrected[REPORT_DURATION_MAX];
	const char *before = " (";
	double raw = 0, total = 0;

	fprintf(stream, "Probes: %" PRIu64 " hits", cost->hits);
	if (cost->off_cpu_ns)
		fprintf(stream, " and following the scheduler (%s)",
		    report_duration((double)cost->off_cpu_ns, text));
	fprintf(stream, " cost %s, %.3g%% of one CPU",
	    report_duration((double)cost->overhead_ns, text), 100 * cost->share_of_cpu);
	print_price(stream, &before, "emulated", cost->emulated_ns, cost->emulated_error_ns);
	print_price(stream, &before, "stepped", cost->stepped_ns, cost->stepped_error_ns);
	print_price(stream, &before, "return", cost->return_ns, cost->return_error_ns);
	fputs(*before == ',' ? " a hit)\n" : "\n", stream);
	ARRAY_FOREACH (function, &profile->functions) {
		raw += (double)function->raw_total_ns;
		total += (double)function->total_ns;
	}
	if (raw > 0)
		fprintf(stream,
		    "Times are corrected for that: of %s in all functions' calls, %s remain.\n",
		    report_duration(raw, text), report_duration(total, corrected));
	if (cost->bystander_hits)
		fprintf(stream,
		    "%" PRIu64 " hits were in processes that are no targets but run the same "
		    "code.\n",
		    cost->bystander_hits);
}

static double percent_stood(const struct profile_stand *stand)
{
	const double all = (double)stand->stood_ns + (double)stand->away_ns;

	return all > 0 ? 100 * (double)stand->stood_ns / all : 100;
}

static void print_stand(const struct profile_function *function, FILE *stream)
{
	if (!profile_was_away(function) && function->budget_state == PROFILE_BUDGET_FULL)
		return;
	fprintf(stream, "  budget %-12s %5.3g%% of the time",
	    profile_budget_state_name(function->budget_state),
	    percent_stood(&function->calls_stand));
	if (function->lines_measured &&
	    function->lines_stand.away_ns != function->calls_stand.away_ns)
		fprintf(stream, ", its lines %.3g%%", percent_stood(&function->lines_stand));
	fputs("  ", stream);
	text_print(stream, function->name, NAME_MAX_PRINTED);
	fputc('\n', stream);
}

static void print_budget(const struct profile *profile, FILE *stream)
{
	const struct profile_budget *budget = &profile->cost.budget;

	if (budget->share <= 0) {
		ARRAY_FOREACH (function, &profile->functions)
			print_stand(function, stream);
		return;
	}
	fprintf(stream, "Budget: %.3g%% of one CPU.", 100 * budget->share);
	if (!budget->slices) {
		fputs(" It was kept with the probes in place all the time.\n", stream);
		return;
	}
	fprintf(stream, " To keep it probes were taken away %" PRIu64 " times:\n", budget->slices);
	ARRAY_FOREACH (function, &profile->functions)
		print_stand(function, stream);
}

void report_cost(const struct profile *profile, FILE *stream)
{
	const char *title = "Not measured:\n";

	if (profile->cost.hits)
		print_probes(profile, stream);
	print_budget(profile, stream);
	for (int loss = 0; loss < LOSS_COUNT; loss++) {
		if (!profile->losses[loss])
			continue;
		fprintf(stream, "%s  %" PRIu64 " %s\n", title, profile->losses[loss],
		    loss_sentence(loss));
		title = "";
	}
	ARRAY_FOREACH (other, &profile->other_losses) {
		fprintf(stream, "%s  %" PRIu64 " lost by cause ", title, other->count);
		text_print(stream, other->cause, 100);
		fputc('\n', stream);
		title = "";
	}
	if (!profile_identity_holds(&profile->accounting))
		fprintf(stream,
		    "The accounting does not close: %" PRIu64 " entries, but %" PRIu64
		    " exits + open + unwound + untimed + lost.\n",
		    profile->accounting.entries, profile_accounted(&profile->accounting));
}
