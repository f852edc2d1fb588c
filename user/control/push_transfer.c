// SPDX-License-Identifier: GPL-2.0-or-later
// Posts by libcurl inside an event loop.
#include "control/push_transfer.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "base/array.h"
#include "base/cleanup.h"

#define ANSWER_SHOWN    256
#define ANSWER_MAX      (64u << 10) /* what comes behind is not read */
#define CONNECT_MAX_MS  10000
#define MILLISECOND_NS  1000000u
#define SECOND_NS       1000000000ull
#define HEADER_LINE_MAX (16u << 10)

/* ---- The library ---- */

#define CURL_FUNCTIONS(FUNCTION)      \
	FUNCTION(easy_cleanup)        \
	FUNCTION(easy_getinfo)        \
	FUNCTION(easy_init)           \
	FUNCTION(easy_setopt)         \
	FUNCTION(easy_strerror)       \
	FUNCTION(global_init)         \
	FUNCTION(multi_add_handle)    \
	FUNCTION(multi_assign)        \
	FUNCTION(multi_cleanup)       \
	FUNCTION(multi_info_read)     \
	FUNCTION(multi_init)          \
	FUNCTION(multi_remove_handle) \
	FUNCTION(multi_setopt)        \
	FUNCTION(multi_socket_action) \
	FUNCTION(slist_append)        \
	FUNCTION(slist_free_all)

static struct {
#define FUNCTION(name) __typeof__(curl_##name) *name;
	CURL_FUNCTIONS(FUNCTION)
#undef FUNCTION
	bool loaded;
} curl;

static void *open_library(void)
{
	/* Debian's two: GnuTLS is in lprofd already, for libmicrohttpd. */
	static const char *const names[] = {"libcurl-gnutls.so.4", "libcurl.so.4"};
	void *library = NULL;

	for (size_t at = 0; at < ARRAY_SIZE(names) && !library; at++)
		library = dlopen(names[at], RTLD_NOW | RTLD_LOCAL);
	return library;
}

/* Once; the library stays to the end. */
static int load_library(struct failure *failure)
{
	void *library;

	if (curl.loaded)
		return 0;
	library = open_library();
	if (!library)
		return failure_set(failure, ENOENT,
		    "push_url: libcurl cannot be loaded, install it (Debian: libcurl3-gnutls or "
		    "libcurl4): %s",
		    dlerror());
#define FUNCTION(name)                                        \
	*(void **)&curl.name = dlsym(library, "curl_" #name); \
	if (!curl.name)                                       \
		return failure_set(failure, ENOENT, "libcurl has no curl_" #name);
	CURL_FUNCTIONS(FUNCTION)
#undef FUNCTION
	if (curl.global_init(CURL_GLOBAL_DEFAULT))
		return failure_set(failure, EIO, "libcurl cannot be initialised");
	curl.loaded = true;
	return 0;
}

/* ---- The loop ---- */

struct push_transfer {
	sd_event *event;
	sd_event_source *timer;
	CURLM *multi;
	CURL *easy; /* NULL: nothing is under way */
	struct curl_slist *headers;
	push_done *done;
	void *context;
	char error[CURL_ERROR_SIZE];
	char answer[ANSWER_SHOWN + 1];
	size_t answer_size; /* of all of it */
};

static void forget_request(struct push_transfer *transfer)
{
	if (transfer->easy) {
		curl.multi_remove_handle(transfer->multi, transfer->easy);
		curl.easy_cleanup(TAKE(transfer->easy));
	}
	curl.slist_free_all(TAKE(transfer->headers));
}

static bool is_page(CURL *easy)
{
	const char *type = NULL;

	curl.easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
	return type && !strncasecmp(type, "text/html", 9);
}

static void finish(struct push_transfer *transfer, CURLcode code)
{
	CLEANUP_FREE char *error = NULL;
	struct push_result result = {.answer = transfer->answer};
	/* Who goes on and on has said how it went before. */
	const bool is_heard = code == CURLE_OK || transfer->answer_size > ANSWER_MAX;
	curl_off_t retry_after_s = 0;

	if (is_heard) {
		curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &result.status);
		curl.easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
		result.is_page = is_page(transfer->easy);
		result.retry_after_ns =
		    retry_after_s > 0 && (uint64_t)retry_after_s < UINT64_MAX / SECOND_NS
			? (uint64_t)retry_after_s * SECOND_NS
			: 0;
	} else {
		error = strdup(*transfer->error ? transfer->error : curl.easy_strerror(code));
		result.error = error ? error : "out of memory";
	}
	forget_request(transfer);
	transfer->done(transfer->context, &result);
}

/* Lets libcurl do what it can now. */
static void act(struct push_transfer *transfer, curl_socket_t fd, int events)
{
	const CURLMsg *message;
	int running, left;

	curl.multi_socket_action(transfer->multi, fd, events, &running);
	while ((message = curl.multi_info_read(transfer->multi, &left)))
		if (message->msg == CURLMSG_DONE && message->easy_handle == transfer->easy) {
			finish(transfer, message->data.result);
			return;
		}
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	const int bits = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
			 (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			 (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	(void)source;
	act(context, fd, bits);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t now, void *context)
{
	(void)source;
	(void)now;
	act(context, CURL_SOCKET_TIMEOUT, 0);
	return 0;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
	struct push_transfer *transfer = context;
	sd_event_source *source = known;
	const uint32_t events =
	    (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		return 0;
	}
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	if (sd_event_add_io(transfer->event, &source, fd, events, on_io, transfer) < 0)
		return -1;
	curl.multi_assign(transfer->multi, fd, source);
	return 0;
}

static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
	const struct push_transfer *transfer = context;

	(void)multi;
	if (timeout_ms >= 0)
		sd_event_source_set_time_relative(transfer->timer, (uint64_t)timeout_ms * 1000);
	sd_event_source_set_enabled(
	    transfer->timer, timeout_ms >= 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
	return 0;
}

/* ---- A request ---- */

static size_t take_answer(char *data, size_t one, size_t size, void *context)
{
	struct push_transfer *transfer = context;
	size_t room =
	    transfer->answer_size < ANSWER_SHOWN ? ANSWER_SHOWN - transfer->answer_size : 0;

	(void)one;
	memcpy(transfer->answer + ANSWER_SHOWN - room, data, size < room ? size : room);
	transfer->answer_size += size;
	return transfer->answer_size <= ANSWER_MAX ? size : 0;
}

static bool add_header(struct push_transfer *transfer, const char *name, const char *value)
{
	struct curl_slist *longer;
	CLEANUP_FREE char *line = NULL;

	if (asprintf(&line, "%s%s", name, value) < 0)
		line = NULL;
	longer = line ? curl.slist_append(transfer->headers, line) : NULL;
	if (longer)
		transfer->headers = longer;
	return longer;
}

static bool add_headers(struct push_transfer *transfer, const struct push_request *request)
{
	return add_header(transfer, "Content-Type: ", request->content_type) &&
	       add_header(transfer, "Expect:", "") && /* an answer before the body costs a turn */
	       (!request->token || add_header(transfer, "Authorization: Bearer ", request->token));
}

static bool set_options(struct push_transfer *transfer, const struct push_request *request)
{
	const long timeout_ms = (long)(request->timeout_ns / MILLISECOND_NS);
	CURL *easy = transfer->easy;

#define SET(option, value) (curl.easy_setopt(easy, CURLOPT_##option, value) == CURLE_OK)
	return SET(URL, request->url) && SET(PROTOCOLS_STR, "http,https") &&
	       SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(POST, 1L) &&
	       SET(POSTFIELDS, request->body) &&
	       SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->size) &&
	       SET(HTTPHEADER, transfer->headers) && SET(USERAGENT, "lprofd/" LPROF_VERSION) &&
	       SET(FOLLOWLOCATION, 0L) && SET(NOSIGNAL, 1L) && SET(FORBID_REUSE, 1L) &&
	       SET(BUFFERSIZE, (long)HEADER_LINE_MAX) && SET(TIMEOUT_MS, timeout_ms) &&
	       SET(CONNECTTIMEOUT_MS,
		   timeout_ms < CONNECT_MAX_MS ? timeout_ms : (long)CONNECT_MAX_MS) &&
	       SET(WRITEFUNCTION, take_answer) && SET(WRITEDATA, transfer) &&
	       SET(ERRORBUFFER, transfer->error) &&
	       (!request->ca_file || SET(CAINFO, request->ca_file)) &&
	       (!request->password ||
		   (SET(USERPWD, request->password) && SET(HTTPAUTH, (long)CURLAUTH_BASIC)));
#undef SET
}

int push_transfer_start(struct push_transfer *transfer, const struct push_request *request,
    push_done *done, void *context, struct failure *failure)
{
	transfer->done = done;
	transfer->context = context;
	transfer->answer_size = 0;
	memset(transfer->answer, 0, sizeof(transfer->answer));
	*transfer->error = '\0';
	transfer->easy = curl.easy_init();
	/* Else giving up on a name server waits for it. Older libraries do not know it. */
	if (transfer->easy)
		(void)curl.easy_setopt(transfer->easy, CURLOPT_QUICK_EXIT, 1L);
	if (transfer->easy && add_headers(transfer, request) && set_options(transfer, request) &&
	    curl.multi_add_handle(transfer->multi, transfer->easy) == CURLM_OK)
		return 0;
	forget_request(transfer);
	return failure_set(failure, EIO, "libcurl does not take the request");
}

void push_transfer_cancel(struct push_transfer *transfer)
{
	forget_request(transfer);
}

int push_transfer_open(
    sd_event *event, struct push_transfer **ret_transfer, struct failure *failure)
{
	struct push_transfer *transfer;
	int error = load_library(failure);

	if (error)
		return error;
	transfer = calloc(1, sizeof(*transfer));
	if (!transfer)
		return failure_set(failure, ENOMEM, "out of memory");
	transfer->event = sd_event_ref(event);
	transfer->multi = curl.multi_init();
	error = sd_event_add_time_relative(
	    event, &transfer->timer, CLOCK_MONOTONIC, 0, 1, on_timer, transfer);
	if (error < 0 || !transfer->multi) {
		push_transfer_free(transfer);
		return failure_set(failure, ENOMEM, "cannot push: no memory");
	}
	sd_event_source_set_enabled(transfer->timer, SD_EVENT_OFF);
	curl.multi_setopt(transfer->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl.multi_setopt(transfer->multi, CURLMOPT_SOCKETDATA, transfer);
	curl.multi_setopt(transfer->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl.multi_setopt(transfer->multi, CURLMOPT_TIMERDATA, transfer);
	*ret_transfer = transfer;
	return 0;
}

void push_transfer_free(struct push_transfer *transfer)
{
	if (!transfer)
		return;
	if (transfer->multi) {
		forget_request(transfer);
		curl.multi_cleanup(transfer->multi);
	}
	sd_event_source_disable_unref(transfer->timer);
	sd_event_unref(transfer->event);
	free(transfer);
}
