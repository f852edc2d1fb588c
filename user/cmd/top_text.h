/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts and numbers for cells of a terminal. */
#ifndef LPROF_CMD_TOP_TEXT_H
#define LPROF_CMD_TOP_TEXT_H

#include <stddef.h>

#define TOP_CELL_MAX 32
#define TOP_LINE_MAX 4096 /* bytes of a line on the screen */

/*
 * Appends foreign text to `line`, a buffer of TOP_LINE_MAX bytes that holds a string, as far as
 * `columns` go: what terminals obey is shown, not done; tabs are spaces; what the locale cannot
 * show is '?'. Gives the columns that it took.
 */
size_t top_text_append(char *line, const char *text, size_t columns);

/* Appends spaces up to a length in columns, of which `used` are filled. */
void top_text_pad(char *line, size_t used, size_t columns);

/* A number in at most 9 characters, a time in at most 8; "-" for NAN. `mark` stands before it. */
const char *top_number(double number, const char *mark, char text[TOP_CELL_MAX]);
const char *top_duration(double ns, const char *mark, char text[TOP_CELL_MAX]);
const char *top_percent(double share, const char *mark, char text[TOP_CELL_MAX]);

#endif
