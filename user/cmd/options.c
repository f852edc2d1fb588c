// SPDX-License-Identifier: GPL-2.0-or-later
// Parses the options of the commands that measure, from one table of them.
#include "cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "cmd/cmd.h"

#define CPU_HZ_DEFAULT 999
#define CPU_HZ_MAX     100000
#define MEASURE        (OPTIONS_RUN | OPTIONS_RECORD | OPTIONS_PLAN)
#define ALL            (MEASURE | OPTIONS_ADD)

/* What the parser carries from option to option. */
struct parser {
	const char *name; /* of the command */
	struct measure_options *options;
	double rate; /* for specs to come */
	bool rate_given;
};

/* Each handler gives 0 or a negative errno; `value` is NULL only where the option's may be left
 * out. */
static int take_spec(struct parser *parser, const char *value, bool lines)
{
	struct spec_request request = {.text = value, .lines = lines, .rate = parser->rate};

	return *value ? ARRAY_APPEND(&parser->options->specs, request) : -EINVAL;
}

static int take_functions(struct parser *parser, const char *value)
{
	return take_spec(parser, value, false);
}

static int take_lines(struct parser *parser, const char *value)
{
	return take_spec(parser, value, true);
}

static int take_cpu(struct parser *parser, const char *value)
{
	uint64_t hz = CPU_HZ_DEFAULT;
	int result = value ? parse_integer(value, 1, CPU_HZ_MAX, &hz) : 0;

	if (!result) {
		parser->options->cpu = true;
		parser->options->cpu_hz = hz;
	}
	return result;
}

static int take_off_cpu(struct parser *parser, const char *value)
{
	(void)value;
	parser->options->off_cpu = true;
	return 0;
}

static int take_rate(struct parser *parser, const char *value)
{
	int result = parse_rate(value, &parser->rate);

	if (!result && !parser->rate_given)
		ARRAY_FOREACH (spec, &parser->options->specs)
			spec->rate = parser->rate;
	parser->rate_given = parser->rate_given || !result;
	return result;
}

static int take_price(struct parser *parser, const char *value)
{
	(void)value;
	parser->options->price = true;
	return 0;
}

static int take_budget(struct parser *parser, const char *value)
{
	return parse_percent(value, &parser->options->budget_percent);
}

/* The place of `value` in a NULL-terminated list, or -EINVAL. */
static int find_word(const char *const *words, const char *value)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], value))
			return i;
	return -EINVAL;
}

static int take_exit(struct parser *parser, const char *value)
{
	static const char *const words[] = {[PLAN_EXIT_AUTO] = "auto",
	    [PLAN_EXIT_RETURN] = "return",
	    [PLAN_EXIT_SITES] = "sites",
	    NULL};
	int word = find_word(words, value);

	if (word < 0)
		return word;
	parser->options->exit = word;
	return 0;
}

static int take_attach(struct parser *parser, const char *value)
{
	static const char *const words[] = {[ATTACH_BEST] = "best",
	    [ATTACH_SESSION] = "session",
	    [ATTACH_MULTI] = "multi",
	    [ATTACH_PERF] = "perf",
	    NULL};
	int word = find_word(words, value);

	if (word < 0)
		return word;
	parser->options->method = word;
	return 0;
}

static int take_no_follow(struct parser *parser, const char *value)
{
	(void)value;
	parser->options->follow = false;
	return 0;
}

static int take_marked(struct parser *parser, const char *value)
{
	(void)value;
	parser->options->marked = true;
	return 0;
}

static int take_user(struct parser *parser, const char *value)
{
	parser->options->user = value;
	return *value ? 0 : -EINVAL;
}

static int take_output(struct parser *parser, const char *value)
{
	return *value ? ARRAY_APPEND(&parser->options->outputs, value) : -EINVAL;
}

static int take_pids(struct parser *parser, const char *value)
{
	return parse_pids(value, &parser->options->pids);
}

static int take_duration(struct parser *parser, const char *value)
{
	return parse_duration(value, &parser->options->duration_ns);
}

static int take_image(struct parser *parser, const char *value)
{
	parser->options->image = value;
	return *value ? 0 : -EINVAL;
}

static int take_json(struct parser *parser, const char *value)
{
	(void)value;
	parser->options->json = true;
	return 0;
}

static const struct measure_option {
	char letter;      /* 0: long only */
	const char *name; /* NULL: short only */
	int argument;     /* no_, required_ or optional_argument */
	unsigned commands;
	int (*take)(struct parser *parser, const char *value);
	const char *shown; /* as help shows it; NULL: hidden, for tests */
	const char *help;
	const char *wanted; /* what a refused value should have been */
} option_table[] = {
    {'f', "function", required_argument, ALL, take_functions, "-f SPEC",
	"time these functions: NAME, a glob, FILE.c:LINE or FILE.c:*,\nwith IMAGE: in front for a "
	"library",
	"a function's name, a glob, FILE.c:LINE or FILE.c:*"},
    {'l', "line", required_argument, ALL, take_lines, "-l SPEC",
	"time these functions and each of their lines",
	"a function's name, a glob, FILE.c:LINE or FILE.c:*"},
    {'p', "pid", required_argument, OPTIONS_RECORD | OPTIONS_PLAN | OPTIONS_ADD, take_pids,
	"-p PID[,PID...]", "of these running processes", "process ids with commas between them"},
    {'d', "duration", required_argument, OPTIONS_RECORD, take_duration, "-d DURATION",
	"stop after this time: 500ms, 10s, 5m, 1h", "a time such as 500ms, 10s, 5m or 1h"},
    {0, "image", required_argument, OPTIONS_ADD, take_image, "--image PATH",
	"of whoever runs this program or maps this library", "a path"},
    {0, "marked", no_argument, OPTIONS_ADD, take_marked, "--marked",
	"the lines of the functions that the program marks (lprof.h)", NULL},
    {0, "for", required_argument, OPTIONS_ADD, take_duration, "--for DURATION",
	"remove the probe after this time: 500ms, 10s, 5m, 1h",
	"a time such as 500ms, 10s, 5m or 1h"},
    {0, "cpu", optional_argument, ALL, take_cpu, "--cpu[=HZ]",
	"sample on-CPU time by function and line, HZ times a second\n(999); on where neither -f "
	"nor -l is given, but for `add`",
	"a frequency from 1 to 100000"},
    {0, "off-cpu", no_argument, ALL, take_off_cpu, "--off-cpu",
	"split times of -f and -l into on a CPU, waiting for one, and\nblocked", NULL},
    {0, "rate", required_argument, ALL, take_rate, "--rate R",
	"time this share of the calls, 0.0 to 1.0", "a share from 0.0 to 1.0"},
    {0, "budget", required_argument, ALL, take_budget, "--budget PERCENT",
	"the most that probes may cost, of one CPU; above it\nthe dearest stand for slices of time "
	"only",
	"a percentage above 0, such as 2"},
    {0, "price", no_argument, OPTIONS_PLAN, take_price, "--price",
	"attach for a second, and say what that costs the processes", NULL},
    {0, "exit", required_argument, ALL, take_exit, "--exit HOW",
	"see a function end by auto, return (return probes) or\nsites (each of its exits)",
	"auto, return or sites"},
    {0, "no-follow", no_argument, ALL, take_no_follow, "--no-follow",
	"leave out processes that a target forks", NULL},
    {0, "as", required_argument, OPTIONS_RUN, take_user, "--as USER",
	"run the command as this user", "a user's name"},
    {'o', "output", required_argument, OPTIONS_RUN | OPTIONS_RECORD | OPTIONS_ADD, take_output,
	"-o FILE",
	"write a file instead of printing; its extension picks the format:\n" CMD_EXTENSIONS,
	"a file name"},
    {0, "json", no_argument, ALL, take_json, "--json", "print results and errors as JSON", NULL},
    {0, "attach", required_argument, MEASURE, take_attach, NULL, NULL,
	"best, session, multi or perf"},
};

/* getopt's own tables, for the options that one command takes. */
struct getopt_tables {
	char letters[3 + 2 * ARRAY_SIZE(option_table) + 1];
	struct option names[ARRAY_SIZE(option_table) + 2];
	const char *words[ARRAY_SIZE(option_table)]; /* the names alone, for nearest matches */
	size_t word_count;
};

#define VALUE_LONG 256 /* getopt value of row i without a letter: VALUE_LONG + i */
#define VALUE_HELP 'h'

static void fill_tables(enum options_command command, struct getopt_tables *tables)
{
	char *letter = tables->letters;
	struct option *name = tables->names;

	*tables = (struct getopt_tables){0};
	if (command == OPTIONS_RUN)
		*letter++ = '+'; /* the command's own options are not ours */
	*letter++ = ':';
	*letter++ = VALUE_HELP;
	for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
		const struct measure_option *row = &option_table[i];

		if (!(row->commands & command))
			continue;
		if (row->letter) {
			*letter++ = row->letter;
			*letter++ = ':';
		}
		*name++ = (struct option){row->name, row->argument, NULL, VALUE_LONG + i};
		if (row->shown)
			tables->words[tables->word_count++] = row->name;
	}
	*name = (struct option){"help", no_argument, NULL, VALUE_HELP};
}

static const struct measure_option *find_row(int value)
{
	if (value >= VALUE_LONG)
		return &option_table[value - VALUE_LONG];
	for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
		if (option_table[i].letter == value)
			return &option_table[i];
	return NULL;
}

static int refuse_unknown(
    const struct parser *parser, const struct getopt_tables *tables, const char *argument)
{
	bool json = parser->options->json;
	const char *meant;

	if (optopt && optopt < VALUE_LONG)
		return cmd_misused(parser->name, json, "unknown option -%c", optopt);
	if (optopt) /* a long option without argument was given one */
		return cmd_misused(parser->name, json, "%s: takes no value", argument);
	meant = nearest_match(argument + 2, tables->words, tables->word_count);
	if (meant)
		return cmd_misused(
		    parser->name, json, "unknown option %s; did you mean --%s?", argument, meant);
	return cmd_misused(parser->name, json, "unknown option %s", argument);
}

static int refuse_value(
    const struct parser *parser, const struct measure_option *row, const char *value, int error)
{
	const char *shown = row->shown ? row->shown : "--attach HOW";
	bool json = parser->options->json;

	if (error == -ENOMEM)
		return cmd_misused(parser->name, json, "no memory for the options");
	return cmd_misused(parser->name, json, "%s: '%s' is %s; give %s", shown, value ? value : "",
	    error == -ERANGE ? "out of range" : "not understood", row->wanted);
}

/* Takes all options; 0 to go on, else 1 with *ret_status. */
static int take_options(
    struct parser *parser, enum options_command command, int argc, char **argv, int *ret_status)
{
	const struct measure_option *row;
	struct getopt_tables tables;
	int value, result;

	fill_tables(command, &tables);
	opterr = 0;
	optind = 0; /* GNU: start anew */
	while ((value = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1) {
		if (value == VALUE_HELP) {
			cmd_help(parser->name, stdout);
			*ret_status = STATUS_OK;
			return 1;
		}
		if (value == '?') {
			*ret_status = refuse_unknown(parser, &tables, argv[optind - 1]);
			return 1;
		}
		row = find_row(value == ':' ? optopt : value);
		if (value == ':') {
			*ret_status = cmd_misused(parser->name, parser->options->json,
			    "%s needs a value: %s", argv[optind - 1], row->wanted);
			return 1;
		}
		result = row->take(parser, optarg);
		if (result) {
			*ret_status = refuse_value(parser, row, optarg, result);
			return 1;
		}
	}
	return 0;
}

/* What must be there, and what must not be there together. */
static int check_operands(const struct parser *parser, enum options_command command)
{
	const struct measure_options *options = parser->options;
	bool json = options->json;

	if (command == OPTIONS_RUN && !options->operand_count)
		return cmd_misused(parser->name, json, "needs a command to run: lprof run -- CMD");
	if (command == OPTIONS_RECORD && !options->pids.count)
		return cmd_misused(parser->name, json, "needs processes: lprof record -p PID");
	if (command == OPTIONS_RECORD && options->operand_count)
		return cmd_misused(parser->name, json,
		    "takes no argument '%s'; lprof run starts commands", options->operands[0]);
	if (command == OPTIONS_ADD && !options->pids.count == !options->image)
		return cmd_misused(
		    parser->name, json, "needs processes (-p) or an image (--image), one of both");
	if (command == OPTIONS_ADD &&
	    !!options->specs.count + options->marked + (options->cpu && !options->specs.count) != 1)
		return cmd_misused(parser->name, json,
		    "needs functions (-f, -l), those that the program marks (--marked), or --cpu; "
		    "of these only -f and -l go with --cpu");
	if (command == OPTIONS_ADD && options->off_cpu && !options->specs.count && !options->marked)
		return cmd_misused(parser->name, json,
		    "--off-cpu splits the times of functions: name some (-f, -l, --marked)");
	if (command == OPTIONS_ADD && options->operand_count)
		return cmd_misused(
		    parser->name, json, "takes no argument '%s'", options->operands[0]);
	if (command == OPTIONS_PLAN && !options->pids.count && !options->operand_count)
		return cmd_misused(
		    parser->name, json, "needs an image or a process: lprof plan IMAGE");
	if (command == OPTIONS_PLAN && options->operand_count > 1)
		return cmd_misused(
		    parser->name, json, "takes one image, not also '%s'", options->operands[1]);
	return STATUS_OK;
}

static const char *command_name(enum options_command command)
{
	return command == OPTIONS_RUN      ? "run"
	       : command == OPTIONS_RECORD ? "record"
	       : command == OPTIONS_ADD    ? "add"
					   : "plan";
}

bool measure_options_parse(enum options_command command, int argc, char **argv,
    struct measure_options *ret_options, int *ret_status)
{
	struct parser parser = {.name = command_name(command), .options = ret_options, .rate = 1.0};

	*ret_options = (struct measure_options){
	    .cpu_hz = CPU_HZ_DEFAULT,
	    .follow = true,
	    .json = command != OPTIONS_RUN && cmd_wants_json(argc, argv),
	};
	if (take_options(&parser, command, argc, argv, ret_status))
		return false;
	ret_options->operands = argv + optind;
	ret_options->operand_count = argc - optind;
	*ret_status = check_operands(&parser, command);
	return *ret_status == STATUS_OK;
}

void measure_options_fini(struct measure_options *options)
{
	ARRAY_FREE(&options->specs);
	ARRAY_FREE(&options->outputs);
	ARRAY_FREE(&options->pids);
}

struct target_request measure_options_request(const struct measure_options *options)
{
	return (struct target_request){
	    .specs = options->specs.items,
	    .spec_count = options->specs.count,
	    .exit = options->exit,
	};
}

void measure_options_help(enum options_command command, FILE *stream)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
		const struct measure_option *row = &option_table[i];
		const char *line = row->help;

		if (!(row->commands & command) || !row->shown)
			continue;
		fprintf(stream, "  %-17s ", row->shown);
		for (; strchr(line, '\n'); line = strchr(line, '\n') + 1)
			fprintf(stream, "%.*s\n%20s", (int)strcspn(line, "\n"), line, "");
		fprintf(stream, "%s\n", line);
	}
}
