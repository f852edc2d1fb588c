// SPDX-License-Identifier: GPL-2.0-or-later
// Frames in the real kernel where only it can tell: execve, ends of threads, rates by each method.
#include "kernel/measured.h"

#include <setjmp.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone, used))

/* ---- What is measured: this very program, when it is given something to do ---- */

static jmp_buf landing;
static volatile uint64_t sink;

static void nap(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static NOINLINE void timed_leaf(void)
{
	sink++;
	__asm__ volatile("" ::: "memory");
}

static NOINLINE void timed_tree(void)
{
	for (int i = 0; i < 5; i++)
		timed_leaf();
	__asm__ volatile("" ::: "memory");
}

/* Each program in turn executes the next from inside the call. */
static NOINLINE void timed_program(char *self, int programs)
{
	char left[16];

	snprintf(left, sizeof(left), "exec%d", programs - 1);
	if (programs > 1)
		execl(self, self, left, NULL);
	__asm__ volatile("" ::: "memory");
}

static NOINLINE void timed_jumper(void)
{
	nap(20);
	longjmp(landing, 1);
}

static NOINLINE void timed_ender(void)
{
	nap(20);
	_exit(0);
}

static int play(char *self, const char *what)
{
	if (!strncmp(what, "exec", 4))
		timed_program(self, what[4] - '0');
	for (int i = 0; !strcmp(what, "trees") && i < 2000; i++)
		timed_tree();
	if (!strcmp(what, "jump")) {
		if (!setjmp(landing))
			timed_jumper();
		nap(400);
	}
	if (!strcmp(what, "end"))
		timed_ender();
	return 0;
}

/* ---- The tests ---- */

struct fixture {
	enum attach_method method;
	struct plan plan;
	struct profile *profile;
};

static int fixture_init(void **state)
{
	plan_init(&((struct fixture *)*state)->plan, counted_path());
	return 0;
}

static int fixture_fini(void **state)
{
	struct fixture *fixture = *state;

	profile_free(TAKE(fixture->profile));
	plan_fini(&fixture->plan);
	return 0;
}

static const struct profile_function *run(struct fixture *fixture, const char *what)
{
	const struct engine_options options = {.method = fixture->method, .follow = true};

	fixture->profile = measure(&fixture->plan, &options, what, NULL);
	return fixture->profile->functions.items;
}

static void each_program_has_frames_of_its_own(void **state)
{
	struct fixture *fixture = *state;
	uint32_t program = plan_add_function(&fixture->plan, "timed_program");
	const struct profile_function *functions = run(fixture, "exec9");

	assert_int_equal(functions[program].calls, 9);
	assert_int_equal(functions[program].primitive_calls, 9);
	assert_int_equal(functions[program].accounting.unwound, 8);
	assert_int_equal(functions[program].accounting.exits, 1);
	assert_int_equal(functions[program].callers.count, 1);
	assert_int_equal(functions[program].callers.items[0].function, NO_FUNCTION);
}

/* What ran long after the jump is not the call's. */
static void a_thread_that_jumped_out_ends(void **state)
{
	struct fixture *fixture = *state;
	uint32_t jumper = plan_add_function(&fixture->plan, "timed_jumper");
	const struct profile_function *functions = run(fixture, "jump");

	assert_int_equal(functions[jumper].calls, 1);
	assert_int_equal(functions[jumper].accounting.unwound, 1);
	assert_true(functions[jumper].total_ns < 100000000);
}

static void a_thread_ends_inside(void **state)
{
	struct fixture *fixture = *state;
	uint32_t ender = plan_add_function(&fixture->plan, "timed_ender");
	const struct profile_function *functions = run(fixture, "end");

	assert_int_equal(functions[ender].accounting.unwound, 1);
	assert_true(functions[ender].total_ns >= 20000000);
}

/* Whole trees are timed, or not at all. */
static void trees_share_a_decision(void **state)
{
	struct fixture *fixture = *state;
	uint32_t tree = plan_add_function(&fixture->plan, "timed_tree");
	uint32_t leaf = plan_add_function(&fixture->plan, "timed_leaf");
	const struct profile_function *functions;

	fixture->plan.functions.items[tree].rate = 0.5;
	fixture->plan.functions.items[leaf].rate = 0.5;
	functions = run(fixture, "trees");
	assert_int_equal(functions[tree].calls, 2000);
	assert_int_equal(functions[leaf].calls, 10000);
	assert_in_range(functions[tree].accounting.exits, 850, 1150); /* 6.7 standard deviations */
	assert_int_equal(functions[leaf].accounting.exits, 5 * functions[tree].accounting.exits);
	assert_int_equal(functions[leaf].callers.count, 1);
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

int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
	    BY_EACH_WAY(each_program_has_frames_of_its_own),
	    BY_EACH_WAY(a_thread_that_jumped_out_ends),
	    BY_EACH_WAY(a_thread_ends_inside),
	    BY_EACH_WAY(trees_share_a_decision),
	};
	char self[4096] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	if (count > 1)
		return play(self, arguments[1]);
	setenv("LPROF_COUNTED", self, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
