/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What crosses between the sampling program and user space.
 *
 * User space describes where code is mapped and how to unwind it; BPF finds, for each sample, the
 * places of the thread's stack and counts each different stack once. A *place* is an address in an
 * image, the same in every process that maps it; what lies in no image is a place of a kind.
 *
 * An *address space* is a set of mappings that processes share: a forked child has its parent's
 * until it maps code of its own.
 *
 * Samples are kept apart by who asked for them: a *slot* is one who asks, a process is sampled for
 * a set of slots, and each stack stands once for each such set. Stacks, innermost places and files
 * are pinned by who wants to go on with them: a change of what they mean is another
 * SAMPLES_VERSION.
 */
#ifndef LPROF_CPU_WIRE_H
#define LPROF_CPU_WIRE_H

#include <linux/types.h>

#define SAMPLES_VERSION   1
#define SAMPLING_SLOTS    64 /* bits of a set */
#define STACK_PLACES_MAX  127
#define SAMPLED_STACKS    16384 /* different stacks that the table has room for */
#define SAMPLED_LEAVES    65536 /* innermost places, once that is full */
#define SPACES_MAX        16384
#define SPACE_PREFIXES    262144 /* of the mappings of all address spaces */
#define SAMPLED_IMAGES    4096
#define UNWIND_ROWS_MAX   (1 << 24) /* of one image */
#define UNWIND_SEARCH_MAX 24

/* place = image << 48 | address, or PLACE_KIND_IMAGE << 48 | enum place_kind */
#define PLACE_IMAGE_SHIFT 48
#define PLACE_ADDRESS     ((1ull << PLACE_IMAGE_SHIFT) - 1)
#define PLACE_KIND_IMAGE  0xffffull

enum place_kind {
	PLACE_KERNEL,    /* in the kernel, or in one of its interrupts */
	PLACE_PROBE,     /* in the handling of a probe: overhead */
	PLACE_ANONYMOUS, /* in code that no file has: made at run time */
	PLACE_VDSO,      /* in the kernel's page of code for programs */
	PLACE_UNKNOWN,   /* in nothing that was known to be mapped */
	PLACE_CUT,       /* the stack goes on here, but nobody knows where */
	PLACE_KINDS
};
#define PLACE_OF_KIND(kind) (PLACE_KIND_IMAGE << PLACE_IMAGE_SHIFT | (kind))

struct sample_key {
	__u64 slots; /* that the process was sampled for */
	__u64 what;  /* of stacks: the hash of the places; of innermost places: the place */
};
_Static_assert(sizeof(struct sample_key) == 16, "wire layout");

struct sampled_stack {
	__u64 samples;
	__u32 depth;
	__u32 reserved;
	__u64 places[STACK_PLACES_MAX]; /* innermost first; of callers, within the call */
};
_Static_assert(sizeof(struct sampled_stack) == 16 + 8 * STACK_PLACES_MAX, "wire layout");

/* Of a longest-prefix table: `bits` count from `space` on. */
struct mapping_key {
	__u32 bits;
	__u32 space;
	__u8 address[8]; /* most significant byte first */
};
_Static_assert(sizeof(struct mapping_key) == 16, "wire layout");

struct mapping {
	__u64 start, end;
	__u64 bias;  /* to subtract from an address to have the image's own */
	__u32 image; /* or MAPPING_OF_KIND + enum place_kind */
	__u32 reserved;
};
_Static_assert(sizeof(struct mapping) == 32, "wire layout");
#define MAPPING_OF_KIND 0x10000u

/* How to find the canonical frame address (CFA: the stack pointer before the call). */
enum unwind_cfa {
	UNWIND_NONE,    /* nothing is said of this code: by its frame pointer, if it has one */
	UNWIND_BEYOND,  /* a rule that this table cannot say */
	UNWIND_END,     /* the outermost frame: nothing called it */
	UNWIND_RSP,     /* rsp + cfa_offset */
	UNWIND_RBP,     /* rbp + cfa_offset */
	UNWIND_RSP_PLT, /* rsp + 8, and 8 more in the second part of a 16-byte PLT entry */
	UNWIND_RBP_AT,  /* the word at rbp + cfa_offset: realigned stacks */
	UNWIND_SIGNAL,  /* all registers are in the signal frame at rsp */
};

enum unwind_rbp {
	UNWIND_RBP_SAME,   /* the caller's is still there */
	UNWIND_RBP_BY_CFA, /* saved at CFA + rbp_offset */
	UNWIND_RBP_BY_RBP, /* saved at rbp + rbp_offset: realigned stacks */
};

/* Valid from `address` to the next row's; sorted by address. The return address is at CFA - 8. */
struct unwind_row {
	__u32 address;
	__s32 cfa_offset;
	__s16 rbp_offset;
	__u8 cfa; /* enum unwind_cfa */
	__u8 rbp; /* enum unwind_rbp */
};
_Static_assert(sizeof(struct unwind_row) == 12, "wire layout");

struct sampled_image {
	__u32 rows; /* of its table; 0: none, and frame pointers are all there is */
};

#define SAMPLED_PATH_MAX 1024

/* What the number of an image in places stands for: a file, as it was when it was first seen. */
struct sampled_file {
	__u64 device, inode;           /* as processes' mappings have them */
	__u64 file_device, file_inode; /* as the file itself has them */
	__u64 size;
	__s64 changed_ns;
	char path[SAMPLED_PATH_MAX]; /* as the first process saw it */
};
_Static_assert(sizeof(struct sampled_file) == 48 + SAMPLED_PATH_MAX, "wire layout");

enum sampling_count {
	SAMPLING_TAKEN,     /* samples of targets */
	SAMPLING_CUT,       /* whose stack ended before its start */
	SAMPLING_LEAF_ONLY, /* whose stack did not fit the table */
	SAMPLING_LOST,      /* that fit nowhere */
	SAMPLING_COUNTS
};

#endif
