// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof export`: converts a profile to the format of the output's extension.
#include "cmd/cmd.h"

#include "cmd/profile_options.h"
#include "input/input.h"
#include "output/output.h"

static int convert(const struct profile_options *options, struct failure *failure)
{
	struct output_options output = {.shadow = options->shadow};
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	int error;

	if (!output_format_for(options->output, failure))
		return -EINVAL;
	error = input_read(options->files[0], &profile, failure);
	return error ? error : output_write(profile, options->output, &output, failure);
}

int cmd_export(int argc, char **argv)
{
	struct profile_options options;
	struct failure failure = {0};
	int status;

	if (!profile_options_parse(argc, argv, "output shadow json", 1, 1, &options, &status))
		return status;
	if (!options.output)
		return cmd_misused(argv[0], options.json, "needs a file to write: -o OUT");
	if (options.shadow && !string_ends(options.output, ".lprof"))
		return cmd_misused(argv[0], options.json, "--shadow is for .lprof files");
	return convert(&options, &failure) ? cmd_failed(argv[0], options.json, &failure)
					   : STATUS_OK;
}
