/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks the user stack of the current thread, from its registers to where it began.
 *
 * Each turn notes the place of the instruction pointer and finds the caller's registers: by the row
 * of the image's table (made from .eh_frame by user space), or by the frame pointer where there is
 * no table. A return probe replaces return addresses by the address of its trampoline; the kernel
 * keeps the real ones in a list, innermost first, with the stack address that each was taken from.
 *
 * The walk's state is the CPU's scratch: a sample is taken in an interrupt, of which a CPU handles
 * one at a time.
 */
#ifndef LPROF_BPF_UNWIND_H
#define LPROF_BPF_UNWIND_H

#include "cpu_wire.h"
#include "kernel.bpf.h"

#define RETURN_INSTANCES_MAX 64 /* that the kernel allows a thread */

/* Offsets in the frame that a signal handler returns to: struct ucontext of the x86-64 ABI. */
#define SIGNAL_FRAME_RBP 120
#define SIGNAL_FRAME_RSP 160
#define SIGNAL_FRAME_RIP 168

struct walk {
	__u64 ip, sp, bp;
	__u64 return_instance; /* kernel's address of the next one outwards; 0: none */
	__u64 trampoline;      /* page of the probes' code, 0: none */
	__u32 space;           /* 0: none known */
	__u8 called;           /* ip is a return address */
	__u8 ended;            /* the outermost frame was reached */
	__u16 reserved;
	__u64 slots;            /* that the process is sampled for */
	__u64 hash;             /* of the places so far */
	struct mapping mapping; /* that the last address was in */
	struct sampled_stack stack;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SPACE_PREFIXES);
	__type(key, struct mapping_key);
	__type(value, struct mapping);
} mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SAMPLED_IMAGES);
	__type(key, __u32);
	__type(value, struct sampled_image);
} images SEC(".maps");

/* The rows of each image, as many as it has. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SAMPLED_IMAGES);
	__type(key, __u32);
	__array(
	    values, struct {
		    __uint(type, BPF_MAP_TYPE_ARRAY);
		    __uint(map_flags, BPF_F_INNER_MAP);
		    __uint(max_entries, 1);
		    __uint(key_size, sizeof(__u32));
		    __uint(value_size, sizeof(struct unwind_row));
	    });
} unwind_tables SEC(".maps");

/* The rows that were found last: samples of a thread share most of their return addresses. */
#define ROWS_KEPT_BITS 9

struct kept_row {
	__u64 place;
	struct unwind_row row;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << ROWS_KEPT_BITS);
	__type(key, __u32);
	__type(value, struct kept_row);
} rows_kept SEC(".maps");

static __always_inline __u64 mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static __always_inline struct walk *walk_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&walks, &zero);
}

static __always_inline bool read_user(__u64 address, __u64 *ret_word)
{
	return bpf_probe_read_user(ret_word, sizeof(*ret_word), (void *)address) == 0;
}

/* ---- Where an address is ---- */

static __always_inline bool mapping_find(struct walk *walk, __u64 address)
{
	struct mapping_key key = {.bits = 96, .space = walk->space};
	const struct mapping *found;
	__u64 swapped = __builtin_bswap64(address);

	if (address >= walk->mapping.start && address < walk->mapping.end)
		return true;
	__builtin_memcpy(key.address, &swapped, sizeof(swapped));
	found = bpf_map_lookup_elem(&mappings, &key);
	if (!found || address < found->start || address >= found->end)
		return false;
	walk->mapping = *found;
	return true;
}

/* The place of an address, in the mapping that was found around it. */
static __always_inline __u64 place_in(const struct mapping *mapping, __u64 address)
{
	if (mapping->image >= MAPPING_OF_KIND)
		return PLACE_OF_KIND(mapping->image - MAPPING_OF_KIND);
	return (__u64)mapping->image << PLACE_IMAGE_SHIFT |
	       ((address - mapping->bias) & PLACE_ADDRESS);
}

/* ---- How to go on from there ---- */

/* The last row at or before the address: its index, or -1. */
__noinline int row_find(__u32 image, __u32 address, __u32 rows)
{
	__u32 low = 0, high = rows; /* low: the first that may be after the address */
	void *table = bpf_map_lookup_elem(&unwind_tables, &image);

	if (!table)
		return -1;
	for (int turn = 0; turn < UNWIND_SEARCH_MAX && low < high; turn++) {
		__u32 middle = low + (high - low) / 2;
		const struct unwind_row *row = bpf_map_lookup_elem(table, &middle);

		if (!row)
			return -1;
		if (row->address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return (int)low - 1;
}

/* The real address where a return probe put its own, read at stack address `at`. */
__noinline __u64 return_address_behind(struct walk *walk, __u64 at)
{
	const struct return_instance *instance;

	if (!walk)
		return 0;
	instance = (const struct return_instance *)walk->return_instance;
	for (int turn = 0; turn < RETURN_INSTANCES_MAX && instance; turn++) {
		__u64 stack = BPF_CORE_READ(instance, stack);
		__u64 address = BPF_CORE_READ(instance, orig_ret_vaddr);
		bool chained = BPF_CORE_READ(instance, chained);

		instance = BPF_CORE_READ(instance, next);
		walk->return_instance = (__u64)instance;
		if (stack == at && !chained)
			return address;
	}
	return 0;
}

/* Goes to the caller whose frame begins at `cfa`. */
static __always_inline bool step_to(struct walk *walk, __u64 cfa, __u64 bp)
{
	__u64 address;

	if (cfa <= walk->sp || !read_user(cfa - 8, &address))
		return false;
	if (walk->trampoline && address - walk->trampoline < 4096)
		address = return_address_behind(walk, cfa - 8);
	walk->ip = address;
	walk->sp = cfa;
	walk->bp = bp;
	walk->called = true;
	walk->ended = !address;
	return address != 0;
}

static __always_inline bool step_by_frame_pointer(struct walk *walk)
{
	__u64 bp;

	if (!walk->bp) {
		walk->ended = true; /* _start clears it, and so do threads */
		return false;
	}
	if (walk->bp < walk->sp || !read_user(walk->bp, &bp))
		return false;
	return step_to(walk, walk->bp + 16, bp);
}

static __always_inline bool step_out_of_signal(struct walk *walk)
{
	__u64 ip, sp, bp;

	if (!read_user(walk->sp + SIGNAL_FRAME_RIP, &ip) ||
	    !read_user(walk->sp + SIGNAL_FRAME_RSP, &sp) ||
	    !read_user(walk->sp + SIGNAL_FRAME_RBP, &bp))
		return false;
	walk->ip = ip;
	walk->sp = sp;
	walk->bp = bp;
	walk->called = false;
	return true;
}

static __always_inline bool step_by_row(struct walk *walk, const struct unwind_row *row)
{
	__u64 cfa, bp = walk->bp;

	switch (row->cfa) {
	case UNWIND_RSP:
		cfa = walk->sp + row->cfa_offset;
		break;
	case UNWIND_RBP:
		cfa = walk->bp + row->cfa_offset;
		break;
	case UNWIND_RSP_PLT:
		cfa = walk->sp + 8 + ((walk->ip & 15) >= 11 ? 8 : 0);
		break;
	case UNWIND_RBP_AT:
		if (!read_user(walk->bp + row->cfa_offset, &cfa))
			return false;
		break;
	case UNWIND_SIGNAL:
		return step_out_of_signal(walk);
	case UNWIND_NONE:
		return step_by_frame_pointer(walk);
	case UNWIND_END:
		walk->ended = true;
		return false;
	default:
		return false;
	}
	if (row->rbp == UNWIND_RBP_BY_CFA && !read_user(cfa + row->rbp_offset, &bp))
		return false;
	if (row->rbp == UNWIND_RBP_BY_RBP && !read_user(walk->bp + row->rbp_offset, &bp))
		return false;
	return step_to(walk, cfa, bp);
}

/* Searches the image's table for the place's row; false: it has none. */
static __always_inline bool row_search(__u64 place, struct unwind_row *ret_row)
{
	__u32 image = place >> PLACE_IMAGE_SHIFT, at;
	const struct sampled_image *known = bpf_map_lookup_elem(&images, &image);
	const struct unwind_row *row;
	void *table;
	int found;

	if (!known || !known->rows)
		return false;
	found = row_find(image, place & PLACE_ADDRESS, known->rows);
	table = bpf_map_lookup_elem(&unwind_tables, &image);
	if (found < 0 || !table)
		return false;
	at = found;
	row = bpf_map_lookup_elem(table, &at);
	if (row)
		*ret_row = *row;
	return row;
}

/* From a place in an image. */
static __always_inline bool step(struct walk *walk, __u64 place)
{
	__u32 slot = mix(0, place) & ((1 << ROWS_KEPT_BITS) - 1);
	struct kept_row *kept = bpf_map_lookup_elem(&rows_kept, &slot);

	if (!kept)
		return false;
	if (kept->place != place || !place) {
		kept->place = 0;
		if (place >> PLACE_IMAGE_SHIFT == PLACE_KIND_IMAGE ||
		    !row_search(place, &kept->row))
			return step_by_frame_pointer(walk);
		kept->place = place;
	}
	return step_by_row(walk, &kept->row);
}

static int walk_turn(__u32 turn, void *unused)
{
	struct walk *walk = walk_now();
	__u32 depth;
	__u64 address, place;
	bool mapped;

	if (!walk)
		return 1;
	address = walk->ip - walk->called;
	mapped = mapping_find(walk, address);
	place = mapped ? place_in(&walk->mapping, address) : PLACE_OF_KIND(PLACE_UNKNOWN);
	depth = walk->stack.depth;
	if (depth >= STACK_PLACES_MAX || (walk->called && !mapped))
		return 1; /* no code lies there: it was no return address */
	walk->stack.places[depth] = place;
	walk->stack.depth = depth + 1;
	walk->hash = mix(walk->hash, place);
	return mapped ? !step(walk, place) : !step_by_frame_pointer(walk);
}

/* From the registers in the walk; the last place tells if it did not reach the start. */
static __always_inline void walk_stack(struct walk *walk)
{
	__u32 depth;

	walk->mapping.end = 0;
	bpf_loop(STACK_PLACES_MAX, walk_turn, NULL, 0);
	if (walk->ended)
		return;
	depth = walk->stack.depth;
	if (depth >= STACK_PLACES_MAX)
		depth = STACK_PLACES_MAX - 1;
	walk->stack.places[depth] = PLACE_OF_KIND(PLACE_CUT);
	walk->hash = mix(walk->hash, PLACE_CUT);
	walk->stack.depth = depth + 1;
}

#endif
