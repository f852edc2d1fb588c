// SPDX-License-Identifier: GPL-2.0-or-later
// The program lprofd: its command line.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/parse.h"
#include "control/daemon.h"
#include "control/journal.h"

#define STATUS_MISUSED 2

static void print_usage(FILE *stream)
{
	fputs(
	    "usage: lprofd [OPTION...]\n\n"
	    "Keeps probes of running programs, for `lprof add` and Prometheus.\n\n"
	    "Options:\n"
	    "  --config FILE          instead of " CONFIG_PATH "\n"
	    "  --probes DIR           instead of " CONFIG_PROBES "\n"
	    "  --state DIR            instead of /var/lib/lprofd\n"
	    "  --socket PATH          instead of the configured control socket\n"
	    "  --pins DIR             instead of the configured directory in the BPF file system\n"
	    "  --metrics-port PORT    instead of the configured one; 0: none\n"
	    "  --purge                remove all that lprofd left: pins, probes and state\n"
	    "  --version              print the version\n",
	    stream);
}

static int misused(const char *sentence, const char *value)
{
	log_error("%s%s (see lprofd --help)", sentence, value);
	return STATUS_MISUSED;
}

enum {
	OPTION_CONFIG = 1,
	OPTION_PROBES,
	OPTION_STATE,
	OPTION_SOCKET,
	OPTION_PINS,
	OPTION_PORT,
	OPTION_PURGE,
	OPTION_VERSION,
	OPTION_HELP
};

static const struct option names[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"probes", required_argument, NULL, OPTION_PROBES},
    {"state", required_argument, NULL, OPTION_STATE},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"pins", required_argument, NULL, OPTION_PINS},
    {"metrics-port", required_argument, NULL, OPTION_PORT},
    {"purge", no_argument, NULL, OPTION_PURGE},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* Takes one option; -1: go on, else the status to exit with. */
static int take(int option, struct daemon_options *options, bool *purge)
{
	uint64_t port;

	switch (option) {
	case OPTION_CONFIG:
		options->config = optarg;
		return -1;
	case OPTION_PROBES:
		options->probes = optarg;
		return -1;
	case OPTION_STATE:
		options->state_directory = optarg;
		return -1;
	case OPTION_SOCKET:
		options->socket = optarg;
		return -1;
	case OPTION_PINS:
		options->pins = optarg;
		return -1;
	case OPTION_PORT:
		if (parse_integer(optarg, 0, 65535, &port))
			return misused("--metrics-port: not a port: ", optarg);
		options->metrics_port = (int)port;
		return -1;
	case OPTION_PURGE:
		*purge = true;
		return -1;
	case OPTION_VERSION:
		puts("lprofd " LPROF_VERSION);
		return 0;
	case OPTION_HELP:
		print_usage(stdout);
		return 0;
	default:
		return STATUS_MISUSED; /* getopt has said why */
	}
}

int main(int argc, char **argv)
{
	struct daemon_options options = {.metrics_port = -1};
	bool purge = false;
	int option;

	log_init("lprofd", LOG_LEVEL_NOTE);
	journal_open();
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		int status = take(option, &options, &purge);

		if (status >= 0)
			return status;
	}
	if (optind < argc)
		return misused("takes no argument ", argv[optind]);
	return purge ? daemon_purge(&options) : daemon_run(&options);
}
