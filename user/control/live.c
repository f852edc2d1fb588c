// SPDX-License-Identifier: GPL-2.0-or-later
// Makes rows of Watch's replies, and tells what came between two of them.
#include "control/live.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "input/json_place.h"

/* Where a row of the same thing was last found; rows mostly come in the same order. */
struct cursor {
	const live_rows *rows;
	size_t at;
};

/* ---- Reading ---- */

static int read_numbers(const struct json_place *place, const char *count, struct live_row *row)
{
	struct live_numbers *all = &row->all;
	int error = json_get_unsigned(place, count, &all->count);

	if (!error)
		error = json_get_signed(place, "total_ns", INT64_MIN, INT64_MAX, &all->total_ns);
	if (!error)
		error = json_get_signed(place, "self_ns", INT64_MIN, INT64_MAX, &all->self_ns);
	if (!error)
		error = json_get_unsigned(place, "cpu_samples", &all->cpu_samples);
	if (!error)
		error = json_get_unsigned(place, "cpu_total_samples", &all->cpu_total_samples);
	if (!error)
		error = json_get_unsigned(place, "blocked_ns", &all->blocked_ns);
	if (!error)
		error = json_get_unsigned(place, "waiting_ns", &all->waiting_ns);
	if (!error)
		error = json_get_bool(place, "sampled_only", &row->sampled_only);
	return error;
}

static int read_place(const struct json_place *place, struct live_row *row)
{
	int error = json_get_text(place, "file", &row->file);

	return error ? error : json_get_u32(place, "line", &row->line);
}

static int read_line(const struct json_place *place, const struct live_row *function,
    uint32_t index, live_rows *lines)
{
	struct live_row row = {.name = function->name,
	    .file = function->file,
	    .image = function->image,
	    .function = index,
	    .off_cpu = function->off_cpu,
	    .estimated = function->estimated};
	int error = read_place(place, &row);

	if (!error)
		error = read_numbers(place, "hits", &row);
	if (!error && ARRAY_APPEND(lines, row))
		error = failure_set(place->failure, ENOMEM, "out of memory");
	return error;
}

static int read_lines(const struct json_place *place, struct live *fresh)
{
	uint32_t index = (uint32_t)fresh->functions.count - 1;
	const struct live_row *function = &fresh->functions.items[index];
	struct json_place list, element;
	int error;

	if (!json_member(place, "lines", &list))
		return 0;
	error = json_expect(&list, json_type_array);
	for (size_t at = 0; !error && at < json_object_array_length(list.value); at++) {
		json_element(&list, at, &element);
		error = json_expect(&element, json_type_object);
		if (!error)
			error = read_line(&element, function, index, &fresh->lines);
	}
	return error;
}

static int read_function(const struct json_place *place, struct live *fresh)
{
	struct live_row row = {.name = "", .file = "", .image = ""};
	struct json_place blocked;
	uint64_t open = 0;
	int error = json_expect(place, json_type_object);

	if (!error)
		error = json_get_text(place, "name", &row.name);
	if (!error)
		error = json_get_text(place, "image", &row.image);
	if (!error)
		error = read_place(place, &row);
	if (!error)
		error = read_numbers(place, "calls", &row);
	if (!error)
		error = json_get_unsigned(place, "timed_calls", &row.all.timed);
	if (!error)
		error = json_get_unsigned(place, "open_calls", &open);
	if (error)
		return error;
	row.estimated = row.all.timed + open < row.all.count;
	row.off_cpu = json_member(place, "blocked_ns", &blocked);
	fresh->off_cpu = fresh->off_cpu || row.off_cpu;
	row.function = (uint32_t)fresh->functions.count;
	if (ARRAY_APPEND(&fresh->functions, row))
		return failure_set(place->failure, ENOMEM, "out of memory");
	return read_lines(place, fresh);
}

static int read_losses(const struct json_place *place, struct live *fresh)
{
	struct json_place losses;
	int error;

	if (!json_member(place, "losses", &losses))
		return 0;
	error = json_expect(&losses, json_type_object);
	if (error)
		return error;
	json_object_object_foreach(losses.value, cause, count)
	{
		(void)cause;
		fresh->losses += (uint64_t)json_object_get_int64(count);
	}
	return 0;
}

static int read_reply(struct json_object *reply, struct live *fresh, struct failure *failure)
{
	const struct json_place place = {
	    .name = "lprofd's reply", .value = reply, .failure = failure};
	struct json_place list, element;
	int error = json_get_unsigned(&place, "now_ns", &fresh->now_ns);

	if (!error)
		error = json_get_unsigned(&place, "probes", &fresh->probes);
	if (!error)
		error = json_get_unsigned(&place, "hits", &fresh->hits);
	if (!error)
		error = json_get_unsigned(&place, "overhead_ns", &fresh->overhead_ns);
	if (!error)
		error = json_get_unsigned(&place, "sampling_period_ns", &fresh->sampling_period_ns);
	if (!error)
		error = read_losses(&place, fresh);
	if (error)
		return error;
	if (!json_member(&place, "functions", &list))
		return json_refuse(&place, "has no \"functions\"");
	error = json_expect(&list, json_type_array);
	for (size_t at = 0; !error && at < json_object_array_length(list.value); at++) {
		json_element(&list, at, &element);
		error = read_function(&element, fresh);
	}
	return error;
}

/* ---- What came since ---- */

static bool is_same(const struct live_row *a, const struct live_row *b)
{
	return a->line == b->line && !strcmp(a->name, b->name) && !strcmp(a->file, b->file) &&
	       !strcmp(a->image, b->image);
}

/*
 * The row of before, or NULL. Rows that look alike (of two probes) are told apart by their order:
 * the search begins behind the row that was found last.
 */
static const struct live_row *find_before(struct cursor *cursor, const struct live_row *row)
{
	size_t count = cursor->rows->count;

	for (size_t turn = 0; turn < count; turn++) {
		size_t at = (cursor->at + turn) % count;

		if (is_same(&cursor->rows->items[at], row)) {
			cursor->at = at + 1;
			return &cursor->rows->items[at];
		}
	}
	return NULL;
}

static uint64_t since(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now; /* it was reset: all is new */
}

static void set_last(struct live_row *row, const struct live_row *before)
{
	static const struct live_numbers none;
	const struct live_numbers *old = before ? &before->all : &none;

	if (old->count > row->all.count)
		old = &none; /* it was reset: all is new */
	row->known = true;
	row->last.count = row->all.count - old->count;
	row->last.timed = since(row->all.timed, old->timed);
	row->last.total_ns = row->all.total_ns - old->total_ns;
	row->last.self_ns = row->all.self_ns - old->self_ns;
	row->last.cpu_samples = since(row->all.cpu_samples, old->cpu_samples);
	row->last.cpu_total_samples = since(row->all.cpu_total_samples, old->cpu_total_samples);
	row->last.blocked_ns = since(row->all.blocked_ns, old->blocked_ns);
	row->last.waiting_ns = since(row->all.waiting_ns, old->waiting_ns);
}

static void compare_rows(struct live *fresh, const live_rows *before, live_rows *rows, bool first)
{
	struct cursor cursor = {.rows = before};

	ARRAY_FOREACH (row, rows) {
		const struct live_row *old = find_before(&cursor, row);

		row->id = old ? old->id : ++fresh->next_id;
		if (!first)
			set_last(row, old);
	}
}

int live_update(struct live *live, struct json_object *reply, struct failure *failure)
{
	struct live fresh = {.next_id = live->next_id};
	bool first = !live->now_ns;
	int error = read_reply(reply, &fresh, failure);

	if (error) {
		live_fini(&fresh);
		return error;
	}
	compare_rows(&fresh, &live->functions, &fresh.functions, first);
	compare_rows(&fresh, &live->lines, &fresh.lines, first || !live->lines.count);
	if (!first) {
		fresh.interval_ns = since(fresh.now_ns, live->now_ns);
		fresh.last_hits = since(fresh.hits, live->hits);
		fresh.last_overhead_ns = since(fresh.overhead_ns, live->overhead_ns);
	}
	fresh.reply = json_object_get(reply);
	live_fini(live);
	*live = fresh;
	return 0;
}

void live_fini(struct live *live)
{
	json_object_put(live->reply);
	ARRAY_FREE(&live->functions);
	ARRAY_FREE(&live->lines);
	live->reply = NULL;
}

/* ---- Values ---- */

/* What times and hits are multiplied by: they are of the timed calls alone. */
static double scale(const struct live *live, const struct live_row *row, bool last)
{
	const struct live_row *function = &live->functions.items[row->function];
	const struct live_numbers *calls = last ? &function->last : &function->all;

	if (!row->estimated || !calls->count)
		return 1;
	return calls->timed ? (double)calls->count / (double)calls->timed : NAN;
}

static double per_call(const struct live_numbers *numbers, bool is_line)
{
	uint64_t timed = is_line ? numbers->count : numbers->timed;

	return timed ? (double)numbers->total_ns / (double)timed : NAN;
}

bool live_has(const struct live *live, enum live_column column)
{
	if (column == LIVE_CPU || column == LIVE_CPU_ALL)
		return live->sampling_period_ns;
	if (column == LIVE_BLOCKED || column == LIVE_WAITING)
		return live->off_cpu;
	return true;
}

static bool is_of_interval(enum live_column column)
{
	return column <= LIVE_WAITING;
}

/* Whether the row has such a number at all. */
static bool row_has(const struct live *live, const struct live_row *row, enum live_column column)
{
	if (is_of_interval(column) && (!row->known || !live->interval_ns))
		return false;
	if (column == LIVE_CPU || column == LIVE_CPU_ALL)
		return live->sampling_period_ns;
	if (column == LIVE_BLOCKED || column == LIVE_WAITING)
		return row->off_cpu && !row->sampled_only;
	return !row->sampled_only;
}

double live_value(const struct live *live, const struct live_row *row, enum live_column column)
{
	bool is_line = row->id != live->functions.items[row->function].id;
	double hits = is_line ? scale(live, row, true) : 1, interval = (double)live->interval_ns;
	double period = (double)live->sampling_period_ns, each;

	if (!row_has(live, row, column))
		return NAN;
	switch (column) {
	case LIVE_RATE:
		return (double)row->last.count * hits * 1e9 / interval;
	case LIVE_TIME:
		return (double)row->last.total_ns * scale(live, row, true) / interval;
	case LIVE_SELF:
		return (double)row->last.self_ns * scale(live, row, true) / interval;
	case LIVE_CPU:
		return (double)row->last.cpu_samples * period / interval;
	case LIVE_CPU_ALL:
		return (double)row->last.cpu_total_samples * period / interval;
	case LIVE_BLOCKED:
		return (double)row->last.blocked_ns * scale(live, row, true) / interval;
	case LIVE_WAITING:
		return (double)row->last.waiting_ns * scale(live, row, true) / interval;
	case LIVE_EACH:
		each = row->known ? per_call(&row->last, is_line) : NAN;
		return isnan(each) ? per_call(&row->all, is_line) : each;
	case LIVE_COUNT:
		return (double)row->all.count * (is_line ? scale(live, row, false) : 1);
	case LIVE_TOTAL:
		return (double)row->all.total_ns * scale(live, row, false);
	case LIVE_OWN:
		return (double)row->all.self_ns * scale(live, row, false);
	default:
		return NAN;
	}
}

/* ---- Order ---- */

struct sorting {
	const struct live *live;
	const live_rows *rows;
	enum live_column column;
	bool reverse;
};

static int compare_names(const struct live_row *a, const struct live_row *b)
{
	int order = strcmp(a->name, b->name);

	if (!order)
		order = strcmp(a->file, b->file);
	if (!order)
		order = (a->line > b->line) - (a->line < b->line);
	return order ? order : (a->id > b->id) - (a->id < b->id);
}

static int compare_values(
    const struct sorting *sorting, const struct live_row *a, const struct live_row *b)
{
	double left = live_value(sorting->live, a, sorting->column);
	double right = live_value(sorting->live, b, sorting->column);

	if (isnan(left) || isnan(right))
		return isnan(left) - isnan(right); /* what is not known comes last */
	return sorting->reverse ? (left > right) - (left < right) : (left < right) - (left > right);
}

static int compare_indexes(const void *left, const void *right, void *context)
{
	const struct sorting *sorting = context;
	const struct live_row *a = &sorting->rows->items[*(const uint32_t *)left];
	const struct live_row *b = &sorting->rows->items[*(const uint32_t *)right];
	int order = sorting->column == LIVE_NAME ? 0 : compare_values(sorting, a, b);

	if (order)
		return order;
	order = compare_names(a, b); /* equal ones keep their order, reversed or not */
	return sorting->column == LIVE_NAME && sorting->reverse ? -order : order;
}

void live_sort(const struct live *live, const live_rows *rows, enum live_column column,
    bool reverse, uint32_t *ret_order)
{
	struct sorting sorting = {.live = live, .rows = rows, .column = column, .reverse = reverse};

	for (uint32_t at = 0; at < rows->count; at++)
		ret_order[at] = at;
	if (rows->count)
		qsort_r(ret_order, rows->count, sizeof(*ret_order), compare_indexes, &sorting);
}
