// SPDX-License-Identifier: GPL-2.0-or-later
// Lines of the timing programs: stays, inlined code, hosts nobody asked for, correction of times.
#include "bpf/native/timing.h"

#define SP 80000

static void stays_partition_a_call(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g = function_new(2, FUNCTION_RETURNS);
	uint32_t first = line_new(f), second = line_new(f);

	(void)state;
	at(0);
	enter(f, SP);
	at(3);
	line(first, SP - 32);
	at(10);
	enter(g, SP - 64);
	at(30);
	return_(g, SP - 64);
	at(33);
	line(second, SP - 32);
	at(40);
	line(first, SP - 32);
	at(41);
	leave(f, SP);
	EXPECT_LINE(entry_line_of(f), .total_ns = 3, .self_ns = 3, .max_ns = 3);
	EXPECT_LINE(line_of(first), .total_ns = 31, .self_ns = 11, .max_ns = 30);
	EXPECT_LINE(line_of(second), .total_ns = 7, .self_ns = 7, .max_ns = 7);
	EXPECT_CALLS(f, 1, 41, 21);
	expect_lines_add_up(f, 3);
	assert_int_equal(counted_hits(first), 2);
	assert_int_equal(counted_hits(second), 1);
}

/* One site may end what the same instruction began, and a line may stand at the entry. */
static void a_line_at_the_entry_and_at_the_exit(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES);
	uint32_t opening = world.lines++, closing = world.lines++;

	(void)state;
	site_of(f.entry)->roles |= SITE_LINE;
	site_charge(f.entry, f, opening);
	site_of(f.exit)->roles |= SITE_LINE;
	site_charge(f.exit, f, closing);
	for (size_t i = 0; i < 3; i++) {
		at(100 * i);
		enter(f, SP);
		at(100 * i + 8);
		leave(f, SP);
	}
	EXPECT_CALLS(f, 3, 8, 8);
	EXPECT_LINE(opening, .total_ns = 24, .self_ns = 24, .max_ns = 8);
	EXPECT_LINE(closing);
	assert_int_equal(counted_hits(f.entry), 3);
	assert_int_equal(counted_hits(f.exit), 3);
	expect_lines_add_up(f, 3);
}

static void recursion_counts_time_once(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES);
	uint32_t calls = line_new(f), after = line_new(f);

	(void)state;
	for (uint64_t depth = 0; depth < 100; depth++) {
		at(10 * depth);
		enter(f, SP - 64 * depth);
		at(10 * depth + 4);
		line(calls, SP - 64 * depth - 16);
	}
	for (uint64_t depth = 100; depth-- > 0;) {
		at(3000 - 10 * depth);
		line(after, SP - 64 * depth - 16);
		at(3000 - 10 * depth + 3);
		leave(f, SP - 64 * depth);
	}
	assert_int_equal(counted(f.id).total_ns, 3003);
	assert_int_equal(counted(f.id).self_ns, 3003);
	EXPECT_LINE(entry_line_of(f), .total_ns = 4, .self_ns = 400, .max_ns = 4);
	EXPECT_LINE(line_of(after), .total_ns = 3, .self_ns = 300, .max_ns = 3);
	expect_lines_add_up(f, 3);
}

static void silent_sites_move_time_only(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES);
	uint32_t said = line_new(f), silent = line_new(f);

	(void)state;
	site_of(silent)->roles |= SITE_SILENT;
	at(0);
	enter(f, SP);
	line(said, SP - 8);
	at(10);
	line(silent, SP - 8);
	at(15);
	leave(f, SP);
	EXPECT_LINE(line_of(said), .total_ns = 10, .self_ns = 10, .max_ns = 10);
	EXPECT_LINE(line_of(silent), .total_ns = 5, .self_ns = 5, .max_ns = 5);
	assert_int_equal(counted_hits(silent), 0);
	expect_lines_add_up(f, 3);
}

/* ---- Adopted frames ---- */

static void a_line_before_any_entry(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g = function_new(2, FUNCTION_RETURNS);
	uint32_t first = line_new(f), second = line_new(f);

	(void)state;
	at(100);
	line(first, SP - 32);
	at(110);
	enter(g, SP - 64);
	at(130);
	return_(g, SP - 64);
	at(140);
	line(second, SP - 32);
	at(150);
	leave(f, SP);
	EXPECT(f, .entries = 0); /* adopted frames are in no account */
	EXPECT_LINE(line_of(first), .total_ns = 40, .self_ns = 20, .max_ns = 40);
	EXPECT_LINE(line_of(second)); /* the exit is above the line's stack pointer */
	EXPECT_CALLS(g, 1, 20, 20);
	EXPECT_EDGE(f.id, g.id, .calls = 1, .total_ns = 20, .self_ns = 20, .primitive = 1);
	assert_int_equal(counted_hits(first) + counted_hits(second), 2);
	expect_loss(LOSS_ADOPTED, 1);
	expect_loss(LOSS_EXIT_WITHOUT_ENTRY, 1);
	assert_int_equal(depth_now(), 0);
}

/* An adopted outer activation is one: what recurses below it is not outermost. */
static void recursion_below_an_adopted_frame(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), m = function_new(2, 0);
	uint32_t calls = line_new(f);

	(void)state;
	at(0);
	enter(m, SP + 400);
	line(calls, SP - 32);
	at(10);
	enter(f, SP - 64);
	at(40);
	leave(f, SP - 64);
	at(60);
	line(calls, SP - 32);
	at(100);
	leave(m, SP + 400);
	EXPECT(f, .entries = 1, .exits = 1, .opened = 1, .closed = 1, .self_ns = 30, .min_ns = 31,
	    .max_ns = 30);
	EXPECT_LINE(entry_line_of(f), .self_ns = 30, .max_ns = 30);
	EXPECT_LINE(line_of(calls), .total_ns = 60, .self_ns = 30, .max_ns = 60);
	EXPECT_CALLS(m, 1, 100, 40); /* f took 60 of it, as far as was seen */
	expect_loss(LOSS_ADOPTED, 1);
}

/* ---- Inlined code ---- */

/* g is inlined in f: f's line has the total, g's line as well, and the time is g's own. */
static void an_inlined_call(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g, h = function_new(9, 0);
	uint32_t own = line_new(f), both = line_new(f), of_g;

	(void)state;
	g = function_new(2, FUNCTION_LINES);
	of_g = line_inlined(both, g);
	at(0);
	enter(f, SP);
	at(1);
	line(own, SP - 32);
	at(10);
	line(both, SP - 32);
	at(20);
	enter(h, SP - 64);
	at(25);
	leave(h, SP - 64);
	at(40);
	line(own, SP - 32);
	at(100);
	leave(f, SP);
	EXPECT_CALLS(f, 1, 100, 70); /* 100 less 5 of h and 25 of g */
	EXPECT_LINE(line_of(own), .total_ns = 69, .self_ns = 69, .max_ns = 60);
	EXPECT_LINE(line_of(both), .total_ns = 30, .max_ns = 30);
	EXPECT_LINE(of_g, .total_ns = 30, .self_ns = 25, .max_ns = 30);
	EXPECT_EDGE(g.id, h.id, .calls = 1, .total_ns = 5, .self_ns = 5, .primitive = 1);
	EXPECT(g, .entries = 0);
	expect_lines_add_up(f, 3);
}

static void inlined_three_deep(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g, h, i;
	uint32_t all = line_new(f), lines[3];

	(void)state;
	g = function_new(2, FUNCTION_LINES);
	h = function_new(3, FUNCTION_LINES);
	i = function_new(4, FUNCTION_LINES);
	lines[0] = line_inlined(all, g);
	lines[1] = line_inlined(all, h);
	lines[2] = line_inlined(all, i);
	at(0);
	enter(f, SP);
	line(all, SP - 32);
	at(50);
	leave(f, SP);
	EXPECT_CALLS(f, 1, 50, 0);
	EXPECT_LINE(line_of(all), .total_ns = 50, .max_ns = 50);
	EXPECT_LINE(lines[0], .total_ns = 50, .max_ns = 50);
	EXPECT_LINE(lines[1], .total_ns = 50, .max_ns = 50);
	EXPECT_LINE(lines[2], .total_ns = 50, .self_ns = 50, .max_ns = 50);
	expect_lines_add_up(f, 2);
}

/* The inlined function is on the stack already, or comes again below: its total counts once. */
static void recursion_through_inlined_code(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g;
	uint32_t both = line_new(f), of_g, own;

	(void)state;
	g = function_new(2, FUNCTION_LINES);
	own = line_new(g);
	of_g = line_inlined(both, g);
	at(0);
	enter(f, SP);
	line(both, SP - 16);
	at(10);
	enter(f, SP - 64); /* g, inlined, calls f, where g is inlined again */
	line(both, SP - 80);
	at(20);
	enter(g, SP - 128);
	line(own, SP - 144);
	at(50);
	leave(g, SP - 128);
	leave(f, SP - 64);
	at(60);
	leave(f, SP);
	EXPECT(g, .entries = 1, .exits = 1, .opened = 1, .closed = 1, .self_ns = 30, .min_ns = 31,
	    .max_ns = 30);
	EXPECT_LINE(of_g, .total_ns = 60, .self_ns = 30, .max_ns = 60);
	EXPECT_LINE(line_of(own), .self_ns = 30, .max_ns = 30);
	EXPECT_LINE(line_of(both), .total_ns = 60, .max_ns = 60);
	EXPECT(f, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 1,
	    .total_ns = 60, .raw_total_ns = 60, .min_ns = 41, .max_ns = 60);
	expect_lines_add_up(f, 2);
	at(100);
	enter(g, SP); /* nothing of it is left */
	line(own, SP - 16);
	at(103);
	leave(g, SP);
	assert_int_equal(counted(g.id).primitive, 1);
	assert_int_equal(counted(g.id).total_ns, 3);
}

/* The same where the functions' slots are taken, so that the stack is searched. */
static void recursion_through_inlined_code_with_collisions(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g, h;
	uint32_t both = line_new(f), of_g;

	(void)state;
	g = function_new(1 + ACTIVE_SLOTS, FUNCTION_LINES);
	h = function_new(1 + 2 * ACTIVE_SLOTS, FUNCTION_RETURNS);
	of_g = line_inlined(both, g);
	at(0);
	enter(f, SP);
	line(both, SP - 16);
	enter(h, SP - 64);
	for (uint64_t depth = 2; depth < 30; depth++)
		enter(h, SP - 64 * depth);
	at(10);
	enter(g, SP - 64 * 30);
	at(30);
	leave(g, SP - 64 * 30);
	at(40);
	leave(f, SP);
	assert_int_equal(counted(g.id).primitive, 0);
	assert_int_equal(counted(h.id).primitive, 1);
	EXPECT_LINE(of_g, .total_ns = 40, .self_ns = 20, .max_ns = 40);
}

/* ---- Hosts that nobody asked for ---- */

static void a_host_carries_inlined_code(void **state)
{
	struct measured m = function_new(1, 0), g = function_new(2, FUNCTION_LINES);
	struct measured h = function_new(3, 0);
	uint32_t site = carrier_site(7, SITE_LINE), left = carrier_site(7, SITE_LINE | SITE_SILENT);
	uint32_t of_g = line_inlined(site, g);

	(void)state;
	at(0);
	enter(m, SP);
	line(left, SP - 80); /* the host's own code, before: nothing to carry */
	assert_int_equal(depth_now(), 1);
	at(10);
	line(site, SP - 80);
	at(15);
	enter(h, SP - 160);
	at(17);
	leave(h, SP - 160);
	at(20);
	line(left, SP - 80); /* inlined code ends here */
	at(50);
	enter(h, SP - 160);
	at(58);
	leave(h, SP - 160);
	at(100);
	leave(m, SP);
	EXPECT_LINE(of_g, .total_ns = 10, .self_ns = 8, .max_ns = 10);
	EXPECT_CALLS(m, 1, 100, 82); /* all but 8 of g and 10 of h */
	EXPECT(h, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 2,
	    .total_ns = 10, .self_ns = 10, .raw_total_ns = 10, .min_ns = 3, .max_ns = 8);
	EXPECT_EDGE(g.id, h.id, .calls = 1, .total_ns = 2, .self_ns = 2, .primitive = 1);
	EXPECT_EDGE(m.id, h.id, .calls = 1, .total_ns = 8, .self_ns = 8, .primitive = 1);
	EXPECT_NO_EDGE(NOBODY, h.id);
	assert_int_equal(counted_hits(site), 1);
	assert_int_equal(counted_hits(left), 0);
}

/* Hosts nest, and the caller below shines through them. */
static void hosts_nest(void **state)
{
	struct measured m = function_new(1, FUNCTION_RETURNS), g = function_new(2, FUNCTION_LINES);
	struct measured h = function_new(3, FUNCTION_RETURNS);
	uint32_t inside[2], lefts[2], of_g[2];

	(void)state;
	for (uint32_t host = 0; host < 2; host++) {
		inside[host] = carrier_site(host, SITE_LINE);
		lefts[host] = carrier_site(host, SITE_LINE | SITE_SILENT);
		of_g[host] = line_inlined(inside[host], g);
	}
	at(0);
	enter(m, SP);
	line(inside[0], SP - 80);
	at(10);
	line(lefts[0], SP - 80);
	at(20);
	line(inside[1], SP - 160);
	at(25);
	line(lefts[1], SP - 160);
	enter(h, SP - 240);
	at(30);
	return_(h, SP - 240);
	line(inside[0], SP - 240); /* the first again, deeper */
	at(33);
	line(inside[1], SP - 160);
	at(40);
	line(lefts[1], SP - 160);
	at(100);
	return_(m, SP);
	EXPECT_LINE(of_g[0], .total_ns = 10, .self_ns = 10, .max_ns = 10);
	EXPECT_LINE(of_g[1], .total_ns = 12, .self_ns = 12, .max_ns = 7);
	EXPECT_EDGE(m.id, h.id, .calls = 1, .total_ns = 5, .self_ns = 5, .primitive = 1);
	EXPECT_CALLS(m, 1, 100, 73);
}

/* Leaf hosts have each other's stack pointer; the first one's time ends where the second stands. */
static void hosts_replace_each_other(void **state)
{
	struct measured m = function_new(1, 0), g = function_new(2, FUNCTION_LINES);
	uint32_t first = carrier_site(5, SITE_LINE), second = carrier_site(6, SITE_LINE);
	uint32_t of_first = line_inlined(first, g), of_second = line_inlined(second, g);

	(void)state;
	at(0);
	enter(m, SP);
	line(first, SP - 8);
	at(10);
	line(second, SP - 8);
	at(40);
	line(second, SP - 8);
	at(100);
	leave(m, SP);
	EXPECT_LINE(of_first);
	EXPECT_LINE(of_second, .total_ns = 30, .self_ns = 30, .max_ns = 30);
	EXPECT_CALLS(m, 1, 100, 70);
}

/* Inlined code of a function whose own frame is further down is not outermost. */
static void a_host_below_the_function_it_carries(void **state)
{
	struct measured g = function_new(2, FUNCTION_LINES);
	uint32_t site = carrier_site(5, SITE_LINE), of_g = line_inlined(site, g);

	(void)state;
	at(0);
	enter(g, SP);
	at(10);
	line(site, SP - 80);
	at(30);
	line(site, SP - 80);
	at(50);
	leave(g, SP);
	EXPECT_LINE(of_g, .self_ns = 20, .max_ns = 20);
	EXPECT_CALLS(g, 1, 50, 30);
}

/* ---- Correction ---- */

static void costs_new(void)
{
	for (int class = 0; class < COST_CLASSES; class ++) {
		settings.cost_before_ns[class] = (uint64_t)(100 + 7 * class);
		settings.cost_after_ns[class] = (uint64_t)(50 + 11 * class);
	}
}

static void work(uint64_t ns)
{
	native.now += ns;
}

/* Whatever hits cost, virtual times are those of the work between them. */
static void costs_are_subtracted(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES | FUNCTION_RETURNS);
	struct measured g = function_new(2, 0);
	uint32_t emulated = line_new(f), stepped = line_new(f);
	uint64_t begun, raw;

	(void)state;
	g = function_new(3, 0);
	costs_new();
	site_of(stepped)->cost = COST_STEPPED;
	at(5000);
	begun = native.now + settings.cost_before_ns[COST_ENTRY_EMULATED];
	enter(f, SP);
	work(3);
	line(emulated, SP - 16);
	work(10);
	enter(g, SP - 64);
	work(100);
	leave(g, SP - 64);
	work(10);
	line(stepped, SP - 16);
	work(7);
	enter(f, SP - 64);
	work(20);
	line(stepped, SP - 80);
	work(5);
	return_(f, SP - 64);
	work(1);
	raw = native.now + settings.cost_before_ns[COST_RETURN] - begun;
	return_(f, SP);
	EXPECT(f, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 1,
	    .total_ns = 156, .self_ns = 56, .raw_total_ns = raw, .min_ns = 26, .max_ns = 156);
	assert_int_equal(counted(g.id).total_ns, 100);
	EXPECT_LINE(entry_line_of(f), .total_ns = 3, .self_ns = 23, .max_ns = 20);
	EXPECT_LINE(line_of(emulated), .total_ns = 120, .self_ns = 20, .max_ns = 120);
	EXPECT_LINE(line_of(stepped), .total_ns = 33, .self_ns = 13, .max_ns = 33);
	expect_lines_add_up(f, 3);
}

/* The exit is taken to cost 30, and costs nothing: sums can be negative, and still add up. */
static void costs_may_be_too_large(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g;
	uint32_t calls = line_new(f);

	(void)state;
	g = function_new(3, 0);
	at(5000);
	enter(f, SP);
	line(calls, SP - 16);
	enter(g, SP - 64);
	work(10);
	settings.cost_before_ns[COST_EXIT_STEPPED] = 30;
	native.now -= 30; /* the language moves the clock by what a hit is said to cost */
	leave(g, SP - 64);
	settings.cost_before_ns[COST_EXIT_STEPPED] = 0;
	work(15);
	leave(f, SP);
	EXPECT(g, .entries = 1, .exits = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = -20, .self_ns = -20, .raw_total_ns = 10, .min_ns = 1);
	EXPECT(f, .entries = 1, .exits = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = -5, .self_ns = 15, .raw_total_ns = 25, .min_ns = 1);
	EXPECT_LINE(line_of(calls), .total_ns = -5, .self_ns = 15);
	expect_lines_add_up(f, 2);
}

/* A stay that took no time, with a callee that did: the exit's cost is just what the callee took.
 */
static void an_empty_stay_with_callees(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g;
	uint32_t calls = line_new(f);

	(void)state;
	g = function_new(3, FUNCTION_RETURNS);
	settings.cost_after_ns[COST_RETURN] = 25;
	at(100);
	enter(f, SP);
	line(calls, SP - 16);
	enter(g, SP - 64);
	work(25);
	return_(g, SP - 64);
	native.now -= 25;
	leave(f, SP);
	assert_int_equal(counted(g.id).total_ns, 25);
	assert_int_equal(counted(f.id).total_ns, 0);
	assert_int_equal(counted(f.id).self_ns, -25);
	expect_lines_add_up(f, 2);
}

/* Once a hit, last at entries, first elsewhere: what the handler takes between is not in the time.
 */
static void the_clock_is_read_in_order(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES);
	uint32_t of_f = line_new(f);

	(void)state;
	native.tick = 1000;  /* each reading moves the clock */
	enter(f, SP);        /* read at 1000 */
	line(of_f, SP - 16); /* at 2000 */
	line(of_f, SP - 16); /* at 3000 */
	leave(f, SP);        /* at 4000 */
	assert_int_equal(native.now, 4000);
	EXPECT_CALLS(f, 1, 3000, 3000);
	EXPECT_LINE(entry_line_of(f), .total_ns = 1000, .self_ns = 1000, .max_ns = 1000);
	EXPECT_LINE(line_of(of_f), .total_ns = 2000, .self_ns = 2000, .max_ns = 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TIMING_TEST(stays_partition_a_call),
	    TIMING_TEST(a_line_at_the_entry_and_at_the_exit),
	    TIMING_TEST(recursion_counts_time_once),
	    TIMING_TEST(silent_sites_move_time_only),
	    TIMING_TEST(a_line_before_any_entry),
	    TIMING_TEST(recursion_below_an_adopted_frame),
	    TIMING_TEST(an_inlined_call),
	    TIMING_TEST(inlined_three_deep),
	    TIMING_TEST(recursion_through_inlined_code),
	    TIMING_TEST(recursion_through_inlined_code_with_collisions),
	    TIMING_TEST(a_host_carries_inlined_code),
	    TIMING_TEST(hosts_nest),
	    TIMING_TEST(hosts_replace_each_other),
	    TIMING_TEST(a_host_below_the_function_it_carries),
	    TIMING_TEST(costs_are_subtracted),
	    TIMING_TEST(costs_may_be_too_large),
	    TIMING_TEST(an_empty_stay_with_callees),
	    TIMING_TEST(the_clock_is_read_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
