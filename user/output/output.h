/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles to files: the table of formats and the choice by extension. A new format is a file of
 * its own with one output_write_*() and one row in OUTPUT_FORMATS.
 */
#ifndef LPROF_OUTPUT_OUTPUT_H
#define LPROF_OUTPUT_OUTPUT_H

#include <stdio.h>

#include "base/failure.h"
#include "model/profile.h"

struct output_options {
	const char *shadow;  /* .lprof: write companion sources into this directory; NULL: none */
	bool public_sources; /* show the source files alone that everybody may read */
};

/* FORMAT(extension, writer, description). */
#define OUTPUT_FORMATS(FORMAT)                                                              \
	FORMAT(".lprof", lprof, "line_profiler's pickle, with the native profile embedded") \
	FORMAT(".json", json, "the native profile")                                         \
	FORMAT(".html", html, "one self-contained page for a browser")                      \
	FORMAT(".txt", txt, "the report")                                                   \
	FORMAT(".prof", pstats, "cProfile's, for pstats")                                   \
	FORMAT(".pstat", pstats, "cProfile's, for pstats")                                  \
	FORMAT(".pb.gz", pprof, "pprof's")                                                  \
	FORMAT(".callgrind", callgrind, "callgrind's, with lines and calls")                \
	FORMAT("callgrind.out.*", callgrind, "callgrind's, with lines and calls")           \
	FORMAT(".folded", folded, "stacks, for flamegraph.pl")                              \
	FORMAT(".speedscope.json", speedscope, "stacks, for speedscope")

struct output_format {
	const char *extension; /* what a file's name ends in; or, up to a '*', begins with */
	const char *description;
	/* Writes the whole file to `stream`; 0 or -errno, stream errors are the caller's. */
	int (*write)(const struct profile *profile, FILE *stream,
	    const struct output_options *options, struct failure *failure);
};

#define FORMAT(extension, writer, description)                                 \
	int output_write_##writer(const struct profile *profile, FILE *stream, \
	    const struct output_options *options, struct failure *failure);
OUTPUT_FORMATS(FORMAT)
#undef FORMAT

/* The formats in the order of OUTPUT_FORMATS; ends with an extension of NULL. */
extern const struct output_format output_formats[];

/* The format for a path, by the longest extension that fits; NULL with failure listing those there
 * are: check before measuring. */
const struct output_format *output_format_for(const char *path, struct failure *failure);

/* Writes the profile to `path`, atomically, in the format of its extension. Options may be NULL. */
int output_write(const struct profile *profile, const char *path,
    const struct output_options *options, struct failure *failure);

#endif
