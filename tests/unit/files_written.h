/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of each format in memory, for the tests of writers and readers. */
#ifndef LPROF_TESTS_FILES_WRITTEN_H
#define LPROF_TESTS_FILES_WRITTEN_H

#include <stdio.h>

#include "output/output.h"

/* What the writer makes of a profile; the caller frees it. */
static inline char *file_written(
    int (*write)(const struct profile *, FILE *, const struct output_options *, struct failure *),
    const struct profile *profile, size_t *ret_size)
{
	struct output_options options = {0};
	struct failure failure = {0};
	char *text = NULL;
	FILE *stream = open_memstream(&text, ret_size);

	assert_int_equal(write(profile, stream, &options, &failure), 0);
	fclose(stream);
	return text;
}

#endif
