// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps, of each function and line, what gaps between slices add, as running sums.
#include "collect/estimates.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "collect/part.h"

#define STRETCH_LEAST_NS 1000000 /* shorter ones are too few hits: they count with the next */
#define OWN_LEAST        0.05    /* of what probes took: that targets worked between hits */
#define TICK_NS          4000000 /* a thread that runs may lack as much in its process's CPU time */
#define GAP_LEAST_NS     50000000 /* to tell from it how busy targets are */

/* One counter, and what the stretches and gaps of its exposure saw of it. */
struct track {
	double turned; /* its value when probes last came */
	double last;   /* what it grew in the stretch before the gap */
	double since;  /* and in stretches after it, so far */
	double gaps, variance;
	/* What gaps would have less had probes cost nothing; and what they may be off because it is
	 * not known how much targets worked in a stretch. */
	double loaded, doubt;
};

/* What passed of time, of calls, and of CPUs: by the targets, and of that by probes. */
struct amount {
	double ns, calls, taken_ns, spent_ns;
	double own_ns, doubt_ns; /* what targets worked, and how far that may be off */
};

/* How long the calls of a function, or its lines, stood and did not. */
struct exposure {
	bool stands, turned_once;
	bool by_calls, by_clock;  /* how work is measured in gaps; else by the targets' CPU time */
	struct amount turned;     /* the sums then */
	struct amount last;       /* the stretch before the gap; 0: none was seen */
	struct amount gap, since; /* the gap, and the stretches after it, so far */
	double began_ns;          /* when CPU time began to be summed */
	uint32_t gaps;            /* that are done */
	double gaps_ns, stood_ns; /* all of them; and of what stood */
};

enum { COUNT, TIME, QUANTITIES };
enum { CALLS, LINES, KINDS };

struct estimates {
	size_t functions, lines;
	struct exposure *exposures;                  /* KINDS of each function */
	bool *turning;                               /* of them, those that do */
	struct track *function_tracks, *line_tracks; /* QUANTITIES of each */
	/* What was read last. */
	double *function_values, *line_values;
	uint64_t *site_hits, *line_hits;
};

/* ---- What the counters say ---- */

static void read_functions(
    struct estimates *estimates, const struct part *part, const struct counters *counters)
{
	for (size_t at = 0; at < estimates->functions; at++) {
		uint64_t entries = 0, raw_ns = 0;

		for (size_t shard = 0; shard < counters->shards; shard++) {
			const volatile struct function_counters *counted =
			    &counters->function_counters[shard * counters->function_count +
							 part->place.functions + at];

			entries += counted->entries;
			raw_ns += counted->raw_total_ns;
		}
		estimates->function_values[QUANTITIES * at + COUNT] = (double)entries;
		estimates->function_values[QUANTITIES * at + TIME] = (double)raw_ns;
	}
}

static void read_sites(
    struct estimates *estimates, const struct part *part, const struct counters *counters)
{
	for (uint32_t at = 0; at < part->plan->sites.count; at++) {
		const uint32_t id = part->place.sites + at;
		const volatile struct site *site = &counters->sites[id];
		const uint32_t function = site->function - part->place.functions;

		estimates->site_hits[at] = counters_site_hits(counters, id);
		if (SITE_COUNTS_ENTRIES(site->roles) && function < estimates->functions)
			estimates->function_values[QUANTITIES * function + COUNT] +=
			    (double)estimates->site_hits[at];
	}
}

static void read_counters(
    struct estimates *estimates, const struct part *part, const struct counters *counters)
{
	read_functions(estimates, part, counters);
	read_sites(estimates, part, counters);
	memset(estimates->line_hits, 0, estimates->lines * sizeof(*estimates->line_hits));
	plan_count_lines(part->plan, estimates->site_hits, estimates->line_hits);
	for (uint32_t at = 0; at < estimates->lines; at++) {
		struct line_counters counted;

		counters_line(counters, part->place.lines + at, &counted);
		estimates->line_values[QUANTITIES * at + COUNT] = (double)estimates->line_hits[at];
		estimates->line_values[QUANTITIES * at + TIME] = (double)counted.total_ns;
	}
}

/* ---- Gaps ---- */

static struct amount amount_sum(const struct amount *a, const struct amount *b, double times)
{
	return (struct amount){
	    .ns = a->ns + times * b->ns,
	    .calls = a->calls + times * b->calls,
	    .taken_ns = a->taken_ns + times * b->taken_ns,
	    .spent_ns = a->spent_ns + times * b->spent_ns,
	    .own_ns = a->own_ns + times * b->own_ns,
	    .doubt_ns = a->doubt_ns + times * b->doubt_ns,
	};
}

/* The work that was done, by which counters grow. */
static double work_of(const struct exposure *exposure, const struct amount *amount)
{
	return exposure->by_calls ? amount->calls : amount->own_ns;
}

/*
 * What targets worked in a stretch: between what they did if probes slowed all down alike, and what
 * they did if probes had only time that threads were waiting in. And what their CPU time says, but
 * for what it lacks.
 */
static void find_work(const struct exposure *exposure, double busy, struct amount *stretch)
{
	const double spent = stretch->spent_ns, threads = fmax(1, ceil(busy - 0.05));
	const double told = stretch->taken_ns - spent, tick = threads * TICK_NS;
	double least = busy * (stretch->ns - spent / threads);
	double most = fmin(busy * stretch->ns, threads * stretch->ns - spent);

	if (exposure->by_clock) {
		least = stretch->ns - spent;
		most = stretch->ns;
	} else {
		least = fmin(fmax(least, told - tick), told + tick);
		most = fmax(fmin(most, told + tick), told - tick);
	}
	least = fmax(least, OWN_LEAST * spent);
	most = fmax(most, least);
	stretch->own_ns = (least + most) / 2;
	stretch->doubt_ns = (most - least) / 2;
}

struct rate {
	double rate; /* NAN: not known */
	double work; /* that it was seen in */
	double loaded, doubt;
};

static struct rate rate_of(
    const struct exposure *exposure, const struct amount *amount, double value)
{
	const double work = work_of(exposure, amount);
	struct rate rate = {.rate = work > 0 ? value / work : NAN, .work = work};

	if (work > 0 && !exposure->by_calls) {
		rate.loaded = rate.rate * amount->spent_ns / work;
		rate.doubt = rate.rate * amount->doubt_ns / work;
	}
	return rate;
}

static void add_gap(struct track *track, double gap, struct rate before, struct rate after)
{
	const bool one = isnan(before.rate) || isnan(after.rate);

	if (isnan(before.rate))
		before = after;
	if (isnan(after.rate))
		after = before;
	if (isnan(before.rate))
		return;
	track->gaps += gap * (before.rate + after.rate) / 2;
	track->loaded += gap * (before.loaded + after.loaded) / 2;
	track->doubt += gap * (before.doubt + after.doubt) / 2;
	/* Stretches differ from a gap as well, by as much as from each other, the less the longer
	 * it is. */
	track->variance += one ? pow(gap * before.rate, 2)
			       : gap * (gap + (before.work + after.work) / 2) *
				     pow(before.rate - after.rate, 2) / 2;
}

static bool is_done(const struct exposure *exposure)
{
	return exposure->since.ns >= STRETCH_LEAST_NS;
}

/* At the end of a stretch, once its exposure has it. */
static void track_stretch(struct track *track, const struct exposure *exposure, double value)
{
	track->since += value - track->turned;
	track->turned = value;
	if (!is_done(exposure))
		return;
	if (exposure->gap.ns > 0)
		add_gap(track, work_of(exposure, &exposure->gap),
		    rate_of(exposure, &exposure->last, track->last),
		    rate_of(exposure, &exposure->since, track->since));
	track->last = track->since;
	track->since = 0;
}

/* How many CPUs the targets took when no probes stood; at first, all in all. */
static double busy_before(const struct exposure *exposure, const struct amount *sums)
{
	const double all_ns = sums->ns - exposure->began_ns;

	if (exposure->gap.ns >= GAP_LEAST_NS)
		return exposure->gap.own_ns / exposure->gap.ns;
	return all_ns > 0 ? sums->taken_ns / all_ns : 1;
}

/* It was over at `ended_ns` already: hits did not count from then on, but work went on. */
static void end_stretch(struct exposure *exposure, const struct amount *sums, double ended_ns)
{
	struct amount passed = amount_sum(sums, &exposure->turned, -1);
	const double stood_ns = fmin(fmax(ended_ns - exposure->turned.ns, 0), passed.ns);
	const double share = passed.ns > 0 ? stood_ns / passed.ns : 0, calls = passed.calls;

	passed = amount_sum(&(struct amount){0}, &passed, share);
	passed.calls = calls;
	find_work(exposure, busy_before(exposure, sums), &passed);
	exposure->since = amount_sum(&exposure->since, &passed, 1);
	exposure->turned = amount_sum(&exposure->turned, &passed, 1);
	exposure->turned.own_ns = exposure->turned.doubt_ns = 0;
	exposure->stood_ns += stood_ns;
	exposure->stands = false;
}

/* Once its tracks have the stretch. */
static void end_gap(struct exposure *exposure)
{
	if (!is_done(exposure))
		return;
	exposure->gaps += exposure->gap.ns > 0;
	exposure->gaps_ns += exposure->gap.ns;
	exposure->last = exposure->since;
	exposure->since = exposure->gap = (struct amount){0};
}

static void begin_stretch(struct exposure *exposure, bool by_calls, const struct amount *sums)
{
	struct amount passed = amount_sum(sums, &exposure->turned, -1);

	passed.own_ns = exposure->by_clock ? passed.ns : fmax(passed.taken_ns - passed.spent_ns, 0);
	passed.doubt_ns = 0;
	if (exposure->turned_once) {
		exposure->by_calls = by_calls && (exposure->by_calls || exposure->gap.ns <= 0);
		exposure->gap = amount_sum(&exposure->gap, &passed, 1);
	}
	exposure->turned = *sums;
	exposure->turned_once = true;
	exposure->stands = true;
}

/* ---- Turns ---- */

static void turn_tracks(struct track tracks[QUANTITIES], const double values[QUANTITIES],
    const struct exposure *exposure)
{
	for (size_t at = 0; at < QUANTITIES; at++)
		if (exposure->stands)
			tracks[at].turned = values[at];
		else
			track_stretch(&tracks[at], exposure, values[at]);
}

/* At a turn of a part. */
struct turn {
	const struct part *part;
	const struct counters *counters;
	bool come;
	uint64_t now;
	double ended_ns;
};

static struct amount sums_at(
    const struct turn *turn, const struct estimates *estimates, uint32_t function)
{
	return (struct amount){
	    .ns = (double)turn->now,
	    .calls = estimates->function_values[QUANTITIES * function + COUNT],
	    .taken_ns = turn->part->targets.sum_ns,
	    .spent_ns = (double)turn->part->spent_ns,
	};
}

/* False: it does not turn. */
static bool turn_exposure(
    const struct turn *turn, struct exposure *exposure, bool by_calls, const struct amount *sums)
{
	if (exposure->stands == turn->come)
		return false;
	if (turn->come)
		begin_stretch(exposure, by_calls, sums);
	else
		end_stretch(exposure, sums, turn->ended_ns);
	return true;
}

static void turn_function(const struct turn *turn, struct estimates *estimates, uint32_t at)
{
	const bool by_calls = part_step(turn->part, turn->counters, at) == STEP_LINES;
	const struct amount sums = sums_at(turn, estimates, at);
	struct exposure *exposures = &estimates->exposures[KINDS * at];
	bool *turning = &estimates->turning[KINDS * at];

	for (size_t kind = 0; kind < KINDS; kind++)
		turning[kind] = turning[kind] && turn_exposure(turn, &exposures[kind],
						     by_calls && kind == LINES, &sums);
	if (turning[CALLS])
		turn_tracks(&estimates->function_tracks[QUANTITIES * at],
		    &estimates->function_values[QUANTITIES * at], &exposures[CALLS]);
}

/* Those that are marked as turning. */
static void turn_marked(const struct turn *turn, struct estimates *estimates)
{
	read_counters(estimates, turn->part, turn->counters);
	for (uint32_t at = 0; at < estimates->functions; at++)
		turn_function(turn, estimates, at);
	for (size_t at = 0; at < estimates->lines; at++) {
		const size_t lines = KINDS * turn->part->plan->lines.items[at].function + LINES;

		if (estimates->turning[lines])
			turn_tracks(&estimates->line_tracks[QUANTITIES * at],
			    &estimates->line_values[QUANTITIES * at], &estimates->exposures[lines]);
	}
	for (size_t at = 0; at < KINDS * estimates->functions; at++)
		if (estimates->turning[at] && !turn->come)
			end_gap(&estimates->exposures[at]);
}

void estimates_turn(struct estimates *estimates, const struct part *part,
    const struct counters *counters, enum part_set set, bool come, uint64_t ended_ns)
{
	for (uint32_t at = 0; at < estimates->functions; at++) {
		const enum part_step step = part_step(part, counters, at);

		estimates->turning[KINDS * at + CALLS] = part_calls_are_in(step, set);
		estimates->turning[KINDS * at + LINES] = part_lines_are_in(step, set);
	}
	turn_marked(
	    &(struct turn){part, counters, come, clock_ns(CLOCK_MONOTONIC), (double)ended_ns},
	    estimates);
}

/* Stretches end, and gaps go on, up to now. */
static void settle(
    struct estimates *estimates, const struct part *part, const struct counters *counters)
{
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);
	const struct turn turn = {part, counters, false, now, (double)now};

	for (size_t at = 0; at < KINDS * estimates->functions; at++)
		estimates->turning[at] = true;
	turn_marked(&turn, estimates);
	for (uint32_t at = 0; at < estimates->functions; at++) {
		const bool by_calls = part_step(part, counters, at) == STEP_LINES;
		const struct amount sums = sums_at(&turn, estimates, at);

		for (size_t kind = 0; kind < KINDS; kind++)
			begin_stretch(&estimates->exposures[KINDS * at + kind],
			    by_calls && kind == LINES, &sums);
	}
}

void estimates_end(
    struct estimates *estimates, const struct part *part, const struct counters *counters)
{
	settle(estimates, part, counters);
	for (size_t at = 0; at < KINDS * estimates->functions; at++)
		estimates->exposures[at].stands = estimates->exposures[at].turned_once = false;
}

/* ---- Sums ---- */

/* What 19 of 20 lie within, in standard deviations, where these were told by so few differences. */
static double sigmas(uint32_t differences)
{
	static const double student[] = {2, 12.7, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26};

	return differences < ARRAY_SIZE(student) ? student[differences] : 2.2;
}

/* The gap that is not done: only what was before it is known, and how much gaps differed so far. */
static void add_tail(struct track *track, const struct exposure *exposure)
{
	const struct rate before = rate_of(exposure, &exposure->last, track->last);
	const struct rate since = rate_of(exposure, &exposure->since, track->since);
	const double share = exposure->gaps_ns > 0 ? exposure->gap.ns / exposure->gaps_ns : 1;
	const double variance = track->variance;

	if (exposure->gap.ns <= 0)
		return;
	add_gap(track, work_of(exposure, &exposure->gap), isnan(before.rate) ? since : before,
	    (struct rate){.rate = NAN});
	if (exposure->gaps > 1 && share < 1)
		track->variance = variance * (1 + exposure->gaps * share * share);
}

/*
 * Stretches can agree by chance where there are few hits: what was counted is not known better than
 * a number of independent events is.
 */
static double error_of(
    const struct track *track, const struct exposure *exposure, double counted, double cost_error)
{
	const double least = counted > 0 ? fabs(track->gaps) * sqrt(counted + 2) / counted : 0;

	return sigmas(exposure->gaps) * fmax(sqrt(track->variance), least) +
	       cost_error * fabs(track->loaded) + fabs(track->doubt);
}

static struct estimate estimate_of(struct track tracks[QUANTITIES], const double values[QUANTITIES],
    const struct exposure *exposure, double cost_error)
{
	const double counted = values[COUNT], away_ns = exposure->gaps_ns + exposure->gap.ns;
	struct estimate estimate;

	for (size_t at = 0; at < QUANTITIES; at++)
		add_tail(&tracks[at], exposure);
	estimate = (struct estimate){
	    .count = tracks[COUNT].gaps,
	    .count_error = error_of(&tracks[COUNT], exposure, counted, cost_error),
	    .time_ns = tracks[TIME].gaps,
	    .time_error_ns = error_of(&tracks[TIME], exposure, counted, cost_error),
	};
	if (counted <= 0 &&
	    exposure->stood_ns > 0) /* of 3 events in that time one would have come */
		estimate.count_error = 3 * away_ns / exposure->stood_ns;
	return estimate;
}

/* ---- Memory ---- */

static void begin_exposure(struct exposure *exposure, const struct part *part,
    const volatile struct stand *stand, bool stands)
{
	*exposure = (struct exposure){
	    .stands = stands,
	    .turned_once = stand->turned_ns,
	    .by_clock = part->place.scope == SCOPE_ALL || stand->away_ns,
	    .turned = {.ns = (double)stand->turned_ns},
	    .began_ns = (double)(stand->turned_ns - stand->stood_ns),
	    .gap = {.ns = (double)stand->away_ns, .own_ns = (double)stand->away_ns},
	    .since = {.ns = (double)stand->stood_ns, .own_ns = (double)stand->stood_ns},
	    .stood_ns = (double)stand->stood_ns,
	};
}

/* All that was counted so far is of the stretch that is on, or was the last. */
static void begin_tracks(
    struct track tracks[QUANTITIES], const double values[QUANTITIES], bool stands)
{
	for (size_t at = 0; at < QUANTITIES && !stands; at++)
		tracks[at] = (struct track){.turned = values[at], .since = values[at]};
}

static struct estimates *estimates_alloc(size_t functions, size_t lines, size_t sites)
{
	struct estimates *estimates = calloc(1, sizeof(*estimates));

	if (!estimates)
		return NULL;
	*estimates = (struct estimates){
	    .functions = functions,
	    .lines = lines,
	    .exposures = calloc(KINDS * functions + 1, sizeof(struct exposure)),
	    .turning = calloc(KINDS * functions + 1, sizeof(bool)),
	    .function_tracks = calloc(QUANTITIES * functions + 1, sizeof(struct track)),
	    .line_tracks = calloc(QUANTITIES * lines + 1, sizeof(struct track)),
	    .function_values = calloc(QUANTITIES * functions + 1, sizeof(double)),
	    .line_values = calloc(QUANTITIES * lines + 1, sizeof(double)),
	    .site_hits = calloc(sites + 1, sizeof(uint64_t)),
	    .line_hits = calloc(lines + 1, sizeof(uint64_t)),
	};
	if (estimates->exposures && estimates->turning && estimates->function_tracks &&
	    estimates->line_tracks && estimates->function_values && estimates->line_values &&
	    estimates->site_hits && estimates->line_hits)
		return estimates;
	estimates_free(estimates);
	return NULL;
}

void estimates_free(struct estimates *estimates)
{
	if (!estimates)
		return;
	free(estimates->exposures);
	free(estimates->turning);
	free(estimates->function_tracks);
	free(estimates->line_tracks);
	free(estimates->function_values);
	free(estimates->line_values);
	free(estimates->site_hits);
	free(estimates->line_hits);
	free(estimates);
}

struct estimates *estimates_new(const struct part *part, const struct counters *counters)
{
	const struct plan *plan = part->plan;
	struct estimates *estimates =
	    estimates_alloc(plan->functions.count, plan->lines.count, plan->sites.count);

	if (!estimates)
		return NULL;
	read_counters(estimates, part, counters);
	for (uint32_t at = 0; at < estimates->functions; at++) {
		const volatile struct function_stands *stands =
		    &counters->stands[part->place.functions + at];
		bool calls, lines;

		part_is_open(part, part_step(part, counters, at), &calls, &lines);
		begin_exposure(
		    &estimates->exposures[KINDS * at + CALLS], part, &stands->calls, calls);
		begin_exposure(
		    &estimates->exposures[KINDS * at + LINES], part, &stands->lines, lines);
		begin_tracks(&estimates->function_tracks[QUANTITIES * at],
		    &estimates->function_values[QUANTITIES * at], calls);
	}
	for (size_t at = 0; at < estimates->lines; at++)
		begin_tracks(&estimates->line_tracks[QUANTITIES * at],
		    &estimates->line_values[QUANTITIES * at],
		    estimates->exposures[KINDS * plan->lines.items[at].function + LINES].stands);
	return estimates;
}

static struct estimates *estimates_copy(const struct estimates *from, size_t sites)
{
	struct estimates *copy = estimates_alloc(from->functions, from->lines, sites);

	if (!copy)
		return NULL;
	memcpy(
	    copy->exposures, from->exposures, KINDS * from->functions * sizeof(*from->exposures));
	memcpy(copy->function_tracks, from->function_tracks,
	    QUANTITIES * from->functions * sizeof(*from->function_tracks));
	memcpy(copy->line_tracks, from->line_tracks,
	    QUANTITIES * from->lines * sizeof(*from->line_tracks));
	return copy;
}

int estimates_tell(const struct estimates *estimates, const struct part *part,
    const struct counters *counters, double cost_error, struct estimates_told *ret_told)
{
	struct estimates *copy = estimates ? estimates_copy(estimates, part->plan->sites.count)
					   : estimates_new(part, counters);
	struct estimates_told told = {
	    .functions = calloc(part->plan->functions.count + 1, sizeof(*told.functions)),
	    .lines = calloc(part->plan->lines.count + 1, sizeof(*told.lines)),
	};

	if (!copy || !told.functions || !told.lines) {
		estimates_free(copy);
		estimates_told_free(&told);
		return -ENOMEM;
	}
	settle(copy, part, counters);
	for (size_t at = 0; at < copy->functions; at++)
		told.functions[at] = estimate_of(&copy->function_tracks[QUANTITIES * at],
		    &copy->function_values[QUANTITIES * at], &copy->exposures[KINDS * at + CALLS],
		    cost_error);
	for (size_t at = 0; at < copy->lines; at++)
		told.lines[at] = estimate_of(&copy->line_tracks[QUANTITIES * at],
		    &copy->line_values[QUANTITIES * at],
		    &copy->exposures[KINDS * part->plan->lines.items[at].function + LINES],
		    cost_error);
	estimates_free(copy);
	*ret_told = told;
	return 0;
}

void estimates_told_free(struct estimates_told *told)
{
	free(told->functions);
	free(told->lines);
	*told = (struct estimates_told){0};
}
