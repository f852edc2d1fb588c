// SPDX-License-Identifier: GPL-2.0-or-later
// Frames of the timing programs: how calls begin and end, and the stack pointer that tells.
#include "bpf/native/timing.h"

#define SP 80000 /* of the outermost call; inner ones lie below */

static void calls_follow_each_other(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS);
	const uint64_t durations[] = {30, 7, 1000};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		at(10000 * i);
		assert_true(enter(f, SP));
		at(10000 * i + durations[i]);
		return_(f, SP);
	}
	EXPECT(f, .entries = 3, .exits = 3, .opened = 3, .closed = 3, .primitive = 3,
	    .total_ns = 1037, .self_ns = 1037, .raw_total_ns = 1037, .min_ns = 8, .max_ns = 1000);
	EXPECT_EDGE(NOBODY, f.id, .calls = 3, .total_ns = 1037, .self_ns = 1037, .primitive = 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(counted_bucket(f.id, histogram_bucket(durations[i])), 1);
}

static void calls_nest(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS);
	struct measured g = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	for (size_t i = 0; i < 2; i++) {
		at(100 + 100 * i);
		assert_false(enter(g, SP - 64));
		at(140 + 100 * i);
		leave(g, SP - 64);
	}
	at(300);
	return_(f, SP);
	EXPECT_CALLS(f, 1, 300, 220);
	EXPECT_CALLS(g, 2, 40, 40);
	EXPECT_EDGE(f.id, g.id, .calls = 2, .total_ns = 80, .self_ns = 80, .primitive = 2);
	EXPECT_NO_EDGE(NOBODY, g.id);
}

/* Totals are of outermost calls only, durations of all. */
static void a_function_recurses(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS);

	(void)state;
	for (uint64_t depth = 0; depth < 50; depth++) {
		at(10 * depth);
		enter(f, SP - 32 * depth);
	}
	for (uint64_t depth = 50; depth-- > 0;) {
		at(2000 - 10 * depth);
		return_(f, SP - 32 * depth);
	}
	EXPECT(f, .entries = 50, .exits = 50, .opened = 50, .closed = 50, .primitive = 1,
	    .total_ns = 2000, .self_ns = 2000, .raw_total_ns = 2000, .min_ns = 1021,
	    .max_ns = 2000);
	EXPECT_EDGE(f.id, f.id, .calls = 49, .self_ns = 1980);
	EXPECT_EDGE(NOBODY, f.id, .calls = 1, .total_ns = 2000, .self_ns = 20, .primitive = 1);
}

/* Before the kernel's own limit no more returns are asked for; then calls end at their last sign.
 */
static void a_function_recurses_deeper_than_return_probes(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS);
	uint64_t returned = 0;

	(void)state;
	for (size_t round = 0; round < 2; round++) {
		at(10000 * round);
		for (uint64_t depth = 0; depth < 1000; depth++)
			assert_int_equal(enter(f, SP - 32 * depth), depth < RETURNS_MAX);
		at(10000 * round + 300);
		for (uint64_t depth = 1000; depth-- > 0;)
			returned += return_at(SP - 32 * depth);
	}
	assert_int_equal(returned, 2 * RETURNS_MAX);
	EXPECT(f, .entries = 2000, .exits = 120, .unwound = 1880, .opened = 2000, .closed = 2000,
	    .primitive = 2, .total_ns = 600, .self_ns = 600, .raw_total_ns = 600, .min_ns = 301,
	    .max_ns = 300);
	expect_loss(LOSS_RETURNS, 1880);
}

static void functions_recurse_mutually(void **state)
{
	struct measured f = function_new(1, 0), g = function_new(2, FUNCTION_RETURNS);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	enter(g, SP - 100 * 8);
	at(30);
	enter(f, SP - 200 * 8);
	at(60);
	enter(g, SP - 300 * 8);
	at(100);
	return_(g, SP - 300 * 8);
	at(110);
	leave(f, SP - 200 * 8);
	at(120);
	return_(g, SP - 100 * 8);
	at(130);
	leave(f, SP);
	EXPECT(f, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 1,
	    .total_ns = 130, .self_ns = 60, .raw_total_ns = 130, .min_ns = 81, .max_ns = 130);
	EXPECT(g, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 1,
	    .total_ns = 110, .self_ns = 70, .raw_total_ns = 110, .min_ns = 41, .max_ns = 110);
	EXPECT_EDGE(f.id, g.id, .calls = 2, .total_ns = 110, .self_ns = 70, .primitive = 1);
	EXPECT_EDGE(g.id, f.id, .calls = 1, .self_ns = 40);
}

/* ---- Tail calls: two functions, one return address ---- */

/* The kernel's trampoline stands as the return address, so f still runs while g does. */
static void a_tail_call_of_probed_returns(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS),
			g = function_new(2, FUNCTION_RETURNS);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	jump(g, SP);
	at(50);
	assert_int_equal(return_at(SP), 2);
	EXPECT_CALLS(f, 1, 50, 10);
	EXPECT_CALLS(g, 1, 40, 40);
	EXPECT_EDGE(f.id, g.id, .calls = 1, .total_ns = 40, .self_ns = 40, .primitive = 1);
}

/* The jump is an exit site: f has ended when g begins. */
static void a_tail_call_by_exit_sites(void **state)
{
	struct measured f = function_new(1, 0), g = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	leave(f, SP);
	jump(g, SP);
	at(50);
	leave(g, SP);
	EXPECT_CALLS(f, 1, 10, 10);
	EXPECT_CALLS(g, 1, 40, 40);
	EXPECT_NO_EDGE(f.id, g.id);
}

static void a_tail_call_between_the_kinds(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS), g = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	jump(g, SP);
	at(30);
	leave(g, SP); /* jumps back to f, and f again to g */
	jump(f, SP);
	at(60);
	jump(g, SP);
	at(100);
	leave(g, SP);
	assert_int_equal(return_at(SP), 2);
	EXPECT(f, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 1,
	    .total_ns = 100, .self_ns = 40, .raw_total_ns = 100, .min_ns = 71, .max_ns = 100);
	EXPECT(g, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 2,
	    .total_ns = 60, .self_ns = 60, .raw_total_ns = 60, .min_ns = 21, .max_ns = 40);
}

/* An exit that no site sees: what has g's stack pointer after it has ended it. */
static void a_tail_call_that_nobody_sees(void **state)
{
	struct measured f = function_new(1, 0), g = function_new(2, 0), h = function_new(3, 0);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	enter(g, SP - 80);
	at(20);
	jump(h, SP - 80);
	at(50);
	leave(h, SP - 80);
	at(60);
	enter(g, SP - 80);
	at(70);
	leave(h, SP - 80); /* of an h that was jumped to behind its entry */
	leave(f, SP);
	EXPECT(f, .entries = 1, .exits = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = 70, .self_ns = 40, .raw_total_ns = 70, .min_ns = 71, .max_ns = 70);
	EXPECT(g, .entries = 2, .unwound = 2, .opened = 2, .closed = 2, .primitive = 2);
	EXPECT_CALLS(h, 1, 30, 30);
}

/* ---- Unwinding ---- */

/* What was left unseen has no time behind its last sign of life. */
static void an_exception_passes_one_frame(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g;
	uint32_t catches = line_new(f), throws;

	(void)state;
	g = function_new(2, FUNCTION_LINES);
	throws = line_new(g);
	at(0);
	enter(f, SP);
	at(10);
	enter(g, SP - 48);
	at(30);
	line(throws, SP - 96);
	at(1000);
	line(catches, SP - 40);
	at(1005);
	leave(f, SP);
	EXPECT(g, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = 20, .self_ns = 20, .raw_total_ns = 20);
	EXPECT_CALLS(f, 1, 1005, 985);
	EXPECT_LINE(line_of(catches), .total_ns = 5, .self_ns = 5, .max_ns = 5);
	EXPECT_LINE(entry_line_of(f), .total_ns = 1000, .self_ns = 980, .max_ns = 1000);
	expect_lines_add_up(f, 2);
	expect_lines_add_up(g, 2);
	assert_int_equal(counted_hits(catches), 1);
	EXPECT_EDGE(f.id, g.id, .calls = 1, .total_ns = 20, .self_ns = 20, .primitive = 1);
}

/* A callee's time that came before is a sign of life. */
static void an_exception_passes_a_frame_with_callees(void **state)
{
	struct measured f = function_new(1, 0), g = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	enter(g, SP - 48);
	at(25);
	leave(g, SP - 48);
	at(500);
	leave(function_new(3, 0), SP + 8);
	EXPECT(f, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = 15, .raw_total_ns = 15);
	EXPECT_CALLS(g, 1, 15, 15);
	expect_loss(LOSS_EXIT_WITHOUT_ENTRY, 1);
}

static void longjmp_over(uint64_t frames)
{
	struct measured f = function_new(1, 0), g = function_new(2, 0);

	at(0);
	enter(f, SP);
	for (uint64_t depth = 1; depth <= frames; depth++) {
		at(10 * depth);
		enter(g, SP - 16 * depth);
	}
	at(100000);
	leave(f, SP);
	EXPECT_CALLS(f, 1, 100000, 100000);
	EXPECT(g, .entries = frames, .unwound = frames, .opened = frames, .closed = frames,
	    .primitive = 1);
	assert_int_equal(depth_now(), 0);
}

static void longjmp_passes_many_frames(void **state)
{
	(void)state;
	longjmp_over(63);
}

static void longjmp_passes_a_thousand_frames(void **state)
{
	(void)state;
	longjmp_over(1000);
}

static void a_dead_frame_is_no_caller(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS),
			g = function_new(2, FUNCTION_RETURNS);
	struct measured h = function_new(3, FUNCTION_RETURNS),
			m = function_new(4, FUNCTION_RETURNS);

	(void)state;
	at(0);
	enter(m, SP);
	enter(f, SP - 64);
	jump(g, SP - 64); /* both await the same return, and are unwound together */
	at(10);
	forget_returns(SP - 63);
	enter(h, SP - 64);
	at(17);
	return_(h, SP - 64);
	return_(m, SP);
	EXPECT_EDGE(m.id, h.id, .calls = 1, .total_ns = 7, .self_ns = 7, .primitive = 1);
	EXPECT_NO_EDGE(f.id, h.id);
	EXPECT(f, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1);
	EXPECT(g, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1);
	EXPECT_CALLS(m, 1, 17, 10);
}

/* Beyond 64 nested return probes the kernel installs no more: such calls are found dead. */
static void a_return_that_is_never_probed(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS);

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		at(100 * i);
		enter(f, SP);
		world.thread->pending_count = 0;
		at(100 * i + 50);
	}
	EXPECT(f, .entries = 5, .opened = 5, .closed = 4, .unwound = 4, .primitive = 5);
	thread_end();
	EXPECT(f, .entries = 5, .opened = 5, .closed = 5, .unwound = 5, .primitive = 5,
	    .total_ns = 50, .self_ns = 50, .raw_total_ns = 50);
}

/* ---- Entries that are no calls ---- */

static void a_loop_at_the_entry(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS), g = function_new(2, 0);

	(void)state;
	site_of(f.entry)->roles |= SITE_LOOP;
	site_of(g.entry)->roles |= SITE_LOOP;
	at(0);
	assert_true(enter(f, SP));
	for (size_t i = 0; i < 5; i++)
		assert_false(jump(f, SP));
	at(5);
	enter(f, SP - 16); /* a recursive call all the same */
	at(10);
	return_(f, SP - 16);
	enter(g, SP - 16);
	jump(g, SP - 16);
	at(20);
	leave(g, SP - 16);
	enter(g, SP - 16);
	at(30);
	leave(g, SP - 16);
	return_(f, SP);
	EXPECT(f, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 1,
	    .total_ns = 30, .self_ns = 10, .raw_total_ns = 30, .min_ns = 6, .max_ns = 30);
	EXPECT_CALLS(g, 2, 10, 10);
}

/* Without sessions each turn of the loop installs another return probe. */
static void a_loop_at_the_entry_without_sessions(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS);

	(void)state;
	world.separate_returns = true;
	site_of(f.entry)->roles |= SITE_LOOP;
	at(0);
	enter(f, SP);
	for (size_t i = 0; i < 5; i++)
		jump(f, SP);
	at(9);
	assert_int_equal(return_at(SP), 6);
	EXPECT_CALLS(f, 1, 9, 9);
}

struct outlined {
	struct measured f;
	uint32_t entry, exit;
};

static struct outlined outlined_new(uint32_t id, uint32_t flags)
{
	struct outlined made = {.f = function_new(id, flags)};

	made.entry = site_new(id, site_of(made.f.entry)->roles | SITE_PART, COST_ENTRY_EMULATED);
	made.exit = site_new(id, SITE_EXIT | SITE_PART, COST_EXIT_STEPPED);
	return made;
}

static void parts_belong_to_their_function(void **state)
{
	struct outlined of = outlined_new(1, FUNCTION_RETURNS);
	struct measured g = function_new(2, FUNCTION_RETURNS);

	(void)state;
	at(0);
	enter(of.f, SP);
	at(10);
	assert_false(reach(of.f, of.entry, SP - 64)); /* called */
	at(20);
	assert_int_equal(return_at(SP - 64), 0);
	assert_false(reach(of.f, of.entry, SP)); /* jumped to */
	at(40);
	assert_int_equal(return_at(SP), 1);
	EXPECT_CALLS(of.f, 1, 40, 40);
	at(50);
	enter(g, SP);
	at(60);
	assert_true(reach(of.f, of.entry, SP - 64)); /* of.f's beginning is inlined in g */
	at(100);
	assert_int_equal(return_at(SP - 64), 1);
	return_(g, SP);
	EXPECT_CALLS(of.f, 2, 40, 40);
	EXPECT_CALLS(g, 1, 50, 10);
}

static void parts_exit_by_sites(void **state)
{
	struct outlined of = outlined_new(1, 0);

	(void)state;
	at(0);
	enter(of.f, SP);
	at(10);
	reach(of.f, of.entry, SP - 64);
	at(20);
	assert_int_equal(hit_(of.exit, SP - 64), 0); /* returns to of.f, which runs on */
	assert_int_equal(depth_now(), 1);
	reach(of.f, of.entry, SP);
	at(40);
	assert_int_equal(hit_(of.exit, SP), 0);
	assert_int_equal(hit_(of.exit, SP), 0); /* a part's exit alone is nothing lost */
	EXPECT_CALLS(of.f, 1, 40, 40);
}

/* Without sessions a part that was jumped to has a return probe, and its function another. */
static void parts_return_once_without_sessions(void **state)
{
	struct outlined of = outlined_new(1, FUNCTION_RETURNS);

	(void)state;
	world.separate_returns = true;
	at(0);
	enter(of.f, SP);
	reach(of.f, of.entry, SP - 64);
	assert_int_equal(return_at(SP - 64), 1);
	reach(of.f, of.entry, SP);
	at(40);
	assert_int_equal(return_at(SP), 2);
	EXPECT_CALLS(of.f, 1, 40, 40);
	return_at(SP);
	expect_loss(LOSS_EXIT_WITHOUT_ENTRY, 0);
}

/* Entry and exit may be one instruction, and the entry may stand where registers are pushed. */
static void sites_with_several_roles(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g = function_new(4, 0);

	(void)state;
	site_of(f.entry)->roles |= SITE_LINE | SITE_EXIT;
	site_charge(f.entry, f, entry_line_of(f));
	at(5);
	enter(f, SP);
	EXPECT_CALLS(f, 1, 0, 0);
	assert_int_equal(counted_hits(f.entry), 1);
	site_of(g.entry)->stack_offset = 24;
	at(10);
	enter(g, SP);
	at(16);
	leave(g, SP);
	EXPECT_CALLS(g, 1, 6, 6);
}

/* ---- Conditional exits ---- */

#define CARRY    0x1
#define PARITY   0x4
#define ZERO     0x40
#define SIGN     0x80
#define OVERFLOW 0x800

/* Intel SDM volume 2, Jcc: by mnemonic, as its "jump short if" column says. */
static bool jumps(uint32_t opcode, bool cf, bool pf, bool zf, bool sf, bool of)
{
	const bool table[16] = {
	    [0x0] = of == 1,             /* JO */
	    [0x1] = of == 0,             /* JNO */
	    [0x2] = cf == 1,             /* JB, JC */
	    [0x3] = cf == 0,             /* JAE, JNC */
	    [0x4] = zf == 1,             /* JE */
	    [0x5] = zf == 0,             /* JNE */
	    [0x6] = cf == 1 || zf == 1,  /* JBE */
	    [0x7] = cf == 0 && zf == 0,  /* JA */
	    [0x8] = sf == 1,             /* JS */
	    [0x9] = sf == 0,             /* JNS */
	    [0xa] = pf == 1,             /* JP */
	    [0xb] = pf == 0,             /* JNP */
	    [0xc] = sf != of,            /* JL */
	    [0xd] = sf == of,            /* JGE */
	    [0xe] = zf == 1 || sf != of, /* JLE */
	    [0xf] = zf == 0 && sf == of, /* JG */
	};

	return table[opcode];
}

static void exits_hang_on_conditions(void **state)
{
	struct measured f = function_new(1, 0);
	uint64_t exits = 0;

	(void)state;
	for (uint32_t opcode = 0; opcode < 16; opcode++)
		for (uint32_t bits = 0; bits < 32; bits++) {
			uint64_t flags = (bits & 1 ? CARRY : 0) | (bits & 2 ? PARITY : 0) |
					 (bits & 4 ? ZERO : 0) | (bits & 8 ? SIGN : 0) |
					 (bits & 16 ? OVERFLOW : 0) | 0x202;

			site_of(f.exit)->roles = (uint16_t)(SITE_EXIT | SITE_CONDITIONAL |
							    opcode << SITE_CONDITION_SHIFT);
			enter(f, SP);
			hit_flags(f.exit, SP, PROGRAM_SITE, false, flags);
			exits += jumps(opcode, bits & 1, bits & 2, bits & 4, bits & 8, bits & 16);
			assert_int_equal(counted(f.id).exits, exits);
			if (depth_now()) {
				site_of(f.exit)->roles = SITE_EXIT;
				leave(f, SP);
			}
			exits = counted(f.id).exits;
		}
}

/* At Go's jump to growing the stack a call begins where the jump is not taken, however deep. */
static void calls_begin_where_no_stack_grows(void **state)
{
	const uint32_t below_or_equal = 6;
	struct measured f = function_new(1, 0);

	(void)state;
	site_of(f.entry)->roles =
	    (uint16_t)(SITE_ENTRY | SITE_GROWS | below_or_equal << SITE_CONDITION_SHIFT);
	for (uint64_t depth = 0; depth < FRAMES_MAX + 10; depth++) {
		hit_flags(f.entry, SP - 16 * depth, PROGRAM_SITE, false, CARRY | 0x202);
		assert_int_equal(counted(f.id).entries, depth);
		hit_flags(f.entry, SP - 16 * depth, PROGRAM_SITE, false, 0x202);
		assert_int_equal(counted(f.id).entries, depth + 1);
	}
	for (uint64_t depth = FRAMES_MAX + 10; depth-- > 0;)
		leave(f, SP - 16 * depth);
	assert_int_equal(counted(f.id).exits, FRAMES_MAX);
	assert_int_equal(counted(f.id).unwound, 0);
	assert_int_equal(counted(f.id).lost, 10);
	expect_loss(LOSS_DEPTH, 10);
}

/* The jump that is taken costs what it costs, and whoever called pays nothing for it. */
static void growing_stacks_cost(void **state)
{
	const uint32_t below_or_equal = 6;
	struct measured f = function_new(1, 0), g = function_new(2, 0);

	(void)state;
	settings.cost_before_ns[COST_BARE_ENTRY_EMULATED] = 30;
	settings.cost_after_ns[COST_BARE_ENTRY_EMULATED] = 12;
	site_of(g.entry)->roles =
	    (uint16_t)(SITE_ENTRY | SITE_GROWS | below_or_equal << SITE_CONDITION_SHIFT);
	at(0);
	enter(f, SP);
	hit_flags(g.entry, SP - 64, PROGRAM_SITE, false, CARRY | 0x202);
	hit_flags(g.entry, SP - 64, PROGRAM_SITE, false, 0x202);
	native.now += 5;
	leave(g, SP - 64);
	leave(f, SP);
	assert_int_equal(counted(g.id).total_ns, 5);
	assert_int_equal(counted(f.id).total_ns, 5);
	assert_int_equal(counted_class(COST_BARE_ENTRY_EMULATED), 1);
}

/* ---- Capacity ---- */

#define EXTRA 76

static void the_stack_overflows(void **state)
{
	struct measured f = function_new(1, 0);

	(void)state;
	for (size_t round = 1; round <= 2; round++) {
		for (uint64_t depth = 0; depth < FRAMES_MAX + EXTRA; depth++)
			enter(f, SP - 16 * depth);
		assert_int_equal(depth_now(), FRAMES_MAX);
		for (uint64_t depth = FRAMES_MAX + EXTRA; depth-- > 0;)
			leave(f, SP - 16 * depth);
		assert_int_equal(depth_now(), 0);
		assert_int_equal(counted(f.id).exits, round * FRAMES_MAX);
		assert_int_equal(counted(f.id).lost, round * EXTRA);
		expect_loss(LOSS_DEPTH, round * EXTRA);
	}
}

/* Where no frame can be had, hits are counted without time, and frames below stay as they are. */
static void lines_below_an_overflow(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g;
	uint32_t of_f = line_new(f), of_g;

	(void)state;
	g = function_new(2, FUNCTION_LINES);
	of_g = line_new(g);
	at(0);
	for (uint64_t depth = 0; depth < FRAMES_MAX; depth++)
		enter(f, SP - 16 * depth);
	enter(g, SP - 16 * FRAMES_MAX);
	at(10);
	line(of_g, SP - 16 * FRAMES_MAX - 8);
	at(20);
	leave(g, SP - 16 * FRAMES_MAX);
	line(of_f, SP - 16 * FRAMES_MAX + 8);
	at(50);
	leave(f, SP - 16 * FRAMES_MAX + 16);
	EXPECT(g, .entries = 1, .lost = 1);
	EXPECT_LINE(line_of(of_g));
	EXPECT_LINE(line_of(of_f), .self_ns = 30, .max_ns = 30);
	assert_int_equal(counted_hits(of_g), 1);
	expect_loss(LOSS_DEPTH, 1);
}

static void deep_frames_without_memory(void **state)
{
	struct measured f = function_new(1, 0);

	(void)state;
	enter(f, SP);
	native.no_memory = true; /* the thread's near frames exist, its far ones cannot */
	for (uint64_t depth = 1; depth < FRAMES_NEAR + 3; depth++)
		enter(f, SP - 16 * depth);
	assert_int_equal(depth_now(), FRAMES_NEAR);
	native.no_memory = false;
	enter(f, SP - 16 * FRAMES_NEAR);
	assert_int_equal(depth_now(), FRAMES_NEAR + 1);
	for (uint64_t depth = FRAMES_NEAR + 1; depth-- > 0;)
		leave(f, SP - 16 * depth);
	assert_int_equal(counted(f.id).lost, 3);
	assert_int_equal(counted(f.id).exits, FRAMES_NEAR + 1);
	expect_loss(LOSS_DEPTH, 3);
}

/* Functions share the slots that tell whether they are active. */
static void active_functions_collide(void **state)
{
	struct measured f = function_new(7, 0), g = function_new(7 + ACTIVE_SLOTS, 0);
	struct measured h = function_new(7 + 2 * ACTIVE_SLOTS, FUNCTION_RETURNS);
	const struct measured order[] = {f, g, h, g, f, h};

	(void)state;
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < 6; i++) {
			at(1000 * round + 10 * i);
			enter(order[i], SP - 32 * i);
		}
		for (size_t i = 6; i-- > 0;) {
			at(1000 * round + 200 - 10 * i);
			if (order[i].id == h.id)
				return_(h, SP - 32 * i);
			else
				leave(order[i], SP - 32 * i);
		}
	}
	EXPECT(f, .entries = 6, .exits = 6, .opened = 6, .closed = 6, .primitive = 3,
	    .total_ns = 600, .self_ns = 120, .raw_total_ns = 600, .min_ns = 121, .max_ns = 200);
	EXPECT(g, .entries = 6, .exits = 6, .opened = 6, .closed = 6, .primitive = 3,
	    .total_ns = 540, .self_ns = 120, .raw_total_ns = 540, .min_ns = 141, .max_ns = 180);
	EXPECT(h, .entries = 6, .exits = 6, .opened = 6, .closed = 6, .primitive = 3,
	    .total_ns = 480, .self_ns = 360, .raw_total_ns = 480, .min_ns = 101, .max_ns = 160);
}

/* g takes over the slot of f while it is active itself without one. */
static void a_slot_changes_hands(void **state)
{
	struct measured f = function_new(7, 0), g = function_new(7 + ACTIVE_SLOTS, 0);

	(void)state;
	enter(f, SP);      /* holds the slot */
	enter(g, SP - 16); /* is active without one */
	enter(f, SP - 32);
	enter(g, SP - 32); /* f is dead, the outer one is not */
	leave(g, SP - 32);
	assert_int_equal(counted(g.id).primitive, 1);
	enter(g, SP); /* all others are dead: now the slot is g's */
	enter(f, SP - 16);
	enter(g, SP - 32);
	enter(f, SP - 48);
	leave(f, SP - 48);
	assert_int_equal(counted(g.id).primitive, 2);
	assert_int_equal(counted(f.id).primitive, 2);
}

static void a_collision_deeper_than_the_near_frames(void **state)
{
	struct measured f = function_new(7, 0), g = function_new(7 + ACTIVE_SLOTS, 0);
	struct measured other = function_new(8, 0);

	(void)state;
	for (size_t round = 1; round <= 2; round++) {
		enter(f, SP);
		for (uint64_t depth = 1; depth < 700; depth++)
			enter(other, SP - 16 * depth);
		enter(g, SP - 16 * 700);
		for (uint64_t depth = 701; depth < 900; depth++)
			enter(other, SP - 16 * depth);
		enter(g, SP - 16 * 900);
		leave(g, SP - 16 * 900);
		leave(f, SP);
		assert_int_equal(counted(g.id).primitive, round);
		assert_int_equal(counted(g.id).entries, 2 * round);
		assert_int_equal(depth_now(), 0);
	}
}

/* ---- Other stacks ---- */

static void a_signal_handler_calls_measured_functions(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS), handler = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	enter(handler, SP - 1200);
	at(12);
	enter(f, SP - 1304);
	at(15);
	return_(f, SP - 1304);
	leave(handler, SP - 1200);
	at(40);
	return_(f, SP);
	EXPECT_CALLS(handler, 1, 5, 2);
	EXPECT(f, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 1,
	    .total_ns = 40, .self_ns = 38, .raw_total_ns = 40, .min_ns = 4, .max_ns = 40);
}

/* A handler that longjmps out leaves dead frames on both sides of the signal's own. */
static void a_signal_handler_jumps_out(void **state)
{
	struct measured f = function_new(1, 0), handler = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	enter(f, SP - 64);
	at(10);
	enter(handler, SP - 1200);
	at(20);
	leave(f, SP);
	EXPECT(handler, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1);
	EXPECT(f, .entries = 2, .exits = 1, .unwound = 1, .opened = 2, .closed = 2, .primitive = 1,
	    .total_ns = 20, .self_ns = 20, .raw_total_ns = 20, .min_ns = 21, .max_ns = 20);
}

/* On an alternate stack above, frames of the thread's own are taken for dead: unwound, not wrong.
 */
static void an_alternate_stack_above(void **state)
{
	struct measured f = function_new(1, 0), handler = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	enter(handler, SP + 40000);
	at(20);
	leave(handler, SP + 40000);
	at(90);
	leave(f, SP);
	EXPECT(f, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1);
	EXPECT_CALLS(handler, 1, 10, 10);
	expect_loss(LOSS_EXIT_WITHOUT_ENTRY, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TIMING_TEST(calls_follow_each_other),
	    TIMING_TEST(calls_nest),
	    TIMING_TEST(a_function_recurses),
	    TIMING_TEST(a_function_recurses_deeper_than_return_probes),
	    TIMING_TEST(functions_recurse_mutually),
	    TIMING_TEST(a_tail_call_of_probed_returns),
	    TIMING_TEST(a_tail_call_by_exit_sites),
	    TIMING_TEST(a_tail_call_between_the_kinds),
	    TIMING_TEST(a_tail_call_that_nobody_sees),
	    TIMING_TEST(an_exception_passes_one_frame),
	    TIMING_TEST(an_exception_passes_a_frame_with_callees),
	    TIMING_TEST(longjmp_passes_many_frames),
	    TIMING_TEST(longjmp_passes_a_thousand_frames),
	    TIMING_TEST(a_dead_frame_is_no_caller),
	    TIMING_TEST(a_return_that_is_never_probed),
	    TIMING_TEST(a_loop_at_the_entry),
	    TIMING_TEST(a_loop_at_the_entry_without_sessions),
	    TIMING_TEST(parts_belong_to_their_function),
	    TIMING_TEST(parts_exit_by_sites),
	    TIMING_TEST(parts_return_once_without_sessions),
	    TIMING_TEST(sites_with_several_roles),
	    TIMING_TEST(exits_hang_on_conditions),
	    TIMING_TEST(calls_begin_where_no_stack_grows),
	    TIMING_TEST(growing_stacks_cost),
	    TIMING_TEST(the_stack_overflows),
	    TIMING_TEST(lines_below_an_overflow),
	    TIMING_TEST(deep_frames_without_memory),
	    TIMING_TEST(active_functions_collide),
	    TIMING_TEST(a_slot_changes_hands),
	    TIMING_TEST(a_collision_deeper_than_the_near_frames),
	    TIMING_TEST(a_signal_handler_calls_measured_functions),
	    TIMING_TEST(a_signal_handler_jumps_out),
	    TIMING_TEST(an_alternate_stack_above),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
