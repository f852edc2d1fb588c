/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of `lprof top` that fit a width, and rows as lines of text. */
#ifndef LPROF_CMD_TOP_TABLE_H
#define LPROF_CMD_TOP_TABLE_H

#include "cmd/top_text.h"
#include "control/live.h"

struct top_columns {
	enum live_column ids[LIVE_COLUMN_COUNT]; /* the last one is NAME */
	size_t starts[LIVE_COLUMN_COUNT];        /* where each begins */
	size_t count;
	size_t width; /* of all */
};

/*
 * The most important columns that have numbers, as many as leave so much of the width to the last
 * one.
 */
void top_columns_choose(
    const struct live *live, size_t width, size_t last_width, struct top_columns *ret_columns);

/* What a column is called; rows of lines have hits. */
const char *top_heading(enum live_column column, bool lines);

/* The headings as a line; `last` is that of the last column. */
void top_headings(
    const struct top_columns *columns, bool lines, const char *last, char line[TOP_LINE_MAX]);

/*
 * A row's numbers as a line, up to the last column, which is the caller's to append. `row` NULL:
 * blanks.
 */
void top_cells(const struct live *live, const struct live_row *row,
    const struct top_columns *columns, char line[TOP_LINE_MAX]);

/* The column of a key such as "time"; false: there is none. */
bool top_parse_column(const char *key, enum live_column *ret_column);

/* All keys, as a user is told them. */
extern const char top_column_keys[];

#endif
