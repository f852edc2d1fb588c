// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the plain data of a marshal.
#include "input/marshal_machine.h"
#include "input/python_bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX  16 /* a profile needs 5 */
#define NUMBERED   0x80
#define DIGIT_BITS 15

struct machine {
	const char *name;
	struct python_bytes bytes;
	size_t type_at;
	struct python_values values;
	ARRAY(uint32_t) references; /* PYTHON_END: not complete yet */
	ARRAY(uint32_t) interned;   /* Python 2's */
	struct failure *failure;
};

static int read_value(struct machine *machine, unsigned depth, uint32_t *ret_value);

static int refuse(struct machine *machine, const char *sentence)
{
	return failure_set(machine->failure, EBADMSG,
	    "%s: is not a profile of pstats: %s at byte %zu", machine->name, sentence,
	    machine->type_at);
}

static int no_memory(struct machine *machine)
{
	return failure_set(machine->failure, ENOMEM, "%s: no memory to read it", machine->name);
}

/* `length` bytes, or NULL: the file ends before. */
static const unsigned char *take(struct machine *machine, size_t length)
{
	const unsigned char *bytes = python_bytes_take(&machine->bytes, length);

	if (!bytes)
		refuse(machine, "the file is cut off");
	return bytes;
}

/* A little-endian number of 1 to 8 bytes. */
static int take_number(struct machine *machine, size_t length, uint64_t *ret_number)
{
	const unsigned char *bytes = take(machine, length);

	if (!bytes)
		return -EBADMSG;
	*ret_number = python_bytes_number(bytes, length);
	return 0;
}

static int add(struct machine *machine, struct python_value value, uint32_t *ret_value)
{
	if (machine->values.values.count >= PYTHON_VALUES_MAX)
		return refuse(machine, "more values than lprof reads");
	value.first = value.last = PYTHON_END;
	*ret_value = (uint32_t)machine->values.values.count;
	return ARRAY_APPEND(&machine->values.values, value) ? no_memory(machine) : 0;
}

static int add_integer(struct machine *machine, int64_t integer, uint32_t *ret_value)
{
	return add(
	    machine, (struct python_value){.type = PYTHON_INTEGER, .integer = integer}, ret_value);
}

static int read_text(struct machine *machine, size_t length_bytes, uint32_t *ret_value)
{
	const unsigned char *bytes;
	uint64_t length = 0;
	int error = take_number(machine, length_bytes, &length);

	if (error)
		return error;
	bytes = take(machine, (size_t)length);
	if (!bytes)
		return -EBADMSG;
	if (memchr(bytes, '\0', (size_t)length))
		return refuse(machine, "text with a NUL character");
	return add(machine,
	    (struct python_value){
		.type = PYTHON_TEXT, .text = {(const char *)bytes, (size_t)length}},
	    ret_value);
}

/* Digits of 15 bits, low first; their number is negative where the integer is. */
static int read_long(struct machine *machine, uint32_t *ret_value)
{
	uint64_t count = 0, sum = 0;
	bool negative;
	int error = take_number(machine, 4, &count);

	if (error)
		return error;
	negative = count >> 31;
	if (negative)
		count = -count & UINT32_MAX;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t digit = 0;

		if (take_number(machine, 2, &digit))
			return -EBADMSG;
		if (digit >> DIGIT_BITS || (digit && i * DIGIT_BITS >= 63) ||
		    digit > (UINT64_MAX >> 1) >> (i * DIGIT_BITS < 63 ? i * DIGIT_BITS : 63))
			return refuse(machine, "a number beyond 64 bits");
		if (digit)
			sum |= digit << (i * DIGIT_BITS);
	}
	return add_integer(machine, negative ? -(int64_t)sum : (int64_t)sum, ret_value);
}

static int read_real(struct machine *machine, uint32_t *ret_value)
{
	uint64_t bits = 0;
	double real;

	if (take_number(machine, 8, &bits))
		return -EBADMSG;
	memcpy(&real, &bits, sizeof(real));
	return add(machine, (struct python_value){.type = PYTHON_REAL, .real = real}, ret_value);
}

static int read_real_text(struct machine *machine, uint32_t *ret_value)
{
	const unsigned char *bytes;
	uint64_t length = 0;
	char text[256], *end;
	double real;

	if (take_number(machine, 1, &length) || !(bytes = take(machine, (size_t)length)))
		return -EBADMSG;
	memcpy(text, bytes, (size_t)length);
	text[length] = '\0';
	real = strtod(text, &end);
	if (end == text || end != text + length)
		return refuse(machine, "a fraction that is none");
	return add(machine, (struct python_value){.type = PYTHON_REAL, .real = real}, ret_value);
}

/* `count` members, or up to the NULL that ends a dict. */
static int read_members(struct machine *machine, enum python_type type, uint64_t count,
    unsigned depth, uint32_t *ret_value)
{
	uint32_t container, member = 0;
	int error = add(machine, (struct python_value){.type = type, .count = 0}, &container);

	if (!error && count > machine->bytes.size - machine->bytes.at && type != PYTHON_DICT)
		error = refuse(machine, "the file is cut off");
	for (uint64_t i = 0; !error && i < count; i++) {
		if (type == PYTHON_DICT && i % 2 == 0 && machine->bytes.at < machine->bytes.size &&
		    machine->bytes.data[machine->bytes.at] == '0') {
			machine->bytes.at++;
			break;
		}
		error = read_value(machine, depth + 1, &member);
		if (!error && python_append(&machine->values, container, member))
			error = no_memory(machine);
	}
	*ret_value = container;
	return error;
}

static int read_container(
    struct machine *machine, unsigned char type, unsigned depth, uint32_t *ret_value)
{
	uint64_t count = UINT64_MAX;

	if (depth >= DEPTH_MAX)
		return refuse(machine, "values nested too deep");
	if (type != '{' && take_number(machine, type == ')' ? 1 : 4, &count))
		return -EBADMSG;
	return read_members(machine,
	    type == '{'   ? PYTHON_DICT
	    : type == '[' ? PYTHON_LIST
			  : PYTHON_TUPLE,
	    count, depth, ret_value);
}

static int read_reference(
    struct machine *machine, const uint32_t *known, size_t known_count, uint32_t *ret_value)
{
	uint64_t index = 0;

	if (take_number(machine, 4, &index))
		return -EBADMSG;
	if (index >= known_count || known[index] == PYTHON_END)
		return refuse(machine, "a reference to nothing");
	*ret_value = known[index];
	return 0;
}

static int read_number(struct machine *machine, unsigned char type, uint32_t *ret_value)
{
	uint64_t number = 0;

	switch (type) {
	case 'i':
		return take_number(machine, 4, &number)
			   ?: add_integer(machine, (int32_t)number, ret_value);
	case 'I': /* Python 2 */
		return take_number(machine, 8, &number)
			   ?: add_integer(machine, (int64_t)number, ret_value);
	case 'l':
		return read_long(machine, ret_value);
	case 'g':
		return read_real(machine, ret_value);
	default: /* 'f', marshal versions 0 and 1 */
		return read_real_text(machine, ret_value);
	}
}

static int read_typed(
    struct machine *machine, unsigned char type, unsigned depth, uint32_t *ret_value)
{
	int error;

	switch (type) {
	case 'N':
		return add(
		    machine, (struct python_value){.type = PYTHON_NONE, .count = 0}, ret_value);
	case 'T':
	case 'F':
		return add(machine,
		    (struct python_value){.type = PYTHON_BOOL, .integer = type == 'T'}, ret_value);
	case 'i':
	case 'I':
	case 'l':
	case 'g':
	case 'f':
		return read_number(machine, type, ret_value);
	case 'z': /* short and ASCII; 'Z', 'A': interned */
	case 'Z':
		return read_text(machine, 1, ret_value);
	case 'a':
	case 'A':
	case 'u':
	case 's': /* bytes: Python 2's text */
		return read_text(machine, 4, ret_value);
	case 't':
		error = read_text(machine, 4, ret_value);
		if (!error && ARRAY_APPEND(&machine->interned, *ret_value))
			error = no_memory(machine);
		return error;
	case 'R':
		return read_reference(
		    machine, machine->interned.items, machine->interned.count, ret_value);
	case 'r':
		return read_reference(
		    machine, machine->references.items, machine->references.count, ret_value);
	case '(':
	case ')':
	case '[':
	case '{':
		return read_container(machine, type, depth, ret_value);
	default:
		return refuse(machine, "a value that is not plain data");
	}
}

static int read_value(struct machine *machine, unsigned depth, uint32_t *ret_value)
{
	size_t reference = machine->references.count;
	unsigned char type;
	int error;

	machine->type_at = machine->bytes.at;
	if (machine->bytes.at >= machine->bytes.size)
		return refuse(machine, "the file is cut off");
	type = machine->bytes.data[machine->bytes.at++];
	if (type & NUMBERED && ARRAY_APPEND(&machine->references, PYTHON_END))
		return no_memory(machine);
	error = read_typed(machine, type & (unsigned char)~NUMBERED, depth, ret_value);
	if (!error && type & NUMBERED)
		machine->references.items[reference] = *ret_value;
	return error;
}

int marshal_run(const char *name, const char *bytes, size_t size, struct python_values *ret_values,
    struct failure *failure)
{
	struct machine machine = {
	    .name = name,
	    .bytes = {.data = (const unsigned char *)bytes, .size = size},
	    .failure = failure,
	};
	int error = read_value(&machine, 0, &machine.values.root);

	if (!error && machine.bytes.at != size) {
		machine.type_at = machine.bytes.at;
		error = refuse(&machine, "more than one value");
	}
	ARRAY_FREE(&machine.references);
	ARRAY_FREE(&machine.interned);
	if (error)
		python_values_fini(&machine.values);
	else
		*ret_values = machine.values;
	return error;
}
