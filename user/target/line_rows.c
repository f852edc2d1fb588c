// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads line tables into rows sorted by address.
 *
 * libdw gives a unit's rows sorted, each sequence's own order kept among rows of one address, and
 * sequences end with a row of their own. What must be kept out are sequences of code that the
 * linker discarded: their addresses start at 0, 1 or -1 and can run on into real code; and rows of
 * no length behind a sequence's end, which would cover all up to the next sequence. Only the unit's
 * own ranges can tell those rows from real ones.
 *
 * Not told apart: a discarded function so large (4 KiB and more) that its rows, counted from 0,
 * reach live code of the very same unit. libdw mixes the two; the plan drops what is no
 * instruction's start.
 *
 * Code that belongs to no line (line 0) gets a row that ends the one before, like a sequence's end.
 */
#include "target/line_rows.h"

#include <errno.h>
#include <string.h>

struct table {
	struct index_builder *builder;
	ARRAY(struct address_range) live; /* of the unit, sorted */
	bool live_known;                  /* the unit tells its ranges */
	size_t live_at;                   /* the first that does not end below the current row */
	Dwarf_Files *files;
	size_t file_count;
	uint32_t *file_ids; /* by the table's own numbers */
};

static int range_compare(const void *a, const void *b)
{
	const struct address_range *first = a, *second = b;

	return first->low < second->low ? -1 : first->low > second->low;
}

/* The unit's ranges, without those of discarded code. */
static int live_read(struct table *table, Dwarf_Die *unit, uint64_t *budget)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(unit, at, &base, &low, &high)) > 0) {
		if ((*budget)-- == 0)
			return -EBADMSG;
		table->live_known = true;
		if (builder_is_code(table->builder, low, high) &&
		    ARRAY_APPEND(&table->live, (struct address_range){low, high}))
			return -ENOMEM;
	}
	if (table->live.count)
		qsort(table->live.items, table->live.count, sizeof(*table->live.items),
		    range_compare);
	return 0;
}

/* Rows must be asked in the order of their addresses. */
static bool row_is_live(struct table *table, uint64_t address, bool end)
{
	if (end)
		address--; /* the end of a sequence stands just behind its code */
	if (!builder_is_code(table->builder, address, address + 1))
		return false;
	if (!table->live_known)
		return true;
	while (
	    table->live_at < table->live.count && table->live.items[table->live_at].high <= address)
		table->live_at++;
	return table->live_at < table->live.count &&
	       table->live.items[table->live_at].low <= address;
}

static int row_file(struct table *table, Dwarf_Line *line, uint32_t *ret_file)
{
	Dwarf_Files *files;
	const char *path;
	size_t number;

	*ret_file = INDEX_NONE;
	if (dwarf_line_file(line, &files, &number) || number >= table->file_count)
		return 0;
	if (table->file_ids[number] == INDEX_NONE) {
		path = dwarf_filesrc(files, number, NULL, NULL);
		if (path && builder_file(table->builder, path, &table->file_ids[number]))
			return -ENOMEM;
	}
	*ret_file = table->file_ids[number];
	return 0;
}

/* A row as libdw has it; one without a line or file becomes an end. */
static int row_convert(
    struct table *table, Dwarf_Line *line, struct line_row *ret_row, bool *ret_end)
{
	struct line_row row = {0};
	bool is_stmt = false;
	int number = 0, column = 0;
	Dwarf_Addr address = 0;
	int result = 0;

	*ret_end = false;
	dwarf_lineaddr(line, &address);
	dwarf_lineendsequence(line, ret_end);
	dwarf_lineno(line, &number);
	row.address = address;
	if (!*ret_end && number > 0)
		result = row_file(table, line, &row.file);
	if (!*ret_end && number > 0 && row.file != INDEX_NONE) {
		dwarf_linecol(line, &column);
		dwarf_linebeginstatement(line, &is_stmt);
		row.line = (uint32_t)number;
		row.column = column > 0 && column < UINT16_MAX ? (uint16_t)column : 0;
		row.is_stmt = is_stmt;
	} else {
		row.file = 0;
		row.end_sequence = 1;
	}
	*ret_row = row;
	return result;
}

/* Ends the sequence being added, which began at row `first`. */
static int sequence_close(struct index_builder *builder, size_t first)
{
	struct image_index *index = builder->index;
	struct building_sequence sequence = {.first = first, .count = index->rows.count - first};
	uint32_t *known;

	if (sequence.count == 0)
		return 0;
	sequence.low = index->rows.items[first].address;
	sequence.high = index->rows.items[index->rows.count - 1].address;
	/* Each unit that has a template's instance describes the one that the linker kept. */
	known = id_map_put(&builder->spans, sequence.low, sequence.high);
	if (!known)
		return -ENOMEM;
	if (*known != INDEX_NONE) {
		index->rows.count = first;
		return 0;
	}
	*known = 0;
	return ARRAY_APPEND(&builder->sequences, sequence);
}

static int rows_add(struct table *table, Dwarf_Lines *lines, size_t count)
{
	struct index_builder *builder = table->builder;
	struct image_index *index = builder->index;
	size_t first = index->rows.count;
	int result = ARRAY_RESERVE(&index->rows, count);

	for (size_t i = 0; i < count && !result; i++) {
		struct line_row row;
		bool end;

		result = row_convert(table, dwarf_onesrcline(lines, i), &row, &end);
		if (result)
			break;
		if (!row_is_live(table, row.address, end)) {
			if (index->rows.count == first)
				continue;
			/* The code of the row before ends here at the latest. */
			row = (struct line_row){.address = row.address, .end_sequence = 1};
			end = true;
		}
		index->rows.items[index->rows.count++] = row;
		if (end) {
			result = sequence_close(builder, first);
			first = index->rows.count;
		}
	}
	return result ? result : sequence_close(builder, first);
}

int line_rows_read_unit(struct index_builder *builder, Dwarf_Die *unit, uint64_t *budget)
{
	struct table table = {.builder = builder};
	Dwarf_Lines *lines;
	size_t count;
	int result;

	if (dwarf_getsrclines(unit, &lines, &count) || count == 0 ||
	    dwarf_getsrcfiles(unit, &table.files, &table.file_count))
		return 0;
	if (count > *budget)
		return -EBADMSG;
	*budget -= count;
	table.file_ids = malloc((table.file_count + 1) * sizeof(*table.file_ids));
	if (!table.file_ids)
		return -ENOMEM;
	memset(table.file_ids, 0xff, table.file_count * sizeof(*table.file_ids));
	result = live_read(&table, unit, budget);
	if (!result)
		result = rows_add(&table, lines, count);
	free(table.file_ids);
	ARRAY_FREE(&table.live);
	return result;
}

static int sequence_compare(const void *a, const void *b)
{
	const struct building_sequence *first = a, *second = b;

	if (first->low != second->low)
		return first->low < second->low ? -1 : 1;
	return first->first < second->first ? -1 : first->first > second->first;
}

int line_rows_sort(struct index_builder *builder)
{
	struct image_index *index = builder->index;
	struct line_row *sorted;
	size_t count = 0;
	uint64_t covered = 0;

	if (builder->sequences.count == 0)
		return 0;
	qsort(builder->sequences.items, builder->sequences.count, sizeof(*builder->sequences.items),
	    sequence_compare);
	sorted = malloc(index->rows.count * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	ARRAY_FOREACH (sequence, &builder->sequences) {
		for (size_t i = 0; i < sequence->count; i++) {
			const struct line_row *row = &index->rows.items[sequence->first + i];

			/* One end says it all. */
			bool again = row->end_sequence && count && sorted[count - 1].end_sequence;

			if (row->address >= covered && !again)
				sorted[count++] = *row;
		}
		if (sequence->high > covered)
			covered = sequence->high;
	}
	free(index->rows.items);
	index->rows.items = sorted;
	index->rows.capacity = index->rows.count;
	index->rows.count = count;
	return 0;
}
