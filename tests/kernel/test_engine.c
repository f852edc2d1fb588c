// SPDX-License-Identifier: GPL-2.0-or-later
// Counts of a program that calls its functions known numbers of times, by each way to attach.
#include "kernel/measured.h"

struct fixture {
	enum attach_method method;
	struct plan plan;
	struct profile *profile;
};

static int fixture_init(void **state)
{
	struct fixture *fixture = *state;

	plan_init(&fixture->plan, counted_path());
	return 0;
}

static int fixture_fini(void **state)
{
	struct fixture *fixture = *state;

	profile_free(TAKE(fixture->profile));
	plan_fini(&fixture->plan);
	return 0;
}

static const struct profile_function *run(struct fixture *fixture, const char *what, bool follow)
{
	const struct engine_options options = {.method = fixture->method, .follow = follow};

	fixture->profile = measure(&fixture->plan, &options, what, NULL);
	return fixture->profile->functions.items;
}

static void calls_are_exact(void **state)
{
	struct fixture *fixture = *state;
	uint32_t leaf = plan_add_function(&fixture->plan, "leaf");
	uint32_t outer = plan_add_function(&fixture->plan, "outer");
	const struct profile_function *functions = run(fixture, "leaf", true);

	assert_int_equal(functions[leaf].calls, 7919);
	assert_int_equal(functions[leaf].accounting.exits, 7919);
	assert_int_equal(functions[leaf].primitive_calls, 7919);
	assert_int_equal(functions[outer].accounting.exits, 1);
	assert_int_equal(functions[leaf].callers.count, 1);
	assert_int_equal(functions[leaf].callers.items[0].function, outer);
	assert_int_equal(functions[leaf].callers.items[0].calls, 7919);
}

static void threads_are_summed(void **state)
{
	struct fixture *fixture = *state;
	uint32_t leaf = plan_add_function(&fixture->plan, "leaf");
	uint32_t outer = plan_add_function(&fixture->plan, "outer");
	const struct profile_function *functions = run(fixture, "threads", true);

	assert_int_equal(functions[leaf].calls, 8 * (1009 + 3 * 101));
	assert_int_equal(functions[leaf].accounting.exits, functions[leaf].calls);
	assert_int_equal(functions[outer].calls, 8 * 101);
	assert_int_equal(functions[outer].accounting.exits, 8 * 101);
}

static void recursion_is_counted(void **state)
{
	struct fixture *fixture = *state;
	uint32_t descend = plan_add_function(&fixture->plan, "descend");
	const struct profile_function *functions = run(fixture, "recursion", true);

	assert_int_equal(functions[descend].calls, 13 * 1001);
	assert_int_equal(functions[descend].primitive_calls, 13);
	assert_int_equal(functions[descend].accounting.open, 0);
	assert_int_equal(functions[descend].accounting.lost, 0);
}

static void forked_workers_are_followed(void **state)
{
	struct fixture *fixture = *state;

	plan_add_function(&fixture->plan, "leaf");
	assert_int_equal(run(fixture, "workers", true)[0].calls, 211 + 5 * 503);
}

static void forked_workers_are_left_out(void **state)
{
	struct fixture *fixture = *state;

	plan_add_function(&fixture->plan, "leaf");
	assert_int_equal(run(fixture, "workers", false)[0].calls, 211);
}

static void longjmp_unwinds(void **state)
{
	struct fixture *fixture = *state;
	uint32_t thrower = plan_add_function(&fixture->plan, "thrower");
	uint32_t catcher = plan_add_function(&fixture->plan, "catcher");
	const struct profile_function *functions = run(fixture, "longjmp", true);

	assert_int_equal(functions[thrower].calls, 307);
	assert_int_equal(functions[thrower].accounting.unwound, 307);
	assert_int_equal(functions[catcher].accounting.exits, 307);
}

static void lines_are_exact_and_add_up(void **state)
{
	struct fixture *fixture = *state;
	uint32_t function = plan_add_function(&fixture->plan, "lines");
	const struct profile_function *measured;

	plan_add_line(&fixture->plan, function, "lines_once");
	plan_add_line(&fixture->plan, function, "lines_seven");
	plan_add_line(&fixture->plan, function, "lines_last");
	measured = run(fixture, "lines", true);
	assert_int_equal(measured->lines.count, 3);
	assert_int_equal(measured->lines.items[0].hits, 311);
	assert_int_equal(measured->lines.items[1].hits, 7 * 311);
	assert_int_equal(measured->lines.items[2].hits, 311);
	assert_int_equal(measured->total_ns, measured->raw_total_ns);
	assert_int_equal(measured->total_ns, measured->self_ns);
}

static struct fixture session = {.method = ATTACH_SESSION};
static struct fixture multi = {.method = ATTACH_MULTI};
static struct fixture perf = {.method = ATTACH_PERF};

#define BY(way, test)                                                                     \
	{                                                                                 \
		.name = #test " by " #way, .test_func = test, .setup_func = fixture_init, \
		.teardown_func = fixture_fini, .initial_state = &way                      \
	}
#define BY_EACH_WAY(test) BY(session, test), BY(multi, test), BY(perf, test)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BY_EACH_WAY(calls_are_exact),
	    BY_EACH_WAY(threads_are_summed),
	    BY_EACH_WAY(recursion_is_counted),
	    BY_EACH_WAY(forked_workers_are_followed),
	    BY_EACH_WAY(forked_workers_are_left_out),
	    BY_EACH_WAY(longjmp_unwinds),
	    BY_EACH_WAY(lines_are_exact_and_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
