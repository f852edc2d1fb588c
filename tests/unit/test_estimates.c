// SPDX-License-Identifier: GPL-2.0-or-later
// What gaps between slices are estimated to hold: the truth is known, since the gaps are played.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <math.h>
#include <time.h>
#include <cmocka.h>

#include "collect/part.h"

#define MS       1000000ull
#define SLICE_NS (10 * MS)
#define GAP_NS   (90 * MS)
#define CALLS    1000 /* in a slice */
#define CALL_NS  2000 /* each of them takes */
#define SLICES   20

static uint64_t now_ns;

/* Whatever is asked for the time is told ours. */
int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	(void)clock;
	*ret_time = (struct timespec){
	    .tv_sec = (time_t)(now_ns / 1000000000u), .tv_nsec = (long)(now_ns % 1000000000u)};
	return 0;
}

/* A function with one line, and what the kernel would count of it. */
struct scene {
	struct plan_site sites[2];
	struct plan_function function;
	struct plan_line line;
	struct plan_count count;
	struct plan plan;
	struct site kernel_sites[2];
	struct function kernel_function;
	struct function_stands stands;
	__u64 hits[2];
	struct function_counters function_counters;
	struct line_counters line_counters;
	struct counters counters;
	struct part part;
};

static void scene_init(struct scene *scene, uint32_t scope)
{
	now_ns = 1000 * MS;
	*scene = (struct scene){
	    .sites = {{.roles = SITE_ENTRY},
		{.roles = SITE_LINE, .charge_count = 1, .charges = {{.line = 0, .function = 0}}}},
	    .function = {.lines = true, .rate = 1, .entry_line = INDEX_NONE, .line_count = 1},
	    .count = {.site = 1, .sign = 1},
	    .kernel_sites = {{.roles = SITE_ENTRY}, {.roles = SITE_LINE}},
	};
	scene->plan.sites.items = scene->sites;
	scene->plan.sites.count = 2;
	scene->plan.functions.items = &scene->function;
	scene->plan.lines.items = &scene->line;
	scene->plan.counts.items = &scene->count;
	scene->plan.functions.count = scene->plan.lines.count = scene->plan.counts.count = 1;
	scene->counters = (struct counters){
	    .shards = 1,
	    .site_count = 2,
	    .function_count = 1,
	    .line_count = 1,
	    .sites = scene->kernel_sites,
	    .functions = &scene->kernel_function,
	    .stands = &scene->stands,
	    .site_hits = scene->hits,
	    .function_counters = &scene->function_counters,
	    .line_counters = &scene->line_counters,
	};
	scene->part = (struct part){.plan = &scene->plan, .place = {.scope = scope}, .live = true};
}

static void scene_fini(struct scene *scene)
{
	estimates_free(scene->part.estimates);
}

/* Time passes, of which targets take some on a CPU. */
static void pass(struct scene *scene, uint64_t ns, double busy)
{
	now_ns += ns;
	scene->part.targets.sum_ns += busy * (double)ns;
}

/* A slice with so many calls, each of which passes the line twice. */
static void slice(struct scene *scene, uint64_t ns, double busy, uint64_t calls)
{
	part_open(&scene->part, &scene->counters, SET_STEADY);
	pass(scene, ns, busy);
	scene->hits[0] += calls;
	scene->hits[1] += 2 * calls;
	scene->function_counters.raw_total_ns += CALL_NS * calls;
	scene->line_counters.total_ns += (int64_t)(CALL_NS * calls);
	part_close(&scene->part, &scene->counters, SET_STEADY, 0);
}

static void tell(
    const struct scene *scene, struct estimate *ret_function, struct estimate *ret_line)
{
	struct estimates_told told;

	assert_int_equal(
	    estimates_tell(scene->part.estimates, &scene->part, &scene->counters, 0.1, &told), 0);
	*ret_function = told.functions[0];
	*ret_line = told.lines[0];
	estimates_told_free(&told);
}

static void assert_covers(double told, double error, double truth)
{
	if (fabs(told - truth) > error)
		fail_msg("%g, give or take %g: it was %g", told, error, truth);
}

static void assert_near(double told, double wanted)
{
	if (fabs(told - wanted) > 1e-6 * fabs(wanted))
		fail_msg("%g: it should be %g", told, wanted);
}

/* What is the same in all slices is the same in the gaps, and little is not known of it. */
static void check_constant(uint32_t scope, double busy)
{
	const double truth = (double)(GAP_NS / SLICE_NS) * CALLS * (SLICES - 1);
	struct estimate function, line;
	struct scene scene;

	scene_init(&scene, scope);
	for (int at = 0; at < SLICES; at++) {
		if (at)
			pass(&scene, GAP_NS, busy);
		slice(&scene, SLICE_NS, busy, CALLS);
	}
	tell(&scene, &function, &line);
	assert_near(function.count, truth);
	assert_near(line.count, 2 * truth);
	assert_near(function.time_ns, CALL_NS * truth);
	assert_near(line.time_ns, CALL_NS * truth);
	assert_true(function.count_error > sqrt(truth)); /* as that of independent events */
	assert_true(function.count_error < 0.1 * truth);
	assert_true(function.time_error_ns < 0.1 * CALL_NS * truth);
	assert_true(line.count_error < 0.1 * 2 * truth);
	scene_fini(&scene);
}

static void test_constant(void **state)
{
	(void)state;
	check_constant(0, 1);
	check_constant(0, 3);         /* threads */
	check_constant(SCOPE_ALL, 1); /* by the clock */
}

/* Half as busy in the gaps, half as much goes on in them. */
static void test_work_not_time(void **state)
{
	struct estimate function, line;
	struct scene scene;

	(void)state;
	scene_init(&scene, 0);
	for (int at = 0; at < SLICES; at++) {
		if (at)
			pass(&scene, GAP_NS, 0.5);
		slice(&scene, 10 * SLICE_NS, 0.5, CALLS);
	}
	tell(&scene, &function, &line);
	assert_near(function.count, (double)GAP_NS / (10 * SLICE_NS) * CALLS * (SLICES - 1));
	scene_fini(&scene);
}

static uint64_t draw(uint64_t *random, uint64_t most)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return (*random >> 33) % (most + 1);
}

/* Some time in which each slice's worth has its own number of calls. */
static uint64_t draw_calls(uint64_t *random, int slices)
{
	uint64_t calls = 0;

	for (int at = 0; at < slices; at++)
		calls += draw(random, 2 * CALLS);
	return calls;
}

/* One run; whether the truth lies within the error. */
static bool covers(uint64_t random, int stood, int away)
{
	struct estimate function, line;
	struct scene scene;
	uint64_t truth = 0;

	scene_init(&scene, 0);
	for (int at = 0; at < SLICES; at++) {
		if (at) {
			pass(&scene, (uint64_t)away * SLICE_NS, 1);
			truth += draw_calls(&random, away);
		}
		slice(&scene, (uint64_t)stood * SLICE_NS, 1, draw_calls(&random, stood));
	}
	tell(&scene, &function, &line);
	scene_fini(&scene);
	assert_true(function.count_error < (double)truth);
	return fabs(function.count - (double)truth) <= function.count_error;
}

/* Of what varies the truth lies within the error 19 times of 20, however long gaps are. */
static void test_errors_cover(void **state)
{
	static const int lengths[][2] = {{1, 9}, {1, 1}, {9, 1}};

	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(lengths); at++) {
		int covered = 0;

		for (uint64_t run = 1; run <= 1000; run++)
			covered += covers(run, lengths[at][0], lengths[at][1]);
		if (covered < 930)
			fail_msg("%d stood, %d away: %d of 1000 lie within the error",
			    lengths[at][0], lengths[at][1], covered);
	}
}

static void assert_nothing(const struct estimate *estimate)
{
	assert_true(estimate->count == 0 && estimate->count_error == 0);
	assert_true(estimate->time_ns == 0 && estimate->time_error_ns == 0);
}

/* Neither where probes always stood, nor where they never did: of that nothing can be told. */
static void test_no_slice(void **state)
{
	struct estimate function, line;
	struct scene scene;

	(void)state;
	scene_init(&scene, 0);
	pass(&scene, GAP_NS, 1);
	tell(&scene, &function, &line);
	assert_nothing(&function);
	assert_nothing(&line);
	part_open(&scene.part, &scene.counters, SET_STEADY);
	pass(&scene, SLICE_NS, 1);
	scene.hits[0] = CALLS;
	tell(&scene, &function, &line);
	assert_nothing(&function);
	assert_nothing(&line);
	scene_fini(&scene);
}

/* What was before and after it goes on alike, for all that is known: the error says so. */
static void test_one_slice(void **state)
{
	const double share = (double)GAP_NS / SLICE_NS;
	struct estimate function, line;
	struct scene scene;

	(void)state;
	scene_init(&scene, 0);
	slice(&scene, SLICE_NS, 1, CALLS);
	tell(&scene, &function, &line);
	assert_nothing(&function); /* no time is gone yet */
	pass(&scene, GAP_NS, 1);
	tell(&scene, &function, &line);
	assert_near(function.count, share * CALLS);
	assert_near(line.count, 2 * share * CALLS);
	assert_covers(function.count, function.count_error, 0);
	assert_covers(function.count, function.count_error, 2 * share * CALLS);
	assert_covers(function.time_ns, function.time_error_ns, 0);
	scene_fini(&scene);
}

/* Without a call seen there may have been some: as many as come unseen once in 20 times. */
static void test_no_call(void **state)
{
	struct estimate function, line;
	struct scene scene;

	(void)state;
	scene_init(&scene, 0);
	slice(&scene, SLICE_NS, 1, 0);
	pass(&scene, GAP_NS, 1);
	tell(&scene, &function, &line);
	assert_true(function.count == 0);
	assert_near(function.count_error, 3.0 * GAP_NS / SLICE_NS);
	scene_fini(&scene);
}

/* Who sleeps in the gaps does nothing in them. */
static void test_gaps_without_cpu_time(void **state)
{
	struct estimate function, line;
	struct scene scene;

	(void)state;
	scene_init(&scene, 0);
	for (int at = 0; at < SLICES; at++) {
		if (at)
			pass(&scene, GAP_NS, 0);
		slice(&scene, SLICE_NS, 1, CALLS);
	}
	pass(&scene, GAP_NS, 0);
	tell(&scene, &function, &line);
	assert_nothing(&function);
	assert_nothing(&line);
	scene_fini(&scene);
}

/* What was to stand no more is not missed. */
static void test_the_end(void **state)
{
	struct estimate function, line, later;
	struct scene scene;

	(void)state;
	scene_init(&scene, 0);
	slice(&scene, SLICE_NS, 1, CALLS);
	pass(&scene, GAP_NS, 1);
	slice(&scene, SLICE_NS, 1, CALLS);
	tell(&scene, &function, &line);
	part_end(&scene.part, &scene.counters);
	pass(&scene, GAP_NS, 1);
	tell(&scene, &later, &line);
	assert_near(later.count, function.count);
	assert_near(later.count_error, function.count_error);
	scene_fini(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_constant),
	    cmocka_unit_test(test_work_not_time),
	    cmocka_unit_test(test_errors_cover),
	    cmocka_unit_test(test_no_slice),
	    cmocka_unit_test(test_one_slice),
	    cmocka_unit_test(test_no_call),
	    cmocka_unit_test(test_gaps_without_cpu_time),
	    cmocka_unit_test(test_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
