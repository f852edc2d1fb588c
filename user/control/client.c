// SPDX-License-Identifier: GPL-2.0-or-later
// Calls lprofd's methods and waits for the replies.
#include "control/client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "control/json_document.h"
#include "control/protocol.h"

#define READ_STEP 65536

typedef ARRAY(char) bytes;

static void bytes_fini(bytes *text)
{
	ARRAY_FREE(text);
}

static int connect_failed(const char *path, int error, struct failure *failure)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		return failure_set(failure, ECONNREFUSED,
		    "lprofd does not run (nobody listens at %s): systemctl start lprofd", path);
	case EACCES:
		return failure_set(failure, error,
		    "may not talk to lprofd at %s: only root and members of its group may", path);
	default:
		return failure_set(
		    failure, error, "cannot talk to lprofd at %s: %s", path, strerror(error));
	}
}

static int open_socket(const char *wanted, struct failure *failure)
{
	const char *named = wanted ? wanted : getenv("LPROFD_SOCKET");
	const char *path = named ? named : PROTOCOL_SOCKET;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return connect_failed(path, errno, failure);
	if (strlen(path) >= sizeof(address.sun_path))
		return connect_failed(path, ENAMETOOLONG, failure);
	strcpy(address.sun_path, path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return connect_failed(path, errno, failure);
	return TAKE_FD(fd);
}

static int send_call(
    int fd, const char *method, const char *parameters, bool more_replies, struct failure *failure)
{
	CLEANUP_FREE char *text = NULL;
	int length = asprintf(&text, "{\"method\": \"%s\", \"parameters\": %s%s}", method,
	    parameters ? parameters : "{}", more_replies ? ", \"more\": true" : "");
	size_t size, sent = 0;

	if (length < 0)
		return failure_set(failure, ENOMEM, "out of memory");
	size = (size_t)length + 1;
	while (sent < size) {
		ssize_t more = send(fd, text + sent, size - sent, MSG_NOSIGNAL);

		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return failure_set(
			    failure, errno, "lprofd does not listen any more: %s", strerror(errno));
		sent += (size_t)more;
	}
	return 0;
}

/* Up to the NUL. -EAGAIN: with MSG_DONTWAIT in `flags`, the rest is still to come. */
static int receive_reply(int fd, int flags, bytes *reply, struct failure *failure)
{
	for (;;) {
		ssize_t more;

		if (reply->count > PROTOCOL_REPLY_MAX || ARRAY_RESERVE(reply, READ_STEP))
			return failure_set(failure, ENOMEM, "lprofd's reply is too long");
		more = recv(fd, reply->items + reply->count, READ_STEP, flags);
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0 && errno == EAGAIN)
			return -EAGAIN;
		if (more <= 0)
			return failure_set(failure, more < 0 ? errno : ECONNRESET,
			    "lprofd ended before it answered");
		reply->count += (size_t)more;
		if (memchr(reply->items + reply->count - more, '\0', (size_t)more))
			return 0;
	}
}

/* The errno of a name such as "ENOENT". */
static int find_code(const char *name)
{
	for (int code = 1; code < 200; code++)
		if (strerrorname_np(code) && !strcmp(strerrorname_np(code), name))
			return code;
	return EIO;
}

static int read_error(const struct json_place *reply, const char *error, struct failure *failure)
{
	const char *message = error, *code = "EIO";
	struct json_place parameters;

	if (json_member(reply, "parameters", &parameters) &&
	    json_object_is_type(parameters.value, json_type_object)) {
		(void)json_get_text(&parameters, "message", &message);
		(void)json_get_text(&parameters, "code", &code);
	}
	return failure_set(failure, find_code(code), "%s", message);
}

static int read_reply(
    const bytes *text, struct json_object **ret_parameters, struct failure *failure)
{
	CLEANUP(json_document_put_p) struct json_object *document = NULL;
	struct json_place reply = {.name = "lprofd's reply", .failure = failure}, parameters;
	const char *error_name = NULL;
	int error =
	    json_document_parse(reply.name, text->items, strlen(text->items), &document, failure);

	reply.value = document;
	if (!error)
		error = json_expect(&reply, json_type_object);
	if (!error)
		error = json_get_text(&reply, "error", &error_name);
	if (error)
		return error;
	if (error_name)
		return read_error(&reply, error_name, failure);
	if (!json_member(&reply, "parameters", &parameters))
		return json_refuse(&reply, "has no \"parameters\"");
	error = json_expect(&parameters, json_type_object);
	if (!error)
		*ret_parameters = json_object_get(parameters.value);
	return error;
}

int client_call(const char *socket, const char *method, const char *parameters,
    struct json_object **ret_parameters, struct failure *failure)
{
	CLEANUP_CLOSE int fd = open_socket(socket, failure);
	bytes reply CLEANUP(bytes_fini) = {0};
	int error;

	if (fd < 0)
		return fd;
	error = send_call(fd, method, parameters, false, failure);
	if (!error)
		error = receive_reply(fd, 0, &reply, failure);
	return error ? error : read_reply(&reply, ret_parameters, failure);
}

/* ---- Watch ---- */

struct client_watch {
	int socket;
	bytes input; /* from the end of the last reply on */
};

int client_watch_open(const char *socket, const char *parameters, struct client_watch **ret_watch,
    struct failure *failure)
{
	CLEANUP(client_watch_free_p) struct client_watch *watch = calloc(1, sizeof(*watch));
	int error;

	if (!watch)
		return failure_set(failure, ENOMEM, "out of memory");
	watch->socket = open_socket(socket, failure);
	if (watch->socket < 0)
		return watch->socket;
	error = send_call(watch->socket, PROTOCOL_INTERFACE ".Watch", parameters, true, failure);
	if (error)
		return error;
	*ret_watch = TAKE(watch);
	return 0;
}

void client_watch_free(struct client_watch *watch)
{
	if (!watch)
		return;
	cleanup_close(&watch->socket);
	bytes_fini(&watch->input);
	free(watch);
}

int client_watch_descriptor(const struct client_watch *watch)
{
	return watch->socket;
}

int client_watch_read(
    struct client_watch *watch, struct json_object **ret_parameters, struct failure *failure)
{
	bytes *input = &watch->input;
	size_t size;
	int error = 0;

	if (!input->count || !memchr(input->items, '\0', input->count))
		error = receive_reply(watch->socket, MSG_DONTWAIT, input, failure);
	if (error)
		return error == -EAGAIN ? 0 : error;
	error = read_reply(input, ret_parameters, failure);
	size = strlen(input->items) + 1;
	input->count -= size;
	memmove(input->items, input->items + size, input->count);
	return error ? error : 1;
}
