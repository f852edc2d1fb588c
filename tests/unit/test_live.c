// SPDX-License-Identifier: GPL-2.0-or-later
// Replies of Watch as rows: what came between two of them, estimates, resets, order.
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "control/json_document.h"
#include "control/live.h"

#define SECOND 1000000000ll

static int update(struct live *live, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int update(struct live *live, const char *format, ...)
{
	struct json_object *reply = NULL;
	struct failure failure = {0};
	va_list arguments;
	char text[4096];
	int error;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	assert_int_equal(json_document_parse("reply", text, strlen(text), &reply, &failure), 0);
	error = live_update(live, reply, &failure);
	json_object_put(reply);
	assert_true(!error == !*failure.text);
	return error;
}

/* A reply at that second, with one function that has one line. */
static void update_one(
    struct live *live, int second, int calls, int timed, long long total_ns, int hits)
{
	assert_int_equal(
	    update(live,
		"{\"now_ns\": %lld, \"probes\": 1, \"hits\": %d, \"overhead_ns\": 5, \"losses\": "
		"{\"depth\": 2, \"edges\": 3}, \"functions\": [{\"name\": \"f\", \"file\": "
		"\"f.c\", "
		"\"line\": 7, \"calls\": %d, \"timed_calls\": %d, \"open_calls\": 1, \"total_ns\": "
		"%lld, \"self_ns\": 10, \"lines\": [{\"line\": 8, \"hits\": %d, \"total_ns\": "
		"%lld, "
		"\"self_ns\": 1}]}]}",
		second * SECOND, hits, calls, timed, total_ns, hits, total_ns / 2),
	    0);
}

static double value(const struct live *live, enum live_column column)
{
	return live_value(live, &live->functions.items[0], column);
}

static double line_value(const struct live *live, enum live_column column)
{
	return live_value(live, &live->lines.items[0], column);
}

static void assert_near(double found, double wanted)
{
	if (!(fabs(found - wanted) <= 1e-9 * fabs(wanted)))
		fail_msg("%g, not %g", found, wanted);
}

static void test_interval(void **state)
{
	struct live live CLEANUP(live_fini) = {0};
	uint64_t id;

	(void)state;
	update_one(&live, 10, 101, 100, SECOND, 300);
	assert_true(isnan(value(&live, LIVE_RATE)));
	assert_true(isnan(value(&live, LIVE_TIME)));
	assert_near(value(&live, LIVE_EACH), SECOND / 100.0);
	assert_int_equal(live.losses, 5);
	id = live.functions.items[0].id;
	update_one(&live, 12, 151, 150, 2 * SECOND, 500);
	assert_int_equal(live.functions.items[0].id, id);
	assert_false(live.functions.items[0].estimated); /* one is open */
	assert_int_equal(live.interval_ns, 2 * SECOND);
	assert_int_equal(live.last_hits, 200);
	assert_near(value(&live, LIVE_RATE), 25);
	assert_near(value(&live, LIVE_TIME), 0.5);
	assert_near(value(&live, LIVE_SELF), 0);
	assert_near(value(&live, LIVE_EACH), SECOND / 50.0);
	assert_near(value(&live, LIVE_COUNT), 151);
	assert_near(value(&live, LIVE_TOTAL), 2 * SECOND);
	assert_near(line_value(&live, LIVE_RATE), 100);
	assert_near(line_value(&live, LIVE_TIME), 0.25);
	assert_near(line_value(&live, LIVE_EACH), SECOND / 400.0);
	assert_int_equal(live.lines.items[0].line, 8);
	assert_string_equal(live.lines.items[0].file, "f.c");
}

/* Of half the calls there are times: all of them took twice that. */
static void test_estimates(void **state)
{
	struct live live CLEANUP(live_fini) = {0};

	(void)state;
	update_one(&live, 10, 100, 50, SECOND, 100);
	assert_true(live.functions.items[0].estimated);
	assert_near(value(&live, LIVE_TOTAL), 2 * SECOND);
	assert_near(line_value(&live, LIVE_COUNT), 200);
	update_one(&live, 11, 140, 60, SECOND + SECOND / 10, 130);
	assert_near(value(&live, LIVE_TIME), 0.4); /* 10 of 40 */
	assert_near(value(&live, LIVE_RATE), 40);
	assert_near(value(&live, LIVE_EACH), SECOND / 100.0);
	assert_near(line_value(&live, LIVE_RATE), 120);
	update_one(&live, 12, 150, 60, SECOND + SECOND / 10, 130);
	assert_true(isnan(value(&live, LIVE_TIME))); /* none of 10 */
	assert_near(value(&live, LIVE_RATE), 10);
}

static void test_reset(void **state)
{
	struct live live CLEANUP(live_fini) = {0};

	(void)state;
	update_one(&live, 10, 101, 100, SECOND, 300);
	update_one(&live, 11, 21, 20, SECOND / 5, 60);
	assert_near(value(&live, LIVE_RATE), 21);
	assert_near(value(&live, LIVE_TIME), 0.2);
	assert_int_equal(live.last_hits, 60);
}

#define ROW(name, calls)                                                              \
	"{\"name\": \"" name "\", \"file\": \"f.c\", \"line\": 1, \"calls\": " #calls \
	", \"timed_calls\": " #calls ", \"total_ns\": " #calls ", \"self_ns\": 1}"
#define REPLY(now, rows) "{\"now_ns\": " #now ", \"functions\": [" rows "]}"

/* Functions of one name, of two probes, are told apart by their order; new ones count from zero. */
static void test_rows_come_and_go(void **state)
{
	struct live live CLEANUP(live_fini) = {0};

	(void)state;
	assert_int_equal(
	    update(&live, REPLY(1000000000, ROW("a", 5) "," ROW("twin", 10) "," ROW("twin", 100))),
	    0);
	assert_int_equal(update(&live, REPLY(2000000000,
					   ROW("twin", 11) "," ROW("twin", 102) "," ROW("new", 4))),
	    0);
	assert_int_equal(live.functions.count, 3);
	assert_near(live_value(&live, &live.functions.items[0], LIVE_RATE), 1);
	assert_near(live_value(&live, &live.functions.items[1], LIVE_RATE), 2);
	assert_near(live_value(&live, &live.functions.items[2], LIVE_RATE), 4);
	assert_int_not_equal(live.functions.items[0].id, live.functions.items[1].id);
}

static void test_order(void **state)
{
	struct live live CLEANUP(live_fini) = {0};
	uint32_t order[3];

	(void)state;
	assert_int_equal(
	    update(&live, REPLY(1000000000, ROW("b", 0) "," ROW("c", 9) "," ROW("a", 9))), 0);
	live_sort(&live, &live.functions, LIVE_COUNT, false, order);
	assert_memory_equal(order, ((uint32_t[]){2, 1, 0}), sizeof(order));
	live_sort(&live, &live.functions, LIVE_COUNT, true, order);
	assert_memory_equal(order, ((uint32_t[]){0, 2, 1}), sizeof(order));
	live_sort(&live, &live.functions, LIVE_NAME, false, order);
	assert_memory_equal(order, ((uint32_t[]){2, 0, 1}), sizeof(order));
	live_sort(&live, &live.functions, LIVE_NAME, true, order);
	assert_memory_equal(order, ((uint32_t[]){1, 0, 2}), sizeof(order));
	/* b has no time a call: last, in either order */
	live_sort(&live, &live.functions, LIVE_EACH, true, order);
	assert_memory_equal(order, ((uint32_t[]){2, 1, 0}), sizeof(order));
}

#define STATES(samples, total, blocked, waiting)                             \
	"\"cpu_samples\": " #samples ", \"cpu_total_samples\": " #total ", " \
	"\"blocked_ns\": " #blocked ", \"waiting_ns\": " #waiting

/* Samples, also of what has nothing else, and times off the CPU, estimated as all times are. */
static void test_samples_and_states(void **state)
{
	struct live live CLEANUP(live_fini) = {0};
	const struct live_row *timed, *sampled;

	(void)state;
	update_one(&live, 10, 1, 1, 5, 1);
	assert_false(live_has(&live, LIVE_CPU));
	assert_false(live_has(&live, LIVE_BLOCKED));
	assert_true(live_has(&live, LIVE_TIME));
	assert_true(isnan(value(&live, LIVE_CPU)));
	for (int turn = 0; turn < 2; turn++)
		assert_int_equal(
		    update(&live,
			"{\"now_ns\": %d000000000, \"sampling_period_ns\": 1000000, \"functions\": "
			"["
			"{\"name\": \"f\", \"calls\": %d, \"timed_calls\": %d, \"total_ns\": 9, "
			"%s}, {\"name\": \"g\", \"sampled_only\": true, "
			"\"cpu_samples\": %d, \"cpu_total_samples\": %d}]}",
			turn ? 22 : 20, turn ? 14 : 10, turn ? 7 : 5,
			turn ? STATES(70, 900, 700000000, 30000000)
			     : STATES(50, 100, 200000000, 10000000),
			turn ? 30 : 500, turn ? 40 : 600),
		    0);
	timed = &live.functions.items[0];
	sampled = &live.functions.items[1];
	assert_true(live_has(&live, LIVE_CPU_ALL) && live_has(&live, LIVE_WAITING));
	assert_near(live_value(&live, timed, LIVE_CPU), 0.01);
	assert_near(live_value(&live, timed, LIVE_CPU_ALL), 0.4);
	assert_near(live_value(&live, timed, LIVE_BLOCKED), 0.5);
	assert_near(live_value(&live, timed, LIVE_WAITING), 0.02);
	assert_near(live_value(&live, sampled, LIVE_CPU), 0.015); /* it was reset */
	assert_true(isnan(live_value(&live, sampled, LIVE_BLOCKED)));
	assert_true(isnan(live_value(&live, sampled, LIVE_TIME)));
	assert_true(isnan(live_value(&live, sampled, LIVE_COUNT)));
}

/* What is no reply leaves the rows as they were. */
static void test_bad_replies(void **state)
{
	static const char *const bad[] = {
	    "{}",
	    "{\"functions\": 1}",
	    "{\"functions\": [1]}",
	    "{\"functions\": [{\"name\": 1}]}",
	    "{\"functions\": [{\"calls\": -1}]}",
	    "{\"functions\": [{\"lines\": {}}]}",
	    "{\"functions\": [{\"lines\": [[]]}]}",
	    "{\"functions\": [{\"lines\": [{\"hits\": \"x\"}]}]}",
	    "{\"functions\": [{\"cpu_samples\": -1}]}",
	    "{\"functions\": [{\"blocked_ns\": []}]}",
	    "{\"now_ns\": [], \"functions\": []}",
	    "{\"losses\": [], \"functions\": []}",
	};
	struct live live CLEANUP(live_fini) = {0};

	(void)state;
	update_one(&live, 10, 101, 100, SECOND, 300);
	for (size_t at = 0; at < ARRAY_SIZE(bad); at++)
		assert_int_equal(update(&live, "%s", bad[at]), -EBADMSG);
	assert_int_equal(live.functions.count, 1);
	assert_string_equal(live.functions.items[0].name, "f");
	assert_int_equal(live.functions.items[0].all.count, 101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_interval),
	    cmocka_unit_test(test_estimates),
	    cmocka_unit_test(test_reset),
	    cmocka_unit_test(test_rows_come_and_go),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_samples_and_states),
	    cmocka_unit_test(test_bad_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
