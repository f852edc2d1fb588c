/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an ELF image and its debug information say about its code, in one pass, as flat sorted
 * arrays: source functions, their machine copies, address ranges, line rows and inlined ranges.
 *
 * Words. A *source function* is one row of a report: file, line and name. A *copy* is one machine
 * function generated for it (a clone, a template instance, an outlined part). A copy has one or
 * more *ranges*; the one that holds `entry` comes first, its .cold part after. *Inlined* ranges lie
 * inside copies of other source functions and nest.
 *
 * All addresses are the image's own virtual addresses (as objdump shows them). The index is
 * immutable once opened; strings are interned and live as long as the index.
 */
#ifndef LPROF_TARGET_IMAGE_INDEX_H
#define LPROF_TARGET_IMAGE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/failure.h"
#include "base/strings.h"

#define INDEX_NONE UINT32_MAX

struct image_segment { /* an executable PT_LOAD */
	uint64_t address, offset, size;
	const uint8_t *bytes; /* of the file, `size` long */
};

struct source_function {
	const char *name;         /* as people say it: demangled, without parameters or hash */
	const char *full_name;    /* demangled with parameters; == name in C */
	const char *linkage_name; /* of the first copy, as in the symbol table */
	uint32_t file;            /* index into files, or INDEX_NONE without debug information */
	uint32_t line;            /* of the declaration's name, 0 unknown */
	uint32_t first_copy, copy_count; /* into copies */
	uint32_t inlined_count;          /* how many entries of `inlined` are of this function */
	uint32_t end_line; /* the largest line of its rows (inlined ones of others excluded), 0
			      unknown */
};

enum copy_kind {
	COPY_WHOLE, /* callable from its first instruction with a return address on the stack */
	COPY_PART,  /* .part.N: likewise, but holds only a part of the source function's body */
	COPY_COLD,  /* only jumped to: symbols named .cold that no whole copy could be found for */
};

struct function_copy {
	uint32_t source;
	enum copy_kind kind;
	const char *linkage_name;
	uint64_t entry;
	uint32_t first_range, range_count; /* into copy_ranges */
};

struct address_range {
	uint64_t low, high;
};

/* Another name of a copy in the symbol tables, as found there but without a version. */
struct function_alias {
	const char *name;
	uint32_t copy;
};

/* All ranges of all copies, sorted by address, not overlapping. */
struct code_range {
	uint64_t low, high;
	uint32_t copy;
};

/* One row of the line program; the sequence's own order is kept among rows of one address. */
struct line_row {
	uint64_t address;
	uint32_t file; /* index into files */
	uint32_t line;
	uint16_t column;
	uint8_t is_stmt;
	uint8_t end_sequence; /* such a row only ends the one before; file, line and column are 0 */
};

/* One range of an inlined subroutine. Sorted by low ascending, then depth ascending. */
struct inlined_range {
	uint64_t low, high;
	uint32_t source;   /* the inlined function */
	uint32_t parent;   /* index of an instance around this one, or INDEX_NONE: the copy */
	uint32_t instance; /* equal for the ranges of one DW_TAG_inlined_subroutine */
	uint32_t call_file, call_line;
	uint16_t depth; /* 1: directly inside the copy */
	uint16_t reserved;
};

enum image_language_traits { /* of what the image brings, for --exit=auto */
	IMAGE_UNWINDS =
	    1 << 0, /* C++ or Rust personality, _Unwind_RaiseException or _Unwind_Resume */
	IMAGE_GO = 1 << 1,
	IMAGE_SWITCHES_STACKS = 1 << 2, /* itself, or wants swapcontext, sigaltstack or their kin */
};

struct image_index {
	char *path;     /* as shown to people */
	int fd;         /* of the very file that is mapped; owned */
	char *build_id; /* lower-case hexadecimal, "" without */
	const char
	    *debug_path; /* where line information came from: path, a debug file, or NULL: none */
	const char *soname; /* "" without */
	uint64_t entry;     /* e_entry */
	bool position_independent;
	uint32_t traits; /* enum image_language_traits */
	struct strings *strings;
	ARRAY(struct image_segment) segments;
	ARRAY(const char *) files;               /* full paths */
	ARRAY(struct source_function) functions; /* sorted by name */
	ARRAY(struct function_copy) copies;
	ARRAY(struct address_range) copy_ranges;
	ARRAY(struct function_alias) aliases; /* sorted by name */
	ARRAY(struct code_range) ranges;
	ARRAY(struct line_row) rows; /* sorted by address */
	ARRAY(struct inlined_range) inlined;
	ARRAY(uint64_t) landing_pads; /* ascending; where exceptions enter code */
	ARRAY(uint32_t) marks; /* source functions marked with LPROF_PROFILE (include/lprof.h) */
	void *map;             /* of the file, for segments */
	size_t map_size;
};

struct image_index_options {
	const char *root;            /* prefix for debug files' paths: "", or "/proc/PID/root" */
	const char *debug_directory; /* NULL: /usr/lib/debug */
	bool symbols_only;           /* skip DWARF: names and ranges from .symtab and .dynsym */
};

/*
 * Reads the image open at `fd` (taken over on success). `path` is for messages and for finding
 * debug files. -ENOEXEC: not a 64-bit x86 ELF executable or library; -EBADMSG: damaged; other: as
 * said.
 */
int image_index_open(const char *path, int fd, const struct image_index_options *options,
    struct image_index **ret_index, struct failure *failure);
void image_index_free(struct image_index *index);
DEFINE_CLEANUP(struct image_index *, image_index_free)

/* The file offset of an address in an executable segment; -ENOENT outside. */
int image_index_offset(const struct image_index *index, uint64_t address, uint64_t *ret_offset);

/* The bytes from `address` to its segment's end; NULL outside. */
const uint8_t *image_index_bytes(
    const struct image_index *index, uint64_t address, size_t *ret_available);

/* The copy whose range holds `address`, or INDEX_NONE. */
uint32_t image_index_copy_at(const struct image_index *index, uint64_t address);

/* First landing pad at or after `address`, as an index into landing_pads (its count: none). */
size_t image_index_pad_from(const struct image_index *index, uint64_t address);

/* First row at or after `address`, as an index into rows (rows.count: none). */
size_t image_index_row_from(const struct image_index *index, uint64_t address);

/*
 * The innermost inlined range around `address`, as an index into inlined, or INDEX_NONE. Follow
 * `parent` outwards.
 */
uint32_t image_index_inlined_at(const struct image_index *index, uint64_t address);

#endif
