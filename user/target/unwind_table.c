// SPDX-License-Identifier: GPL-2.0-or-later
// Turns call frame information into unwinding rows.
//
// An entry of .eh_frame is a little program (DWARF 5, 6.4.2): its instructions state rules and move
// on through the code. libdw can run it up to one address, beginning anew for each, and gives a
// hostile program what it asks for: gigabytes for a register of a large number, hours for a long
// function. So it is run here, once, for what rows can say: where the CFA is, where rbp was saved,
// and whether the return address is where calls put it. Other registers' rules are read over.
#include "target/unwind_table.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "target/call_frames.h"

#define REGISTER_RBP 6 /* DWARF numbers of the x86-64 ABI */
#define REGISTER_RSP 7
#define SAVED_MAX    16  /* rules that are remembered for later; compilers use one or two */
#define COMMON_MAX   256 /* bytes of instructions that many entries share; compilers write 10 */

#define OPERATION(name) ((name)&0xc0) /* of those with an operand in the other bits */

enum place {
	PLACE_SAME,
	PLACE_UNDEFINED,
	PLACE_BY_CFA, /* saved at CFA + offset */
	PLACE_BY_RBP, /* saved at rbp + offset */
	PLACE_OTHER,
};

struct rule {
	enum place place;
	int64_t offset;
};

struct rules {
	enum unwind_cfa cfa;
	int64_t cfa_offset;
	struct rule rbp, ra;
};

/* An entry whose bytes are still to be run. */
struct function {
	uint64_t start, end;
	const uint8_t *instructions, *instructions_end;
	uint32_t common;
};

struct reading {
	ARRAY(struct function) functions;
	ARRAY(struct call_frame_common) commons;
	unwind_rows *rows;
};

struct machine {
	struct byte_reader reader;
	const struct call_frame_common *common;
	struct rules now, initial, saved[SAVED_MAX];
	unsigned saved_count;
	uint64_t address, end;
	unwind_rows *rows; /* NULL: the common instructions, which make none */
	int error;
};

/* ---- Rows ---- */

static struct unwind_row row_of(const struct rules *rules, uint64_t address)
{
	struct unwind_row row = {.address = (uint32_t)address, .cfa = (uint8_t)rules->cfa};
	bool saved = rules->rbp.place == PLACE_BY_CFA || rules->rbp.place == PLACE_BY_RBP;

	if (rules->ra.place == PLACE_UNDEFINED) {
		row.cfa = UNWIND_END;
		return row;
	}
	if (row.cfa == UNWIND_SIGNAL)
		return row;
	if (rules->ra.place != PLACE_BY_CFA || rules->ra.offset != -8 ||
	    rules->rbp.place == PLACE_OTHER || rules->cfa_offset < INT32_MIN ||
	    rules->cfa_offset > INT32_MAX ||
	    (saved && (rules->rbp.offset < INT16_MIN || rules->rbp.offset > INT16_MAX)))
		row.cfa = UNWIND_BEYOND;
	if (row.cfa == UNWIND_BEYOND)
		return row;
	row.cfa_offset = (int32_t)rules->cfa_offset;
	if (!saved)
		return row;
	row.rbp = rules->rbp.place == PLACE_BY_CFA ? UNWIND_RBP_BY_CFA : UNWIND_RBP_BY_RBP;
	row.rbp_offset = (int16_t)rules->rbp.offset;
	return row;
}

static bool says_the_same(const struct unwind_row *a, const struct unwind_row *b)
{
	return a->cfa == b->cfa && a->cfa_offset == b->cfa_offset && a->rbp == b->rbp &&
	       a->rbp_offset == b->rbp_offset;
}

static int add_row(unwind_rows *rows, struct unwind_row row)
{
	struct unwind_row *last = rows->count ? &rows->items[rows->count - 1] : NULL;

	if (last && last->address == row.address) {
		*last = row;
		return 0;
	}
	if (last && says_the_same(last, &row))
		return 0;
	return rows->count == UNWIND_ROWS_MAX ? -E2BIG : ARRAY_APPEND(rows, row);
}

/* ---- Expressions ---- */

/* The one of a register and an offset, and of what is there if `deref`. */
static bool is_by_register(
    const uint8_t *bytes, size_t size, unsigned number, bool deref, int64_t *ret_offset)
{
	struct byte_reader reader = {.at = bytes, .end = bytes + size};

	if (read_fixed(&reader, 1, false) != DW_OP_breg0 + number)
		return false;
	*ret_offset = (int64_t)read_leb128(&reader, true);
	if (deref && read_fixed(&reader, 1, false) != DW_OP_deref)
		return false;
	return !reader.failed && reader.at == reader.end;
}

/* rsp + 8 + ((rip & 15) >= 11) * 8, as linkers write it for the procedure linkage table. */
static bool is_plt(const uint8_t *bytes, size_t size)
{
	static const uint8_t plt[] = {DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and,
	    DW_OP_lit11, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus};

	return size == sizeof(plt) && !memcmp(bytes, plt, size);
}

static void set_cfa_expression(struct machine *machine)
{
	struct rules *now = &machine->now;
	size_t size;
	const uint8_t *bytes = read_block(&machine->reader, &size);

	now->cfa = UNWIND_BEYOND;
	if (is_plt(bytes, size))
		now->cfa = UNWIND_RSP_PLT;
	else if (is_by_register(bytes, size, REGISTER_RBP, true, &now->cfa_offset))
		now->cfa = UNWIND_RBP_AT;
	else if (machine->common->is_signal &&
		 is_by_register(bytes, size, REGISTER_RSP, true, &now->cfa_offset))
		now->cfa = UNWIND_SIGNAL;
	if (now->cfa != UNWIND_RBP_AT)
		now->cfa_offset = 0;
}

/* ---- Instructions ---- */

static void set_cfa_register(struct machine *machine, uint64_t number)
{
	machine->now.cfa = number == REGISTER_RSP   ? UNWIND_RSP
			   : number == REGISTER_RBP ? UNWIND_RBP
						    : UNWIND_BEYOND;
}

/* The rule of a register, if it is one that rows tell of; else one that nobody reads. */
static struct rule *rule_of(struct machine *machine, struct rules *rules, uint64_t number)
{
	static struct rule others;

	if (number == machine->common->return_column)
		return &rules->ra;
	return number == REGISTER_RBP ? &rules->rbp : &others;
}

static void set_rule(struct machine *machine, uint64_t number, enum place place, int64_t offset)
{
	struct rule *rule = rule_of(machine, &machine->now, number);

	rule->place = place;
	rule->offset = offset;
}

static void restore(struct machine *machine, uint64_t number)
{
	*rule_of(machine, &machine->now, number) = *rule_of(machine, &machine->initial, number);
}

static void advance(struct machine *machine, uint64_t steps)
{
	uint64_t factor = machine->common->code_factor, left = machine->end - machine->address;

	if (!machine->rows)
		return;
	machine->error = add_row(machine->rows, row_of(&machine->now, machine->address));
	machine->address += factor && steps > left / factor ? left : steps * factor;
}

/* Operands are multiples of a factor of the entry's. */
static int64_t read_factored(struct machine *machine, bool is_signed)
{
	return (int64_t)(read_leb128(&machine->reader, is_signed) *
			 (uint64_t)machine->common->data_factor);
}

static uint64_t read_number(struct machine *machine)
{
	return read_leb128(&machine->reader, false);
}

static bool run_cfa(struct machine *machine, uint8_t operation)
{
	switch (operation) {
	case DW_CFA_def_cfa:
		set_cfa_register(machine, read_number(machine));
		machine->now.cfa_offset = (int64_t)read_number(machine);
		return true;
	case DW_CFA_def_cfa_sf:
		set_cfa_register(machine, read_number(machine));
		machine->now.cfa_offset = read_factored(machine, true);
		return true;
	case DW_CFA_def_cfa_register:
		set_cfa_register(machine, read_number(machine));
		return true;
	case DW_CFA_def_cfa_offset:
		machine->now.cfa_offset = (int64_t)read_number(machine);
		return true;
	case DW_CFA_def_cfa_offset_sf:
		machine->now.cfa_offset = read_factored(machine, true);
		return true;
	case DW_CFA_def_cfa_expression:
		set_cfa_expression(machine);
		return true;
	default:
		return false;
	}
}

static void run_expression(struct machine *machine, bool is_address)
{
	uint64_t number = read_number(machine);
	size_t size;
	const uint8_t *bytes = read_block(&machine->reader, &size);
	int64_t offset = 0;

	if (is_address && is_by_register(bytes, size, REGISTER_RBP, false, &offset))
		set_rule(machine, number, PLACE_BY_RBP, offset);
	else
		set_rule(machine, number, PLACE_OTHER, 0);
}

static bool run_register(struct machine *machine, uint8_t operation)
{
	uint64_t number;

	switch (operation) {
	case DW_CFA_expression:
	case DW_CFA_val_expression:
		run_expression(machine, operation == DW_CFA_expression);
		return true;
	case DW_CFA_offset_extended:
	case DW_CFA_offset_extended_sf:
		number = read_number(machine);
		set_rule(machine, number, PLACE_BY_CFA,
		    read_factored(machine, operation == DW_CFA_offset_extended_sf));
		return true;
	case DW_CFA_undefined:
		set_rule(machine, read_number(machine), PLACE_UNDEFINED, 0);
		return true;
	case DW_CFA_same_value:
		set_rule(machine, read_number(machine), PLACE_SAME, 0);
		return true;
	case DW_CFA_restore_extended:
		restore(machine, read_number(machine));
		return true;
	case DW_CFA_register:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
	case DW_CFA_GNU_negative_offset_extended:
		set_rule(machine, read_number(machine), PLACE_OTHER, 0);
		read_number(machine);
		return true;
	default:
		return false;
	}
}

static bool run_other(struct machine *machine, uint8_t operation)
{
	switch (operation) {
	case DW_CFA_nop:
		return true;
	case DW_CFA_advance_loc1:
		advance(machine, read_fixed(&machine->reader, 1, false));
		return true;
	case DW_CFA_advance_loc2:
		advance(machine, read_fixed(&machine->reader, 2, false));
		return true;
	case DW_CFA_advance_loc4:
		advance(machine, read_fixed(&machine->reader, 4, false));
		return true;
	case DW_CFA_remember_state:
		if (machine->saved_count == SAVED_MAX)
			return false;
		machine->saved[machine->saved_count++] = machine->now;
		return true;
	case DW_CFA_restore_state:
		if (!machine->saved_count)
			return false;
		machine->now = machine->saved[--machine->saved_count];
		return true;
	case DW_CFA_GNU_args_size:
		read_number(machine);
		return true;
	default:
		return false;
	}
}

static bool run_one(struct machine *machine)
{
	uint8_t operation = (uint8_t)read_fixed(&machine->reader, 1, false), low = operation & 0x3f;

	switch (OPERATION(operation)) {
	case OPERATION(DW_CFA_advance_loc):
		advance(machine, low);
		return true;
	case OPERATION(DW_CFA_offset):
		set_rule(machine, low, PLACE_BY_CFA, read_factored(machine, false));
		return true;
	case OPERATION(DW_CFA_restore):
		restore(machine, low);
		return true;
	default:
		return run_cfa(machine, operation) || run_register(machine, operation) ||
		       run_other(machine, operation);
	}
}

/* What cannot be read is beyond what rows can say, and so is what follows. */
static void run(struct machine *machine, const uint8_t *bytes, const uint8_t *end)
{
	bool known = true;

	machine->reader = (struct byte_reader){.at = bytes, .end = end};
	while (
	    known && machine->reader.at < end && machine->address < machine->end && !machine->error)
		known = run_one(machine) && !machine->reader.failed;
	if (!known)
		machine->now.cfa = UNWIND_BEYOND;
}

/* ---- Entries ---- */

static int take_frame(void *context, const struct call_frame *frame)
{
	struct reading *reading = context;
	struct function function = {
	    .start = frame->start,
	    .end = frame->start + frame->length,
	    .instructions = frame->instructions,
	    .instructions_end = frame->end,
	};

	if (!frame->length || function.end <= function.start || function.end > UINT32_MAX)
		return 0;
	if (!reading->commons.count ||
	    reading->commons.items[reading->commons.count - 1].offset != frame->common->offset) {
		if (ARRAY_APPEND(&reading->commons, *frame->common))
			return -ENOMEM;
	}
	function.common = (uint32_t)reading->commons.count - 1;
	return ARRAY_APPEND(&reading->functions, function);
}

static int function_compare(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

static int run_function(const struct reading *reading, const struct function *function)
{
	const struct call_frame_common *common = &reading->commons.items[function->common];
	struct machine machine = {
	    .common = common,
	    .address = function->start,
	    .end = function->end,
	    .now = {.cfa = UNWIND_BEYOND, .ra.place = PLACE_UNDEFINED},
	};

	if (common->end - common->instructions <= COMMON_MAX)
		run(&machine, common->instructions, common->end);
	machine.initial = machine.now;
	machine.rows = reading->rows;
	run(&machine, function->instructions, function->instructions_end);
	if (!machine.error && machine.address < machine.end)
		machine.error = add_row(reading->rows, row_of(&machine.now, machine.address));
	return machine.error;
}

/* What lies between functions is no code. */
static int run_functions(const struct reading *reading)
{
	uint64_t end = 0;
	int error = 0;

	ARRAY_FOREACH (function, &reading->functions) {
		if (function->start < end)
			continue; /* overlaps the one before */
		if (function->start > end && end)
			error =
			    add_row(reading->rows, (struct unwind_row){.address = (uint32_t)end});
		if (!error)
			error = run_function(reading, function);
		if (error)
			return error;
		end = function->end;
	}
	return end ? add_row(reading->rows, (struct unwind_row){.address = (uint32_t)end}) : 0;
}

int unwind_table_read(const struct elf_file *file, unwind_rows *ret_rows)
{
	struct reading reading = {.rows = ret_rows};
	int error = call_frames_read(file, take_frame, &reading);

	ARRAY_SORT(&reading.functions, function_compare);
	if (!error)
		error = run_functions(&reading);
	ARRAY_FREE(&reading.functions);
	ARRAY_FREE(&reading.commons);
	return error;
}
