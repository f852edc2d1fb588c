/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: clients, their messages in and out, and the limits on all of it. What calls
 * mean is not known here.
 *
 * A client's calls are answered one by one, in order. One that sends faster than `calls_per_second`
 * is read no further for a while; one that does not read its replies is dropped when too much waits
 * for it, or nothing of it could be sent for 30 s. Nobody waits for another's socket.
 */
#ifndef LPROF_CONTROL_SERVER_H
#define LPROF_CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/failure.h"

struct server;
struct server_client;

struct server_options {
	sd_event *event;
	int socket;                /* listening; taken over */
	unsigned clients_max;      /* of all users */
	unsigned user_clients_max; /* of one that is not root */
	unsigned calls_per_second; /* of one client */
	/* A message came in, without its NUL. False: the client is not worth talking to. */
	bool (*handle)(
	    void *context, struct server_client *client, const char *message, size_t size);
	void (*gone)(void *context, struct server_client *client); /* before it is freed */
	void *context;
};

int server_open(
    const struct server_options *options, struct server **ret_server, struct failure *failure);
void server_free(struct server *server);
DEFINE_CLEANUP(struct server *, server_free)

size_t server_clients(const struct server *server);

/* Who is on the other end, as the kernel says. */
uid_t client_user(const struct server_client *client);

/* Whether the process on the other end belongs to the group. */
bool client_in_group(const struct server_client *client, gid_t group);

/* Sends a message with its NUL, as far as the socket takes it now; the rest later. */
void client_send(struct server_client *client, const char *text, size_t size);

/* How much waits to be sent. */
size_t client_pending(const struct server_client *client);

/* For whoever handles its calls. */
void client_set_context(struct server_client *client, void *context);
void *client_context(const struct server_client *client);

/* Listens at `path`; a socket that nobody listens at is replaced. -EADDRINUSE: another lprofd. */
int server_listen(const char *path, const char *group, int *ret_socket, struct failure *failure);

#endif
