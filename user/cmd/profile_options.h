/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of the commands that work on profile files: report, export, diff, merge. */
#ifndef LPROF_CMD_PROFILE_OPTIONS_H
#define LPROF_CMD_PROFILE_OPTIONS_H

#include "output/report.h"

struct profile_options {
	const char *command;
	struct report_options report;
	const char *output;   /* -o */
	const char *shadow;   /* --shadow */
	const char *annotate; /* --annotate */
	bool json;
	char **files; /* operands */
	int file_count;
};

/*
 * Parses argv of a command that takes the options named in `accepted`, their long names separated
 * by spaces, and at least `files_min`, at most `files_max` files. True: go on. False: *ret_status
 * is what to exit with, and everything was said.
 */
bool profile_options_parse(int argc, char **argv, const char *accepted, int files_min,
    int files_max, struct profile_options *ret_options, int *ret_status);

#endif
