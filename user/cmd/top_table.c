// SPDX-License-Identifier: GPL-2.0-or-later
// Lays the rows of `lprof top` out as lines of text.
#include "cmd/top_table.h"

#include <stdio.h>
#include <string.h>

static const struct column {
	const char *key, *heading;
	size_t width;
} columns_all[] = {
#define COLUMN(id, key, heading, width) [LIVE_##id] = {key, heading, width},
    LIVE_COLUMNS(COLUMN)
#undef COLUMN
};

const char top_column_keys[] = ""
#define COLUMN(id, key, heading, width) key " "
    LIVE_COLUMNS(COLUMN)
#undef COLUMN
    ;

/* What goes first where there is no room. */
static const enum live_column dispensable[] = {LIVE_OWN, LIVE_SELF, LIVE_TOTAL, LIVE_WAITING,
    LIVE_CPU_ALL, LIVE_EACH, LIVE_COUNT, LIVE_BLOCKED, LIVE_TIME, LIVE_RATE, LIVE_CPU};

void top_columns_choose(
    const struct live *live, size_t width, size_t last_width, struct top_columns *ret_columns)
{
	bool left_out[LIVE_COLUMN_COUNT] = {false};
	size_t taken = 0, start = 0;

	for (int column = 0; column < LIVE_NAME; column++) {
		left_out[column] = !live_has(live, (enum live_column)column);
		taken += left_out[column] ? 0 : columns_all[column].width + 1;
	}
	for (size_t at = 0; at < ARRAY_SIZE(dispensable); at++) {
		if (taken + last_width <= width)
			break;
		if (left_out[dispensable[at]])
			continue;
		left_out[dispensable[at]] = true;
		taken -= columns_all[dispensable[at]].width + 1;
	}
	*ret_columns = (struct top_columns){.width = width};
	for (int column = 0; column < LIVE_COLUMN_COUNT; column++) {
		if (left_out[column])
			continue;
		ret_columns->ids[ret_columns->count] = (enum live_column)column;
		ret_columns->starts[ret_columns->count++] = start;
		start += columns_all[column].width + 1;
	}
}

const char *top_heading(enum live_column column, bool lines)
{
	if (lines && column == LIVE_RATE)
		return "HITS/S";
	if (lines && column == LIVE_EACH)
		return "PER HIT";
	if (lines && column == LIVE_COUNT)
		return "HITS";
	return columns_all[column].heading;
}

static void append_cell(char *line, const char *cell, size_t width)
{
	size_t length = strlen(line);

	snprintf(line + length, TOP_LINE_MAX - length, "%*s ", (int)width, cell);
}

void top_headings(
    const struct top_columns *columns, bool lines, const char *last, char line[TOP_LINE_MAX])
{
	*line = '\0';
	for (size_t at = 0; at + 1 < columns->count; at++)
		append_cell(line, top_heading(columns->ids[at], lines),
		    columns_all[columns->ids[at]].width);
	if (strlen(line) < columns->width)
		(void)top_text_append(line, last, columns->width - strlen(line));
}

static const char *format_cell(const struct live *live, const struct live_row *row,
    enum live_column column, char text[TOP_CELL_MAX])
{
	bool is_line = row->id != live->functions.items[row->function].id;
	const char *mark = row->estimated ? "~" : "";
	double value = live_value(live, row, column);

	switch (column) {
	case LIVE_RATE:
	case LIVE_COUNT: /* calls are exact at any rate */
		return top_number(value, is_line ? mark : "", text);
	case LIVE_TIME:
	case LIVE_SELF:
	case LIVE_BLOCKED:
	case LIVE_WAITING:
		return top_percent(value, mark, text);
	case LIVE_CPU:
	case LIVE_CPU_ALL:
		return top_percent(value, "", text);
	case LIVE_EACH:
		return top_duration(value, "", text);
	default:
		return top_duration(value, mark, text);
	}
}

void top_cells(const struct live *live, const struct live_row *row,
    const struct top_columns *columns, char line[TOP_LINE_MAX])
{
	char text[TOP_CELL_MAX];

	*line = '\0';
	for (size_t at = 0; at + 1 < columns->count; at++)
		append_cell(line, row ? format_cell(live, row, columns->ids[at], text) : "",
		    columns_all[columns->ids[at]].width);
}

bool top_parse_column(const char *key, enum live_column *ret_column)
{
	for (int column = 0; column < LIVE_COLUMN_COUNT; column++) {
		if (strcmp(columns_all[column].key, key) != 0)
			continue;
		*ret_column = (enum live_column)column;
		return true;
	}
	return false;
}
