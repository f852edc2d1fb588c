/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One POST at a time inside an event loop, by libcurl: nothing here waits. (Names are looked up by
 * a thread that libcurl starts for the moment: getaddrinfo() knows no other way.)
 *
 * libcurl is loaded when the first is opened. Linked in, it and the twenty libraries that it needs
 * took 2.9 MB and their share of attention in every lprofd, which is privileged, and mostly pushes
 * nowhere.
 */
#ifndef LPROF_CONTROL_PUSH_TRANSFER_H
#define LPROF_CONTROL_PUSH_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/failure.h"

struct push_transfer;

struct push_request {
	const char *url;
	const char *content_type;
	const char *body; /* stays the caller's, until it is done */
	size_t size;
	const char *ca_file;  /* who signs servers' certificates; NULL: whom this system trusts */
	const char *token;    /* of a bearer, or NULL */
	const char *password; /* USER:PASSWORD, or NULL */
	uint64_t timeout_ns;  /* for all of it */
};

struct push_result {
	long status;             /* HTTP's; 0: there was no whole answer, and `error` says why */
	const char *error;       /* or NULL */
	const char *answer;      /* the beginning of its body */
	bool is_page;            /* it was HTML */
	uint64_t retry_after_ns; /* when it says to come again; 0: it does not */
};

/* Called in the loop; may start the next one. What `result` points to ends with the call. */
typedef void push_done(void *context, const struct push_result *result);

/* -ENOENT: libcurl is not installed. */
int push_transfer_open(
    sd_event *event, struct push_transfer **ret_transfer, struct failure *failure);
void push_transfer_free(struct push_transfer *transfer);

/* Nothing may be under way. Redirections are answers: credentials go to nobody else. */
int push_transfer_start(struct push_transfer *transfer, const struct push_request *request,
    push_done *done, void *context, struct failure *failure);

/* Ends what is under way, if anything is, without calling anybody. */
void push_transfer_cancel(struct push_transfer *transfer);

#endif
