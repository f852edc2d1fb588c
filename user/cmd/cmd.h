/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The border between main.c and the subcommands, each a file of its own: a function here, a row in
 * main.c's table, a text in help.c, a man page in docs/man/.
 *
 * argv[0] is the subcommand's name. A subcommand returns the exit status; it never exits, and need
 * not check stdout for errors (main.c does, at the end).
 */
#ifndef LPROF_CMD_CMD_H
#define LPROF_CMD_CMD_H

#include <stdbool.h>
#include <stdio.h>

#include "base/failure.h"

enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_MISUSED = 2,
	/* Of `run`, as of env(1) and timeout(1); other statuses are the command's own. */
	STATUS_RUN_FAILED = 125,         /* lprof itself failed, or was misused */
	STATUS_RUN_NOT_EXECUTABLE = 126, /* the command was found and could not be started */
	STATUS_RUN_NOT_FOUND = 127,
};

/* Those of output.h, as help lists them; tests/checks/check-manual holds them to be. */
#define CMD_EXTENSIONS                                                                    \
	".lprof .json .html .txt .prof .pstat .pb.gz .callgrind callgrind.out.* .folded " \
	".speedscope.json"

int cmd_run(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_add(int argc, char **argv);
int cmd_remove(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_rate(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_collect(int argc, char **argv);
int cmd_top(int argc, char **argv);

/*
 * Says on stderr, in one line, how `command` was misused and where help is; with `json` as
 * {"error": SENTENCE, "code": "EINVAL", "command": NAME}. Returns the status to exit with:
 * STATUS_MISUSED, STATUS_RUN_FAILED for run.
 */
int cmd_misused(const char *command, bool json, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Likewise for what failed; returns STATUS_FAILED, STATUS_RUN_FAILED for run. */
int cmd_failed(const char *command, bool json, const struct failure *failure);

/* Whether --json stands among the arguments before "--": so that errors before it are JSON too. */
bool cmd_wants_json(int argc, char **argv);

/* The page of `lprof COMMAND --help`; the command must be one that help.c knows. */
void cmd_help(const char *command, FILE *stream);

/* The line about a command in `lprof --help`; NULL: help.c does not know it. */
const char *cmd_summary(const char *command);

#endif
