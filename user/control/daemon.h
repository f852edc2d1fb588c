/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lprofd: one thread, one event loop, one engine.
 *
 * A start adopts what a daemon before it left pinned, or loads the engine and sets the wanted
 * probes anew. SIGTERM writes the profile and removes the probes; SIGKILL leaves them counting for
 * the next start. SIGHUP reads the files of probes again.
 */
#ifndef LPROF_CONTROL_DAEMON_H
#define LPROF_CONTROL_DAEMON_H

#include <systemd/sd-event.h>

#include "control/config.h"
#include "control/probes.h"
#include "control/push.h"
#include "control/server.h"
#include "output/metrics_marks.h"

struct http;
struct sampling;

struct daemon_options {
	const char *config;          /* path; NULL: CONFIG_PATH */
	const char *probes;          /* directory; NULL: CONFIG_PROBES */
	const char *state_directory; /* NULL: $STATE_DIRECTORY, else /var/lib/lprofd */
	const char *socket, *pins;   /* NULL: as configured */
	int metrics_port;            /* -1: as configured */
};

struct daemon {
	struct daemon_options options;
	struct config config;
	char *state_directory, *state_path, *pins;
	char boot[64];
	uint64_t restarts;           /* starts that went on with pinned counters */
	uint64_t scrapes, scrape_ns; /* how many, and how long the last one took */
	struct metrics_marks marks;
	int lock, pins_lock;
	sd_event *event;
	struct engine *engine;
	struct sampling *sampling;
	struct budget budget;
	struct probes probes;
	struct server *server;
	struct http *http;
	struct push *push;                      /* NULL: nothing is pushed */
	gid_t group;                            /* whose members may call; (gid_t)-1: root alone */
	sd_event_source *tick, *alarm, *slices; /* the latter two: of budgets */
	uint64_t snapshot_ns;                   /* CLOCK_MONOTONIC of the next one, 0: none */
};

/* Runs until a signal ends it; the program's exit status. */
int daemon_run(const struct daemon_options *options);

/* Removes every trace: pins, probes, state. Fails if an lprofd runs. */
int daemon_purge(const struct daemon_options *options);

#endif
