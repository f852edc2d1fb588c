// SPDX-License-Identifier: GPL-2.0-or-later
// Errors of corrected times: what is claimed of functions and lines, by hits and what was
// subtracted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/array.h"
#include "collect/uncertainty.h"

enum { OUTER, INNER, FUNCTIONS };
enum { LINE_PLAIN, LINE_CALLS, LINE_CALLS_MORE, LINES };
enum { SITE_OF_OUTER, SITE_OF_INNER, SITE_PLAIN, SITE_CALLS, SITE_CALLS_MORE, SITES };

/* OUTER has lines, two of which call INNER, which has none. A hit costs 1000 ns, or 10000. */
struct measured {
	struct costs costs;
	struct site sites[SITES];
	uint64_t hits[SITES];
	struct function functions[FUNCTIONS];
	struct function_sums sums[FUNCTIONS];
	struct edge edges[1];
	struct line_counters lines[LINES];
	struct function_sums_all all;
	struct uncertainty_input input;
};

static void set_line(struct measured *m, uint32_t site, uint32_t line, uint64_t hits)
{
	m->sites[site] = (struct site){
	    .function = OUTER,
	    .roles = SITE_LINE,
	    .cost = COST_EMULATED,
	    .charge_count = 1,
	    .charges = {{.line = line, .function = OUTER}},
	};
	m->hits[site] = hits;
	m->all.hits[COST_EMULATED] += hits;
}

static void set_function(struct measured *m, uint32_t at, uint64_t calls, int64_t subtracted)
{
	m->sites[at] = (struct site){
	    .function = at, .roles = SITE_ENTRY | SITE_RETURN, .cost = COST_ENTRY_EMULATED};
	m->hits[at] = calls;
	m->functions[at].flags = FUNCTION_RETURNS;
	m->functions[at].entry_line = UINT32_MAX;
	m->sums[at] = (struct function_sums){
	    .entries = calls,
	    .closed = calls,
	    .opened = calls,
	    .primitive = calls,
	    .total_ns = 7000000,
	    .raw_total_ns = 7000000 + (uint64_t)subtracted,
	};
	m->all.hits[COST_ENTRY_EMULATED] += calls;
	m->all.hits[COST_RETURN] += calls;
}

/* Of INNER's calls, 100 stand in LINE_CALLS by hits and by time, unless a test says otherwise. */
static void set_up(struct measured *m)
{
	memset(m, 0, sizeof(*m));
	m->costs.known = true;
	for (int class = 0; class < COST_CLASSES; class ++) {
		m->costs.before_ns[class] = class == COST_STEPPED ? 1000 : 400;
		m->costs.after_ns[class] = class == COST_STEPPED ? 9000 : 600;
		m->costs.spread_ns[class] = 10;
	}
	set_function(m, OUTER, 10, 10 * 1000 + 110 * 1000 + 100 * 2000);
	set_function(m, INNER, 100, 100 * 1000);
	set_line(m, SITE_PLAIN, LINE_PLAIN, 10);
	set_line(m, SITE_CALLS, LINE_CALLS, 100);
	set_line(m, SITE_CALLS_MORE, LINE_CALLS_MORE, 0);
	m->functions[OUTER].flags |= FUNCTION_LINES;
	m->functions[OUTER].entry_line = LINE_PLAIN;
	m->lines[LINE_CALLS].inner_ns = 500000;
	m->edges[0].key = EDGE_KEY(OUTER, INNER);
	m->edges[0].counters.calls = 100;
	m->all.functions = m->sums;
	m->all.function_count = FUNCTIONS;
	m->all.edges = m->edges;
	m->all.edge_count = 1;
	m->input = (struct uncertainty_input){
	    .costs = &m->costs,
	    .sites = m->sites,
	    .site_hits = m->hits,
	    .site_count = SITES,
	    .functions = m->functions,
	    .sums = &m->all,
	    .lines = m->lines,
	    .line_count = LINES,
	};
}

static void find(const struct measured *m, struct uncertainty *ret_errors)
{
	assert_int_equal(uncertainty_find(&m->input, ret_errors), 0);
}

#define ASSERT_NEAR(found, wanted) assert_float_equal(found, wanted, 0.01 * (wanted) + 1e-6)

/* A hit of 1000 ns may be off by so much. */
static double hit_error(const struct measured *m)
{
	return (double)costs_error_ns(&m->costs, COST_EMULATED);
}

static void test_error_of_a_hit(void **state)
{
	struct measured m;

	(void)state;
	set_up(&m);
	assert_true(costs_error_ns(&m.costs, COST_EMULATED) > 10);
	assert_true(
	    costs_error_ns(&m.costs, COST_STEPPED) > costs_error_ns(&m.costs, COST_EMULATED));
	m.costs.spread_ns[COST_EMULATED] += 500;
	assert_in_range(costs_error_ns(&m.costs, COST_EMULATED), 510, 1000);
}

/* Of a call 600 + 400 ns lie inside, as much as one hit; the lines' hits lie in it all. */
static void test_functions(void **state)
{
	struct uncertainty errors CLEANUP(uncertainty_free);
	struct measured m;
	double hit;

	(void)state;
	set_up(&m);
	hit = hit_error(&m);
	find(&m, &errors);
	ASSERT_NEAR(errors.functions[INNER].total, 100 * hit);
	ASSERT_NEAR(errors.functions[INNER].self, 100 * hit);
	ASSERT_NEAR(errors.functions[OUTER].total, (10 + 110 + 200) * hit);
	ASSERT_NEAR(errors.functions[OUTER].self, (10 + 110 + 100) * hit);
}

static void test_lines(void **state)
{
	struct uncertainty errors CLEANUP(uncertainty_free);
	struct measured m;
	double hit;

	(void)state;
	set_up(&m);
	hit = hit_error(&m);
	find(&m, &errors);
	ASSERT_NEAR(errors.lines[LINE_PLAIN].total, (10 + 10) * hit); /* with the entry */
	ASSERT_NEAR(errors.lines[LINE_PLAIN].self, (10 + 10) * hit);
	ASSERT_NEAR(errors.lines[LINE_CALLS].total, (100 + 200) * hit);
	ASSERT_NEAR(errors.lines[LINE_CALLS].self, (100 + 100) * hit);
	ASSERT_NEAR(errors.lines[LINE_CALLS_MORE].total, 0);
}

/* The error is common to all hits: it grows as they do. */
static void test_errors_add_up(void **state)
{
	struct uncertainty few CLEANUP(uncertainty_free);
	struct uncertainty many CLEANUP(uncertainty_free);
	struct measured m;

	(void)state;
	set_up(&m);
	find(&m, &few);
	for (size_t i = 0; i < SITES; i++)
		m.hits[i] *= 100;
	for (size_t i = 0; i < FUNCTIONS; i++) {
		m.sums[i].raw_total_ns += 99 * (m.sums[i].raw_total_ns - 7000000);
		m.sums[i].closed *= 100;
	}
	m.edges[0].counters.calls *= 100;
	find(&m, &many);
	for (size_t i = 0; i < FUNCTIONS; i++) {
		ASSERT_NEAR(many.functions[i].total, 100 * few.functions[i].total);
		ASSERT_NEAR(many.functions[i].self, 100 * few.functions[i].self);
	}
	for (size_t i = 0; i < LINES; i++)
		ASSERT_NEAR(many.lines[i].total, 100 * few.lines[i].total);
}

/* Two lines call, one often and briefly, one seldom and long: each may have had the most hits. */
static void test_lines_share_calls(void **state)
{
	struct uncertainty errors CLEANUP(uncertainty_free);
	struct measured m;
	double hit;

	(void)state;
	set_up(&m);
	hit = hit_error(&m);
	set_line(&m, SITE_CALLS, LINE_CALLS, 75);
	set_line(&m, SITE_CALLS_MORE, LINE_CALLS_MORE, 25);
	m.lines[LINE_CALLS].inner_ns = 100000;
	m.lines[LINE_CALLS_MORE].inner_ns = -400000; /* of nested activations */
	find(&m, &errors);
	ASSERT_NEAR(errors.lines[LINE_CALLS].total, (75 + 0.75 * 200) * hit);
	ASSERT_NEAR(errors.lines[LINE_CALLS_MORE].total, (25 + 0.8 * 200) * hit);
	ASSERT_NEAR(errors.lines[LINE_CALLS_MORE].self, (25 + 0.8 * 100) * hit);
}

/* A line's total is of outermost activations; others lie in the line that calls. */
static void test_recursion(void **state)
{
	struct uncertainty errors CLEANUP(uncertainty_free);
	struct measured m;
	double hit;

	(void)state;
	set_up(&m);
	hit = hit_error(&m);
	m.sums[OUTER].primitive = 5;
	find(&m, &errors);
	ASSERT_NEAR(errors.lines[LINE_PLAIN].total, 0.5 * (10 + 10) * hit);
	ASSERT_NEAR(errors.lines[LINE_PLAIN].self, (10 + 10) * hit);
	ASSERT_NEAR(errors.lines[LINE_CALLS].total, (0.5 * 100 + 200 + 0.5 * 120) * hit);
}

/* What was subtracted from a function is for all its time, what from its lines for theirs. */
static void test_lines_away(void **state)
{
	static const double shares[FUNCTIONS] = {0.25, 1};
	struct uncertainty errors CLEANUP(uncertainty_free);
	struct measured m;
	double hit;

	(void)state;
	set_up(&m);
	hit = hit_error(&m);
	m.input.line_shares = shares;
	find(&m, &errors);
	ASSERT_NEAR(errors.lines[LINE_CALLS].total, (100 + 0.25 * 200) * hit);
	ASSERT_NEAR(errors.lines[LINE_CALLS].self, (100 + 0.25 * 100) * hit);
}

/* Of a site that only moves time nothing is counted: its line's hits stand in. */
static void test_silent_sites(void **state)
{
	struct uncertainty errors CLEANUP(uncertainty_free);
	struct measured m;

	(void)state;
	set_up(&m);
	set_line(&m, SITE_CALLS_MORE, LINE_CALLS, 0);
	m.sites[SITE_CALLS_MORE].roles |= SITE_SILENT;
	m.lines[LINE_CALLS].inner_ns = 0;
	find(&m, &errors);
	ASSERT_NEAR(errors.lines[LINE_CALLS].total, (100 + 100) * hit_error(&m));
}

/* Inlined code: total times are everybody's, own time the innermost's. */
static void test_inlined_lines(void **state)
{
	struct uncertainty errors CLEANUP(uncertainty_free);
	struct measured m;

	(void)state;
	set_up(&m);
	m.sites[SITE_CALLS].charge_count = 2;
	m.sites[SITE_CALLS].charges[1] =
	    (struct charge){.line = LINE_CALLS_MORE, .function = INNER};
	m.lines[LINE_CALLS].inner_ns = 0;
	find(&m, &errors);
	ASSERT_NEAR(errors.lines[LINE_CALLS].total, 100 * hit_error(&m));
	ASSERT_NEAR(errors.lines[LINE_CALLS].self, 0);
	ASSERT_NEAR(errors.lines[LINE_CALLS_MORE].total, 100 * hit_error(&m));
	ASSERT_NEAR(errors.lines[LINE_CALLS_MORE].self, 100 * hit_error(&m));
}

static void test_nothing_known(void **state)
{
	struct uncertainty errors CLEANUP(uncertainty_free);
	struct measured m;

	(void)state;
	set_up(&m);
	m.costs = (struct costs){0};
	find(&m, &errors);
	for (size_t i = 0; i < FUNCTIONS; i++)
		ASSERT_NEAR(errors.functions[i].total, 0);
	for (size_t i = 0; i < LINES; i++)
		ASSERT_NEAR(errors.lines[i].total, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_error_of_a_hit),
	    cmocka_unit_test(test_functions),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_errors_add_up),
	    cmocka_unit_test(test_lines_share_calls),
	    cmocka_unit_test(test_recursion),
	    cmocka_unit_test(test_lines_away),
	    cmocka_unit_test(test_silent_sites),
	    cmocka_unit_test(test_inlined_lines),
	    cmocka_unit_test(test_nothing_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
