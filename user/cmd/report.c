// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof report`: prints profiles.
#include "cmd/cmd.h"

#include "cmd/profile_options.h"
#include "input/input.h"
#include "output/output.h"

static bool has_parts(const struct report_options *report)
{
	return report->lines || report->functions || report->tree;
}

static int print_file(
    const char *path, const struct profile_options *options, struct failure *failure)
{
	static const struct output_options json_options;
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	int error = input_read(path, &profile, failure);

	if (error)
		return error;
	if (options->json)
		return output_write_json(profile, stdout, &json_options, failure);
	if (options->file_count > 1)
		printf("==> %s <==\n\n", path);
	if (options->annotate) {
		error =
		    report_annotate(profile, options->annotate, stdout, &options->report, failure);
		if (error || !has_parts(&options->report))
			return error;
	}
	error = report_print(profile, stdout, &options->report);
	return error ? failure_set(failure, -error, "%s: no memory to print it", path) : 0;
}

int cmd_report(int argc, char **argv)
{
	struct profile_options options;
	int status;

	if (!profile_options_parse(argc, argv,
		"lines functions tree annotate sort unit skip-zero json color", 1, argc, &options,
		&status))
		return status;
	status = STATUS_OK;
	for (int i = 0; i < options.file_count; i++) {
		struct failure failure = {0};

		if (print_file(options.files[i], &options, &failure))
			status = cmd_failed(argv[0], options.json, &failure);
	}
	return status;
}
