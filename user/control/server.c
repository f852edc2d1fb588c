// SPDX-License-Identifier: GPL-2.0-or-later
// Carries messages between the control socket's clients and whoever handles them.
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "control/protocol.h"

#define READ_STEP   16384
#define PENDING_MAX (64u << 20) /* bytes that wait for a client; a single reply may be larger */
#define STALLED_US  (30 * 1000000ull)
#define SECOND_US   1000000ull
#define GROUPS_MAX  1024
#define NO_ROOM_US  100000u /* before it is looked again whether a client can be taken */

struct server_client {
	struct server *server;
	int fd;
	struct ucred peer;
	sd_event_source *io, *timer;
	ARRAY(char) input;
	ARRAY(char) output;
	size_t sent;       /* of output */
	double allowance;  /* calls that may be made now */
	uint64_t seen_us;  /* when that was reckoned */
	uint64_t moved_us; /* when output last went out */
	bool resting;      /* over its rate */
	bool ended;        /* to be dropped when nothing uses it */
	void *context;
};

struct server {
	struct server_options options;
	sd_event_source *io, *later;
	ARRAY(struct server_client *) clients;
};

static uint64_t now_us(const struct server *server)
{
	uint64_t now = 0;

	sd_event_now(server->options.event, CLOCK_MONOTONIC, &now);
	return now;
}

static void client_free(struct server_client *client)
{
	sd_event_source_disable_unref(client->io);
	sd_event_source_disable_unref(client->timer);
	close(client->fd);
	ARRAY_FREE(&client->input);
	ARRAY_FREE(&client->output);
	free(client);
}

static void client_drop(struct server_client *client)
{
	struct server *server = client->server;

	server->options.gone(server->options.context, client);
	ARRAY_FOREACH (each, &server->clients) {
		if (*each != client)
			continue;
		*each = server->clients.items[--server->clients.count];
		break;
	}
	client_free(client);
}

static void client_watch(struct server_client *client)
{
	uint32_t events = client->resting ? 0 : EPOLLIN;

	if (client->sent < client->output.count)
		events = EPOLLOUT; /* a client reads its replies before it asks again */
	sd_event_source_set_io_events(client->io, events);
}

/* ---- Out ---- */

static void client_flush(struct server_client *client)
{
	while (client->sent < client->output.count) {
		ssize_t sent = send(client->fd, client->output.items + client->sent,
		    client->output.count - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != EAGAIN)
			client->ended = true;
		if (sent <= 0)
			return;
		client->sent += (size_t)sent;
		client->moved_us = now_us(client->server);
	}
	client->sent = 0;
	ARRAY_FREE(&client->output);
}

void client_send(struct server_client *client, const char *text, size_t size)
{
	size_t waiting = client->output.count - client->sent;

	if (client->ended)
		return;
	if ((waiting && waiting + size > PENDING_MAX) || size > PROTOCOL_REPLY_MAX ||
	    ARRAY_RESERVE(&client->output, size + 1)) {
		client->ended = true;
		return;
	}
	if (!waiting)
		client->moved_us = now_us(client->server);
	memcpy(client->output.items + client->output.count, text, size);
	client->output.items[client->output.count + size] = '\0';
	client->output.count += size + 1;
	client_flush(client);
	client_watch(client);
}

size_t client_pending(const struct server_client *client)
{
	return client->output.count - client->sent;
}

/* ---- In ---- */

/* Whether the client may make a call now: as many in a row as in a second. */
static bool client_may_call(struct server_client *client)
{
	double rate = client->server->options.calls_per_second;
	uint64_t now = now_us(client->server);

	client->allowance += (double)(now - client->seen_us) / SECOND_US * rate;
	if (client->allowance > rate)
		client->allowance = rate;
	client->seen_us = now;
	if (client->allowance < 1)
		return false;
	client->allowance -= 1;
	return true;
}

/* Looks after clients once a second: lets those that rested go on, drops those that stalled. */
static int client_timer(sd_event_source *source, uint64_t now, void *context);

static void client_rest(struct server_client *client)
{
	client->resting = true;
	sd_event_source_set_time_relative(
	    client->timer, SECOND_US / client->server->options.calls_per_second + 1000);
}

/* Handles the whole messages that came in, as long as replies go out and the rate allows. */
static void client_handle(struct server_client *client)
{
	const struct server_options *options = &client->server->options;

	client->resting = false;
	while (!client->ended && client->input.count && !client_pending(client)) {
		char *end = memchr(client->input.items, '\0', client->input.count);
		size_t size;

		if (!end) {
			client->ended = client->input.count > PROTOCOL_REQUEST_MAX;
			break;
		}
		if (!client_may_call(client)) {
			client_rest(client);
			break;
		}
		size = (size_t)(end - client->input.items);
		if (size > PROTOCOL_REQUEST_MAX ||
		    !options->handle(options->context, client, client->input.items, size))
			client->ended = true;
		client->input.count -= size + 1;
		memmove(client->input.items, end + 1, client->input.count);
	}
}

static void client_read(struct server_client *client)
{
	ssize_t received;

	if (ARRAY_RESERVE(&client->input, READ_STEP)) {
		client->ended = true;
		return;
	}
	received =
	    recv(client->fd, client->input.items + client->input.count, READ_STEP, MSG_DONTWAIT);
	if (received > 0)
		client->input.count += (size_t)received;
	else if (received == 0 || (errno != EAGAIN && errno != EINTR))
		client->ended = true;
}

static int client_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct server_client *client = context;

	(void)source;
	(void)fd;
	if (events & EPOLLOUT)
		client_flush(client);
	if (events & EPOLLIN)
		client_read(client);
	else if (events & (EPOLLHUP | EPOLLERR))
		client->ended = true;
	if (!client->ended)
		client_handle(client);
	if (client->ended)
		client_drop(client);
	else
		client_watch(client);
	return 0;
}

static int client_timer(sd_event_source *source, uint64_t now, void *context)
{
	struct server_client *client = context;

	(void)now; /* when it was due, not when it is */
	if (client_pending(client) && now_us(client->server) - client->moved_us > STALLED_US)
		client->ended = true;
	sd_event_source_set_time_relative(source, STALLED_US / 2);
	sd_event_source_set_enabled(source, SD_EVENT_ON);
	if (!client->ended && client->resting)
		client_handle(client);
	if (client->ended)
		client_drop(client);
	else
		client_watch(client);
	return 0;
}

/* ---- Who ---- */

uid_t client_user(const struct server_client *client)
{
	return client->peer.uid;
}

bool client_in_group(const struct server_client *client, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof(groups);

	if (client->peer.gid == group)
		return true;
	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t at = 0; at < size / sizeof(*groups); at++)
		if (groups[at] == group)
			return true;
	return false;
}

void client_set_context(struct server_client *client, void *context)
{
	client->context = context;
}

void *client_context(const struct server_client *client)
{
	return client->context;
}

static bool has_room(const struct server *server, uid_t user)
{
	unsigned count = 0;

	if (server->clients.count >= server->options.clients_max)
		return false;
	if (!user)
		return true;
	ARRAY_FOREACH (client, &server->clients)
		count += (*client)->peer.uid == user;
	return count < server->options.user_clients_max;
}

static int client_start(struct server_client *client)
{
	sd_event *event = client->server->options.event;
	int error = sd_event_add_io(event, &client->io, client->fd, EPOLLIN, client_io, client);

	if (error >= 0)
		error = sd_event_add_time_relative(event, &client->timer, CLOCK_MONOTONIC,
		    STALLED_US / 2, SECOND_US, client_timer, client);
	return error < 0 ? error : 0;
}

static void client_new(struct server *server, int fd, const struct ucred *peer)
{
	struct server_client *client = calloc(1, sizeof(*client));

	if (!client || ARRAY_APPEND(&server->clients, client)) {
		free(client);
		close(fd);
		return;
	}
	client->server = server;
	client->fd = fd;
	client->peer = *peer;
	client->allowance = server->options.calls_per_second;
	client->seen_us = now_us(server);
	if (client_start(client))
		client_drop(client);
}

static void refuse(int fd)
{
	static const char full[] = "{\"error\": \"" PROTOCOL_FAILED
				   "\", \"parameters\": {\"code\": \"EBUSY\", \"message\": "
				   "\"lprofd has as many clients as it takes: try again later\"}}";

	(void)send(fd, full, sizeof(full), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static int server_go_on(sd_event_source *source, uint64_t now, void *context)
{
	const struct server *server = context;

	(void)source;
	(void)now;
	return sd_event_source_set_enabled(server->io, SD_EVENT_ON);
}

/* Who waits at the socket would wake us again and again. */
static void server_rest(struct server *server)
{
	if (sd_event_source_set_time_relative(server->later, NO_ROOM_US) < 0 ||
	    sd_event_source_set_enabled(server->later, SD_EVENT_ONESHOT) < 0)
		return;
	sd_event_source_set_enabled(server->io, SD_EVENT_OFF);
}

static int server_io(sd_event_source *source, int listening, uint32_t events, void *context)
{
	struct server *server = context;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
		server_rest(server);
	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		close(fd);
	else if (!has_room(server, peer.uid))
		refuse(fd);
	else
		client_new(server, fd, &peer);
	return 0;
}

/* ---- The server ---- */

int server_open(
    const struct server_options *options, struct server **ret_server, struct failure *failure)
{
	struct server *server = calloc(1, sizeof(*server));
	int error;

	if (!server) {
		close(options->socket);
		return failure_set(failure, ENOMEM, "out of memory");
	}
	server->options = *options;
	error = sd_event_add_io(
	    options->event, &server->io, options->socket, EPOLLIN, server_io, server);
	if (error >= 0)
		error = sd_event_add_time_relative(
		    options->event, &server->later, CLOCK_MONOTONIC, 0, 1, server_go_on, server);
	if (error >= 0)
		error = sd_event_source_set_enabled(server->later, SD_EVENT_OFF);
	if (error < 0) {
		server_free(server);
		return failure_set(
		    failure, -error, "cannot serve the control socket: %s", strerror(-error));
	}
	*ret_server = server;
	return 0;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	sd_event_source_disable_unref(server->io);
	sd_event_source_disable_unref(server->later);
	while (server->clients.count) {
		client_flush(server->clients.items[0]);
		client_drop(server->clients.items[0]);
	}
	ARRAY_FREE(&server->clients);
	close(server->options.socket);
	free(server);
}

size_t server_clients(const struct server *server)
{
	return server->clients.count;
}
