// SPDX-License-Identifier: GPL-2.0-or-later
// The sampling program: stacks by rows and by frame pointers, what ends them, hostile ones, and
// that each sample is counted once.
#include "bpf/native/sampling.h"

#define CODE  0x10000ull
#define OTHER 0x20000ull
#define SP    0x8000ull

static const struct unwind_row plain[] = {
    {.address = 0x0, .cfa = UNWIND_END}, {.address = 0x100, .cfa = UNWIND_RSP, .cfa_offset = 16},
    {.address = 0x200, .cfa = UNWIND_RSP, .cfa_offset = 8},
    {.address = 0x300,
	.cfa = UNWIND_RBP,
	.cfa_offset = 16,
	.rbp = UNWIND_RBP_BY_CFA,
	.rbp_offset = -16},
    {.address = 0x400, .cfa = UNWIND_RSP_PLT},
    {.address = 0x500, .cfa = UNWIND_RBP_AT, .cfa_offset = -8, .rbp = UNWIND_RBP_BY_RBP},
    {.address = 0x600, .cfa = UNWIND_SIGNAL}, {.address = 0x700, .cfa = UNWIND_BEYOND},
    {.address = 0x800, .cfa = UNWIND_NONE},
    {.address = 0x900, .cfa = UNWIND_RSP}, /* to where it is */
};

static void image_plain(void)
{
	image_new(1, CODE, plain, sizeof(plain) / sizeof(*plain));
}

/* ---- Ways to the caller ---- */

static void by_stack_pointer(void **state)
{
	(void)state;
	image_plain();
	push(SP, CODE + 0x150); /* of a function that has pushed nothing, to one with a word */
	push(SP + 16, CODE + 0x10);
	sample_at(CODE + 0x200, SP, 0);
	sample_at(CODE + 0x200, SP, 0);
	EXPECT_SAMPLES(2, PLACE(1, 0x200), PLACE(1, 0x14f), PLACE(1, 0xf));
	assert_int_equal(counted_as(SAMPLING_CUT), 0);
	assert_int_equal(counted_as(SAMPLING_TAKEN), 2);
}

/* The frame pointer comes back from where each function saved it, also through one that has none.
 */
static void by_frame_pointer_rows(void **state)
{
	(void)state;
	image_plain();
	push(SP, CODE + 0x350);
	push(0x8100, 0x8200); /* rbp of the caller's caller */
	push(0x8108, CODE + 0x360);
	push(0x8200, 0);
	push(0x8208, CODE + 1);
	sample_at(CODE + 0x201, SP, 0x8100);
	EXPECT_STACK(PLACE(1, 0x201), PLACE(1, 0x34f), PLACE(1, 0x35f), PLACE(1, 0));
}

static void from_linkage_table(void **state)
{
	(void)state;
	image_plain();
	push(SP, CODE + 1);
	sample_at(CODE + 0x400, SP, 0); /* before it pushes its number */
	push(SP + 8, CODE + 2);
	push(SP, 42);
	sample_at(CODE + 0x40b, SP, 0);
	EXPECT_STACK(PLACE(1, 0x400), PLACE(1, 0));
	EXPECT_STACK(PLACE(1, 0x40b), PLACE(1, 1));
}

static void from_realigned_stack(void **state)
{
	(void)state;
	image_plain();
	push(0x8100 - 8, 0x8300); /* CFA */
	push(0x8100, 0x8400);     /* the caller's rbp */
	push(0x8300 - 8, CODE + 0x310);
	push(0x8400, 0);
	push(0x8408, CODE + 1);
	sample_at(CODE + 0x500, SP, 0x8100);
	EXPECT_STACK(PLACE(1, 0x500), PLACE(1, 0x30f), PLACE(1, 0));
}

/* Who was interrupted stands at its instruction, not behind a call. */
static void out_of_signal(void **state)
{
	(void)state;
	image_plain();
	push(SP, CODE + 0x601);
	push(SP + 8 + SIGNAL_FRAME_RIP, CODE + 0x200);
	push(SP + 8 + SIGNAL_FRAME_RSP, 0x9000);
	push(SP + 8 + SIGNAL_FRAME_RBP, 0);
	push(0x9000, CODE + 1);
	sample_at(CODE + 0x210, SP, 0);
	EXPECT_STACK(PLACE(1, 0x210), PLACE(1, 0x600), PLACE(1, 0x200), PLACE(1, 0));
}

/* Code without rows, and code of no image: frame pointers to the end, which is rbp 0. */
static void without_rows(void **state)
{
	(void)state;
	image_plain();
	image_new(2, OTHER, NULL, 0);
	map_code(SPACE, 0x30000, MAPPING_OF_KIND + PLACE_ANONYMOUS);
	push(0x8100, 0x8200);
	push(0x8108, OTHER + 0x20);
	push(0x8200, 0x8300);
	push(0x8208, CODE + 0x810);
	push(0x8300, 0);
	push(0x8308, 0x30100);
	sample_at(OTHER + 0x10, SP, 0x8100);
	EXPECT_STACK(
	    PLACE(2, 0x10), PLACE(2, 0x1f), PLACE(1, 0x80f), PLACE_OF_KIND(PLACE_ANONYMOUS));
	assert_int_equal(counted_as(SAMPLING_CUT), 0);
}

static void in_the_kernel(void **state)
{
	(void)state;
	image_plain();
	push(SP, CODE + 1);
	sample_in_kernel(1, CODE + 0x202, SP, 0); /* behind its system call */
	sample_in_kernel(-1, CODE + 0x202, SP, 0);
	EXPECT_STACK(PLACE_OF_KIND(PLACE_KERNEL), PLACE(1, 0x201), PLACE(1, 0));
	EXPECT_STACK(PLACE_OF_KIND(PLACE_KERNEL), PLACE(1, 0x202), PLACE(1, 0));
}

/* ---- Probes ---- */

#define TRAMPOLINE 0x70000ull

static void through_return_probes(void **state)
{
	struct return_instance outer = {.stack = SP + 16, .orig_ret_vaddr = CODE + 2};
	struct return_instance chained = {
	    .stack = SP, .orig_ret_vaddr = TRAMPOLINE, .chained = true, .next = NULL};
	struct return_instance inner = {.stack = SP, .orig_ret_vaddr = CODE + 0x150};

	(void)state;
	image_plain();
	sampled_world.area.vaddr = TRAMPOLINE;
	sampled_world.memory.uprobes_state.xol_area = &sampled_world.area;
	sampled_world.uprobes.return_instances = &chained;
	chained.next = &inner;
	inner.next = &outer;
	push(SP, TRAMPOLINE);
	push(SP + 16, TRAMPOLINE);
	sample_at(CODE + 0x200, SP, 0);
	EXPECT_STACK(PLACE(1, 0x200), PLACE(1, 0x14f), PLACE(1, 1));
	sample_at(TRAMPOLINE + 5, SP, 0);
	EXPECT_STACK(PLACE_OF_KIND(PLACE_PROBE));
}

/* ---- Ends ---- */

static void cut_where_nothing_is_mapped(void **state)
{
	(void)state;
	image_plain();
	push(SP, 0x50000);
	sample_at(CODE + 0x200, SP, 0);
	EXPECT_STACK(PLACE(1, 0x200), CUT);
	sample_at(CODE + 0x700, SP, 0);
	EXPECT_STACK(PLACE(1, 0x700), CUT);
	sample_at(0x50000, SP, 0);
	EXPECT_STACK(PLACE_OF_KIND(PLACE_UNKNOWN)); /* rbp says that it began here */
	sample_at(CODE + 0x200, NATIVE_USER_SIZE, 0);
	EXPECT_SAMPLES(2, PLACE(1, 0x200), CUT); /* that stack is not there */
	assert_int_equal(counted_as(SAMPLING_CUT), 3);
}

/* Frames that lead nowhere further out: it ends. */
static void cut_where_it_turns_in_circles(void **state)
{
	(void)state;
	image_plain();
	push(SP - 8, CODE + 0x901);
	sample_at(CODE + 0x900, SP, 0);
	EXPECT_STACK(PLACE(1, 0x900), CUT);
	image_new(2, OTHER, NULL, 0);
	push(0x8100, 0x8100);
	push(0x8108, OTHER + 1);
	sample_at(OTHER, 0x8000, 0x8100);
	EXPECT_STACK(PLACE(2, 0), PLACE(2, 0), CUT);
	push(0x8100, 0x7000);
	sample_at(OTHER + 8, 0x8000, 0x8100);
	EXPECT_STACK(PLACE(2, 8), PLACE(2, 0), CUT);
}

static void cut_where_it_is_too_deep(void **state)
{
	const struct walk *walk = walk_now();

	(void)state;
	image_plain();
	for (uint64_t at = SP; at < SP + 8 * 1000; at += 8)
		push(at, CODE + 0x210);
	sample_at(CODE + 0x200, SP, 0);
	assert_int_equal(walk->stack.depth, STACK_PLACES_MAX);
	assert_true(walk->stack.places[STACK_PLACES_MAX - 1] == CUT);
	assert_true(walk->stack.places[STACK_PLACES_MAX - 2] == PLACE(1, 0x20f));
	assert_int_equal(counted_as(SAMPLING_CUT), 1);
}

/* ---- Who is sampled ---- */

static void others_are_not(void **state)
{
	uint32_t process = PROCESS, other_space = SPACE + 1;

	(void)state;
	image_plain();
	push(SP, CODE + 1);
	gate = 0;
	sample_at(CODE + 0x200, SP, 0);
	gate = 1;
	native.thread->tgid = PROCESS + 1;
	sample_at(CODE + 0x200, SP, 0);
	native.thread->tgid = PROCESS;
	assert_int_equal(counted_as(SAMPLING_TAKEN), 0);
	bpf_map_update_elem(&spaces, &process, &other_space, BPF_ANY);
	sample_at(CODE + 0x200, SP, 0);
	EXPECT_STACK(PLACE_OF_KIND(PLACE_UNKNOWN)); /* another's mappings are not its own */
}

/* Stacks without room are kept by where they end, then by number only: none is lost untold. */
static void counted_once(void **state)
{
	const struct native_map *found;
	uint64_t samples = 0;

	(void)state;
	image_plain();
	push(SP, CODE + 1);
	for (uint64_t at = 0; at < 200; at++)
		sample_at(CODE + 0x200 + at % 100, SP, 0);
	found = native_find(&stacks);
	for (size_t i = 0; i < found->count; i++)
		samples += ((const struct sampled_stack *)(const void *)(found->values +
									 i * found->value_size))
			       ->samples;
	assert_int_equal(found->count, STACKS);
	assert_int_equal(samples, 2 * STACKS);
	assert_int_equal(native_find(&leaves)->count, LEAVES);
	assert_int_equal(counted_as(SAMPLING_LEAF_ONLY), 200 - 2 * STACKS);
	assert_int_equal(counted_as(SAMPLING_LOST), 200 - 2 * STACKS - 2 * LEAVES);
}

/* ---- Hostile ---- */

static uint64_t random_state;

static uint64_t random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* A word that means something, more often than not. */
static uint64_t hostile_word(void)
{
	switch (random_word() % 8) {
	case 0:
		return random_word();
	case 1:
		return 0;
	case 2:
		return CODE + random_word() % (2 * IMAGE_SIZE);
	case 3:
		return ~0ull - random_word() % 4096;
	case 4:
		return OTHER + random_word() % 64;
	case 5:
		return SP + random_word() % 4096 / 8 * 8;
	default:
		return CODE + random_word() % IMAGE_SIZE;
	}
}

static struct unwind_row hostile_row(uint32_t address)
{
	uint64_t what = random_word();
	struct unwind_row row = {.address = address};

	row.cfa = what & 1 ? UNWIND_RSP : (what >> 8) % 10;
	row.rbp = (what >> 16) % 4;
	row.cfa_offset = what & 6 ? (int32_t)((what >> 24) % 32 * 8) : (int32_t)(what >> 24);
	row.rbp_offset = (int16_t)(what >> 48);
	return row;
}

static void hostile_table(void)
{
	bool sorted = random_word() % 4;
	struct unwind_row rows[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		rows[i] = hostile_row(sorted ? (uint32_t)i * 2048 : (uint32_t)random_word());
	image_new(1, CODE, rows, sizeof(rows) / sizeof(*rows));
}

/* Whatever the stack, the registers and even the table hold: bounded, and each sample counted. */
static void hostile(void **state)
{
	const struct walk *walk;
	uint64_t deep = 0;

	for (uint64_t seed = 1; seed <= 300; seed++) {
		random_state = seed * 0x9e3779b97f4a7c15;
		hostile_table();
		image_new(2, OTHER, NULL, 0);
		for (uint64_t at = SP; at < SP + 4096; at += 8)
			push(at, hostile_word());
		for (int turn = 0; turn < 40; turn++) {
			uint64_t cut = counted_as(SAMPLING_CUT);
			uint64_t ip = turn % 4 ? CODE + random_word() % IMAGE_SIZE : hostile_word();
			uint64_t sp = SP + random_word() % 64 * 8;

			sample_at(ip, sp, hostile_word());
			walk = walk_now();
			assert_in_range(walk->stack.depth, 1, STACK_PLACES_MAX);
			if (counted_as(SAMPLING_CUT) != cut)
				assert_true(walk->stack.places[walk->stack.depth - 1] == CUT);
			deep += walk->stack.depth > 4;
		}
		assert_int_equal(counted_as(SAMPLING_TAKEN), 40);
		sampling_end(state);
		sampling_begin(state);
	}
	assert_true(deep > 20); /* they get somewhere */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SAMPLING_TEST(by_stack_pointer),
	    SAMPLING_TEST(by_frame_pointer_rows),
	    SAMPLING_TEST(from_linkage_table),
	    SAMPLING_TEST(from_realigned_stack),
	    SAMPLING_TEST(out_of_signal),
	    SAMPLING_TEST(without_rows),
	    SAMPLING_TEST(in_the_kernel),
	    SAMPLING_TEST(through_return_probes),
	    SAMPLING_TEST(cut_where_nothing_is_mapped),
	    SAMPLING_TEST(cut_where_it_turns_in_circles),
	    SAMPLING_TEST(cut_where_it_is_too_deep),
	    SAMPLING_TEST(others_are_not),
	    SAMPLING_TEST(counted_once),
	    SAMPLING_TEST(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
