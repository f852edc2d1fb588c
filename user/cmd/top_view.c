// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps what `lprof top` shows: the table, its order, the place in it.
#include "cmd/top_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define SOURCE_SHOWN    60 /* lines of a function whose lines are not measured */
#define LINE_NAME_WIDTH 24 /* of the function in the table of lines */

void top_view_init(struct top_view *view, enum top_mode mode, enum live_column sort)
{
	*view = (struct top_view){.mode = mode, .sort = sort, .height = 1};
	view->sort_chosen = sort != LIVE_COLUMN_COUNT;
	if (!view->sort_chosen)
		view->sort = LIVE_TIME;
}

void top_view_fini(struct top_view *view)
{
	live_fini(&view->live);
	ARRAY_FREE(&view->rows);
	ARRAY_FOREACH (file, &view->files) {
		source_free(file->source);
		free(file->path);
	}
	ARRAY_FREE(&view->files);
}

bool top_view_wants_lines(const struct top_view *view)
{
	return view->mode != TOP_FUNCTIONS;
}

/* ---- Rows ---- */

/* The file's lines, read once; NULL: it cannot be. */
static const struct source *find_source(struct top_view *view, const char *path)
{
	struct top_file file = {0};

	ARRAY_FOREACH (known, &view->files)
		if (!strcmp(known->path, path))
			return known->source;
	file.path = strdup(path);
	if (!file.path)
		return NULL;
	file.source = source_open(file.path, false);
	if (!ARRAY_APPEND(&view->files, file))
		return file.source;
	source_free(file.source);
	free(file.path);
	return NULL;
}

static const struct live_row *find_function(const struct top_view *view)
{
	ARRAY_FOREACH (row, &view->live.functions)
		if (row->id == view->function)
			return row;
	return NULL;
}

static int list_sorted(struct top_view *view, const live_rows *rows)
{
	CLEANUP_FREE uint32_t *order = calloc(rows->count + 1, sizeof(*order));

	if (!order || ARRAY_RESERVE(&view->rows, rows->count))
		return -ENOMEM;
	live_sort(&view->live, rows, view->sort, view->reverse, order);
	for (size_t at = 0; at < rows->count; at++) {
		const struct live_row *row = &rows->items[order[at]];
		struct top_row shown = {.counts = row, .line = row->line};

		if (view->mode == TOP_LINES)
			shown.source = source_line(find_source(view, row->file), row->line);
		view->rows.items[view->rows.count++] = shown;
	}
	return 0;
}

/* The lines of the function in its own file, from its first to its last that is counted. */
static int list_source(struct top_view *view)
{
	const struct live_row *function = find_function(view), *lines = view->live.lines.items;
	const struct source *source = function ? find_source(view, function->file) : NULL;
	size_t at = 0, count = view->live.lines.count, index;
	uint32_t last = 0, line;

	if (!function)
		return 0;
	index = (size_t)(function - view->live.functions.items);
	for (size_t each = 0; each < count; each++)
		if (lines[each].function == index && !strcmp(lines[each].file, function->file) &&
		    lines[each].line > last)
			last = lines[each].line;
	if (last < function->line)
		last = function->line + (source ? SOURCE_SHOWN : 0);
	for (line = function->line; line <= last; line++) {
		struct top_row row = {.line = line, .source = source_line(source, line)};

		for (at = 0; at < count && !row.counts; at++)
			if (lines[at].function == index && lines[at].line == line &&
			    !strcmp(lines[at].file, function->file))
				row.counts = &lines[at];
		if ((row.counts || row.source) && ARRAY_APPEND(&view->rows, row))
			return -ENOMEM;
	}
	return 0;
}

static void keep_in_sight(struct top_view *view)
{
	size_t count = view->rows.count;

	if (view->selected >= count)
		view->selected = count ? count - 1 : 0;
	if (view->first + view->height > count)
		view->first = count > view->height ? count - view->height : 0;
	if (view->selected < view->first)
		view->first = view->selected;
	if (view->selected >= view->first + view->height)
		view->first = view->selected + 1 - view->height;
}

/* Which row is selected, as something that survives another order; 0: none. */
static uint64_t selected_id(const struct top_view *view)
{
	const struct top_row *row = &view->rows.items[view->selected];

	return view->selected < view->rows.count && row->counts ? row->counts->id : 0;
}

/* Lists anew; the row with that id stays selected, unless it was the first: that is the first. */
static int list(struct top_view *view, uint64_t id)
{
	int error;

	view->rows.count = 0;
	error = view->mode == TOP_SOURCE
		    ? list_source(view)
		    : list_sorted(view,
			  view->mode == TOP_LINES ? &view->live.lines : &view->live.functions);
	for (size_t at = 0; id && view->selected && at < view->rows.count; at++)
		if (view->rows.items[at].counts && view->rows.items[at].counts->id == id) {
			view->selected = at;
			break;
		}
	keep_in_sight(view);
	return error;
}

/* By time, or by CPU time where there is nothing else. */
static enum live_column usual_sort(const struct live *live)
{
	ARRAY_FOREACH (row, &live->functions)
		if (!row->sampled_only)
			return LIVE_TIME;
	return live->sampling_period_ns ? LIVE_CPU : LIVE_TIME;
}

int top_view_update(
    struct top_view *view, struct json_object *reply, bool lines, struct failure *failure)
{
	/* In a source the place is a line, counted or not. */
	uint64_t id = view->mode == TOP_SOURCE ? 0 : selected_id(view);
	int error = live_update(&view->live, reply, failure);

	view->lines_told = lines;
	if (!view->sort_chosen)
		view->sort = usual_sort(&view->live);
	if (!error && list(view, id))
		error = failure_set(failure, ENOMEM, "out of memory");
	return error;
}

/* ---- Keys ---- */

static void move_by(struct top_view *view, size_t rows, bool down)
{
	if (down)
		view->selected += rows;
	else
		view->selected -= rows < view->selected ? rows : view->selected;
	keep_in_sight(view);
}

static void show(struct top_view *view, enum top_mode mode)
{
	view->mode = mode;
	view->paused = false; /* it may want other replies */
	view->selected = view->first = 0;
	(void)list(view, 0);
}

static void open_source(struct top_view *view)
{
	const struct top_row *row = &view->rows.items[view->selected];
	uint32_t line;

	if (view->mode == TOP_SOURCE || view->selected >= view->rows.count)
		return;
	view->from = view->mode;
	line = view->mode == TOP_LINES ? row->line : 0;
	view->function = view->live.functions.items[row->counts->function].id;
	show(view, TOP_SOURCE);
	for (size_t at = 0; at < view->rows.count; at++)
		if (view->rows.items[at].line == line)
			view->selected = at;
	keep_in_sight(view);
}

/* The next column to the left or the right among those that can be seen. */
static void move_sort(struct top_view *view, const struct top_columns *columns, bool right)
{
	size_t at = 0;

	while (at < columns->count && columns->ids[at] != view->sort)
		at++;
	if (at == columns->count)
		at = 0;
	else if (right)
		at = at + 1 < columns->count ? at + 1 : at;
	else
		at = at ? at - 1 : 0;
	view->sort = columns->ids[at];
	view->sort_chosen = true;
	(void)list(view, 0);
}

static void go_back(struct top_view *view)
{
	uint64_t function = view->function;

	if (view->mode != TOP_SOURCE)
		return;
	show(view, view->from);
	for (size_t at = 0; view->mode == TOP_FUNCTIONS && at < view->rows.count; at++)
		if (view->rows.items[at].counts->id == function)
			view->selected = at;
	keep_in_sight(view);
}

void top_view_key(struct top_view *view, enum top_key key, const struct top_columns *columns)
{
	switch (key) {
	case TOP_KEY_UP:
	case TOP_KEY_DOWN:
		move_by(view, 1, key == TOP_KEY_DOWN);
		break;
	case TOP_KEY_PAGE_UP:
	case TOP_KEY_PAGE_DOWN:
		move_by(view, view->height, key == TOP_KEY_PAGE_DOWN);
		break;
	case TOP_KEY_HOME:
	case TOP_KEY_END:
		move_by(view, view->rows.count, key == TOP_KEY_END);
		break;
	case TOP_KEY_ENTER:
		open_source(view);
		break;
	case TOP_KEY_BACK:
		go_back(view);
		break;
	case TOP_KEY_TABLE:
		show(view, view->mode == TOP_FUNCTIONS ? TOP_LINES : TOP_FUNCTIONS);
		break;
	case TOP_KEY_SORT_LEFT:
	case TOP_KEY_SORT_RIGHT:
		move_sort(view, columns, key == TOP_KEY_SORT_RIGHT);
		break;
	case TOP_KEY_REVERSE:
		view->reverse = !view->reverse;
		(void)list(view, 0);
		break;
	case TOP_KEY_PAUSE:
		view->paused = !view->paused;
		break;
	}
}

void top_view_resize(struct top_view *view, size_t height)
{
	view->height = height ? height : 1;
	keep_in_sight(view);
}

/* ---- Lines of text ---- */

void top_view_summary(const struct top_view *view, char line[TOP_LINE_MAX])
{
	const struct live *live = &view->live;
	char hits[TOP_CELL_MAX] = "-", share[TOP_CELL_MAX] = "-", losses[64] = "nothing lost";
	double interval = (double)live->interval_ns;

	if (live->interval_ns) {
		top_number((double)live->last_hits * 1e9 / interval, "", hits);
		top_percent((double)live->last_overhead_ns / interval, "", share);
	}
	if (live->losses)
		snprintf(
		    losses, sizeof(losses), "%llu not measured", (unsigned long long)live->losses);
	snprintf(line, TOP_LINE_MAX,
	    "lprofd: %llu probe%s, %zu function%s, %s hits/s cost %s%% of a CPU, %s",
	    (unsigned long long)live->probes, live->probes == 1 ? "" : "s", live->functions.count,
	    live->functions.count == 1 ? "" : "s", hits, share, losses);
}

static void title_source(const struct top_view *view, char line[TOP_LINE_MAX])
{
	const struct live_row *function = find_function(view);
	char place[32];

	*line = '\0';
	if (!function) {
		strcpy(line, "This function is not counted any more.");
		return;
	}
	(void)top_text_append(line, function->name, 200);
	(void)top_text_append(line, " in ", 4);
	(void)top_text_append(line, *function->file ? function->file : function->image, 400);
	snprintf(place, sizeof(place), ":%u", function->line);
	(void)top_text_append(line, place, sizeof(place));
	if (!view->rows.count)
		(void)top_text_append(line, ": its source cannot be read here", 100);
}

void top_view_title(const struct top_view *view, char line[TOP_LINE_MAX])
{
	*line = '\0';
	if (*view->message)
		(void)top_text_append(line, view->message, TOP_LINE_MAX);
	else if (view->mode == TOP_SOURCE)
		title_source(view, line);
	else if (view->mode == TOP_LINES && view->lines_told && !view->live.lines.count)
		strcpy(line, "No lines are counted: lprof add -l SPEC, or --cpu");
	else if (!view->live.functions.count)
		strcpy(line, "Nothing is probed: lprof add");
	if (view->paused)
		(void)top_text_append(line, *line ? " (paused)" : "Paused.", 10);
}

void top_view_columns(const struct top_view *view, size_t width, struct top_columns *ret_columns)
{
	static const size_t text_widths[] = {24, 36, 46};

	top_columns_choose(&view->live, width, text_widths[view->mode], ret_columns);
}

void top_view_headings(
    const struct top_view *view, const struct top_columns *columns, char line[TOP_LINE_MAX])
{
	static const char *const last[] = {"FUNCTION", "FUNCTION:LINE SOURCE", " LINE SOURCE"};

	top_headings(columns, view->mode != TOP_FUNCTIONS, last[view->mode], line);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Appends one text behind the other, as far as there is room. */
static void append(char *line, size_t *used, size_t width, const char *text)
{
	if (*used < width)
		*used += top_text_append(line, text, width - *used);
}

void top_view_row(const struct top_view *view, size_t row, const struct top_columns *columns,
    char line[TOP_LINE_MAX])
{
	const struct top_row *shown = &view->rows.items[row];
	const struct live_row *counts = shown->counts;
	char number[32];
	size_t used;

	top_cells(&view->live, counts, columns, line);
	used = strlen(line);
	if (view->mode == TOP_SOURCE) {
		snprintf(number, sizeof(number), "%5u ", shown->line);
		append(line, &used, columns->width, number);
		append(line, &used, columns->width, shown->source ? shown->source : "");
		return;
	}
	snprintf(number, sizeof(number), ":%u", counts->line);
	if (view->mode == TOP_LINES) {
		size_t most = used + LINE_NAME_WIDTH < columns->width ? used + LINE_NAME_WIDTH
								      : columns->width;

		append(line, &used, most, counts->name);
		append(line, &used, columns->width, number);
		append(line, &used, columns->width, " ");
		append(line, &used, columns->width,
		    shown->source ? shown->source + strspn(shown->source, " \t")
				  : base_name(counts->file));
		return;
	}
	append(line, &used, columns->width, counts->name);
	append(line, &used, columns->width, "  ");
	append(
	    line, &used, columns->width, base_name(*counts->file ? counts->file : counts->image));
	if (counts->line)
		append(line, &used, columns->width, number);
}
