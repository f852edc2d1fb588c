// SPDX-License-Identifier: GPL-2.0-or-later
// Draws the progress of long work on a terminal.
#include "base/progress.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUIET_NS  1000000000 /* work shorter than this shows nothing */
#define REDRAW_NS 100000000

void progress_init(struct progress *progress)
{
	*progress = (struct progress){.terminal = isatty(STDERR_FILENO)};
}

static void draw(const char *what, size_t done, size_t all)
{
	if (all)
		fprintf(stderr, "\r%s: %zu of %zu\033[K", what, done, all);
	else if (done)
		fprintf(stderr, "\r%s: %zu\033[K", what, done);
	else
		fprintf(stderr, "\r%s...\033[K", what);
	fflush(stderr);
}

void progress_step(void *context, const char *what, size_t done, size_t all)
{
	struct progress *progress = context;
	uint64_t now;

	if (!progress->terminal)
		return;
	now = clock_ns(CLOCK_MONOTONIC_COARSE);
	if (!progress->what || strcmp(progress->what, what)) {
		progress->what = what;
		progress->begun_ns = now;
	}
	if (now < progress->begun_ns + QUIET_NS || now < progress->drawn_ns + REDRAW_NS)
		return;
	progress->drawn_ns = now;
	progress->shown = true;
	draw(what, done, all);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
	progress->what = NULL;
}
