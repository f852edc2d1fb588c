/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: every probe for a request, computed before anything is attached, by a pure function of
 * the images' indexes and the kernel's properties. `lprof plan` prints it, tests compare it, and
 * nothing below it decides what to probe. The ids of sites, functions and lines are indexes into
 * its arrays; BPF sees only these.
 */
#ifndef LPROF_TARGET_PLAN_H
#define LPROF_TARGET_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/failure.h"
#include "base/strings.h"
#include "target/selection.h"
#include "wire.h"

enum plan_exit { PLAN_EXIT_AUTO, PLAN_EXIT_RETURN, PLAN_EXIT_SITES };

/* What of the kernel decides about sites (collect/features.h finds out). */
struct plan_kernel {
	bool rewrites_nop5;      /* 5-byte NOPs become calls: 6.18 to 7.1 */
	bool emulates_all_nops;  /* 6.18: other NOP forms are emulated too */
	bool hijacks_bystanders; /* no sessions: a return probe cannot be declined for a process */
	bool
	    kills_seccomp_returns; /* 6.11 to 6.13: processes under seccomp die at a return probe */
};

struct plan_options {
	enum plan_exit exit;
	uint32_t traits; /* enum image_language_traits of all images of the target, or'ed */
	/* Where the dynamic linker tells of new images (_dl_debug_state): an index into the images
	 * and an address in that one. Address 0: the target loads none. */
	uint32_t loader_image;
	uint64_t loader_address;
	bool
	    shadow_stack; /* some target has one: no return probes, none on calls (KERNEL.md 3.6) */
	struct plan_kernel kernel;
};

struct plan_site {
	uint32_t image; /* index into the images planned for */
	uint64_t address, offset;
	uint32_t function; /* plan function id of the host, or NO_FUNCTION */
	uint32_t host;     /* copy index in the image's index */
	uint16_t roles;   /* enum site_role; 0: attached only when functions switch to exit sites */
	uint16_t standby; /* roles that come when they do */
	uint8_t cost;     /* enum cost_class */
	uint8_t moved;    /* bytes from the statement's address to the site's */
	uint8_t charge_count;
	int32_t stack_offset; /* bytes from the stack pointer up to the return address */
	struct charge charges[CHARGES_MAX];
};

/* One term of a line's hits: hits of a column are the sum of its terms, hits of a line those of its
 * largest column. Sorted by line, column, site. */
struct plan_count {
	uint32_t line;   /* into lines */
	uint32_t column; /* the statement's column, opaque */
	uint32_t site;
	int32_t sign; /* +1, or -1 in counts derived from neighbours */
};

/* A row of a function's line table. Sorted by function, then file and line. */
struct plan_line {
	uint32_t function; /* plan function id */
	const char *file;
	uint32_t line;
	uint32_t sites; /* that count it */
	bool shared;    /* time is shared with a neighbour in the same block */
};

struct plan_function {
	const char *name, *linkage_name, *file;
	uint32_t line;
	uint32_t image, source;
	bool lines;
	double rate;
	enum plan_exit exit;     /* RETURN or SITES; AUTO: no machine copy, nothing to exit */
	const char *exit_reason; /* why */
	bool switchable;         /* to exit sites, should an image come that unwinds the stack */
	uint32_t entry_line;     /* line id charged from entry on, or INDEX_NONE */
	uint32_t inlined_copies;
	uint32_t first_line, line_count;
};

struct plan_left_out {
	uint32_t image;
	uint32_t function;
	uint64_t address;
	const char *file; /* "" and 0: the function itself */
	uint32_t line;
	const char *reason;
};

struct plan_image {
	const char *path, *build_id;
	int fd; /* borrowed from the index */
};

struct plan {
	struct strings *strings;
	ARRAY(struct plan_image) images; /* same order as given */
	ARRAY(struct plan_site) sites;   /* sorted by image and address; one a site */
	ARRAY(struct plan_function) functions;
	ARRAY(struct plan_line) lines;
	ARRAY(struct plan_count) counts;
	ARRAY(struct plan_left_out) left_out;
	bool has_lines;
	bool has_go;         /* some site is in Go code */
	bool watches_images; /* some function would have to switch to exit sites */
};

/* Images not opened (index NULL) are ignored. Fails only for want of memory or ids. */
int plan_build(const struct selection_image *images, size_t image_count,
    const struct selection *selection, const struct plan_options *options, struct plan **ret_plan,
    struct failure *failure);
void plan_free(struct plan *plan);
DEFINE_CLEANUP(struct plan *, plan_free)

/* Hits of each line (plan->lines.count of them) from the hits of each site. */
void plan_count_lines(const struct plan *plan, const uint64_t *site_hits, uint64_t *ret_line_hits);

#endif
