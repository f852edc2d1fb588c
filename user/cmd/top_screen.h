/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal of `lprof top`: draws a view, reads keys. */
#ifndef LPROF_CMD_TOP_SCREEN_H
#define LPROF_CMD_TOP_SCREEN_H

#include "cmd/top_view.h"

/*
 * Takes the terminal on stdin and stdout over, until top_screen_close() puts it back as it was.
 * -ENOTTY: there is none, or one that cannot be drawn on.
 */
int top_screen_open(struct failure *failure);
void top_screen_close(void);

/* The terminal has another size. */
void top_screen_resize(struct top_view *view);

void top_screen_draw(struct top_view *view);

/* Reads what was typed and has the view do it; false: it is to end. */
bool top_screen_keys(struct top_view *view);

#endif
