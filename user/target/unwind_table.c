// SPDX-License-Identifier: GPL-2.0-or-later
// Reads call frame information into unwinding rows: libdw interprets it, .eh_frame_hdr says where
// functions begin.
#include "target/unwind_table.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <string.h>

#define REGISTER_RBP 6 /* DWARF numbers of the x86-64 ABI */
#define REGISTER_RSP 7
#define REGISTER_RIP 16

#define HEADER_SIZE    12 /* version, three encodings, pointer to .eh_frame, number of entries */
#define HEADER_ENTRY   8
#define ENCODING_COUNT DW_EH_PE_udata4
#define ENCODING_TABLE (DW_EH_PE_datarel | DW_EH_PE_sdata4) /* what every linker writes */

struct reading {
	Dwarf_CFI *cfi;
	unwind_rows *rows;
};

/* The addresses where functions begin, as .eh_frame_hdr lists them. */
struct starts {
	const uint8_t *entries;
	uint64_t base; /* address of the header */
	uint32_t count;
};

static uint32_t read_u32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static bool header_at(const struct elf_file *file, const GElf_Phdr *header, struct starts *ret)
{
	const uint8_t *bytes = file->map + header->p_offset;

	if (header->p_offset > file->size || header->p_filesz > file->size - header->p_offset ||
	    header->p_filesz < HEADER_SIZE)
		return false;
	if (bytes[0] != 1 || bytes[2] != ENCODING_COUNT || bytes[3] != ENCODING_TABLE)
		return false;
	*ret = (struct starts){bytes + HEADER_SIZE, header->p_vaddr, read_u32(bytes + 8)};
	return ret->count <= (header->p_filesz - HEADER_SIZE) / HEADER_ENTRY;
}

static bool find_starts(const struct elf_file *file, struct starts *ret_starts)
{
	size_t count = 0;

	(void)elf_getphdrnum(file->elf, &count);
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;

		if (gelf_getphdr(file->elf, (int)i, &header) && header.p_type == PT_GNU_EH_FRAME)
			return header_at(file, &header, ret_starts);
	}
	return false;
}

static uint64_t start_at(const struct starts *starts, uint32_t at)
{
	return starts->base + (uint64_t)(int32_t)read_u32(starts->entries + at * HEADER_ENTRY);
}

/* ---- Rules ---- */

/* Whether an operation is a register and an offset. */
static bool is_register(const Dwarf_Op *op, unsigned wanted, int64_t *ret_offset)
{
	if (op->atom == DW_OP_bregx && op->number == wanted) {
		*ret_offset = (int64_t)op->number2;
		return true;
	}
	*ret_offset = (int64_t)op->number;
	return op->atom == DW_OP_breg0 + wanted;
}

static bool is_plt(const Dwarf_Op *ops, size_t count)
{
	int64_t offset;

	return count >= 5 && is_register(&ops[0], REGISTER_RSP, &offset) && offset == 8 &&
	       is_register(&ops[1], REGISTER_RIP, &offset) && offset == 0 &&
	       ops[2].atom == DW_OP_lit15 && ops[3].atom == DW_OP_and && ops[4].atom == DW_OP_lit11;
}

static void set_cfa(struct unwind_row *row, const Dwarf_Op *ops, size_t count, bool signal)
{
	int64_t offset = 0;

	row->cfa = UNWIND_BEYOND;
	if (count == 1 && is_register(&ops[0], REGISTER_RSP, &offset))
		row->cfa = UNWIND_RSP;
	else if (count == 1 && is_register(&ops[0], REGISTER_RBP, &offset))
		row->cfa = UNWIND_RBP;
	else if (count == 2 && ops[1].atom == DW_OP_deref && signal)
		row->cfa = UNWIND_SIGNAL;
	else if (count == 2 && ops[1].atom == DW_OP_deref &&
		 is_register(&ops[0], REGISTER_RBP, &offset))
		row->cfa = UNWIND_RBP_AT;
	else if (is_plt(ops, count))
		row->cfa = UNWIND_RSP_PLT;
	if (offset < INT32_MIN || offset > INT32_MAX)
		row->cfa = UNWIND_BEYOND;
	row->cfa_offset = row->cfa == UNWIND_BEYOND ? 0 : (int32_t)offset;
}

/* Where the caller's rbp is, if the function saved it. */
static void set_rbp(struct unwind_row *row, Dwarf_Frame *frame)
{
	Dwarf_Op memory[3], *ops;
	int64_t offset = 0;
	size_t count;

	if (dwarf_frame_register(frame, REGISTER_RBP, memory, &ops, &count) || !count)
		return;
	if (ops[0].atom == DW_OP_call_frame_cfa && count == 2 && ops[1].atom == DW_OP_plus_uconst) {
		row->rbp = UNWIND_RBP_BY_CFA;
		offset = (int64_t)ops[1].number;
	} else if (count == 1 && is_register(&ops[0], REGISTER_RBP, &offset)) {
		row->rbp = UNWIND_RBP_BY_RBP;
	}
	if (offset < INT16_MIN || offset > INT16_MAX)
		row->cfa = UNWIND_BEYOND;
	row->rbp_offset = (int16_t)offset;
}

static bool is_outermost(Dwarf_Frame *frame)
{
	Dwarf_Op memory[3], *ops;
	size_t count;

	return !dwarf_frame_register(frame, REGISTER_RIP, memory, &ops, &count) && !count &&
	       ops == memory;
}

static struct unwind_row row_of(Dwarf_Frame *frame, uint64_t address, bool signal)
{
	struct unwind_row row = {.address = (uint32_t)address};
	Dwarf_Op *ops;
	size_t count;

	if (is_outermost(frame)) {
		row.cfa = UNWIND_END;
		return row;
	}
	if (dwarf_frame_cfa(frame, &ops, &count))
		return row;
	set_cfa(&row, ops, count, signal);
	if (row.cfa != UNWIND_BEYOND && row.cfa != UNWIND_SIGNAL)
		set_rbp(&row, frame);
	return row;
}

/* ---- Rows ---- */

static bool says_the_same(const struct unwind_row *a, const struct unwind_row *b)
{
	return a->cfa == b->cfa && a->cfa_offset == b->cfa_offset && a->rbp == b->rbp &&
	       a->rbp_offset == b->rbp_offset;
}

static int add_row(const struct reading *reading, const struct unwind_row *row)
{
	unwind_rows *rows = reading->rows;
	struct unwind_row *last = rows->count ? &rows->items[rows->count - 1] : NULL;

	if (last && last->address == row->address) {
		*last = *row;
		return 0;
	}
	if (last && says_the_same(last, row))
		return 0;
	return rows->count == UNWIND_ROWS_MAX ? -E2BIG : ARRAY_APPEND(rows, *row);
}

/* The rows of a function; what lies behind it, up to the next one's start, is no code. */
static int read_function(const struct reading *reading, uint64_t address, uint64_t next)
{
	int error = 0;

	while (address < next && !error) {
		Dwarf_Addr start, end;
		Dwarf_Frame *frame;
		struct unwind_row row = {.address = (uint32_t)address};
		bool signal;

		if (dwarf_cfi_addrframe(reading->cfi, address, &frame))
			return add_row(reading, &row);
		if (dwarf_frame_info(frame, &start, &end, &signal) < 0 || end <= address) {
			free(frame);
			return add_row(reading, &row);
		}
		row = row_of(frame, address, signal);
		free(frame);
		error = add_row(reading, &row);
		address = end;
	}
	return error;
}

int unwind_table_read(const struct elf_file *file, unwind_rows *ret_rows)
{
	struct reading reading = {.rows = ret_rows};
	struct starts starts;
	int error = 0;

	if (!find_starts(file, &starts))
		return 0;
	reading.cfi = dwarf_getcfi_elf(file->elf);
	for (uint32_t at = 0; at < starts.count && !error && reading.cfi; at++) {
		uint64_t start = start_at(&starts, at);
		uint64_t next =
		    at + 1 < starts.count ? start_at(&starts, at + 1) : UINT32_MAX + 1ull;

		if (start > UINT32_MAX || next < start) { /* not sorted: not to be trusted */
			ret_rows->count = 0;
			break;
		}
		error = read_function(&reading, start, next);
	}
	dwarf_cfi_end(reading.cfi);
	return error;
}
