// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof merge`: adds profiles up.
#include "cmd/cmd.h"

#include "cmd/profile_options.h"
#include "input/input.h"
#include "model/profile_merge.h"
#include "output/output.h"

static int merge_files(const struct profile_options *options, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *sum = NULL;
	int error;

	if (!output_format_for(options->output, failure))
		return -EINVAL;
	error = input_read(options->files[0], &sum, failure);
	for (int i = 1; i < options->file_count && !error; i++) {
		CLEANUP(profile_free_p) struct profile *more = NULL;

		error = input_read(options->files[i], &more, failure);
		if (!error && profile_merge(sum, more))
			error = failure_set(
			    failure, ENOMEM, "%s: no memory to add it", options->files[i]);
	}
	return error ? error : output_write(sum, options->output, NULL, failure);
}

int cmd_merge(int argc, char **argv)
{
	struct profile_options options;
	struct failure failure = {0};
	int status;

	if (!profile_options_parse(argc, argv, "output json", 1, argc, &options, &status))
		return status;
	if (!options.output)
		return cmd_misused(argv[0], options.json, "needs a file to write: -o OUT");
	return merge_files(&options, &failure) ? cmd_failed(argv[0], options.json, &failure)
					       : STATUS_OK;
}
