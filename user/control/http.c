// SPDX-License-Identifier: GPL-2.0-or-later
// Serves HTTP inside lprofd's event loop.
#include "control/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "control/http_pages.h"

#define CONNECTIONS_MAX  64
#define IDLE_SECONDS     10u /* a scraper that never reads is dropped */
#define CONNECTION_BYTES (128u << 10)
#define PIECES_A_TURN    16

struct http {
	struct daemon *daemon;
	struct MHD_Daemon *server;
	sd_event_source *io, *timer;
};

/* Lets the server do what it can now, and asks to be called when it wants to look again. */
static void run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
	bool wanted = true;

	/* A stream is sent in many pieces, with others having their turn now and then. */
	for (int pieces = 0; pieces < PIECES_A_TURN && wanted && !timeout_ms; pieces++) {
		MHD_run(http->server);
		wanted = MHD_get_timeout(http->server, &timeout_ms) == MHD_YES;
	}
	if (wanted)
		sd_event_source_set_time_relative(http->timer, timeout_ms * 1000);
	sd_event_source_set_enabled(http->timer, wanted ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)source;
	(void)fd;
	(void)events;
	run(context);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t now, void *context)
{
	(void)source;
	(void)now;
	run(context);
	return 0;
}

static ssize_t read_stream(void *context, uint64_t position, char *room, size_t size)
{
	const ssize_t read = metrics_read(context, room, size);

	(void)position;
	return read > 0    ? read
	       : read == 0 ? MHD_CONTENT_READER_END_OF_STREAM
			   : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void close_stream(void *context)
{
	metrics_close(context);
}

static struct MHD_Response *make_response(struct http_page *page)
{
	struct metrics_stream *stream = TAKE(page->stream);
	struct MHD_Response *response;

	if (!stream)
		return MHD_create_response_from_buffer(
		    page->size, TAKE(page->text), MHD_RESPMEM_MUST_FREE);
	response = MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, CONNECTION_BYTES, read_stream, stream, close_stream);
	if (!response)
		metrics_close(stream);
	return response;
}

static enum MHD_Result send_page(struct MHD_Connection *connection, struct http_page *page)
{
	struct MHD_Response *response = make_response(page);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page->content_type);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	result = MHD_queue_response(connection, page->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *data, size_t *size, void **request)
{
	struct http *http = context;
	struct http_page page CLEANUP(http_page_fini) = {.status = MHD_HTTP_OK};
	struct http_query query = {.path = path};

	(void)version;
	(void)data;
	(void)size;
	(void)request;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		http_page_refuse(&page, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET is served\n");
	else {
		query.accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
		query.format =
		    MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "format");
		http_page_make(http->daemon, &query, &page);
	}
	return page.text || page.stream ? send_page(connection, &page) : MHD_NO;
}

static int start_server(
    struct http *http, const struct http_options *options, struct failure *failure)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options->port)};
	int socket = options->socket;

	if (socket < 0 && inet_pton(AF_INET, options->address, &address.sin_addr) != 1)
		return failure_set(failure, EINVAL, "metrics_address: '%s' is not an IPv4 address",
		    options->address);
	http->server = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, options->port, NULL,
	    NULL, answer, http, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
	    CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
	    socket >= 0 ? MHD_OPTION_LISTEN_SOCKET : MHD_OPTION_END, socket, MHD_OPTION_END);
	if (!http->server)
		return failure_set(failure, errno ? errno : EIO, "cannot serve http://%s:%u: %s",
		    options->address, options->port,
		    errno ? strerror(errno) : "the port may be taken");
	return 0;
}

int http_open(const struct http_options *options, struct http **ret_http, struct failure *failure)
{
	const union MHD_DaemonInfo *info;
	struct http *http = calloc(1, sizeof(*http));
	int error;

	if (!http)
		return failure_set(failure, ENOMEM, "out of memory");
	http->daemon = options->daemon;
	error = start_server(http, options, failure);
	if (error) {
		http_free(http);
		return error;
	}
	info = MHD_get_daemon_info(http->server, MHD_DAEMON_INFO_EPOLL_FD);
	error = info ? sd_event_add_io(
			   options->daemon->event, &http->io, info->epoll_fd, EPOLLIN, on_io, http)
		     : -EIO;
	if (error >= 0)
		error = sd_event_add_time_relative(
		    options->daemon->event, &http->timer, CLOCK_MONOTONIC, 0, 1, on_timer, http);
	if (error < 0) {
		http_free(http);
		return failure_set(failure, -error, "cannot serve HTTP: %s", strerror(-error));
	}
	*ret_http = http;
	return 0;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	sd_event_source_disable_unref(http->io);
	sd_event_source_disable_unref(http->timer);
	if (http->server)
		MHD_stop_daemon(http->server);
	free(http);
}
