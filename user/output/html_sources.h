/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The source lines that a page shows, cut out of the files on disk. */
#ifndef LPROF_OUTPUT_HTML_SOURCES_H
#define LPROF_OUTPUT_HTML_SOURCES_H

#include "model/profile.h"
#include "output/json_stream.h"

/*
 * Writes the member "sources" of an open object: for each file that a function's rows are in, the
 * lines from its first row to its last, without long gaps; each line of a file once. `public_only`:
 * as source_open() has it. 0 or -ENOMEM.
 */
int html_sources_write(const struct profile *profile, bool public_only, struct json_stream *json);

#endif
