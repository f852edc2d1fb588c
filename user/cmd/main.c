// SPDX-License-Identifier: GPL-2.0-or-later
// The program lprof: finds the subcommand and ends with its status.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "base/nearest.h"
#include "cmd/cmd.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
    {"run", cmd_run},
    {"record", cmd_record},
    {"plan", cmd_plan},
    {"report", cmd_report},
    {"export", cmd_export},
    {"diff", cmd_diff},
    {"merge", cmd_merge},
    {"doctor", cmd_doctor},
    {"add", cmd_add},
    {"remove", cmd_remove},
    {"list", cmd_list},
    {"rate", cmd_rate},
    {"reset", cmd_reset},
    {"status", cmd_status},
    {"collect", cmd_collect},
    {"top", cmd_top},
    {"help", NULL},
};

static void print_usage(FILE *stream)
{
	fputs("usage: lprof COMMAND [ARGUMENT...]\n\n"
	      "Tells where a running native program spends its time: a row for each source line,\n"
	      "a row for each function, without recompiling, restarting or stopping it.\n\n"
	      "Commands:\n",
	    stream);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].run)
			fprintf(
			    stream, "  %-8s %s\n", commands[i].name, cmd_summary(commands[i].name));
	fputs("\n"
	      "Examples:\n"
	      "  lprof run -l parse_line -- ./server --once       time each line of parse_line()\n"
	      "  lprof record -p 1234 -d 10s -f 'http_*'          time functions of a running "
	      "process\n"
	      "  lprof plan -l parse_line ./server                see what that would cost, first\n"
	      "\n"
	      "lprof COMMAND --help tells more, lprof --version the version.\n",
	    stream);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].run && !strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int refuse_command(const char *name, int argc, char **argv)
{
	const char *names[ARRAY_SIZE(commands)], *meant;
	bool json = cmd_wants_json(argc, argv);

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i].name;
	meant = nearest_match(name, names, ARRAY_SIZE(names));
	if (meant)
		return cmd_misused(
		    "", json, "unknown command '%s'; did you mean '%s'?", name, meant);
	return cmd_misused("", json, "unknown command '%s'", name);
}

static bool is_help(const char *argument)
{
	return !strcmp(argument, "--help") || !strcmp(argument, "-h");
}

static int help(const char *name, int argc, char **argv)
{
	if (!name)
		print_usage(stdout);
	else if (find_command(name))
		cmd_help(name, stdout);
	else
		return refuse_command(name, argc, argv);
	return STATUS_OK;
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_usage(stderr);
		return STATUS_MISUSED;
	}
	if (is_help(argv[1]) || !strcmp(argv[1], "help"))
		return help(argc > 2 ? argv[2] : NULL, argc, argv);
	if (!strcmp(argv[1], "--version")) {
		puts("lprof " LPROF_VERSION);
		return STATUS_OK;
	}
	command = find_command(argv[1]);
	if (!command)
		return refuse_command(argv[1], argc, argv);
	if (argc > 2 && is_help(argv[2]))
		return help(argv[1], argc, argv);
	return command->run(argc - 1, argv + 1);
}

/* A descriptor that we were started without would be taken by the next file that is opened. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Results that did not reach stdout are a failure, whatever `command` says. */
static int finish_stdout(const char *command, int status)
{
	struct failure failure = {0};
	bool failed = ferror(stdout);
	int failed_status;

	errno = 0;
	if (fflush(stdout))
		failed = true;
	if (!failed || errno == EPIPE)
		return status;
	failure_set(&failure, errno ? errno : EIO,
	    "cannot write to stdout: %s; redirect it elsewhere", strerror(errno ? errno : EIO));
	failed_status = cmd_failed(command, false, &failure);
	return status == STATUS_OK ? failed_status : status;
}

int main(int argc, char **argv)
{
	open_standard_descriptors();
	log_init("lprof", LOG_LEVEL_NOTE);
	return finish_stdout(argc > 1 ? argv[1] : "", dispatch(argc, argv));
}
