// SPDX-License-Identifier: GPL-2.0-or-later
// Unwinding rows: against readelf, which interprets the same call frame information on its own, and
// of assembly whose every rule is known.
#include <dlfcn.h>
#include <errno.h>

#include "target/unwind_table.h"
#include "unit/compiled.h"

/* ---- What lprof reads ---- */

struct table {
	struct elf_file file;
	unwind_rows rows;
	int result;
};

static void table_read(const char *path, struct table *ret_table)
{
	struct failure failure = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	memset(ret_table, 0, sizeof(*ret_table));
	if (elf_file_open(path, fd, &ret_table->file, &failure))
		fail_msg("%s: %s", path, failure.text);
	ret_table->result = unwind_table_read(&ret_table->file, &ret_table->rows);
	close(fd);
}

static void table_fini(struct table *table)
{
	ARRAY_FREE(&table->rows);
	elf_file_close(&table->file);
}

/* The row that holds at an address: the last one at or before it. */
static struct unwind_row row_at(const struct table *table, uint64_t address)
{
	struct unwind_row found = {0};

	ARRAY_FOREACH (row, &table->rows) {
		if (row->address > address)
			break;
		found = *row;
	}
	return found;
}

/* ---- What readelf says ---- */

#define COLUMNS_MAX 20

/* A block of its output: the row of each address, by columns that differ from block to block. */
struct reading {
	const struct table *table;
	int rbp, ra; /* columns; -1: not told, so the rule is the initial one */
	int columns;
	char initial_cfa[32], initial_ra[32]; /* of the CIE */
	bool in_fde;
	uint64_t start, end;
	size_t rows_of_fde, compared, expressions;
	uint64_t last; /* FDEs come in the order of the file */
};

static void expect_cfa(struct reading *reading, const struct unwind_row *row, const char *cfa)
{
	long offset;
	char name[8];

	if (!strcmp(cfa, "exp")) {
		assert_in_set(row->cfa,
		    ((const LargestIntegralType[]){
			UNWIND_RSP_PLT, UNWIND_RBP_AT, UNWIND_SIGNAL, UNWIND_BEYOND}),
		    4);
		reading->expressions++;
		return;
	}
	assert_int_equal(sscanf(cfa, "%7[a-z0-9]%ld", name, &offset), 2);
	if (!strcmp(name, "rsp")) {
		assert_int_equal(row->cfa, UNWIND_RSP);
		assert_int_equal(row->cfa_offset, offset);
	} else if (!strcmp(name, "rbp")) {
		assert_int_equal(row->cfa, UNWIND_RBP);
		assert_int_equal(row->cfa_offset, offset);
	} else {
		assert_int_equal(row->cfa, UNWIND_BEYOND);
	}
}

static void expect_rbp(const struct unwind_row *row, const char *rbp)
{
	if (row->cfa == UNWIND_BEYOND || row->cfa == UNWIND_SIGNAL)
		return;
	if (!strcmp(rbp, "exp")) {
		assert_int_equal(row->rbp, UNWIND_RBP_BY_RBP); /* as compilers realign stacks */
	} else if (*rbp == 'c') {
		assert_int_equal(row->rbp, UNWIND_RBP_BY_CFA);
		assert_int_equal(row->rbp_offset, strtol(rbp + 1, NULL, 10));
	} else {
		assert_int_equal(row->rbp, UNWIND_RBP_SAME);
	}
}

static void compare_row(struct reading *reading, uint64_t address, char *const *fields, int count)
{
	struct unwind_row row = row_at(reading->table, address);

	if (!strcmp(reading->ra >= 0 && reading->ra < count ? fields[reading->ra] : "u", "u")) {
		assert_int_equal(row.cfa, UNWIND_END);
	} else {
		expect_cfa(reading, &row, fields[0]);
		expect_rbp(&row, reading->rbp >= 0 ? fields[reading->rbp] : "u");
	}
	reading->compared++;
	reading->rows_of_fde++;
}

/* An FDE without rows of its own has its CIE's. */
static void fde_end(struct reading *reading)
{
	char *fields[] = {reading->initial_cfa, reading->initial_ra};

	if (!reading->in_fde || reading->rows_of_fde)
		return;
	reading->rbp = -1;
	reading->ra = 1;
	compare_row(reading, reading->start, fields, 2);
}

static int split(char *line, char **ret_fields)
{
	int count = 0;

	for (char *field = strtok(line, " \n"); field && count < COLUMNS_MAX;
	     field = strtok(NULL, " \n"))
		ret_fields[count++] = field;
	return count;
}

static void read_columns(struct reading *reading, char *const *fields, int count)
{
	reading->rbp = reading->ra = -1;
	reading->columns = count;
	for (int at = 2; at < count; at++) {
		if (!strcmp(fields[at], "rbp"))
			reading->rbp = at - 1;
		else if (!strcmp(fields[at], "ra"))
			reading->ra = at - 1;
	}
}

static void read_line(struct reading *reading, char *line)
{
	char *fields[COLUMNS_MAX], *range = strstr(line, " pc=");
	bool cie = strstr(line, " CIE ");
	int count;

	if (cie || range) {
		fde_end(reading);
		reading->in_fde = range;
		reading->rows_of_fde = 0;
		if (range)
			assert_int_equal(
			    sscanf(range, " pc=%lx..%lx", &reading->start, &reading->end), 2);
		return;
	}
	count = split(line, fields);
	if (count >= 2 && !strcmp(fields[0], "LOC")) {
		read_columns(reading, fields, count);
	} else if (count >= 2 && count == reading->columns && strlen(fields[0]) == 16) {
		if (reading->in_fde) {
			compare_row(reading, strtoull(fields[0], NULL, 16), fields + 1, count - 1);
			return;
		}
		snprintf(reading->initial_cfa, sizeof(reading->initial_cfa), "%s", fields[1]);
		snprintf(reading->initial_ra, sizeof(reading->initial_ra), "%s",
		    reading->ra >= 0 ? fields[reading->ra + 1] : "u");
	}
}

/* Compares a file's every row with readelf's; how many there were. */
static size_t compare(const char *path)
{
	struct reading reading = {0};
	struct table table;
	char command[512], *line = NULL;
	size_t size = 0;
	FILE *pipe;

	table_read(path, &table);
	assert_int_equal(table.result, 0);
	reading.table = &table;
	snprintf(command, sizeof(command),
	    "readelf --debug-dump=frames-interp '%s' | sed '/\\.debug_frame section/,$d'", path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (getline(&line, &size, pipe) > 0)
		read_line(&reading, line);
	fde_end(&reading);
	assert_int_equal(pclose(pipe), 0);
	free(line);
	for (size_t i = 1; i < table.rows.count; i++)
		assert_true(table.rows.items[i - 1].address < table.rows.items[i].address);
	table_fini(&table);
	return reading.compared;
}

static const char program[] =
    "#include <alloca.h>\n"
    "#include <stdio.h>\n"
    "#include <string.h>\n"
    "__attribute__((noinline)) int plain(int x) { return printf(\"%d\", x) + 1; }\n"
    "__attribute__((noinline)) int saves(int a, int b, int c)\n"
    "{\n"
    "	int d = plain(a), e = plain(b), f = plain(c);\n"
    "	return d * e + f * plain(d) + e;\n"
    "}\n"
    "__attribute__((noinline)) int variable(int size)\n"
    "{\n"
    "	char *room = alloca(size + 1);\n"
    "	memset(room, size, size + 1);\n"
    "	return plain(room[size / 2]);\n"
    "}\n"
    "__attribute__((noinline)) int aligned(int x)\n"
    "{\n"
    "	char room[256] __attribute__((aligned(128)));\n"
    "	memset(room, x, sizeof(room));\n"
    "	return plain(room[x & 63]) + variable(room[x & 31]);\n"
    "}\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "	(void)argv;\n"
    "	return saves(argc, 2, 3) + aligned(argc);\n"
    "}\n";

static void test_compiled(void **state)
{
	static const char *const options[] = {"gcc -O0", "gcc -O2",
	    "gcc -O2 -fno-omit-frame-pointer", "gcc -O3 -no-pie", "clang -O0", "clang -O2",
	    "gcc -O2 -Wl,--no-eh-frame-hdr"};

	(void)state;
	NEED("readelf");
	write_text("a.c", program);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		assert_int_equal(shell("%s -o program a.c", options[i]), 0);
		assert_true(compare("program") >= 25);
	}
}

static void test_libc(void **state)
{
	Dl_info libc;

	(void)state;
	NEED("readelf");
	assert_true(dladdr(dlsym(RTLD_NEXT, "qsort"), &libc));
	assert_true(compare(libc.dli_fname) > 10000);
}

/* ---- Rules of our own ---- */

static const char assembly[] =
    ".text\n"
    ".globl _start\n"
    "_start: .cfi_startproc\n"
    "	.cfi_undefined rip\n"
    "	nop\n"
    "	.cfi_endproc\n"
    "gap:	nop\n"
    "framed: .cfi_startproc\n"
    "	push %rbp\n"
    "	.cfi_def_cfa_offset 16\n"
    "	.cfi_offset rbp, -16\n"
    "	mov %rsp, %rbp\n"
    "	.cfi_def_cfa_register rbp\n"
    "	nop\n"
    "	.cfi_remember_state\n"
    "	leave\n"
    "	.cfi_def_cfa rsp, 8\n"
    "	.cfi_restore rbp\n"
    "	ret\n"
    "	.cfi_restore_state\n"
    "	nop\n"
    "	.cfi_endproc\n"
    "realigned: .cfi_startproc\n"
    "	.cfi_escape 0x0f,3,0x76,0x78,6\n" /* CFA: breg6 -8, deref */
    "	.cfi_escape 0x10,6,2,0x76,0\n"    /* rbp: at breg6 0 */
    "	nop\n"
    "	.cfi_endproc\n"
    "handler: .cfi_startproc\n"
    "	.cfi_signal_frame\n"
    "	.cfi_escape 0x0f,4,0x77,0xa0,1,6\n" /* CFA: breg7 160, deref */
    "	nop\n"
    "	.cfi_endproc\n"
    "stub: .cfi_startproc\n"
    "	.cfi_escape 0x0f,0x0b,0x77,8,0x80,0,0x3f,0x1a,0x3b,0x2a,0x33,0x24,0x22\n"
    "	nop\n"
    "	.cfi_endproc\n"
    "other: .cfi_startproc\n"
    "	.cfi_def_cfa rdi, 8\n"
    "	nop\n"
    "	.cfi_endproc\n"
    "far: .cfi_startproc\n"
    "	.cfi_def_cfa rsp, 100000\n"
    "	.cfi_offset rbp, -99992\n" /* does not fit a row */
    "	nop\n"
    "	.cfi_endproc\n"
    "odd: .cfi_startproc\n"
    "	.cfi_escape 0x0f,3,0x77,8,0x19\n" /* CFA: breg7 8, abs: nothing that a row can say */
    "	nop\n"
    "	.cfi_endproc\n";

struct expected {
	const char *symbol;
	unsigned offset;
	struct unwind_row row;
};

static uint64_t symbol_address(const char *name)
{
	char command[128], text[64] = "";
	FILE *pipe;

	snprintf(command, sizeof(command), "nm program | grep ' %s$'", name);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(text, sizeof(text), pipe));
	assert_int_equal(pclose(pipe), 0);
	return strtoull(text, NULL, 16);
}

static void assemble(const char *options)
{
	write_text("a.s", assembly);
	assert_int_equal(
	    shell("gcc -nostdlib -static -Wl,--eh-frame-hdr %s -o program a.s", options), 0);
}

static bool tells_offset(const struct unwind_row *row)
{
	return row->cfa == UNWIND_RSP || row->cfa == UNWIND_RBP || row->cfa == UNWIND_RBP_AT;
}

static void expect_row(const struct table *table, const struct expected *wanted)
{
	const struct unwind_row *row = &wanted->row;
	struct unwind_row found = row_at(table, symbol_address(wanted->symbol) + wanted->offset);

	if (found.cfa != row->cfa || (tells_offset(row) && found.cfa_offset != row->cfa_offset) ||
	    (row->cfa != UNWIND_BEYOND &&
		(found.rbp != row->rbp || found.rbp_offset != row->rbp_offset)))
		fail_msg("%s+%u: %u %d, %u %d", wanted->symbol, wanted->offset, found.cfa,
		    found.cfa_offset, found.rbp, found.rbp_offset);
}

/* By the linker's table, and without it. */
static void test_rules(void **state)
{
	static const char *const options[] = {"", "-Wl,--no-eh-frame-hdr"};
	static const struct expected wanted[] = {
	    {"_start", 0, {.cfa = UNWIND_END}},
	    {"gap", 0, {.cfa = UNWIND_NONE}},
	    {"framed", 0, {.cfa = UNWIND_RSP, .cfa_offset = 8}},
	    {"framed", 1,
		{.cfa = UNWIND_RSP, .cfa_offset = 16, .rbp = UNWIND_RBP_BY_CFA, .rbp_offset = -16}},
	    {"framed", 4,
		{.cfa = UNWIND_RBP, .cfa_offset = 16, .rbp = UNWIND_RBP_BY_CFA, .rbp_offset = -16}},
	    {"framed", 6, {.cfa = UNWIND_RSP, .cfa_offset = 8}},
	    {"framed", 7,
		{.cfa = UNWIND_RBP, .cfa_offset = 16, .rbp = UNWIND_RBP_BY_CFA, .rbp_offset = -16}},
	    {"realigned", 0, {.cfa = UNWIND_RBP_AT, .cfa_offset = -8, .rbp = UNWIND_RBP_BY_RBP}},
	    {"handler", 0, {.cfa = UNWIND_SIGNAL}},
	    {"stub", 0, {.cfa = UNWIND_RSP_PLT}},
	    {"other", 0, {.cfa = UNWIND_BEYOND}},
	    {"far", 0, {.cfa = UNWIND_BEYOND}},
	    {"odd", 0, {.cfa = UNWIND_BEYOND}},
	    {"odd", 4096, {.cfa = UNWIND_NONE}},
	};

	(void)state;
	NEED("nm");
	for (size_t at = 0; at < ARRAY_SIZE(options); at++) {
		struct table table;

		assemble(options[at]);
		table_read("program", &table);
		assert_int_equal(table.result, 0);
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			expect_row(&table, &wanted[i]);
		table_fini(&table);
	}
}

/* ---- Without section headers ---- */

static void patch(long at, const void *bytes, size_t count)
{
	FILE *file = fopen("program", "r+");

	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	assert_int_equal(fclose(file), 0);
}

static long offset_of_header(void)
{
	FILE *pipe = popen("objdump -h program | awk '$2 == \".eh_frame_hdr\" { print $6 }'", "r");
	unsigned long offset = 0;

	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%lx", &offset), 1);
	assert_int_equal(pclose(pipe), 0);
	return (long)offset;
}

static void expect_rows(const char *what, bool wanted)
{
	struct table table;

	table_read("program", &table);
	if (table.result || !table.rows.count == wanted)
		fail_msg("%s: %d, %zu rows", what, table.result, table.rows.count);
	table_fini(&table);
}

static void test_without_sections(void **state)
{
	static const char none[8];
	long header;

	(void)state;
	NEED("objdump");
	assemble("");
	header = offset_of_header();
	patch(offsetof(Elf64_Ehdr, e_shoff), none, 8);
	patch(offsetof(Elf64_Ehdr, e_shnum), none, 4);
	expect_rows("by .eh_frame_hdr", true);
	patch(header + 1, "\x3b", 1);
	expect_rows("relative to what is not known", false);
	patch(header + 1, "\x1b\0\0\0\0\0\0\x70", 8);
	expect_rows("outside of all segments", false);
	assemble("-Wl,--no-eh-frame-hdr");
	patch(offsetof(Elf64_Ehdr, e_shoff), none, 8);
	patch(offsetof(Elf64_Ehdr, e_shnum), none, 4);
	expect_rows("neither", false);
}

/* ---- Work ---- */

/* Who begins anew for each row works for hours: the test has 300 s. */
static void test_long_function(void **state)
{
	struct table table;

	(void)state;
	write_text("a.s", ".globl _start\n"
			  "_start: .cfi_startproc\n"
			  ".rept 1000000\n"
			  "	nop\n"
			  "	.cfi_adjust_cfa_offset 8\n"
			  ".endr\n"
			  "	.cfi_endproc\n");
	assert_int_equal(shell("gcc -nostdlib -static -Wl,--eh-frame-hdr -o program a.s"), 0);
	table_read("program", &table);
	assert_int_equal(table.result, 0);
	assert_int_equal(table.rows.count, 1000001);
	assert_int_equal(table.rows.items[999999].cfa_offset, 8 + 8 * 999999);
	table_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_compiled),
	    cmocka_unit_test(test_libc),
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_without_sections),
	    cmocka_unit_test(test_long_function),
	};

	return cmocka_run_group_tests(tests, compiled_set_up, compiled_tear_down);
}
