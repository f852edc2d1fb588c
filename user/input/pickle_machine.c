// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the opcodes of a pickle that build plain data.
#include "input/pickle_machine.h"
#include "input/python_bytes.h"

#include <stdbool.h>
#include <string.h>

struct machine {
	const char *name;
	struct python_bytes bytes;
	size_t opcode_at;
	struct python_values values;
	ARRAY(uint32_t) stack;
	ARRAY(uint32_t) memo;
	struct failure *failure;
	bool stopped;
};

static int refuse(struct machine *machine, const char *sentence)
{
	return failure_set(machine->failure, EBADMSG,
	    "%s: is not a pickle of LineStats: %s at byte %zu", machine->name, sentence,
	    machine->opcode_at);
}

static int no_memory(struct machine *machine)
{
	return failure_set(machine->failure, ENOMEM, "%s: no memory to read it", machine->name);
}

/* `length` bytes of argument, or NULL: the file ends before. */
static const unsigned char *take(struct machine *machine, uint64_t length)
{
	const unsigned char *bytes = python_bytes_take(&machine->bytes, length);

	if (!bytes)
		refuse(machine, "the file is cut off inside an argument");
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

static int push(struct machine *machine, struct python_value value)
{
	if (machine->values.values.count >= PYTHON_VALUES_MAX)
		return refuse(machine, "more values than lprof reads");
	value.first = value.last = PYTHON_END;
	if (ARRAY_APPEND(&machine->values.values, value) ||
	    ARRAY_APPEND(&machine->stack, (uint32_t)machine->values.values.count - 1))
		return no_memory(machine);
	return 0;
}

static struct python_value *value_at(struct machine *machine, uint32_t value)
{
	return &machine->values.values.items[value];
}

/* The value `depth` below the top; -EBADMSG: not there, or a mark. */
static int peek(struct machine *machine, size_t depth, uint32_t *ret_value)
{
	uint32_t value;

	if (depth >= machine->stack.count)
		return refuse(machine, "an empty stack");
	value = machine->stack.items[machine->stack.count - 1 - depth];
	if (value_at(machine, value)->type == PYTHON_MARK)
		return refuse(machine, "a misplaced mark");
	*ret_value = value;
	return 0;
}

static int append(struct machine *machine, uint32_t container, uint32_t value)
{
	/* each appended value was pushed by an opcode of its own, so cells are bounded too */
	return python_append(&machine->values, container, value) ? no_memory(machine) : 0;
}

/* Appends the `count` topmost values to a container and pops them. */
static int append_top(struct machine *machine, uint32_t container, size_t count)
{
	uint32_t value = 0;
	int error = 0;

	for (size_t depth = count; !error && depth--;) {
		error = peek(machine, depth, &value);
		error = error ?: append(machine, container, value);
	}
	if (!error)
		machine->stack.count -= count;
	return error;
}

/* How many values stand above the last mark. */
static int count_to_mark(struct machine *machine, size_t *ret_count)
{
	for (size_t count = 0; count < machine->stack.count; count++) {
		uint32_t value = machine->stack.items[machine->stack.count - 1 - count];

		if (value_at(machine, value)->type == PYTHON_MARK) {
			*ret_count = count;
			return 0;
		}
	}
	return refuse(machine, "a missing mark");
}

/* The `count` topmost values, with a mark below them or not, become one tuple. */
static int make_tuple(struct machine *machine, size_t count, bool marked)
{
	uint32_t tuple, dropped;
	int error;

	if (machine->stack.count < count + marked)
		return refuse(machine, "an empty stack");
	for (size_t depth = 0; depth < count; depth++)
		if (peek(machine, depth, &dropped))
			return -EBADMSG;
	error = push(machine, (struct python_value){.type = PYTHON_TUPLE, .count = 0});
	if (error)
		return error;
	tuple = machine->stack.items[--machine->stack.count];
	error = append_top(machine, tuple, count);
	if (error)
		return error;
	machine->stack.count -= marked;
	return ARRAY_APPEND(&machine->stack, tuple) ? no_memory(machine) : 0;
}

/* SETITEMS, APPENDS and their single forms: values above a container go into it. */
static int fill(struct machine *machine, enum python_type type, size_t count, bool marked)
{
	size_t depth = count + marked;
	uint32_t container;
	int error;

	if (type == PYTHON_DICT && count % 2)
		return refuse(machine, "a key without a value");
	error = peek(machine, depth, &container);
	if (error)
		return error;
	if (value_at(machine, container)->type != type)
		return refuse(machine, "items for something that holds none");
	error = append_top(machine, container, count);
	if (!error)
		machine->stack.count -= marked;
	return error;
}

static int fill_to_mark(struct machine *machine, enum python_type type)
{
	size_t count = 0;
	int error = count_to_mark(machine, &count);

	return error ? error : fill(machine, type, count, true);
}

static int push_text(struct machine *machine, size_t length_bytes)
{
	const unsigned char *bytes;
	uint64_t length = 0;
	int error = take_number(machine, length_bytes, &length);

	if (error)
		return error;
	bytes = take(machine, length);
	if (!bytes)
		return -EBADMSG;
	if (memchr(bytes, '\0', (size_t)length))
		return refuse(machine, "text with a NUL character");
	return push(machine, (struct python_value){
				 .type = PYTHON_TEXT,
				 .text = {(const char *)bytes, (size_t)length},
			     });
}

static int push_integer(struct machine *machine, int64_t integer)
{
	return push(machine, (struct python_value){.type = PYTHON_INTEGER, .integer = integer});
}

/* Two's complement of `length` bytes, low first. */
static int push_long(struct machine *machine, size_t length_bytes)
{
	uint64_t length = 0, bits = 0;
	int error = take_number(machine, length_bytes, &length);

	if (error)
		return error;
	if (length > sizeof(bits))
		return refuse(machine, "a number beyond 64 bits");
	if (take_number(machine, (size_t)length, &bits))
		return -EBADMSG;
	if (length && length < sizeof(bits) && bits >> (8 * length - 1))
		bits |= UINT64_MAX << (8 * length);
	return push_integer(machine, (int64_t)bits);
}

static int push_real(struct machine *machine)
{
	const unsigned char *bytes = take(machine, 8);
	uint64_t bits = 0;
	double real;

	if (!bytes)
		return -EBADMSG;
	for (int i = 0; i < 8; i++)
		bits = bits << 8 | bytes[i];
	memcpy(&real, &bits, sizeof(real));
	return push(machine, (struct python_value){.type = PYTHON_REAL, .real = real});
}

static bool text_equals(const char *text, size_t length, const char *expected)
{
	return strlen(expected) == length && memcmp(text, expected, length) == 0;
}

static int push_class(struct machine *machine, const char *module, size_t length, const char *name,
    size_t name_length)
{
	if (!text_equals(name, name_length, "LineStats") ||
	    (!text_equals(module, length, "line_profiler._line_profiler") &&
		!text_equals(module, length, "line_profiler.line_profiler")))
		return refuse(machine, "a class that is not line_profiler's LineStats");
	return push(machine, (struct python_value){.type = PYTHON_CLASS, .count = 0});
}

/* GLOBAL: two lines of text in the opcodes. */
static int run_global(struct machine *machine)
{
	const char *start = (const char *)machine->bytes.data + machine->bytes.at;
	size_t left = machine->bytes.size - machine->bytes.at;
	const char *module_end = memchr(start, '\n', left), *name_end = NULL;

	if (module_end)
		name_end = memchr(module_end + 1, '\n', left - (size_t)(module_end + 1 - start));
	if (!name_end)
		return refuse(machine, "the file is cut off inside an argument");
	machine->bytes.at += (size_t)(name_end + 1 - start);
	return push_class(machine, start, (size_t)(module_end - start), module_end + 1,
	    (size_t)(name_end - module_end - 1));
}

static int run_stack_global(struct machine *machine)
{
	uint32_t name_value, module_value;
	const struct python_value *name, *module;

	if (peek(machine, 0, &name_value) || peek(machine, 1, &module_value))
		return -EBADMSG;
	name = value_at(machine, name_value);
	module = value_at(machine, module_value);
	if (name->type != PYTHON_TEXT || module->type != PYTHON_TEXT)
		return refuse(machine, "a class name that is not text");
	machine->stack.count -= 2;
	return push_class(
	    machine, module->text.bytes, module->text.length, name->text.bytes, name->text.length);
}

/* NEWOBJ: class and arguments become an object; LineStats takes none here. */
static int run_new_object(struct machine *machine)
{
	uint32_t arguments, class;

	if (peek(machine, 0, &arguments) || peek(machine, 1, &class))
		return -EBADMSG;
	if (value_at(machine, class)->type != PYTHON_CLASS ||
	    value_at(machine, arguments)->type != PYTHON_TUPLE ||
	    value_at(machine, arguments)->count)
		return refuse(machine, "an object that is not LineStats()");
	machine->stack.count -= 2;
	return push(machine, (struct python_value){.type = PYTHON_OBJECT, .count = 0});
}

/* BUILD: a dict becomes the attributes of the object below it, once. */
static int run_build(struct machine *machine)
{
	uint32_t state, object;

	if (peek(machine, 0, &state) || peek(machine, 1, &object))
		return -EBADMSG;
	if (value_at(machine, object)->type != PYTHON_OBJECT || value_at(machine, object)->count ||
	    value_at(machine, state)->type != PYTHON_DICT)
		return refuse(machine, "attributes for something that has none");
	value_at(machine, object)->first = value_at(machine, state)->first;
	value_at(machine, object)->count = value_at(machine, state)->count;
	machine->stack.count--;
	return 0;
}

static int memo_put(struct machine *machine, uint64_t index)
{
	uint32_t value = 0;
	int error = peek(machine, 0, &value);

	if (error)
		return error;
	/* picklers number the memo without gaps */
	if (index > machine->memo.count)
		return refuse(machine, "a memo entry out of order");
	if (index < machine->memo.count)
		machine->memo.items[index] = value;
	else if (ARRAY_APPEND(&machine->memo, value))
		return no_memory(machine);
	return 0;
}

static int memo_get(struct machine *machine, size_t index_bytes)
{
	uint64_t index = 0;

	if (take_number(machine, index_bytes, &index))
		return -EBADMSG;
	if (index >= machine->memo.count)
		return refuse(machine, "an unknown memo entry");
	return ARRAY_APPEND(&machine->stack, machine->memo.items[index]) ? no_memory(machine) : 0;
}

static int run_protocol(struct machine *machine)
{
	uint64_t version = 0;

	if (take_number(machine, 1, &version))
		return -EBADMSG;
	if (version < 2 || version > 5)
		return refuse(machine, "a protocol that is not 2 to 5");
	return 0;
}

static int run_stop(struct machine *machine)
{
	if (machine->stack.count != 1 || peek(machine, 0, &machine->values.root))
		return refuse(machine, "an end with other than one value");
	machine->stopped = true;
	return 0;
}

static int unknown_opcode(struct machine *machine, unsigned char opcode)
{
	return failure_set(machine->failure, EBADMSG,
	    "%s: pickle opcode 0x%02x at byte %zu is refused: lprof reads plain data only",
	    machine->name, opcode, machine->opcode_at);
}

/* Opcodes that make one value out of their argument. */
static int run_value(struct machine *machine, unsigned char opcode)
{
	uint64_t number = 0;

	switch (opcode) {
	case 0x8c: /* SHORT_BINUNICODE */
	case 'U':  /* SHORT_BINSTRING, of Python 2 */
		return push_text(machine, 1);
	case 'X': /* BINUNICODE */
	case 'T': /* BINSTRING */
		return push_text(machine, 4);
	case 0x8d: /* BINUNICODE8 */
		return push_text(machine, 8);
	case 'K': /* BININT1 */
		return take_number(machine, 1, &number) ?: push_integer(machine, (int64_t)number);
	case 'M': /* BININT2 */
		return take_number(machine, 2, &number) ?: push_integer(machine, (int64_t)number);
	case 'J': /* BININT */
		return take_number(machine, 4, &number) ?: push_integer(machine, (int32_t)number);
	case 0x8a: /* LONG1 */
		return push_long(machine, 1);
	case 0x8b: /* LONG4 */
		return push_long(machine, 4);
	case 'G': /* BINFLOAT */
		return push_real(machine);
	case 'N': /* NONE */
		return push(machine, (struct python_value){.type = PYTHON_NONE, .count = 0});
	case 0x88: /* NEWTRUE */
	case 0x89: /* NEWFALSE */
		return push(
		    machine, (struct python_value){.type = PYTHON_BOOL, .integer = opcode == 0x88});
	case '}': /* EMPTY_DICT */
		return push(machine, (struct python_value){.type = PYTHON_DICT, .count = 0});
	case ']': /* EMPTY_LIST */
		return push(machine, (struct python_value){.type = PYTHON_LIST, .count = 0});
	case ')': /* EMPTY_TUPLE */
		return push(machine, (struct python_value){.type = PYTHON_TUPLE, .count = 0});
	case '(': /* MARK */
		return push(machine, (struct python_value){.type = PYTHON_MARK, .count = 0});
	case 'c': /* GLOBAL */
		return run_global(machine);
	default:
		return unknown_opcode(machine, opcode);
	}
}

static int run_opcode(struct machine *machine, unsigned char opcode)
{
	uint64_t number = 0;
	size_t count = 0;

	switch (opcode) {
	case 0x80: /* PROTO */
		return run_protocol(machine);
	case 0x95: /* FRAME: only says how much to read ahead */
		return take_number(machine, 8, &number);
	case 0x94: /* MEMOIZE */
		return memo_put(machine, machine->memo.count);
	case 'q': /* BINPUT */
		return take_number(machine, 1, &number) ?: memo_put(machine, number);
	case 'r': /* LONG_BINPUT */
		return take_number(machine, 4, &number) ?: memo_put(machine, number);
	case 'h': /* BINGET */
		return memo_get(machine, 1);
	case 'j': /* LONG_BINGET */
		return memo_get(machine, 4);
	case 't': /* TUPLE */
		return count_to_mark(machine, &count) ?: make_tuple(machine, count, true);
	case 0x85: /* TUPLE1, TUPLE2, TUPLE3 */
	case 0x86:
	case 0x87:
		return make_tuple(machine, opcode - 0x84u, false);
	case 'a': /* APPEND */
		return fill(machine, PYTHON_LIST, 1, false);
	case 'e': /* APPENDS */
		return fill_to_mark(machine, PYTHON_LIST);
	case 's': /* SETITEM */
		return fill(machine, PYTHON_DICT, 2, false);
	case 'u': /* SETITEMS */
		return fill_to_mark(machine, PYTHON_DICT);
	case 0x93: /* STACK_GLOBAL */
		return run_stack_global(machine);
	case 0x81: /* NEWOBJ */
		return run_new_object(machine);
	case 'b': /* BUILD */
		return run_build(machine);
	case '.': /* STOP */
		return run_stop(machine);
	default:
		return run_value(machine, opcode);
	}
}

int pickle_run(const char *name, const char *bytes, size_t size, struct python_values *ret_values,
    struct failure *failure)
{
	struct machine machine = {
	    .name = name,
	    .bytes = {.data = (const unsigned char *)bytes, .size = size},
	    .failure = failure,
	};
	int error = 0;

	while (!error && !machine.stopped) {
		machine.opcode_at = machine.bytes.at;
		if (machine.bytes.at >= size)
			error = refuse(&machine, "the file is cut off");
		else
			error = run_opcode(&machine, machine.bytes.data[machine.bytes.at++]);
	}
	ARRAY_FREE(&machine.stack);
	ARRAY_FREE(&machine.memo);
	if (error)
		python_values_fini(&machine.values);
	else
		*ret_values = machine.values;
	return error;
}
