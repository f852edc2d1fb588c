// SPDX-License-Identifier: GPL-2.0-or-later
// Rates below 1: who draws, who shares the decision, and how the end of an untimed call is noticed.
#include "bpf/native/timing.h"

#define SP   80000
#define HALF (1ull << 31) /* the threshold of rate 0.5 */
#define YES  (HALF - 1)   /* draws on both sides of it */
#define NO   HALF

static struct measured sampled_new(uint32_t id, uint32_t flags)
{
	struct measured f = function_new(id, flags);

	function_of(f)->threshold = HALF;
	return f;
}

static void roots_draw(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_RETURNS);
	const uint32_t draws[] = {NO, YES, NO, NO, YES, UINT32_MAX, 0};

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		native.random = draws[i];
		at(100 * i);
		assert_true(enter(f, SP)); /* that an untimed call ends is seen as well */
		at(100 * i + 10);
		assert_int_equal(return_at(SP), 1);
	}
	assert_int_equal(native.draws, 7);
	EXPECT(f, .entries = 7, .exits = 3, .opened = 3, .closed = 3, .untimed = 4, .primitive = 3,
	    .total_ns = 30, .self_ns = 30, .raw_total_ns = 30, .min_ns = 11, .max_ns = 10);
}

static void the_extremes_do_not_draw_or_always_lose(void **state)
{
	struct measured f = sampled_new(1, 0);

	(void)state;
	function_of(f)->threshold = 0;
	native.random = 0;
	enter(f, SP);
	leave(f, SP);
	function_of(f)->threshold = SAMPLE_ALL;
	native.random = UINT32_MAX;
	enter(f, SP);
	leave(f, SP);
	EXPECT(f, .entries = 2, .exits = 1, .opened = 1, .closed = 1, .untimed = 1, .primitive = 1,
	    .min_ns = 1);
	assert_int_equal(native.draws, 1);
}

/* One decision for a whole tree, whatever the rates of what is called inside. */
static void a_tree_shares_the_decision(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_RETURNS), g = sampled_new(2, FUNCTION_RETURNS);
	struct measured all = function_new(3, 0);

	(void)state;
	for (size_t timed = 0; timed < 2; timed++) {
		native.random = timed ? YES : NO;
		at(1000 * timed);
		enter(f, SP);
		native.random = timed ? NO : YES;
		for (size_t i = 0; i < 3; i++) {
			enter(g, SP - 64);
			enter(all, SP - 128);
			leave(all, SP - 128);
			at(native.now + 10);
			return_at(SP - 64);
		}
		return_at(SP);
	}
	assert_int_equal(native.draws, 2);
	EXPECT(f, .entries = 2, .untimed = 1, .exits = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = 30, .raw_total_ns = 30, .min_ns = 31, .max_ns = 30);
	EXPECT(g, .entries = 6, .untimed = 3, .exits = 3, .opened = 3, .closed = 3, .primitive = 3,
	    .total_ns = 30, .self_ns = 30, .raw_total_ns = 30, .min_ns = 11, .max_ns = 10);
	EXPECT(all, .entries = 6, .untimed = 3, .exits = 3, .opened = 3, .closed = 3,
	    .primitive = 3, .min_ns = 1);
}

/* A call of something unprobed leaves the same return address where an untimed root's stood. */
static void a_root_ends_with_its_return(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_RETURNS), g = sampled_new(2, FUNCTION_RETURNS);

	(void)state;
	native.random = NO;
	enter(f, SP);
	return_(f, SP);
	*user_word(SP) = 0x400005;
	native.random = YES;
	assert_true(enter(g, SP - 64));
	return_(g, SP - 64);
	EXPECT(f, .entries = 1, .untimed = 1);
	EXPECT(g, .entries = 1, .exits = 1, .opened = 1, .closed = 1, .primitive = 1, .min_ns = 1);
}

/* An untimed root whose return is held back ends unseen; a next call draws, wherever it stands. */
static void a_root_is_known_by_its_return_address(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_RETURNS | FUNCTION_HELD);
	struct measured g = sampled_new(2, FUNCTION_RETURNS);

	(void)state;
	settings.hold_returns = 1;
	native.random = NO;
	enter(f, SP);
	native.random = YES;
	assert_false(enter(g, SP - 64)); /* f runs: its return address still stands */
	*user_word(SP) = 0x400321;       /* f has returned, something else was called */
	assert_true(enter(g, SP - 64));
	return_(g, SP - 64);
	native.random = NO;
	enter(f, SP);
	assert_true((native.random = YES, enter(g, SP + 64))); /* f is dead by the stack pointer */
	return_(g, SP + 64);
	native.random = NO;
	enter(f, SP);
	assert_true((native.random = YES, enter(g, SP))); /* f is dead: g stands where it stood */
	return_(g, SP);
	assert_int_equal(counted(f.id).untimed, 3);
	assert_int_equal(counted(g.id).untimed, 1);
	assert_int_equal(counted(g.id).exits, 3);
	assert_int_equal(native.draws, 6);
}

static void a_root_with_exit_sites_is_seen_to_end(void **state)
{
	struct measured f = sampled_new(1, 0), g = sampled_new(2, 0);

	(void)state;
	native.random = NO;
	enter(f, SP);
	native.random = YES;
	*user_word(SP) = 0; /* nobody looks there */
	enter(g, SP - 64);
	leave(g, SP - 64);
	enter(f, SP - 64);
	leave(f, SP - 64);
	assert_int_equal(depth_now(), 1);
	leave(f, SP);
	assert_int_equal(depth_now(), 0);
	enter(g, SP - 64);
	leave(g, SP - 64);
	EXPECT(f, .entries = 2, .untimed = 2);
	EXPECT(g, .entries = 2, .untimed = 1, .exits = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .min_ns = 1);
}

static void separate_returns_of_untimed_calls(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_RETURNS), g = sampled_new(2, FUNCTION_RETURNS);

	(void)state;
	world.separate_returns = true;
	native.random = NO;
	enter(f, SP);
	enter(g, SP - 64);
	return_(g, SP - 64);
	assert_int_equal(depth_now(), 1);
	return_(f, SP);
	assert_int_equal(depth_now(), 0);
	EXPECT(f, .entries = 1, .untimed = 1);
	EXPECT(g, .entries = 1, .untimed = 1);
}

/* ---- Lines ---- */

static void lines_of_untimed_calls_do_not_count(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_LINES | FUNCTION_RETURNS), g;
	uint32_t of_f = line_new(f), of_g;

	(void)state;
	g = sampled_new(2, FUNCTION_LINES);
	of_g = line_new(g);
	for (size_t timed = 0; timed < 2; timed++) {
		native.random = timed ? YES : NO;
		enter(f, SP);
		line(of_f, SP - 32);
		enter(g, SP - 64);
		at(native.now + 5);
		line(of_g, SP - 80);
		at(native.now + 5);
		leave(g, SP - 64);
		line(of_f, SP - 32);
		at(native.now + 5);
		return_at(SP);
	}
	assert_int_equal(counted_hits(of_f), 2);
	assert_int_equal(counted_hits(of_g), 1);
	EXPECT_LINE(line_of(of_f), .total_ns = 15, .self_ns = 5, .max_ns = 10);
	EXPECT_LINE(line_of(of_g), .total_ns = 5, .self_ns = 5, .max_ns = 5);
	expect_lines_add_up(f, 2);
	expect_lines_add_up(g, 2);
}

/* Code that stands where an untimed call stood, but is another function's, draws for itself. */
static void lines_that_follow_an_untimed_call(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_RETURNS | FUNCTION_HELD);
	struct measured g = sampled_new(2, FUNCTION_LINES);
	uint32_t carried = carrier_site(5, SITE_LINE);

	(void)state;
	settings.hold_returns = 1;
	line_inlined(carried, g);
	native.random = NO;
	enter(f, SP);
	*user_word(SP) = 0x400777; /* f has returned, a leaf is called that uses no stack */
	native.random = YES;
	line(carried, SP);
	assert_int_equal(counted_hits(carried), 1);
	assert_int_equal(native.draws, 2);
}

static void adopted_frames_draw(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_LINES);
	uint32_t of_f = line_new(f);

	(void)state;
	native.random = NO;
	line(of_f, SP - 32);
	native.random = YES;
	line(of_f, SP - 32);
	assert_int_equal(counted_hits(of_f), 0);
	leave(f, SP);
	line(of_f, SP - 32);
	line(of_f, SP - 32);
	assert_int_equal(counted_hits(of_f), 2);
	assert_int_equal(native.draws, 2);
	leave(f, SP);
	expect_loss(LOSS_ADOPTED, 1);
	expect_loss(LOSS_EXIT_WITHOUT_ENTRY, 2);
}

/* An untimed carrier that has gone does not speak for the one that stands in its place. */
static void untimed_carriers_are_replaced(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_LINES);
	uint32_t first = carrier_site(5, SITE_LINE), second = carrier_site(6, SITE_LINE);

	(void)state;
	line_inlined(first, f);
	line_inlined(second, f);
	native.random = NO;
	line(first, SP);
	native.random = YES;
	line(first, SP);
	line(second, SP);
	assert_int_equal(counted_hits(first), 0);
	assert_int_equal(counted_hits(second), 1);
	assert_int_equal(native.draws, 2);
}

/* ---- Loops at entries: calls are exact at any rate ---- */

static void turn(struct measured f, uint64_t sp, size_t turns)
{
	enter(f, sp);
	for (size_t i = 1; i < turns; i++)
		jump(f, sp);
}

static void loops_of_untimed_calls(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_RETURNS), g = sampled_new(2, 0);
	struct measured root = sampled_new(3, FUNCTION_RETURNS);

	(void)state;
	site_of(f.entry)->roles |= SITE_LOOP;
	site_of(g.entry)->roles |= SITE_LOOP;
	native.random = NO;
	turn(f, SP, 5);
	assert_int_equal(return_at(SP), 1);
	turn(f, SP, 3);
	assert_int_equal(return_at(SP), 1);
	turn(g, SP, 4);
	leave(g, SP);
	enter(root, SP);
	turn(f, SP - 64, 3);
	turn(g, SP - 128, 3);
	leave(g, SP - 128);
	jump(f, SP - 64);
	assert_int_equal(return_at(SP - 64), 1);
	turn(f, SP - 64, 2);
	assert_int_equal(return_at(SP - 64), 1);
	assert_int_equal(return_at(SP), 1);
	EXPECT(f, .entries = 4, .untimed = 4);
	EXPECT(g, .entries = 2, .untimed = 2);
	EXPECT(root, .entries = 1, .untimed = 1);
	assert_int_equal(native.draws, 4);
}

static void loops_of_untimed_calls_end_by_exceptions(void **state)
{
	struct measured f = sampled_new(1, FUNCTION_RETURNS);

	(void)state;
	site_of(f.entry)->roles |= SITE_LOOP;
	native.random = NO;
	for (uint64_t depth = 0; depth < 2 * RETURNS_MAX; depth++)
		turn(f, SP - 64 * depth, 1);
	forget_returns(SP + 64);
	native.random = YES;
	assert_true(enter(f, SP + 64)); /* as many returns can be awaited as before */
	return_(f, SP + 64);
	assert_int_equal(counted(f.id).entries, 2 * RETURNS_MAX + 1);
}

/* A loop in a call that began unseen may be a next call, where returns are not seen either. */
static void loops_of_adopted_calls(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS | FUNCTION_LINES);
	struct measured g = function_new(2, FUNCTION_LINES);
	uint32_t of_f = line_new(f), of_g = line_new(g);

	(void)state;
	site_of(f.entry)->roles |= SITE_LOOP;
	site_of(g.entry)->roles |= SITE_LOOP;
	line(of_f, SP); /* a leaf that uses no stack */
	for (size_t i = 0; i < 5; i++) {
		enter(f, SP);
		return_(f, SP);
	}
	line(of_g, SP);
	jump(g, SP);
	jump(g, SP);
	leave(g, SP);
	assert_int_equal(counted(f.id).entries, 5);
	assert_int_equal(counted(g.id).entries, 0);
	expect_loss(LOSS_ADOPTED, 2);
}

/* lprofd removes f's probes, wherever threads are. */
static void remove_probes(struct measured f)
{
	site_of(f.entry)->scope = SCOPE_CLOSED;
	site_of(f.exit)->scope = SCOPE_CLOSED;
	function_of(f)->epoch++;
}

static struct measured removable_new(uint32_t id, uint64_t threshold)
{
	struct measured f = function_new(id, 0);

	function_of(f)->threshold = threshold;
	site_of(f.entry)->host = site_of(f.exit)->host = f.entry;
	return f;
}

/* Calls inside one that the rate left out are timed again once its probes are gone. */
static void a_removed_root_decides_nothing(void **state)
{
	struct measured f = removable_new(1, 0), g = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	enter(g, SP - 64);
	leave(g, SP - 64);
	remove_probes(f);
	enter(g, SP - 64);
	at(10);
	leave(g, SP - 64);
	EXPECT(f, .entries = 1, .untimed = 1);
	EXPECT(g, .entries = 2, .untimed = 1, .exits = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = 10, .self_ns = 10, .raw_total_ns = 10, .min_ns = 11, .max_ns = 10);
	EXPECT_EDGE(NOBODY, g.id, .calls = 1, .total_ns = 10, .self_ns = 10, .primitive = 1);
}

/* Inside a timed call that was removed, rates hold again; its time ends with its last sign. */
static void a_removed_call_shares_nothing(void **state)
{
	struct measured f = removable_new(1, SAMPLE_ALL), g = function_new(2, 0);

	(void)state;
	function_of(g)->threshold = 0;
	at(0);
	enter(f, SP);
	at(10);
	enter(g, SP - 64);
	at(30);
	leave(g, SP - 64);
	remove_probes(f);
	at(1000);
	enter(g, SP - 64);
	at(1010);
	leave(g, SP - 64);
	EXPECT(f, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = 20, .raw_total_ns = 20);
	EXPECT(g, .entries = 2, .untimed = 1, .exits = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = 20, .self_ns = 20, .raw_total_ns = 20, .min_ns = 21, .max_ns = 20);
}

/* A call is not charged for what its thread did after its probes had gone. */
static void a_removed_call_ends_with_its_last_sign(void **state)
{
	struct measured f = removable_new(1, SAMPLE_ALL);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	remove_probes(f);
	at(1000);
	thread_end();
	EXPECT(f, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TIMING_TEST(roots_draw),
	    TIMING_TEST(the_extremes_do_not_draw_or_always_lose),
	    TIMING_TEST(a_tree_shares_the_decision),
	    TIMING_TEST(a_root_ends_with_its_return),
	    TIMING_TEST(a_root_is_known_by_its_return_address),
	    TIMING_TEST(a_root_with_exit_sites_is_seen_to_end),
	    TIMING_TEST(separate_returns_of_untimed_calls),
	    TIMING_TEST(lines_of_untimed_calls_do_not_count),
	    TIMING_TEST(lines_that_follow_an_untimed_call),
	    TIMING_TEST(adopted_frames_draw),
	    TIMING_TEST(untimed_carriers_are_replaced),
	    TIMING_TEST(loops_of_untimed_calls),
	    TIMING_TEST(loops_of_untimed_calls_end_by_exceptions),
	    TIMING_TEST(loops_of_adopted_calls),
	    TIMING_TEST(a_removed_root_decides_nothing),
	    TIMING_TEST(a_removed_call_shares_nothing),
	    TIMING_TEST(a_removed_call_ends_with_its_last_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
