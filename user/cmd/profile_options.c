// SPDX-License-Identifier: GPL-2.0-or-later
// Parses the options of the commands that work on profile files.
#include "cmd/profile_options.h"

#include <getopt.h>
#include <string.h>

#include "cmd/cmd.h"

enum { LINES = 256, FUNCTIONS, TREE, ANNOTATE, SORT, JSON, COLOR, SHADOW };

static const struct option long_names[] = {
    {"lines", no_argument, NULL, LINES},
    {"functions", no_argument, NULL, FUNCTIONS},
    {"tree", no_argument, NULL, TREE},
    {"annotate", required_argument, NULL, ANNOTATE},
    {"sort", required_argument, NULL, SORT},
    {"unit", required_argument, NULL, 'u'},
    {"skip-zero", no_argument, NULL, 'z'},
    {"json", no_argument, NULL, JSON},
    {"color", required_argument, NULL, COLOR},
    {"output", required_argument, NULL, 'o'},
    {"shadow", required_argument, NULL, SHADOW},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char *long_name(int option)
{
	for (const struct option *name = long_names; name->name; name++)
		if (name->val == option)
			return name->name;
	return "";
}

static bool is_accepted(const char *accepted, int option)
{
	const char *name = long_name(option), *found = strstr(accepted, name);

	return option == 'h' || (found && strchr(" ", found[strlen(name)]));
}

/* What is wrong with an option's value, or NULL. */
static const char *take_option(struct profile_options *options, int option, const char *value)
{
	struct report_options *report = &options->report;

	switch (option) {
	case LINES:
		report->lines = true;
		return NULL;
	case FUNCTIONS:
		report->functions = true;
		return NULL;
	case TREE:
		report->tree = true;
		return NULL;
	case ANNOTATE:
		options->annotate = value;
		return *value ? NULL : "is no name of a file";
	case SORT:
		return report_parse_sort(value, &report->sort)
			   ? NULL
			   : "is no key to sort by; take cumulative, self, calls, name, file or "
			     "line";
	case 'u':
		return report_parse_unit(value, &report->unit)
			   ? NULL
			   : "is no unit; take ns, us, ms, s or seconds such as 1e-6";
	case 'z':
		report->skip_zero = true;
		return NULL;
	case JSON:
		options->json = true;
		return NULL;
	case COLOR:
		return report_parse_color(value, stdout, &report->color)
			   ? NULL
			   : "is not one of always, never, auto";
	case 'o':
		options->output = value;
		return NULL;
	case SHADOW:
		options->shadow = value;
		return NULL;
	}
	return "is unknown";
}

static int refuse_option(const struct profile_options *options, int option, const char *argument)
{
	if (option == ':')
		return cmd_misused(options->command, options->json, "%s: needs a value", argument);
	if (option != '?' && option < 256)
		return cmd_misused(options->command, options->json, "unknown option -%c", option);
	if (option != '?')
		return cmd_misused(
		    options->command, options->json, "unknown option --%s", long_name(option));
	if (optopt > 0 && optopt < 256)
		return cmd_misused(options->command, options->json, "unknown option -%c", optopt);
	return cmd_misused(options->command, options->json, "unknown option %s", argument);
}

/* True: go on. */
static bool parse_names(
    int argc, char **argv, const char *accepted, struct profile_options *options, int *ret_status)
{
	int option;

	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":u:zo:h", long_names, NULL)) != -1) {
		const char *wrong;

		if (option == ':' || option == '?' || !is_accepted(accepted, option)) {
			*ret_status = refuse_option(options, option, argv[optind - 1]);
			return false;
		}
		if (option == 'h') {
			cmd_help(options->command, stdout);
			*ret_status = STATUS_OK;
			return false;
		}
		wrong = take_option(options, option, optarg);
		if (wrong) {
			*ret_status =
			    cmd_misused(options->command, options->json, "'%s' %s", optarg, wrong);
			return false;
		}
	}
	return true;
}

bool profile_options_parse(int argc, char **argv, const char *accepted, int files_min,
    int files_max, struct profile_options *ret_options, int *ret_status)
{
	*ret_options =
	    (struct profile_options){.command = argv[0], .json = cmd_wants_json(argc, argv)};
	report_parse_color("auto", stdout, &ret_options->report.color);
	if (!parse_names(argc, argv, accepted, ret_options, ret_status))
		return false;
	ret_options->files = argv + optind;
	ret_options->file_count = argc - optind;
	if (ret_options->file_count < files_min)
		*ret_status = cmd_misused(argv[0], ret_options->json,
		    files_min == 1 ? "needs a profile" : "needs %d profiles", files_min);
	else if (ret_options->file_count > files_max)
		*ret_status = cmd_misused(argv[0], ret_options->json, "%s: too many files",
		    ret_options->files[files_max]);
	else
		return true;
	return false;
}
