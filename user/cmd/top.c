// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof top`: shows lprofd's functions and lines, live.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/parse.h"
#include "cmd/cmd.h"
#include "cmd/control_call.h"
#include "cmd/top_screen.h"
#include "control/client.h"

#define INTERVAL_MIN_NS 100000000u /* what Watch takes */
#define INTERVAL_MAX_NS 3600000000000u
#define BATCH_WIDTH     200

struct top_options {
	uint64_t interval_ns;
	uint64_t count; /* of intervals, 0: until it is ended */
	bool batch, json;
	enum top_mode mode;
	enum live_column sort;
};

struct top {
	struct top_options options;
	struct top_view view;
	struct client_watch *watch; /* NULL: lprofd does not answer */
	bool with_lines;            /* asked of `watch` */
	uint64_t shown;             /* intervals */
};

/* ---- Options ---- */

enum { OPTION_LINES = 256, OPTION_SORT, OPTION_JSON };

static const struct option long_names[] = {
    {"delay", required_argument, NULL, 'd'},
    {"count", required_argument, NULL, 'n'},
    {"batch", no_argument, NULL, 'b'},
    {"lines", no_argument, NULL, OPTION_LINES},
    {"sort", required_argument, NULL, OPTION_SORT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* What is wrong with an option's value, or NULL. */
static const char *take_option(struct top_options *options, int option, const char *value)
{
	switch (option) {
	case 'd':
		if (parse_duration(value, &options->interval_ns) ||
		    options->interval_ns < INTERVAL_MIN_NS ||
		    options->interval_ns > INTERVAL_MAX_NS)
			return "is not an interval; give a time from 100ms to 1h";
		return NULL;
	case 'n':
		return parse_integer(value, 1, UINT32_MAX, &options->count)
			   ? "is not how often; give a number from 1 on"
			   : NULL;
	case OPTION_SORT:
		return top_parse_column(value, &options->sort) ? NULL : "is no column to sort by";
	case 'b':
		options->batch = true;
		return NULL;
	case OPTION_LINES:
		options->mode = TOP_LINES;
		return NULL;
	default:
		options->json = options->batch = true;
		return NULL;
	}
}

/* True: go on; else *ret_status. */
static bool parse_options(int argc, char **argv, struct top_options *options, int *ret_status)
{
	bool json = cmd_wants_json(argc, argv);
	int option;

	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":hd:n:b", long_names, NULL)) != -1) {
		const char *wrong;

		*ret_status = STATUS_OK;
		if (option == 'h') {
			cmd_help(argv[0], stdout);
			return false;
		}
		if (option == ':' || option == '?') {
			*ret_status = cmd_misused(argv[0], json,
			    option == ':' ? "%s needs a value" : "unknown option %s",
			    argv[optind - 1]);
			return false;
		}
		wrong = take_option(options, option, optarg);
		if (wrong) {
			*ret_status = cmd_misused(argv[0], json, "'%s' %s%s%s", optarg, wrong,
			    option == OPTION_SORT ? "; take one of " : "",
			    option == OPTION_SORT ? top_column_keys : "");
			return false;
		}
	}
	if (optind == argc)
		return true;
	*ret_status = cmd_misused(argv[0], json, "takes no argument '%s'", argv[optind]);
	return false;
}

/* ---- Watching ---- */

static int watch_open(struct top *top, struct failure *failure)
{
	char parameters[100];

	client_watch_free(TAKE(top->watch));
	top->with_lines = top_view_wants_lines(&top->view);
	snprintf(parameters, sizeof(parameters), "{\"interval_ms\": %" PRIu64 ", \"lines\": %s}",
	    top->options.interval_ns / 1000000, top->with_lines ? "true" : "false");
	return client_watch_open(NULL, parameters, &top->watch, failure);
}

static void print_rows(const struct top_view *view)
{
	char line[TOP_LINE_MAX];
	struct top_columns columns;

	top_view_columns(view, BATCH_WIDTH, &columns);
	top_view_summary(view, line);
	printf("%s\n\n", line);
	top_view_headings(view, &columns, line);
	puts(line);
	for (size_t row = 0; row < view->rows.count; row++) {
		top_view_row(view, row, &columns, line);
		puts(line);
	}
	putchar('\n');
	fflush(stdout);
}

/* Takes one reply in, and shows it if it ends an interval. */
static int take_reply(struct top *top, struct json_object *reply, struct failure *failure)
{
	int error;

	if (top->view.paused)
		return 0;
	error = top_view_update(&top->view, reply, top->with_lines, failure);
	if (error || !top->view.live.interval_ns)
		return error;
	top->shown++;
	if (top->options.json)
		control_print_json(reply);
	else if (top->options.batch)
		print_rows(&top->view);
	return 0;
}

/* All replies that have come. */
static int take_replies(struct top *top, struct failure *failure)
{
	for (;;) {
		CLEANUP(json_document_put_p) struct json_object *reply = NULL;
		int got = client_watch_read(top->watch, &reply, failure);

		if (got == 1)
			got = take_reply(top, reply, failure);
		else if (!got)
			return 0;
		if (got < 0)
			return got;
	}
}

static bool is_over(const struct top *top)
{
	return top->options.count && top->shown >= top->options.count;
}

/* ---- The loop ---- */

/* SIGINT and the like are read, so that the terminal is always put back. */
static int open_signals(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGQUIT);
	sigaddset(&mask, SIGWINCH);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* False: it is to end. */
static bool take_signals(struct top *top, int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGWINCH)
			return false;
		if (!top->options.batch)
			top_screen_resize(&top->view);
	}
	return true;
}

/* On a screen an lprofd that ends is waited for; a batch fails. */
static int lose_watch(struct top *top, int error, struct failure *failure)
{
	if (top->options.batch)
		return error;
	client_watch_free(TAKE(top->watch));
	snprintf(top->view.message, sizeof(top->view.message), "%s", failure->text);
	failure_clear(failure);
	return 0;
}

static int take_input(struct top *top, struct failure *failure)
{
	int error = take_replies(top, failure);

	if (error)
		return lose_watch(top, error, failure);
	*top->view.message = '\0';
	return 0;
}

/* Another table may want other replies; one that was lost is tried again. */
static int renew_watch(struct top *top, struct failure *failure)
{
	int error;

	if (top->watch && top->with_lines == top_view_wants_lines(&top->view))
		return 0;
	error = watch_open(top, failure);
	return error ? lose_watch(top, error, failure) : 0;
}

enum { INPUT_SIGNALS, INPUT_KEYS, INPUT_WATCH, INPUTS };

/* 1: go on. */
static int turn(struct top *top, struct pollfd inputs[INPUTS], struct failure *failure)
{
	int error, timeout_ms = top->watch ? -1 : (int)(top->options.interval_ns / 1000000);

	inputs[INPUT_WATCH].fd = top->watch ? client_watch_descriptor(top->watch) : -1;
	for (int at = 0; at < INPUTS; at++)
		inputs[at].revents = 0;
	if (poll(inputs, INPUTS, timeout_ms) < 0 && errno != EINTR)
		return failure_set(failure, errno, "cannot wait: %s", strerror(errno));
	if (inputs[INPUT_SIGNALS].revents && !take_signals(top, inputs[INPUT_SIGNALS].fd))
		return 0;
	if (inputs[INPUT_KEYS].revents & (POLLHUP | POLLERR | POLLNVAL))
		return 0;
	if (inputs[INPUT_KEYS].revents && !top_screen_keys(&top->view))
		return 0;
	error = top->watch && inputs[INPUT_WATCH].revents ? take_input(top, failure) : 0;
	if (!error)
		error = renew_watch(top, failure);
	if (!error && !top->options.batch)
		top_screen_draw(&top->view);
	return error ? error : !is_over(top);
}

static int loop(struct top *top, int signals, struct failure *failure)
{
	struct pollfd inputs[INPUTS] = {[INPUT_SIGNALS] = {.fd = signals, .events = POLLIN},
	    [INPUT_KEYS] = {.fd = top->options.batch ? -1 : STDIN_FILENO, .events = POLLIN},
	    [INPUT_WATCH] = {.fd = -1, .events = POLLIN}};
	int result;

	do
		result = turn(top, inputs, failure);
	while (result == 1);
	return result;
}

static int show(struct top *top, struct failure *failure)
{
	CLEANUP_CLOSE int signals = -1;
	int error = watch_open(top, failure); /* a missing lprofd is said before the screen goes */

	if (error)
		return error;
	signals = open_signals();
	if (signals < 0)
		return failure_set(failure, errno, "cannot read signals: %s", strerror(errno));
	if (top->options.batch)
		(void)setlocale(LC_CTYPE, "C.UTF-8"); /* as all that lprof prints */
	else
		error = top_screen_open(failure);
	if (!error)
		error = loop(top, signals, failure);
	top_screen_close();
	return error;
}

int cmd_top(int argc, char **argv)
{
	struct top top = {.options = {.interval_ns = 1000000000, .sort = LIVE_COLUMN_COUNT}};
	struct failure failure = {0};
	int status, error;

	if (!parse_options(argc, argv, &top.options, &status))
		return status;
	top_view_init(&top.view, top.options.mode, top.options.sort);
	error = show(&top, &failure);
	client_watch_free(top.watch);
	top_view_fini(&top.view);
	return error ? cmd_failed(argv[0], top.options.json, &failure) : STATUS_OK;
}
