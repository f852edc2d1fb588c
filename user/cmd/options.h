/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of the commands that measure, parsed once for all of them: run, record, plan, add. */
#ifndef LPROF_CMD_OPTIONS_H
#define LPROF_CMD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/array.h"
#include "base/parse.h"
#include "collect/engine.h"
#include "target/plan.h"
#include "target/selection.h"
#include "target/target_plan.h"

/* Which command is asked for: each takes some of the options (see the table in options.c). */
enum options_command {
	OPTIONS_RUN = 1 << 0,
	OPTIONS_RECORD = 1 << 1,
	OPTIONS_PLAN = 1 << 2,
	OPTIONS_ADD = 1 << 3,
};

struct measure_options {
	ARRAY(struct spec_request) specs; /* -f and -l in order; texts point into argv */
	bool cpu;                         /* --cpu */
	bool off_cpu;                     /* --off-cpu */
	uint32_t cpu_hz;                  /* 999 unless given */
	double budget_percent;            /* of one CPU; 0: none given */
	enum plan_exit exit;
	bool follow;                 /* false after --no-follow */
	const char *user;            /* --as, NULL: ours */
	ARRAY(const char *) outputs; /* -o in order */
	pid_array pids;              /* -p, each once */
	uint64_t duration_ns;        /* -d, --for; 0: until the targets end */
	const char *image;           /* --image */
	bool marked;                 /* --marked, for lprofd: a request without specs is of marks */
	enum attach_method method;   /* --attach, for tests */
	bool price;                  /* --price */
	bool json;
	char **operands; /* run: the command and its arguments; plan: the image, if any. NULL behind
			    them */
	int operand_count;
};

/*
 * Parses argv of `command`. True: go on. False: *ret_status is what to exit with, and everything
 * was said (misuse on stderr, or help on stdout). A spec's rate is that of the last --rate before
 * it, or of the first one if none is before it; 1 without any. Also checks that record has a -p,
 * and run a command. `ret_options` is set in both cases; free it with measure_options_fini.
 */
bool measure_options_parse(enum options_command command, int argc, char **argv,
    struct measure_options *ret_options, int *ret_status);
void measure_options_fini(struct measure_options *options);

/* What is to be planned; borrows from the options. */
struct target_request measure_options_request(const struct measure_options *options);

/* The lines on the options that `command` takes, for its help. */
void measure_options_help(enum options_command command, FILE *stream);

#endif
