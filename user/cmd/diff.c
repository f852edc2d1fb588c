// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof diff`: compares two profiles.
#include "cmd/cmd.h"

#include "cmd/profile_options.h"
#include "input/input.h"
#include "output/diff.h"

static int compare(const struct profile_options *options, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *base = NULL, *new = NULL;
	struct profile_diff diff;
	int error = input_read(options->files[0], &base, failure);

	error = error ? error : input_read(options->files[1], &new, failure);
	if (error)
		return error;
	if (profile_diff(base, new, &diff))
		return failure_set(failure, ENOMEM, "no memory to compare %s and %s",
		    options->files[0], options->files[1]);
	if (options->json)
		diff_print_json(&diff, stdout);
	else
		diff_print(&diff, base, new, stdout, &options->report);
	profile_diff_fini(&diff);
	return 0;
}

int cmd_diff(int argc, char **argv)
{
	struct profile_options options;
	struct failure failure = {0};
	int status;

	if (!profile_options_parse(argc, argv, "unit json color", 2, 2, &options, &status))
		return status;
	return compare(&options, &failure) ? cmd_failed(argv[0], options.json, &failure)
					   : STATUS_OK;
}
