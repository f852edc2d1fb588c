/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What fuzzers do with a profile that a reader accepted: everything that lprof would do. */
#ifndef LPROF_TESTS_PROFILE_EXERCISE_H
#define LPROF_TESTS_PROFILE_EXERCISE_H

#include <stdlib.h>
#include <string.h>

#include "input/input.h"
#include "model/profile_diff.h"
#include "model/profile_merge.h"
#include "output/diff.h"
#include "output/output.h"
#include "output/report.h"

static inline char *exercise_write(
    const struct output_format *format, const struct profile *profile, size_t *ret_size)
{
	static const struct output_options options;
	struct failure failure = {0};
	char *text = NULL;
	FILE *stream = open_memstream(&text, ret_size);

	if (!stream || format->write(profile, stream, &options, &failure) || fclose(stream))
		abort();
	return text;
}

/* Writes every format; what can be read back must be the same profile. */
static inline void exercise_files(const struct profile *profile)
{
	char *native = NULL;
	size_t native_size = 0;

	for (const struct output_format *format = output_formats; format->extension; format++)
		if (!strcmp(format->extension, ".json"))
			native = exercise_write(format, profile, &native_size);
	for (const struct output_format *format = output_formats; format->extension; format++) {
		CLEANUP(profile_free_p) struct profile *again = NULL;
		struct failure failure = {0};
		size_t size, again_size;
		char *text = exercise_write(format, profile, &size), *same;

		if ((!strcmp(format->extension, ".prof") || !strcmp(format->extension, ".pb.gz")) &&
		    input_read_bytes("again", text, size, &again, &failure))
			abort();
		if (!strcmp(format->extension, ".json") || !strcmp(format->extension, ".lprof")) {
			if (input_read_bytes("again", text, size, &again, &failure))
				abort();
			same = exercise_write(&output_formats[1], again, &again_size);
			if (again_size != native_size || memcmp(same, native, native_size))
				abort();
			free(same);
		}
		free(text);
	}
	free(native);
}

static inline void exercise_profile(struct profile *profile)
{
	CLEANUP(profile_free_p) struct profile *sum = profile_new();
	struct failure failure = {0};
	struct profile_diff diff;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!sum || !stream)
		abort();
	exercise_files(profile);
	if (profile_merge(sum, profile) || profile_merge(sum, profile) ||
	    profile_diff(sum, profile, &diff))
		abort();
	exercise_files(sum);
	diff_print(&diff, sum, profile, stream, &(struct report_options){.color = true});
	diff_print_json(&diff, stream);
	profile_diff_fini(&diff);
	for (int sort = REPORT_SORT_CUMULATIVE; sort <= REPORT_SORT_STANDARD; sort++)
		report_print(
		    profile, stream, &(struct report_options){.functions = true, .sort = sort});
	report_print(profile, stream, &(struct report_options){.tree = true, .color = true});
	ARRAY_FOREACH (function, &profile->functions)
		report_annotate(profile, function->file, stream,
		    &(struct report_options){.color = true}, &failure);
	fclose(stream);
	free(text);
}

/* Feeds a reader, and does all of it with what that accepted. */
static inline void exercise_reader(
    int (*read)(const char *, const char *, size_t, struct profile **, struct failure *),
    const uint8_t *bytes, size_t size)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	struct failure failure = {0};

	if (!read("fuzz", (const char *)bytes, size, &profile, &failure))
		exercise_profile(profile);
	else if (!failure.text[0] || profile)
		abort();
}

#endif
