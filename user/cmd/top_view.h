/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `lprof top` shows at a moment: which table, in which order, where one stands in it. It knows
 * nothing of a terminal.
 */
#ifndef LPROF_CMD_TOP_VIEW_H
#define LPROF_CMD_TOP_VIEW_H

#include "cmd/top_table.h"
#include "output/source.h"

enum top_mode { TOP_FUNCTIONS, TOP_LINES, TOP_SOURCE };

/* A row of the table; `counts` may be NULL in a source, and a source's text in others. */
struct top_row {
	const struct live_row *counts;
	uint32_t line;
	const char *source;
};

struct top_file {
	char *path;
	struct source *source; /* NULL: cannot be read */
};

struct top_view {
	struct live live;
	enum top_mode mode, from; /* `from` is where a source was opened */
	enum live_column sort;
	bool sort_chosen; /* else the usual one of what there is */
	bool reverse, paused;
	bool lines_told; /* the last reply told of lines */
	ARRAY(struct top_row) rows;
	size_t selected, first; /* rows: where one stands, and that at the top of the screen */
	size_t height;          /* rows that the screen has */
	uint64_t function;      /* id, of the source */
	ARRAY(struct top_file) files;
	char message[FAILURE_TEXT_MAX]; /* "" none */
};

enum top_key {
	TOP_KEY_UP,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_ENTER,
	TOP_KEY_BACK,
	TOP_KEY_TABLE, /* functions or lines */
	TOP_KEY_SORT_LEFT,
	TOP_KEY_SORT_RIGHT,
	TOP_KEY_REVERSE,
	TOP_KEY_PAUSE,
};

/* `sort` LIVE_COLUMN_COUNT: by time, or by CPU time where only that is known. */
void top_view_init(struct top_view *view, enum top_mode mode, enum live_column sort);
void top_view_fini(struct top_view *view);

/* Takes a reply of Watch in, which was asked for lines or was not. */
int top_view_update(
    struct top_view *view, struct json_object *reply, bool lines, struct failure *failure);

/* Does what a key asks for. `columns` are those that can be seen. */
void top_view_key(struct top_view *view, enum top_key key, const struct top_columns *columns);

/* The columns that fit the width, beside the texts of the present table. */
void top_view_columns(const struct top_view *view, size_t width, struct top_columns *ret_columns);

/* How many rows the screen has; what is selected stays on it. */
void top_view_resize(struct top_view *view, size_t height);

/* Whether Watch has to tell of lines. */
bool top_view_wants_lines(const struct top_view *view);

/* The line above the table: what lprofd does. */
void top_view_summary(const struct top_view *view, char line[TOP_LINE_MAX]);

/* The line under it: what is shown, or a message. */
void top_view_title(const struct top_view *view, char line[TOP_LINE_MAX]);

void top_view_headings(
    const struct top_view *view, const struct top_columns *columns, char line[TOP_LINE_MAX]);
void top_view_row(const struct top_view *view, size_t row, const struct top_columns *columns,
    char line[TOP_LINE_MAX]);

#endif
