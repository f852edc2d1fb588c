// SPDX-License-Identifier: GPL-2.0-or-later
// Accounts: when they are overdrawn, what a shut one does, and what becomes of frames and stays
// whose probes were away meanwhile.
#include "bpf/native/timing.h"

#define SP     80000
#define SECOND 1000000000ull
#define PART   1 /* its account */
#define COST   (ACCOUNT_CHARGE_NS / 2)

static struct account *account_at(uint32_t id)
{
	return bpf_map_lookup_elem(&accounts, &id);
}

/* A share of one CPU, with half a second's pay saved up. */
static void limit(uint32_t id, double share)
{
	account_at(id)->price = (uint32_t)(ACCOUNT_PRICE_ONE / share);
	account_at(id)->burst_ns = SECOND / 2;
}

/* Both of its hits in a call cost COST: each call charges the account once. */
static struct measured dear_new(uint32_t id)
{
	struct measured f = function_new(id, 0);

	settings.cost_before_ns[COST_BARE_ENTRY_EMULATED] = COST;
	settings.cost_before_ns[COST_EXIT_STEPPED] = COST;
	site_of(f.entry)->account = site_of(f.exit)->account = PART;
	return f;
}

static void call(struct measured f)
{
	enter(f, SP);
	leave(f, SP);
}

static void all_is_charged(void **state)
{
	struct measured f = dear_new(1);

	(void)state;
	at(SECOND);
	for (int i = 0; i < 1000; i++)
		call(f);
	assert_int_equal(account_at(PART)->spent_ns, 1000ull * 2 * COST);
	assert_int_equal(account_at(0)->spent_ns, 1000ull * 2 * COST);
	assert_int_equal(native.alarm_count, 0); /* without a limit */
	EXPECT(f, .entries = 1000, .exits = 1000, .opened = 1000, .closed = 1000, .primitive = 1000,
	    .raw_total_ns = 1000 * COST, .min_ns = 1);
}

/* 1% of half a second pays for 5 ms: 152 charges; and of the time that 153 take, for a 154th. */
static void a_burst_is_cut_short(void **state)
{
	struct measured f = dear_new(1);
	uint64_t most = SECOND / 2 / 100 / (2 * COST) + 3;
	uint64_t calls;

	(void)state;
	limit(PART, 0.01);
	at(10 * SECOND);
	for (calls = 0; calls < 1000 && !account_at(PART)->shut; calls++)
		call(f);
	assert_in_range(calls, most - 3, most);
	assert_int_equal(native.alarm_count, 1);
	assert_int_equal(native.alarms[0], PART);
	for (int i = 0; i < 10; i++)
		call(f); /* ignored, but paid for */
	expect_loss(LOSS_BUDGET, 20);
	assert_in_range(account_at(PART)->shut_ns, 10 * SECOND, native.now);
	assert_int_equal(native.alarm_count, 1);
	assert_int_equal(counted(f.id).entries, calls);
	assert_int_equal(account_at(PART)->spent_ns, (calls + 10) * 2 * COST);
}

/* Whose load is below its share is never shut. */
static void time_pays(void **state)
{
	struct measured f = dear_new(1);

	(void)state;
	limit(PART, 0.01);
	for (uint64_t i = 0; i < 1000; i++) {
		at(10 * SECOND + i * 2 * COST * 101);
		call(f);
	}
	assert_int_equal(native.alarm_count, 0);
	assert_int_equal(counted(f.id).exits, 1000);
}

/* The account of all shuts whoever spends. */
static void all_together_have_a_limit(void **state)
{
	struct measured f = dear_new(1);

	(void)state;
	limit(0, 0.01);
	at(10 * SECOND);
	for (int i = 0; i < 1000 && !account_at(PART)->shut; i++)
		call(f);
	assert_int_equal(native.alarm_count, 1);
	assert_int_equal(native.alarms[0], PART);
	assert_false(account_at(0)->shut);
}

/* An exit that is seen after its probes were away may be of another call than the entry. */
static void a_call_does_not_span_slices(void **state)
{
	struct measured f = function_new(1, 0), g = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	function_of(f)->epoch += 2; /* away, and back */
	at(50);
	leave(f, SP);
	at(60);
	enter(g, SP - 64); /* has no caller that is known */
	at(70);
	leave(g, SP - 64);
	EXPECT(f, .entries = 1, .opened = 1, .closed = 1, .unwound = 1, .primitive = 1);
	EXPECT_CALLS(g, 1, 10, 10);
	EXPECT_EDGE(NOBODY, g.id, .calls = 1, .total_ns = 10, .self_ns = 10, .primitive = 1);
	expect_loss(LOSS_EXIT_WITHOUT_ENTRY, 1);
}

/* A call that the rate left out, and whose end nobody saw, decides for nobody. */
static void an_untimed_root_does_not_span_slices(void **state)
{
	struct measured f = function_new(1, 0), g = function_new(2, 0);

	(void)state;
	function_of(f)->threshold = 0;
	enter(f, SP);
	function_of(f)->epoch += 2;
	enter(g, SP - 64);
	at(10);
	leave(g, SP - 64);
	EXPECT_CALLS(g, 1, 10, 10);
	EXPECT(f, .entries = 1, .untimed = 1);
}

static void lines_away(struct measured f)
{
	function_of(f)->flags |= FUNCTION_LINES_AWAY;
	function_of(f)->lines_epoch++;
}

static void lines_back(struct measured f)
{
	function_of(f)->flags &= ~(uint32_t)FUNCTION_LINES_AWAY;
	function_of(f)->lines_epoch++;
}

/* Calls go on; the lines' time is that of stays that were seen from beginning to end. */
static void lines_stand_for_slices(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES);
	uint32_t first = line_new(f), second = line_new(f);

	(void)state;
	lines_away(f);
	at(0);
	enter(f, SP);
	at(10);
	lines_back(f);
	at(100);
	line(first, SP - 32); /* since when the entry's line ran is not known */
	at(107);
	line(second, SP - 32);
	at(110);
	lines_away(f);
	at(500);
	leave(f, SP); /* nor when the second's ended */
	EXPECT_CALLS(f, 1, 500, 500);
	EXPECT_LINE(entry_line_of(f));
	EXPECT_LINE(line_of(first), .total_ns = 7, .self_ns = 7, .max_ns = 7);
	EXPECT_LINE(line_of(second));
	assert_int_equal(counted_hits(second), 1);
}

/* A line whose site stands for another reason is not counted while the others are away. */
static void a_line_at_the_entry_goes_with_the_others(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES);
	uint32_t opening = world.lines++;

	(void)state;
	site_of(f.entry)->roles |= SITE_LINE;
	site_charge(f.entry, f, opening);
	lines_away(f);
	at(0);
	enter(f, SP);
	at(30);
	leave(f, SP);
	lines_back(f);
	at(100);
	enter(f, SP);
	at(130);
	leave(f, SP);
	EXPECT_CALLS(f, 2, 30, 30);
	EXPECT_LINE(opening, .total_ns = 30, .self_ns = 30, .max_ns = 30);
	assert_int_equal(counted_hits(f.entry), 1);
}

/* Inlined code of f in a host that nobody asked for. */
static void a_carrier_does_not_span_slices(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES);
	uint32_t site = carrier_site(7, SITE_LINE),
		 after = carrier_site(7, SITE_LINE | SITE_SILENT);
	uint32_t inlined = line_inlined(site, f);

	(void)state;
	at(0);
	line(site, SP);
	lines_away(f);
	at(40);
	lines_back(f);
	at(50);
	line(site, SP);
	at(53);
	line(after, SP);
	EXPECT_LINE(inlined, .total_ns = 3, .self_ns = 3, .max_ns = 3);
	assert_int_equal(counted_hits(site), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_is_charged),
	    TEST(a_burst_is_cut_short),
	    TEST(time_pays),
	    TEST(all_together_have_a_limit),
	    TEST(a_call_does_not_span_slices),
	    TEST(an_untimed_root_does_not_span_slices),
	    TEST(lines_stand_for_slices),
	    TEST(a_line_at_the_entry_goes_with_the_others),
	    TEST(a_carrier_does_not_span_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
