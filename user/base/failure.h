/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a user must read when something failed: one sentence naming the thing and the remedy. */
#ifndef LPROF_BASE_FAILURE_H
#define LPROF_BASE_FAILURE_H

#define FAILURE_TEXT_MAX 1024

struct failure {
	int code;                    /* positive errno; 0: nothing failed */
	char text[FAILURE_TEXT_MAX]; /* one line, no newline, printable */
};

/*
 * Stores code and sentence, unless a failure is stored already: the lowest layer that knows the
 * noun speaks. Control characters are replaced. `failure` may be NULL. Returns -code.
 */
int failure_set(struct failure *failure, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Forgets what was stored. */
void failure_clear(struct failure *failure);

#endif
