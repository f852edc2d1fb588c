// SPDX-License-Identifier: GPL-2.0-or-later
// Decides what is pushed, when, and what becomes of it.
#include "control/push.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "control/json_document.h"
#include "control/push_names.h"
#include "control/push_protocol.h"
#include "control/push_spool.h"
#include "control/push_transfer.h"
#include "model/profile_delta.h"
#include "model/profile_merge.h"
#include "output/output.h"

#define SECOND_NS          1000000000ull
#define DELAY_FIRST_NS     SECOND_NS
#define DELAY_MAX_NS       (300 * SECOND_NS)
#define RETRY_AFTER_MAX_NS (3600 * SECOND_NS)
#define INTERVAL_MIN_NS    (SECOND_NS / 10)
#define SECRET_MAX         65536
#define SPOOL_NAME         "push"

struct push {
	struct push_options options;
	const struct push_protocol *protocol;
	push_labels labels;
	struct push_spool spool;
	struct spool_identity identity;
	struct profile *told;    /* the sum of what was put into the spool; NULL: not known */
	struct profile *pending; /* in `told`, and not in the spool yet */
	struct profile *before;  /* what was drained before a reset */
	struct push_transfer *transfer;
	struct push_message message; /* under way */
	uint64_t sending;            /* number of the profile in it, 0: none */
	unsigned failures;           /* in a row */
	sd_event_source *collect, *attempt;
	struct push_status status;
	struct failure problem; /* of the last attempt that failed */
	long problem_status;    /* HTTP's, 0: there was none */
	bool spool_refuses;     /* it was said that profiles cannot be put on disk */
};

static const char *text_of(const struct push *push, enum config_key key)
{
	const char *text = push->options.config->texts[key];

	return *text ? text : NULL;
}

/* A number from 0 to most. */
static uint64_t draw(uint64_t most)
{
	uint64_t random = 0;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return most ? random % (most + 1) : 0;
}

static void start_timer(sd_event_source *timer, uint64_t ns)
{
	sd_event_source_set_time_relative(timer, ns / 1000);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* ---- Into the spool ---- */

static int drain(const struct push *push, struct profile **ret_profile, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	int error = push->options.drain(push->options.context, &profile, failure);

	if (!error && push_names_settle(profile))
		error = failure_set(failure, ENOMEM, "out of memory");
	if (!error)
		*ret_profile = TAKE(profile);
	return error;
}

static int write_pprof(
    const struct profile *profile, struct memory_text *text, struct failure *failure)
{
	static const struct output_options plain;
	int error = memory_text_init(text);

	if (!error)
		error = output_write_pprof(profile, text->file, &plain, failure);
	if (!error)
		error = memory_text_end(text);
	return error ? failure_set(failure, -error, "cannot write a profile: %s", strerror(-error))
		     : 0;
}

/* Puts what is pending on disk. */
static int commit(struct push *push, struct failure *failure)
{
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	struct profile *pending = push->pending;
	int error = profile_delta_trim(pending) ? failure_set(failure, ENOMEM, "out of memory")
						: write_pprof(pending, &text, failure);
	const struct spool_item item = {
	    .from_ns = pending->started_ns,
	    .until_ns = pending->started_ns + (int64_t)pending->duration_ns,
	    .size = text.size,
	};

	if (!error)
		error = push_spool_add(
		    &push->spool, &item, text.text, push->told, &push->identity, failure);
	if (error)
		return error;
	profile_free(TAKE(push->pending));
	if (push->sending && !push_spool_has(&push->spool, push->sending)) {
		push_transfer_cancel(push->transfer); /* it was dropped: on with the next */
		push_message_fini(&push->message);
		push->sending = 0;
		start_timer(push->attempt, 0);
	}
	return 0;
}

/* What is told does not know processes: they are of the time of each profile. */
static int tell(struct push *push, struct profile *delta)
{
	__typeof__(delta->targets) targets = delta->targets;
	int error;

	memset(&delta->targets, 0, sizeof(delta->targets));
	error = profile_merge(push->told, delta);
	if (error)
		profile_free(TAKE(push->told)); /* is half of both */
	if (!error && push->pending)
		error = profile_merge(push->pending, delta);
	delta->targets = targets;
	return error;
}

/* Begins with what is counted now: of what was before nobody knows what was told. */
static int begin(struct push *push, const struct profile *now, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *nothing = profile_new();
	CLEANUP(profile_free_p) struct profile *told = NULL;
	int error = nothing ? profile_delta(nothing, now, &told) : -ENOMEM;

	if (error)
		return failure_set(failure, -error, "out of memory");
	told->targets.count = 0;
	error = push_spool_tell(&push->spool, told, &push->identity, failure);
	if (!error)
		push->told = TAKE(told);
	return error;
}

/* Puts what was counted since the last time into the spool. */
static int take(struct push *push, const struct profile *now, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *delta = NULL;
	int error;

	if (!push->told)
		return begin(push, now, failure);
	error = profile_delta(push->told, now, &delta);
	if (!error && !profile_delta_is_empty(delta)) {
		error = tell(push, delta);
		if (!error && !push->pending)
			push->pending = TAKE(delta);
	}
	if (error)
		return failure_set(
		    failure, -error, "cannot tell what was counted: %s", strerror(-error));
	return push->pending ? commit(push, failure) : 0;
}

/* Says once that the disk does not take them, and once that it does again. */
static void say_spooled(struct push *push, int error, const struct failure *failure)
{
	if (error && !push->spool_refuses)
		log_warning("%s; what is counted is pushed later", failure->text);
	else if (!error && push->spool_refuses)
		log_note("%s takes profiles again", push->spool.directory);
	push->spool_refuses = error;
}

static void attempt(struct push *push);

static int drain_and_take(struct push *push, struct profile **ret_now, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *now = NULL;
	struct failure why = {0};
	int error = drain(push, &now, &why);

	if (!error)
		error = take(push, now, &why);
	say_spooled(push, error, &why);
	if (error && failure)
		*failure = why;
	*ret_now = TAKE(now);
	return error;
}

static int on_collect(sd_event_source *source, uint64_t now, void *context)
{
	CLEANUP(profile_free_p) struct profile *drained = NULL;
	struct push *push = context;

	(void)now;
	(void)drain_and_take(push, &drained, NULL);
	if (!push->failures)
		attempt(push);
	start_timer(source, push->options.config->numbers[CONFIG_push_interval]);
	return 0;
}

void push_before_reset(struct push *push)
{
	if (!push)
		return;
	profile_free(TAKE(push->before));
	(void)drain_and_take(push, &push->before, NULL);
}

void push_after_reset(struct push *push)
{
	CLEANUP(profile_free_p) struct profile *after = NULL;
	struct failure failure = {0};
	int error = 0;

	if (!push || !push->told)
		return;
	error = drain(push, &after, &failure);
	if (!error && (push->before ? profile_delta_forget(&push->told, push->before, after)
				    : profile_delta_correct(&push->told, after)))
		error = failure_set(&failure, ENOMEM, "out of memory");
	if (!error && !push->pending) /* which is in it, and not on disk */
		error = push_spool_tell(&push->spool, push->told, &push->identity, &failure);
	if (error)
		log_warning(
		    "%s: what is counted after the reset may be pushed later", failure.text);
	profile_free(TAKE(push->before));
}

int push_finish(struct push *push, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *drained = NULL;

	return push ? drain_and_take(push, &drained, failure) : 0;
}

/* ---- To the store ---- */

static void describe_time(int64_t ns, char *text, size_t size)
{
	const time_t seconds = (time_t)(ns / (int64_t)SECOND_NS);
	struct tm calendar;

	gmtime_r(&seconds, &calendar);
	strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &calendar);
}

/* Twice as long each time, and anything from half of that on. */
static uint64_t delay_of(unsigned failures, uint64_t retry_after_ns)
{
	const unsigned doublings = failures < 16 ? failures - 1 : 15;
	uint64_t delay = DELAY_FIRST_NS << doublings;

	if (delay > DELAY_MAX_NS)
		delay = DELAY_MAX_NS;
	if (retry_after_ns > RETRY_AFTER_MAX_NS)
		retry_after_ns = RETRY_AFTER_MAX_NS;
	delay = delay / 2 + draw(delay / 2);
	return delay > retry_after_ns ? delay : retry_after_ns + draw(delay / 2);
}

/* Whether two sentences differ in numbers at most: libcurl tells how many ms it waited. */
static bool is_same(const char *a, const char *b)
{
	static const char digits[] = "0123456789";

	for (;;) {
		a += strspn(a, digits);
		b += strspn(b, digits);
		if (*a != *b || !*a)
			return *a == *b;
		a++;
		b++;
	}
}

static void try_later(
    struct push *push, const struct failure *why, long status, uint64_t retry_after_ns)
{
	const bool is_new = !push->failures || status != push->problem_status ||
			    !is_same(push->problem.text, why->text);
	uint64_t delay;

	push->failures++;
	push->status.failed++;
	push->problem = *why;
	push->problem_status = status;
	delay = delay_of(push->failures, retry_after_ns);
	start_timer(push->attempt, delay);
	if (is_new)
		log_warning("cannot push to %s: %s; trying again in %.1f s, %zu profiles wait",
		    push->status.url, why->text, (double)delay / SECOND_NS,
		    push->spool.items.count);
}

static void drop(struct push *push, uint64_t number, const struct failure *why)
{
	char when[32] = "?";

	ARRAY_FOREACH (item, &push->spool.items)
		if (item->number == number)
			describe_time(item->from_ns, when, sizeof(when));
	push->status.dropped++;
	log_warning("dropped the profile of %s: %s", when, why->text);
	push_spool_remove(&push->spool, number);
}

/* "401 (unauthorized: no such token)": the answer's beginning is foreign. */
static void describe_answer(const struct push_result *result, struct failure *why)
{
	const int length = (int)strcspn(result->answer, "\r\n");

	if (result->error)
		failure_set(why, EIO, "%s", result->error);
	else if (result->status >= 200 && result->status < 300)
		failure_set(why, EIO, "it answers with a page, as no profile store does");
	else if (result->status >= 300 && result->status < 400)
		failure_set(
		    why, EIO, "it answers %ld, redirecting, which is not followed", result->status);
	else if (length && !result->is_page)
		failure_set(
		    why, EIO, "it answers %ld (%.*s)", result->status, length, result->answer);
	else
		failure_set(why, EIO, "it answers %ld", result->status);
}

/* It says that this profile will never do. What is wrong otherwise may be mended. */
static bool is_refusal(long status)
{
	return status == 400 || status == 413 || status == 422;
}

static void accept(struct push *push, uint64_t number)
{
	if (push->failures)
		log_note("pushes to %s again, after %u failures", push->status.url, push->failures);
	push->failures = 0;
	push->status.pushed++;
	push->status.pushed_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	push_spool_remove(&push->spool, number);
}

static void on_done(void *context, const struct push_result *result)
{
	struct push *push = context;
	const uint64_t number = push->sending;
	struct failure why = {0};

	push->sending = 0;
	push_message_fini(&push->message);
	if (!result->error && result->status >= 200 && result->status < 300 && !result->is_page) {
		accept(push, number);
	} else {
		describe_answer(result, &why);
		if (result->error || !is_refusal(result->status)) {
			try_later(push, &why, result->status, result->retry_after_ns);
			return;
		}
		push->failures = 0;
		drop(push, number, &why);
	}
	/* The next one at the loop's next turn: who has many to send does nothing else meanwhile.
	 */
	start_timer(push->attempt, 0);
}

/* Credentials, which others must not be able to read. They are read each time: they change. */
static int read_secret(
    const char *key, const char *path, char **ret_secret, struct failure *failure)
{
	CLEANUP_FREE char *text = NULL;
	struct stat status;
	size_t size, end;
	int error;

	if (stat(path, &status) == 0 && status.st_mode & S_IRWXO)
		return failure_set(failure, EPERM,
		    "%s: everybody may read or write %s: chmod o= it, and change what is in it",
		    key, path);
	error = file_read(path, SECRET_MAX, &text, &size, failure);
	if (error)
		return error;
	end = size;
	while (end && isspace((unsigned char)text[end - 1]))
		end--;
	text[end] = '\0';
	for (size_t at = 0; at < end; at++)
		if (iscntrl((unsigned char)text[at]))
			return failure_set(failure, EINVAL, "%s: %s is not one line", key, path);
	if (!end)
		return failure_set(failure, EINVAL, "%s: %s is empty", key, path);
	*ret_secret = TAKE(text);
	return 0;
}

static void wipe(char *const *secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
}

static int start_sending(struct push *push, struct failure *failure)
{
	const char *token_file = text_of(push, CONFIG_push_token_file);
	const char *password_file = text_of(push, CONFIG_push_password_file);
	char *token CLEANUP(wipe) = NULL;
	char *password CLEANUP(wipe) = NULL;
	struct push_request request = {
	    .url = push->message.url,
	    .content_type = push->message.content_type,
	    .body = push->message.body,
	    .size = push->message.size,
	    .ca_file = text_of(push, CONFIG_push_ca_file),
	    .timeout_ns = push->options.config->numbers[CONFIG_push_timeout],
	};
	int error = 0;

	if (token_file)
		error = read_secret("push_token_file", token_file, &token, failure);
	if (!error && password_file)
		error = read_secret("push_password_file", password_file, &password, failure);
	request.token = token;
	request.password = password;
	return error ? error
		     : push_transfer_start(push->transfer, &request, on_done, push, failure);
}

static int read_message(struct push *push, const struct spool_item *item, struct failure *failure)
{
	char *data;
	size_t size;
	int error = push_spool_read(&push->spool, item, &data, &size, failure);

	if (error)
		return error;
	if (push_message_make(push->protocol, push->status.url, &push->labels, item->from_ns,
		item->until_ns, data, size, &push->message)) {
		push_message_fini(&push->message);
		return failure_set(failure, ENOMEM, "out of memory");
	}
	return 0;
}

/* It may well be read another time. */
static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* Sends the oldest, unless one is under way. */
static void attempt(struct push *push)
{
	const struct spool_item *item = push->spool.items.items;
	struct failure failure = {0};
	int error;

	if (push->sending || !push->spool.items.count)
		return;
	error = read_message(push, item, &failure);
	if (error && !is_shortage(error)) {
		drop(push, item->number, &failure);
		start_timer(push->attempt, 0);
		return;
	}
	if (!error)
		error = start_sending(push, &failure);
	if (!error) {
		push->sending = item->number;
		return;
	}
	push_message_fini(&push->message);
	try_later(push, &failure, 0, 0);
}

static int on_attempt(sd_event_source *source, uint64_t now, void *context)
{
	(void)source;
	(void)now;
	attempt(context);
	return 0;
}

/* ---- Begin and end ---- */

void push_get_status(const struct push *push, struct push_status *ret_status)
{
	uint64_t next = 0, now = clock_ns(CLOCK_MONOTONIC);
	int waits = SD_EVENT_OFF;

	*ret_status = push->status;
	ret_status->store = push_protocol_name(push->protocol);
	ret_status->spooled = push->spool.items.count;
	ret_status->spool_bytes = push->spool.bytes;
	ret_status->spool_limit = push->spool.limit;
	ret_status->dropped += push->spool.dropped;
	ret_status->problem = push->failures        ? push->problem.text
			      : push->spool_refuses ? "profiles cannot be put on disk"
						    : NULL;
	if (push->failures && sd_event_source_get_enabled(push->attempt, &waits) >= 0 &&
	    waits != SD_EVENT_OFF && sd_event_source_get_time(push->attempt, &next) >= 0 &&
	    next * 1000 > now)
		ret_status->next_ns = next * 1000 - now;
}

static int check_config(struct push *push, struct failure *failure)
{
	const struct config *config = push->options.config;
	const char *url = config->texts[CONFIG_push_url];

	push->status.url = url;
	push->protocol = push_protocol_of(url, failure);
	if (!push->protocol)
		return -EINVAL;
	if (config->numbers[CONFIG_push_interval] < INTERVAL_MIN_NS)
		return failure_set(failure, EINVAL, "push_interval: is less than 100ms");
	if (config->numbers[CONFIG_push_timeout] < INTERVAL_MIN_NS)
		return failure_set(failure, EINVAL, "push_timeout: is less than 100ms");
	if (text_of(push, CONFIG_push_token_file) && text_of(push, CONFIG_push_password_file))
		return failure_set(failure, EINVAL,
		    "push_token_file and push_password_file: only one of them can be sent");
	if (push_url_is_plain(url) &&
	    (text_of(push, CONFIG_push_token_file) || text_of(push, CONFIG_push_password_file)))
		log_warning("push_url: credentials are sent to %s in the clear", url);
	return push_labels_read(config->texts[CONFIG_push_labels], &push->labels, failure);
}

static char *spool_directory(const char *state_directory)
{
	char *path;

	return asprintf(&path, "%s/" SPOOL_NAME, state_directory) < 0 ? NULL : path;
}

/*
 * Takes up what was told. A process that was killed between taking counts away and saying so left
 * more told than there is counted.
 */
static int open_spool(struct push *push, struct failure *failure)
{
	CLEANUP_FREE char *directory = spool_directory(push->options.state_directory);
	CLEANUP(profile_free_p) struct profile *now = NULL;
	int error;

	if (!directory)
		return failure_set(failure, ENOMEM, "out of memory");
	error = push_spool_open(directory, push->options.config->numbers[CONFIG_push_spool_bytes],
	    &push->identity, &push->spool, &push->told, failure);
	if (!error)
		error = drain(push, &now, failure);
	if (error)
		return error;
	if (!push->told)
		return begin(push, now, failure);
	error = profile_delta_correct(&push->told, now);
	return error ? failure_set(failure, -error, "%s: cannot be gone on with: %s", directory,
			   strerror(-error))
		     : 0;
}

static int open_timers(struct push *push, struct failure *failure)
{
	sd_event *event = push->options.event;
	const uint64_t interval_us = push->options.config->numbers[CONFIG_push_interval] / 1000;
	/* Not all of a fleet at one time. */
	int error = sd_event_add_time_relative(
	    event, &push->collect, CLOCK_MONOTONIC, draw(interval_us), 1, on_collect, push);

	if (error >= 0)
		error = sd_event_add_time_relative(
		    event, &push->attempt, CLOCK_MONOTONIC, 0, 1, on_attempt, push);
	return error < 0 ? failure_set(failure, -error, "cannot push: %s", strerror(-error)) : 0;
}

int push_open(const struct push_options *options, struct push **ret_push, struct failure *failure)
{
	CLEANUP(push_free_p) struct push *push = NULL;
	int error;

	*ret_push = NULL;
	if (!*options->config->texts[CONFIG_push_url])
		return 0;
	push = calloc(1, sizeof(*push));
	if (!push)
		return failure_set(failure, ENOMEM, "out of memory");
	push->options = *options;
	push->identity.started_ns = options->started_ns;
	snprintf(push->identity.boot, sizeof(push->identity.boot), "%s", options->boot);
	error = check_config(push, failure);
	if (!error)
		error = push_transfer_open(options->event, &push->transfer, failure);
	if (!error)
		error = open_spool(push, failure);
	if (!error)
		error = open_timers(push, failure);
	if (!error)
		*ret_push = TAKE(push);
	return error;
}

void push_free(struct push *push)
{
	if (!push)
		return;
	push_transfer_free(push->transfer);
	push_message_fini(&push->message);
	sd_event_source_disable_unref(push->collect);
	sd_event_source_disable_unref(push->attempt);
	push_labels_fini(&push->labels);
	push_spool_fini(&push->spool);
	profile_free(push->told);
	profile_free(push->pending);
	profile_free(push->before);
	free(push);
}

void push_purge(const char *state_directory)
{
	CLEANUP_FREE char *directory = spool_directory(state_directory);

	if (directory)
		push_spool_purge(directory);
}
