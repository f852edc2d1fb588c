// SPDX-License-Identifier: GPL-2.0-or-later
// Indexes of C programs: against nm, objdump and llvm-symbolizer, which read the same files on
// their own.
#include "unit/compiled.h"

static const char program[] =
    "#include <stdio.h>\n"
    "#include <stdlib.h>\n"
    "static inline int square(int x)\n"
    "{\n"
    "	return x * x + 1;\n"
    "}\n"
    "static inline int cube(int x)\n"
    "{\n"
    "	int s = square(x);\n"
    "	return s * x;\n"
    "}\n"
    "__attribute__((noinline)) static int scaled(int x, int by)\n"
    "{\n"
    "	for (int i = 0; i < x; i++)\n"
    "		by += printf(\"%d\", i);\n"
    "	return by * x;\n"
    "}\n"
    "__attribute__((cold, noinline)) static void complain(const char *what)\n"
    "{\n"
    "	fprintf(stderr, \"%s\\n\", what);\n"
    "}\n"
    "int checked(int x)\n"
    "{\n"
    "	if (x > 100) {\n"
    "		complain(\"large\");\n"
    "		abort();\n"
    "	}\n"
    "	return scaled(x, 3) + cube(x);\n"
    "}\n"
    "int other_name(int x) __attribute__((alias(\"checked\")));\n"
    "extern int second(int x);\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "	(void)argv;\n"
    "	return checked(argc) + cube(argc) + second(argc);\n"
    "}\n";

static const char second_file[] = "#include <stdio.h>\n"
				  "__attribute__((noinline)) static int scaled(int x)\n"
				  "{\n"
				  "	return puts(\"second\") + x;\n"
				  "}\n"
				  "int second(int x)\n"
				  "{\n"
				  "	return scaled(x) + 1;\n"
				  "}\n";

static const char *const compilers[] = {"gcc", "clang"};
static const char *const levels[] = {"-O0 -gdwarf-5", "-O2 -gdwarf-5", "-O2 -gdwarf-4",
    "-O3 -no-pie -gdwarf-5", "-Os -gdwarf-4 -ffunction-sections -Wl,--gc-sections"};

static void compile(const char *compiler, const char *options)
{
	write_text("a.c", program);
	write_text("b.c", second_file);
	assert_int_equal(shell("%s %s a.c b.c -o a.out", compiler, options), 0);
}

/* Runs `check` on the program of each compiler and level. */
static void for_each_build(void (*check)(const struct image_index *index))
{
	for (size_t c = 0; c < ARRAY_SIZE(compilers); c++)
		for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
			if (shell("command -v %s >/dev/null", compilers[c]))
				continue;
			compile(compilers[c], levels[l]);
			CLEANUP(image_index_free_p) struct image_index *index = index_of("a.out");
			check(index);
		}
}

/* The copy that the symbol names, as its own name or an alias. */
static const struct function_copy *copy_of_symbol(
    const struct image_index *index, const char *symbol, uint64_t address)
{
	ARRAY_FOREACH (copy, &index->copies)
		if (copy->entry == address && !strcmp(copy->linkage_name, symbol))
			return copy;
	ARRAY_FOREACH (alias, &index->aliases)
		if (!strcmp(alias->name, symbol))
			return &index->copies.items[alias->copy];
	return NULL;
}

static void check_symbols(const struct image_index *index)
{
	FILE *symbols = popen("nm a.out", "r");
	unsigned long address;
	char kind, name[256];
	size_t seen = 0;

	assert_non_null(symbols);
	while (fscanf(symbols, "%lx %c %255s", &address, &kind, name) >= 2 ||
	       fscanf(symbols, " %c %255s", &kind, name) == 2) {
		const struct function_copy *copy;

		if ((kind != 't' && kind != 'T') || !strcmp(name, "_init") ||
		    !strcmp(name, "_fini"))
			continue;
		copy = copy_of_symbol(index, name, address);
		if (!copy)
			fail_msg("nm's %s is missing", name);
		if (!strstr(name, ".cold"))
			assert_int_equal(copy->entry, address);
		assert_int_equal(image_index_copy_at(index, address), copy - index->copies.items);
		seen++;
	}
	pclose(symbols);
	assert_true(seen > 5);
}

static void test_symbols_are_nms(void **state)
{
	(void)state;
	for_each_build(check_symbols);
}

/* Code of no line only ends the row before. */
static bool has_end(const struct image_index *index, uint64_t address)
{
	size_t at = image_index_row_from(index, address);

	for (; at < index->rows.count && index->rows.items[at].address == address; at++)
		if (index->rows.items[at].end_sequence)
			return true;
	return at > 0 && index->rows.items[at - 1].end_sequence;
}

static bool has_row(const struct image_index *index, uint64_t address, unsigned line, bool stmt)
{
	for (size_t i = image_index_row_from(index, address);
	     i < index->rows.count && index->rows.items[i].address == address; i++)
		if (index->rows.items[i].line == line && index->rows.items[i].is_stmt == stmt)
			return true;
	return false;
}

static void check_rows(const struct image_index *index)
{
	FILE *rows = popen("objdump --dwarf=decodedline a.out | grep '^[ab]\\.c  *[0-9]'", "r");
	char text[256];
	size_t seen = 0, have = 0;

	assert_non_null(rows);
	while (fgets(text, sizeof(text), rows)) {
		unsigned long address;
		unsigned line;

		if (sscanf(text, "%*s %u %lx", &line, &address) != 2 ||
		    image_index_copy_at(index, address) == INDEX_NONE)
			continue; /* discarded, or a row of no length behind the end */
		if (line == 0) {
			assert_true(has_end(index, address));
			continue;
		}
		if (!has_row(index, address, line, text[strlen(text) - 2] == 'x'))
			fail_msg("objdump's row is missing: %s", text);
		seen++;
	}
	pclose(rows);
	ARRAY_FOREACH (row, &index->rows)
		have += row->line > 0;
	assert_true(seen > 20);
	assert_int_equal(have, seen);
	for (size_t i = 1; i < index->rows.count; i++)
		assert_true(index->rows.items[i - 1].address <= index->rows.items[i].address);
}

static void test_rows_are_objdumps(void **state)
{
	(void)state;
	for_each_build(check_rows);
}

/* Compares the chain of inlined functions at `address` with the symbolizer's "NAME\nFILE:LINE\n"...
 */
static void check_chain(const struct image_index *index, FILE *names)
{
	unsigned long address;
	char name[256], place[512];
	uint32_t at, copy, line = 0;
	bool called = false;

	if (fscanf(names, "%lx", &address) != 1)
		return;
	at = image_index_inlined_at(index, address);
	copy = image_index_copy_at(index, address);
	for (;;) {
		uint32_t source = at != INDEX_NONE ? index->inlined.items[at].source
						   : index->copies.items[copy].source;

		assert_int_equal(fscanf(names, " %255s %511[^\n]", name, place), 2);
		name[strcspn(name, ".")] = '\0'; /* a clone's symbol */
		if (strcmp(index->functions.items[source].name, name) != 0)
			fail_msg("at %lx: %s, not %s", address, index->functions.items[source].name,
			    name);
		if (called)
			assert_int_equal(atoi(strrchr(place, ':') + 1), line);
		if (at == INDEX_NONE)
			return;
		called = true;
		line = index->inlined.items[at].call_line;
		at = index->inlined.items[at].parent;
	}
}

static void check_inlining(const struct image_index *index)
{
	FILE *addresses = fopen("addresses", "w"), *names;
	uint64_t last = 0;

	assert_non_null(addresses);
	ARRAY_FOREACH (row, &index->rows) {
		if (row->line && row->address != last)
			fprintf(addresses, "0x%lx\n", (unsigned long)row->address);
		last = row->address;
	}
	fclose(addresses);
	names = popen("llvm-symbolizer --output-style=GNU -a -i -f -e a.out < addresses", "r");
	assert_non_null(names);
	while (!feof(names))
		check_chain(index, names);
	pclose(names);
}

static void test_inlining_is_llvms(void **state)
{
	(void)state;
	NEED("llvm-symbolizer"); /* binutils' addr2line misses a body inlined at the entry */
	for_each_build(check_inlining);
}

static void check_functions(const struct image_index *index)
{
	const struct source_function *checked = function_named(index, "checked");

	assert_true(string_ends(index->files.items[checked->file], "/a.c"));
	assert_int_equal(checked->line, 22);
	assert_in_range(checked->end_line, 28, 29);
	assert_int_equal(functions_named(index, "scaled"), 2); /* static, of two files */
	assert_int_equal(functions_named(index, "cube"), 1);
	for (size_t i = 1; i < index->functions.count; i++)
		assert_true(strcmp(index->functions.items[i - 1].name,
				index->functions.items[i].name) <= 0);
	ARRAY_FOREACH (copy, &index->copies) {
		const struct address_range *range = &index->copy_ranges.items[copy->first_range];

		assert_true(copy->range_count > 0);
		assert_true(copy->entry >= range->low && copy->entry < range->high);
	}
}

static void test_functions(void **state)
{
	(void)state;
	for_each_build(check_functions);
}

static void test_cold_part_is_a_range(void **state)
{
	(void)state;
	NEED("gcc");
	compile("gcc", "-O2 -g");
	CLEANUP(image_index_free_p) struct image_index *with = index_of("a.out");
	struct image_index_options options = {.symbols_only = true};
	CLEANUP(image_index_free_p) struct image_index *without = index_of_with("a.out", &options);
	const struct source_function *first = function_named(with, "checked"),
				     *second = function_named(without, "checked");

	assert_int_equal(shell("nm a.out | grep -q 'checked.cold'"), 0);
	assert_int_equal(with->copies.items[first->first_copy].range_count, 2);
	assert_int_equal(without->copies.items[second->first_copy].range_count, 2);
	assert_int_equal(second->file, INDEX_NONE);
	assert_int_equal(second->line, 0);
	assert_null(without->debug_path);
	assert_int_equal(without->rows.count, 0);
}

static void test_bytes_and_offsets(void **state)
{
	(void)state;
	NEED("gcc");
	compile("gcc", "-O0 -g -fcf-protection=branch");
	CLEANUP(image_index_free_p) struct image_index *index = index_of("a.out");
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	uint64_t entry = index->copies.items[function_named(index, "main")->first_copy].entry,
		 offset;
	size_t available;
	const uint8_t *bytes = image_index_bytes(index, entry, &available);
	uint8_t from_file[4];

	assert_non_null(bytes);
	assert_true(available >= 4);
	assert_memory_equal(bytes, endbr64, 4);
	assert_int_equal(image_index_offset(index, entry, &offset), 0);
	assert_int_equal(pread(index->fd, from_file, 4, (off_t)offset), 4);
	assert_memory_equal(from_file, endbr64, 4);
	assert_int_equal(image_index_offset(index, 3, &offset), -ENOENT);
	assert_null(image_index_bytes(index, UINT64_MAX, &available));
	assert_int_equal(image_index_copy_at(index, UINT64_MAX), INDEX_NONE);
}

/* Discarded functions larger than what comes before .text would reach into real code. */
static void test_discarded_code_has_no_rows(void **state)
{
	FILE *source = fopen("dead.c", "w");

	(void)state;
	NEED("gcc");
	assert_non_null(source);
	fprintf(source, "volatile int v;\nvoid dead(void)\n{\n");
	for (int i = 0; i < 3000; i++)
		fprintf(source, "	v = v + %d;\n", i);
	fprintf(source, "}\n");
	fclose(source);
	write_text("live.c", "#line 10000\nint main(void)\n{\n\treturn 0;\n}\n");
	assert_int_equal(
	    shell("gcc -O0 -g -ffunction-sections -Wl,--gc-sections live.c dead.c -o dead"), 0);
	CLEANUP(image_index_free_p) struct image_index *index = index_of("dead");
	assert_int_equal(functions_named(index, "dead"), 0);
	assert_true(index->rows.count > 3);
	ARRAY_FOREACH (row, &index->rows)
		assert_true(row->end_sequence || row->line >= 10000);
}

static void test_indirect_functions_are_left_out(void **state)
{
	(void)state;
	NEED("gcc");
	write_text("i.c", "static int one(void)\n{\n	return 1;\n}\n"
			  "static void *choose(void)\n{\n	return one;\n}\n"
			  "int chosen(void) __attribute__((ifunc(\"choose\")));\n"
			  "int main(void)\n{\n	return chosen();\n}\n");
	assert_int_equal(shell("gcc -O0 i.c -o i && strip -g i"), 0);
	CLEANUP(image_index_free_p) struct image_index *index = index_of("i");
	assert_int_equal(functions_named(index, "chosen"), 0);
	assert_int_equal(functions_named(index, "choose"), 1);
}

static void test_traits(void **state)
{
	(void)state;
	NEED("gcc");
	compile("gcc", "-O0");
	CLEANUP(image_index_free_p) struct image_index *plain = index_of("a.out");
	assert_int_equal(plain->traits, 0);
	write_text("u.c",
	    "void finish(int *x);\nvoid use(void);\n"
	    "void f(void)\n{\n	int x __attribute__((cleanup(finish)));\n	use();\n}\n");
	assert_int_equal(
	    shell("gcc -O0 -fexceptions -shared -fPIC u.c -o u.so -Wl,-soname,libu.so.7"), 0);
	CLEANUP(image_index_free_p) struct image_index *unwinds = index_of("u.so");
	assert_int_equal(unwinds->traits, IMAGE_UNWINDS);
	assert_string_equal(unwinds->soname, "libu.so.7");
	assert_int_equal(shell("objcopy --rename-section .gcc_except_table=.other u.so v.so"), 0);
	CLEANUP(image_index_free_p) struct image_index *by_symbol = index_of("v.so");
	assert_int_equal(by_symbol->traits, IMAGE_UNWINDS);
	write_text("p.c", "int main(void)\n{\n	return 0;\n}\n");
	assert_int_equal(
	    shell("gcc -O0 -pg p.c -o p"), 0); /* mcount() looks at its callers' frames */
	CLEANUP(image_index_free_p) struct image_index *profiled = index_of("p");
	assert_int_equal(profiled->traits, IMAGE_UNWINDS);
}

static void test_marks(void **state)
{
	(void)state;
	NEED("gcc");
	write_text("m.c", "#include <lprof.h>\n"
			  "int plain(int x) { return x + 1; }\n"
			  "LPROF_PROFILE\n"
			  "int marked(int x) { return plain(x) * 2; }\n"
			  "int main(int c, char **v) { (void)v; return marked(c); }\n"
			  "int zlast(int x) { return x; }\n");
	assert_int_equal(shell("gcc -O2 -g -I'%s/include' m.c -o m", compiled_top), 0);
	CLEANUP(image_index_free_p) struct image_index *index = index_of("m");
	assert_int_equal(index->marks.count, 1);
	assert_string_equal(index->functions.items[index->marks.items[0]].name, "marked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_symbols_are_nms),
	    cmocka_unit_test(test_rows_are_objdumps),
	    cmocka_unit_test(test_inlining_is_llvms),
	    cmocka_unit_test(test_functions),
	    cmocka_unit_test(test_cold_part_is_a_range),
	    cmocka_unit_test(test_bytes_and_offsets),
	    cmocka_unit_test(test_discarded_code_has_no_rows),
	    cmocka_unit_test(test_indirect_functions_are_left_out),
	    cmocka_unit_test(test_traits),
	    cmocka_unit_test(test_marks),
	};

	return cmocka_run_group_tests(tests, compiled_set_up, compiled_tear_down);
}
