// SPDX-License-Identifier: GPL-2.0-or-later
// Draws `lprof top` with ncurses.
//
//	lprofd: 2 probes, 9 functions, 5120 hits/s cost 1.2% of a CPU, nothing lost
//
//	  CALLS/S  TIME% PER CALL      CALLS FUNCTION
//	      512   38.1    744us     102400 parse_line  parse.c:41
//	 q Quit  Enter Source  Tab Lines  < > Sort  r Reverse  Space Pause
#include "cmd/top_screen.h"

#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ESCAPE    27
#define ESCAPE_MS 25 /* for the rest of a key's sequence */

enum { COLOR_PAIR_HOT = 1, COLOR_PAIR_WARM };
#define HOT  0.5 /* of the interval */
#define WARM 0.1

static SCREEN *screen;

/* Which lines there is room for; the table has what they leave. */
struct layout {
	int summary, title, headings, table, keys; /* -1: not shown */
	int rows;
};

static void lay_out(struct layout *layout)
{
	int next = 0;

	layout->summary = LINES >= 4 ? next++ : -1;
	layout->title = LINES >= 6 ? next++ : -1;
	layout->headings = LINES >= 2 ? next++ : -1;
	layout->table = next;
	layout->keys = LINES >= 3 ? LINES - 1 : -1;
	layout->rows = (layout->keys < 0 ? LINES : layout->keys) - next;
}

static void use_colors(void)
{
	const char *unwanted = getenv("NO_COLOR");

	if ((unwanted && *unwanted) || !has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	init_pair(COLOR_PAIR_HOT, COLOR_RED, -1);
	init_pair(COLOR_PAIR_WARM, COLOR_YELLOW, -1);
}

/* Without a way to move the cursor, nothing can be drawn. */
static bool can_draw(void)
{
	const char *address = tigetstr("cup");

	return address && address != (const char *)-1;
}

int top_screen_open(struct failure *failure)
{
	const char *name = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return failure_set(
		    failure, ENOTTY, "stdin and stdout must be a terminal: use lprof top --batch");
	(void)setlocale(LC_CTYPE, "");
	screen = newterm(NULL, stdout, stdin);
	if (screen && !can_draw())
		top_screen_close();
	if (!screen)
		return failure_set(failure, ENOTTY,
		    "terminal \"%s\" cannot be drawn on: use lprof top --batch", name ? name : "");
	use_colors();
	cbreak();
	noecho();
	nonl();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	(void)curs_set(0);
	return 0;
}

void top_screen_close(void)
{
	if (!screen)
		return;
	(void)curs_set(1);
	endwin();
	delscreen(screen);
	screen = NULL;
}

void top_screen_resize(struct top_view *view)
{
	struct winsize size;
	struct layout layout;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		(void)resizeterm(size.ws_row, size.ws_col);
	lay_out(&layout);
	top_view_resize(view, layout.rows > 0 ? (size_t)layout.rows : 1);
	(void)clearok(stdscr, TRUE);
}

/* ---- Drawing ---- */

/* As much of a line as the screen is wide. */
static void draw_line(int at, const char *line, attr_t attributes)
{
	char clipped[TOP_LINE_MAX] = "";
	size_t used = top_text_append(clipped, line, (size_t)COLS);

	if (at < 0)
		return;
	if (attributes & A_REVERSE)
		top_text_pad(clipped, used, (size_t)COLS);
	attrset(attributes);
	(void)mvaddstr(at, 0, clipped);
	attrset(A_NORMAL);
}

static void draw_headings(const struct top_view *view, const struct top_columns *columns, int at)
{
	char line[TOP_LINE_MAX];

	top_view_headings(view, columns, line);
	draw_line(at, line, A_REVERSE);
	for (size_t i = 0; at >= 0 && view->mode != TOP_SOURCE && i < columns->count; i++) {
		bool last = i + 1 == columns->count;
		size_t end = last ? columns->starts[i] + 8 : columns->starts[i + 1] - 1;

		if (columns->ids[i] == view->sort)
			(void)mvchgat(at, (int)columns->starts[i], (int)(end - columns->starts[i]),
			    A_BOLD | A_UNDERLINE, 0, NULL);
	}
}

static attr_t heat(const struct top_view *view, const struct top_row *row)
{
	enum live_column column = row->counts && row->counts->sampled_only ? LIVE_CPU : LIVE_TIME;
	double share = row->counts ? live_value(&view->live, row->counts, column) : 0;

	if (share >= HOT)
		return A_BOLD | COLOR_PAIR(COLOR_PAIR_HOT);
	return share >= WARM ? COLOR_PAIR(COLOR_PAIR_WARM) : A_NORMAL;
}

static void draw_rows(
    const struct top_view *view, const struct top_columns *columns, const struct layout *layout)
{
	char line[TOP_LINE_MAX];

	for (int at = 0; at < layout->rows; at++) {
		size_t row = view->first + (size_t)at;
		bool selected = row == view->selected;

		if (row >= view->rows.count)
			break;
		top_view_row(view, row, columns, line);
		draw_line(layout->table + at, line,
		    heat(view, &view->rows.items[row]) | (selected ? A_REVERSE : 0));
	}
}

static const char *keys(const struct top_view *view)
{
	switch (view->mode) {
	case TOP_FUNCTIONS:
		return " q Quit  Enter Source  Tab Lines  < > Sort  r Reverse  Space Pause";
	case TOP_LINES:
		return " q Quit  Enter Source  Tab Functions  < > Sort  r Reverse  Space Pause";
	default:
		return " q Quit  Esc Back  Up Down PgUp PgDn Home End Move  Space Pause";
	}
}

void top_screen_draw(struct top_view *view)
{
	struct top_columns columns;
	struct layout layout;
	char line[TOP_LINE_MAX];

	lay_out(&layout);
	top_view_columns(view, (size_t)COLS, &columns);
	top_view_resize(view, layout.rows > 0 ? (size_t)layout.rows : 1);
	erase();
	top_view_summary(view, line);
	draw_line(layout.summary, line, A_BOLD);
	top_view_title(view, line);
	/* A message comes before the summary where there is room for one of them. */
	draw_line(layout.title < 0 && *view->message ? layout.summary : layout.title, line,
	    *view->message ? A_BOLD : A_NORMAL);
	draw_headings(view, &columns, layout.headings);
	draw_rows(view, &columns, &layout);
	draw_line(layout.keys, keys(view), A_REVERSE);
	refresh();
}

/* ---- Keys ---- */

static const struct {
	int code;
	enum top_key key;
} key_table[] = {
    {KEY_UP, TOP_KEY_UP},
    {'k', TOP_KEY_UP},
    {KEY_DOWN, TOP_KEY_DOWN},
    {'j', TOP_KEY_DOWN},
    {KEY_PPAGE, TOP_KEY_PAGE_UP},
    {KEY_NPAGE, TOP_KEY_PAGE_DOWN},
    {KEY_HOME, TOP_KEY_HOME},
    {'g', TOP_KEY_HOME},
    {KEY_END, TOP_KEY_END},
    {'G', TOP_KEY_END},
    {'\r', TOP_KEY_ENTER},
    {'\n', TOP_KEY_ENTER},
    {KEY_ENTER, TOP_KEY_ENTER},
    {ESCAPE, TOP_KEY_BACK},
    {KEY_BACKSPACE, TOP_KEY_BACK},
    {KEY_LEFT, TOP_KEY_BACK},
    {'\t', TOP_KEY_TABLE},
    {'<', TOP_KEY_SORT_LEFT},
    {',', TOP_KEY_SORT_LEFT},
    {'>', TOP_KEY_SORT_RIGHT},
    {'.', TOP_KEY_SORT_RIGHT},
    {'r', TOP_KEY_REVERSE},
    {' ', TOP_KEY_PAUSE},
};

bool top_screen_keys(struct top_view *view)
{
	struct top_columns columns;
	int code;

	top_view_columns(view, (size_t)COLS, &columns);
	while ((code = getch()) != ERR) {
		if (code == 'q' || code == 'Q')
			return false;
		for (size_t at = 0; at < ARRAY_SIZE(key_table); at++)
			if (key_table[at].code == code)
				top_view_key(view, key_table[at].key, &columns);
	}
	return true;
}
