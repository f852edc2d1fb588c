/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sampling program compiled natively, and a thread to sample: code of images in one address
 * space, a stack to fill, unwinding rows, registers.
 *
 *	image_new(1, 0x10000, rows, count);	image 1 begins at that address, and lasts 0x10000
 *	push(0x8000, 0x10123);			a word of the stack
 *	sample_at(0x10010, 0x8000, 0);		rip, rsp, rbp
 *	EXPECT_STACK(PLACE(1, 0x10), PLACE(1, 0x122));
 */
#ifndef LPROF_TESTS_BPF_NATIVE_SAMPLING_H
#define LPROF_TESTS_BPF_NATIVE_SAMPLING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "../../../bpf/cpu_sampling.bpf.c"
#pragma GCC diagnostic pop

#define PROCESS               100u
#define SPACE                 7u
#define IMAGES                4
#define IMAGE_SIZE            0x10000ull
#define STACKS                64
#define LEAVES                8
#define USER_CODE             0x33 /* segment selectors */
#define KERNEL_CODE           0x10
#define PLACE(image, address) ((uint64_t)(image) << PLACE_IMAGE_SHIFT | (address))
#define CUT                   PLACE_OF_KIND(PLACE_CUT)

static struct {
	struct native_thread thread;
	struct task_struct task;
	struct mm_struct memory;
	struct xol_area area;
	struct uprobe_task uprobes;
	struct perf_event event;
	struct pt_regs user;
	char tables[IMAGES]; /* whose addresses are the tables' */
} sampled_world;

static inline int sampling_begin(void **state)
{
	uint32_t process = PROCESS, space = SPACE;
	uint64_t slots = 1;

	(void)state;
	memset(&native, 0, sizeof(native));
	memset(&sampled_world, 0, sizeof(sampled_world));
	native_map_add(&sampled, 4);
	native_map_add(&spaces, 4);
	native_map_add(&stacks, STACKS);
	native_map_add(&leaves, LEAVES);
	native_map_add(&sampling_counts, SAMPLING_COUNTS);
	native_map_add(&walks, 1);
	native_map_add(&mappings, 256);
	native_map_add(&images, IMAGES);
	native_add(&unwind_tables, BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, sizeof(void *), IMAGES);
	native_map_add(&rows_kept, 1 << ROWS_KEPT_BITS);
	native_map_add(&threads, 0);
	sampled_world.task = (struct task_struct){.pid = PROCESS, .tgid = PROCESS};
	sampled_world.task.mm = &sampled_world.memory;
	sampled_world.task.utask = &sampled_world.uprobes;
	sampled_world.thread =
	    (struct native_thread){.task = &sampled_world.task, .tgid = PROCESS, .tid = PROCESS};
	native.thread = &sampled_world.thread;
	sampled_world.thread.registers = &sampled_world.user;
	gate = 1;
	bpf_map_update_elem(&sampled, &process, &slots, BPF_ANY);
	bpf_map_update_elem(&spaces, &process, &space, BPF_ANY);
	return 0;
}

static inline int sampling_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < NATIVE_MAPS_MAX; i++)
		free(sampled_world.thread.storage[i]);
	native_free();
	return 0;
}

/* ---- The thread ---- */

/* Maps what a mapping holds at an aligned block of IMAGE_SIZE. */
static inline void map_code(uint32_t space, uint64_t start, uint32_t image)
{
	struct mapping_key key = {.bits = 32 + 64 - 16, .space = space};
	struct mapping mapping = {start, start + IMAGE_SIZE, start, image, 0};
	uint64_t swapped = __builtin_bswap64(start);

	memcpy(key.address, &swapped, sizeof(swapped));
	assert_int_equal(bpf_map_update_elem(&mappings, &key, &mapping, BPF_ANY), 0);
}

static inline void image_new(
    uint32_t image, uint64_t start, const struct unwind_row *rows, uint32_t count)
{
	void *table = &sampled_world.tables[image];

	map_code(SPACE, start, image);
	if (!count)
		return;
	native_add(table, BPF_MAP_TYPE_ARRAY, 4, sizeof(*rows), count);
	for (uint32_t at = 0; at < count; at++)
		memcpy(bpf_map_lookup_elem(table, &at), &rows[at], sizeof(*rows));
	((void **)(void *)native_find(&unwind_tables)->values)[image] = table;
	((struct sampled_image *)bpf_map_lookup_elem(&images, &image))->rows = count;
}

#define IMAGE_OF(image, start, ...)                                         \
	image_new(image, start, ((const struct unwind_row[]){__VA_ARGS__}), \
	    sizeof((const struct unwind_row[]){__VA_ARGS__}) / sizeof(struct unwind_row))

static inline void push(uint64_t at, uint64_t word)
{
	assert_non_null(native_word(at));
	*native_word(at) = word;
}

static inline void sample_at(uint64_t ip, uint64_t sp, uint64_t bp)
{
	struct sample sample = {.registers = {.rip = ip, .rsp = sp, .rbp = bp, .cs = USER_CODE}};

	sample.registers.r13 = (uintptr_t)&sampled_world.event; /* what the kernel has there */
	assert_int_equal(sample_cpu(&sample), 0);
}

/* In the kernel, which the thread entered with these registers. */
static inline void sample_in_kernel(long system_call, uint64_t ip, uint64_t sp, uint64_t bp)
{
	struct sample sample = {.registers = {.rip = ~0ull << 32, .cs = KERNEL_CODE}};

	sampled_world.user = (struct pt_regs){sp, ip, bp, (unsigned long)system_call};
	sample.registers.r13 = (uintptr_t)&sampled_world.event;
	assert_int_equal(sample_cpu(&sample), 0);
}

/* ---- What was counted ---- */

static inline uint64_t counted_as(enum sampling_count what)
{
	uint32_t key = what;

	return *(const uint64_t *)bpf_map_lookup_elem(&sampling_counts, &key);
}

static inline uint64_t samples_of(const uint64_t *places, uint32_t depth)
{
	const struct native_map *found = native_find(&stacks);

	for (size_t at = 0; at < found->count; at++) {
		const struct sampled_stack *stack =
		    (const void *)(found->values + at * found->value_size);

		if (stack->depth == depth &&
		    !memcmp(stack->places, places, depth * sizeof(*places)))
			return stack->samples;
	}
	return 0;
}

/* The latest sample's stack, for messages. */
static inline const char *stack_text(void)
{
	static char text[4096];
	const struct walk *walk = walk_now();
	size_t used = 0;

	for (uint32_t at = 0; at < walk->stack.depth && used < sizeof(text) - 32; at++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %llx:%llx",
		    walk->stack.places[at] >> PLACE_IMAGE_SHIFT,
		    walk->stack.places[at] & PLACE_ADDRESS);
	return text;
}

#define EXPECT_SAMPLES(count, ...)                                                                \
	do {                                                                                      \
		const uint64_t places_[] = {__VA_ARGS__};                                         \
		if (samples_of(places_, sizeof(places_) / sizeof(*places_)) != (count))           \
			fail_msg("%s:%d: the last stack is%s", __FILE__, __LINE__, stack_text()); \
	} while (0)
#define EXPECT_STACK(...) EXPECT_SAMPLES(1, __VA_ARGS__)

#define SAMPLING_TEST(test) cmocka_unit_test_setup_teardown(test, sampling_begin, sampling_end)

#endif
