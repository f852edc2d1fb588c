// SPDX-License-Identifier: GPL-2.0-or-later
// Time off the CPU: blocked until woken, waiting from then on or when preempted; charged to the
// lines where the frames stand, to outermost activations, and to nobody outside measured calls.
#include "bpf/native/timing.h"

#define SP    80000
#define DEPTH (FRAMES_NEAR + 3 * FRAMES_RUN)

static int off_cpu_begin(void **state)
{
	world_begin(state);
	native_map_add(&off_cpu_lines, WORLD_SHARDS * WORLD_LINES);
	native_map_add(&off_cpu_functions, WORLD_SHARDS * WORLD_FUNCTIONS);
	thread_new(200); /* who else runs */
	thread_switch(0);
	return 0;
}

/* ---- The scheduler ---- */

/* The CPU goes from one thread to another; `asleep`: the first one does not want it. */
static void switch_threads(size_t from, size_t to, bool preempted, bool asleep)
{
	__u64 context[4] = {preempted, (uintptr_t)&world.threads[from].task,
	    (uintptr_t)&world.threads[to].task, asleep};

	thread_switch(to);
	native.forked = &world.threads[from].kernel;
	assert_int_equal(off_cpu_switch(context), 0);
}

static void block(uint64_t now)
{
	at(now);
	switch_threads(0, 1, false, true);
}

static void preempt(uint64_t now)
{
	at(now);
	switch_threads(0, 1, true, true); /* its state does not matter then */
}

static void wake(uint64_t now)
{
	__u64 context[1] = {(uintptr_t)&world.threads[0].task};

	at(now);
	assert_int_equal(off_cpu_wakeup(context), 0);
}

/* The first thread runs again; its stack pointer is below all its frames. */
static void go_on(uint64_t now)
{
	at(now);
	world.threads[0].registers.sp = SP - 8192;
	switch_threads(1, 0, false, true);
}

static struct off_cpu_counters sum_of(const void *map, uint32_t id, uint32_t each)
{
	struct off_cpu_counters sum = {0};

	for (uint32_t shard = 0; shard < WORLD_SHARDS; shard++) {
		uint32_t index = shard * each + id;
		const struct off_cpu_counters *one = bpf_map_lookup_elem(map, &index);

		sum.blocked_ns += one->blocked_ns;
		sum.waiting_ns += one->waiting_ns;
	}
	return sum;
}

#define EXPECT_OFF(found_, blocked, waiting)                  \
	do {                                                  \
		struct off_cpu_counters sum_ = found_;        \
		assert_int_equal(sum_.blocked_ns, (blocked)); \
		assert_int_equal(sum_.waiting_ns, (waiting)); \
	} while (0)
#define EXPECT_OFF_FUNCTION(f, blocked, waiting) \
	EXPECT_OFF(sum_of(&off_cpu_functions, (f).id, WORLD_FUNCTIONS), blocked, waiting)
#define EXPECT_OFF_LINE(id, blocked, waiting) \
	EXPECT_OFF(sum_of(&off_cpu_lines, id, WORLD_LINES), blocked, waiting)

/* ---- Tests ---- */

static void blocked_then_waiting(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES | FUNCTION_OFF_CPU);
	uint32_t first = line_new(f), second = line_new(f);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	line(first, SP - 32);
	block(20);
	wake(50);
	go_on(57);
	at(60);
	line(second, SP - 32);
	preempt(70);
	go_on(81);
	at(90);
	leave(f, SP);
	EXPECT_OFF_FUNCTION(f, 30, 7 + 11);
	EXPECT_OFF_LINE(entry_line_of(f), 0, 0);
	EXPECT_OFF_LINE(line_of(first), 30, 7);
	EXPECT_OFF_LINE(line_of(second), 0, 11);
	EXPECT_LINE(line_of(first), .total_ns = 50, .self_ns = 50, .max_ns = 50);
}

/* Before its first line, a call stands at its entry. */
static void at_the_entry(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES | FUNCTION_OFF_CPU);

	(void)state;
	at(0);
	enter(f, SP);
	block(5);
	wake(9);
	go_on(10);
	at(20);
	leave(f, SP);
	EXPECT_OFF_FUNCTION(f, 4, 1);
	EXPECT_OFF_LINE(entry_line_of(f), 4, 1);
}

/* Nobody's: before the first call, after the last, and with the gate shut. */
static void outside_of_calls(void **state)
{
	struct measured f = function_new(1, FUNCTION_OFF_CPU);

	(void)state;
	block(1);
	wake(2);
	go_on(3);
	at(10);
	enter(f, SP);
	at(20);
	leave(f, SP);
	block(30);
	wake(35);
	go_on(40);
	EXPECT_OFF_FUNCTION(f, 0, 0);
}

static void gate_shut_meanwhile(void **state)
{
	struct measured f = function_new(1, FUNCTION_OFF_CPU);

	(void)state;
	at(0);
	enter(f, SP);
	block(10);
	settings.gate = 0;
	wake(20);
	go_on(30);
	EXPECT_OFF_FUNCTION(f, 0, 0);
}

/* Of a probe that did not ask, beside one that did. */
static void not_asked(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g = function_new(2, FUNCTION_OFF_CPU);
	uint32_t first = line_new(f);

	(void)state;
	at(0);
	enter(f, SP);
	at(5);
	line(first, SP - 32);
	at(10);
	enter(g, SP - 64);
	block(20);
	wake(50);
	go_on(57);
	EXPECT_OFF_FUNCTION(f, 0, 0);
	EXPECT_OFF_LINE(line_of(first), 0, 0);
	EXPECT_OFF_FUNCTION(g, 30, 7);
}

/* Of a probe that was taken away and set again meanwhile. */
static void of_a_probe_before(void **state)
{
	struct measured f = function_new(1, FUNCTION_OFF_CPU);

	(void)state;
	at(0);
	enter(f, SP);
	block(10);
	function_find(f.id)->epoch++;
	wake(20);
	go_on(30);
	EXPECT_OFF_FUNCTION(f, 0, 0);
}

/* A wake-up of a thread that is awake already tells nothing. */
static void woken_twice(void **state)
{
	struct measured f = function_new(1, FUNCTION_OFF_CPU);

	(void)state;
	at(0);
	enter(f, SP);
	wake(3);
	block(10);
	wake(20);
	wake(25);
	go_on(30);
	at(40);
	wake(41);
	leave(f, SP);
	EXPECT_OFF_FUNCTION(f, 10, 10);
}

/* Callers were off the CPU as well: all frames, far ones too; of recursion only the outermost. */
static void all_frames(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES | FUNCTION_OFF_CPU),
			g = function_new(2, FUNCTION_LINES | FUNCTION_OFF_CPU);
	struct measured h = function_new(3, FUNCTION_OFF_CPU);
	uint32_t of_f = line_new(f), of_g = line_new(g);

	(void)state;
	at(0);
	enter(f, SP);
	line(of_f, SP - 16);
	for (uint64_t depth = 1; depth <= DEPTH; depth++) {
		enter(g, SP - 32 * depth);
		if (depth % 2)
			line(of_g, SP - 32 * depth - 16);
	}
	enter(h, SP - 32 * (DEPTH + 1));
	block(10);
	wake(17);
	go_on(20);
	EXPECT_OFF_FUNCTION(f, 7, 3);
	EXPECT_OFF_LINE(line_of(of_f), 7, 3);
	EXPECT_OFF_FUNCTION(g, 7, 3);
	EXPECT_OFF_LINE(entry_line_of(g), 0, 0);
	EXPECT_OFF_LINE(line_of(of_g), 7, 3);
	EXPECT_OFF_FUNCTION(h, 7, 3);
	leave(h, SP - 32 * (DEPTH + 1));
	for (uint64_t depth = DEPTH; depth; depth--)
		leave(g, SP - 32 * depth);
	leave(f, SP);
}

/* Frames below the stack pointer were left by a jump, before the thread blocked. */
static void dead_frames(void **state)
{
	struct measured f = function_new(1, FUNCTION_OFF_CPU),
			g = function_new(2, FUNCTION_OFF_CPU);

	(void)state;
	at(0);
	enter(f, SP);
	enter(g, SP - 64);
	block(10);
	wake(15);
	at(20);
	world.threads[0].registers.sp = SP - 32;
	switch_threads(1, 0, false, true);
	EXPECT_OFF_FUNCTION(f, 5, 5);
	EXPECT_OFF_FUNCTION(g, 0, 0);
	leave(f, SP);
}

/* Where another function is inlined, its line has been off the CPU too. */
static void inlined_lines(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES | FUNCTION_OFF_CPU),
			g = function_new(2, FUNCTION_LINES | FUNCTION_OFF_CPU);
	uint32_t site = line_new(f), of_g = line_inlined(site, g);

	(void)state;
	at(0);
	enter(f, SP);
	line(site, SP - 16);
	block(1);
	wake(4);
	go_on(9);
	EXPECT_OFF_LINE(line_of(site), 3, 5);
	EXPECT_OFF_LINE(of_g, 3, 5);
	leave(f, SP);
}

#define PART  1 /* accounts */
#define OTHER 3

static struct account *account_at(uint32_t id)
{
	return bpf_map_lookup_elem(&accounts, &id);
}

static uint64_t told_off_cpu_ns(void)
{
	uint64_t sum = 0;

	for (uint32_t shard = 0; shard < WORLD_SHARDS; shard++)
		sum += ((const struct shard_counters *)bpf_map_lookup_elem(&shard_counters, &shard))
			   ->off_cpu_ns;
	return sum;
}

/* A run that is timed stands for 64, and is paid by whom it was for. */
static void its_cost_is_charged(void **state)
{
	struct measured f = function_new(1, FUNCTION_OFF_CPU);
	const uint64_t each = 2 * 100 * RUNS_A_TIMED_ONE; /* the clock is read once between */

	(void)state;
	site_of(f.entry)->account = PART;
	at(1000000);
	enter(f, SP);
	native.tick = 100;
	native.random = UINT32_MAX; /* none is timed */
	block(2000000);
	wake(3000000);
	go_on(4000000);
	assert_int_equal(told_off_cpu_ns(), 0);
	native.random = 0;
	block(5000000);
	wake(6000000);
	go_on(7000000);
	assert_int_equal(told_off_cpu_ns(), 3 * each);
	assert_int_equal(account_at(PART)->spent_ns, 3 * each);
	assert_int_equal(account_at(0)->spent_ns, 3 * each);
	settings.off_cpu_payer = OTHER;
	switch_threads(1, 1, false, true); /* of nobody who is measured: who asked pays */
	assert_int_equal(told_off_cpu_ns(), 3 * each + each / 2);
	assert_int_equal(account_at(PART)->spent_ns, 3 * each);
	assert_int_equal(account_at(OTHER)->spent_ns, each / 2);
	assert_int_equal(account_at(0)->spent_ns, 3 * each + each / 2);
	settings.off_cpu_payer = 0;
	native.tick = 0;
	thread_switch(0);
	leave(f, SP);
}

/* While its probes are away a thread costs no more than those that never were measured. */
static void away(void **state)
{
	struct measured f = function_new(1, FUNCTION_OFF_CPU),
			g = function_new(2, FUNCTION_OFF_CPU);
	uint64_t paid;

	(void)state;
	site_of(f.entry)->account = site_of(g.entry)->account = PART;
	at(1000000);
	enter(f, SP);
	function_find(f.id)->epoch++;
	block(2000000);
	go_on(3000000); /* is found to be of a probe before */
	paid = account_at(PART)->spent_ns;
	native.tick = 100;
	block(4000000);
	wake(5000000);
	go_on(6000000);
	native.tick = 0;
	assert_int_equal(account_at(PART)->spent_ns, paid);
	assert_int_equal(told_off_cpu_ns(), 3 * 100 * RUNS_A_TIMED_ONE);
	enter(g, SP - 9000);
	block(7000000);
	wake(7000300);
	at(7000500);
	world.threads[0].registers.sp = SP - 16000;
	switch_threads(1, 0, false, true);
	EXPECT_OFF_FUNCTION(f, 0, 0);
	EXPECT_OFF_FUNCTION(g, 300, 200);
}

/* It shuts an account as hits do, and what that paid for is not followed any more. */
static void its_cost_overdraws(void **state)
{
	struct measured f = function_new(1, FUNCTION_OFF_CPU);

	(void)state;
	site_of(f.entry)->account = PART;
	account_at(PART)->price = 1000 * ACCOUNT_PRICE_ONE;
	at(1000000000);
	enter(f, SP);
	native.tick = 100;
	native.random = 0;
	block(2000000000);
	assert_true(account_at(PART)->shut);
	assert_int_equal(native.alarm_count, 1);
	assert_int_equal(native.alarms[0], PART);
	go_on(2000001000);
	EXPECT_OFF_FUNCTION(f, 2000001000 - 2000000000, 0);
	block(3000000000);
	go_on(4000000000);
	EXPECT_OFF_FUNCTION(f, 2000001000 - 2000000000, 0);
}

#define OFF_CPU_TEST(test) cmocka_unit_test_setup_teardown(test, off_cpu_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    OFF_CPU_TEST(blocked_then_waiting),
	    OFF_CPU_TEST(at_the_entry),
	    OFF_CPU_TEST(outside_of_calls),
	    OFF_CPU_TEST(gate_shut_meanwhile),
	    OFF_CPU_TEST(not_asked),
	    OFF_CPU_TEST(of_a_probe_before),
	    OFF_CPU_TEST(woken_twice),
	    OFF_CPU_TEST(all_frames),
	    OFF_CPU_TEST(dead_frames),
	    OFF_CPU_TEST(inlined_lines),
	    OFF_CPU_TEST(its_cost_is_charged),
	    OFF_CPU_TEST(away),
	    OFF_CPU_TEST(its_cost_overdraws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
