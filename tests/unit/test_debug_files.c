// SPDX-License-Identifier: GPL-2.0-or-later
// Debug information outside the image, damaged images, and the memory and time that indexing takes.
#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "unit/compiled.h"

static const char program[] = "#include <stdlib.h>\n"
			      "static inline int inner(int x)\n"
			      "{\n"
			      "	return x * 3 + 1;\n"
			      "}\n"
			      "__attribute__((noinline)) static int worker(int x)\n"
			      "{\n"
			      "	return inner(x) + abs(x);\n"
			      "}\n"
			      "int main(int argc, char **argv)\n"
			      "{\n"
			      "	return worker(argc) + atoi(argv[0]) + MORE;\n"
			      "}\n";

static int set_up(void **state)
{
	if (compiled_set_up(state))
		return -1;
	write_text("p.c", program);
	return shell("gcc -O2 -g -DMORE=0 p.c -o whole && gcc -O2 -g -DMORE=7 p.c -o other && "
		     "objcopy --only-keep-debug whole whole.debug && "
		     "objcopy --only-keep-debug other other.debug && strip whole -o bare");
}

static struct image_index_options here(void)
{
	return (struct image_index_options){.root = "", .debug_directory = compiled_directory};
}

/* Whether the two tell the same of their functions, rows and inlined ranges. */
static void assert_same(const struct image_index *a, const struct image_index *b)
{
	assert_int_equal(a->functions.count, b->functions.count);
	assert_int_equal(a->rows.count, b->rows.count);
	assert_int_equal(a->inlined.count, b->inlined.count);
	assert_int_equal(a->copies.count, b->copies.count);
	for (size_t i = 0; i < a->functions.count; i++) {
		const struct source_function *first = &a->functions.items[i],
					     *second = &b->functions.items[i];

		assert_string_equal(first->name, second->name);
		assert_int_equal(first->line, second->line);
		assert_int_equal(first->end_line, second->end_line);
		assert_int_equal(first->copy_count, second->copy_count);
	}
	assert_memory_equal(
	    a->inlined.items, b->inlined.items, a->inlined.count * sizeof(*a->inlined.items));
}

static void build_id_path(const char *name, char *ret_path, size_t size)
{
	CLEANUP(image_index_free_p) struct image_index *index = index_of(name);

	snprintf(ret_path, size, ".build-id/%.2s/%s.debug", index->build_id, index->build_id + 2);
}

static void test_by_build_id(void **state)
{
	struct image_index_options options = here();
	char path[256];

	(void)state;
	build_id_path("bare", path, sizeof(path));
	assert_int_equal(shell("mkdir -p $(dirname %s) && cp whole.debug %s", path, path), 0);
	CLEANUP(image_index_free_p) struct image_index *whole = index_of("whole");
	CLEANUP(image_index_free_p) struct image_index *bare = index_of_with("bare", &options);
	assert_true(string_ends(bare->debug_path, path));
	assert_same(whole, bare);
	/* A file of another build under that name is refused. */
	assert_int_equal(shell("cp other.debug %s", path), 0);
	CLEANUP(image_index_free_p) struct image_index *wrong = index_of_with("bare", &options);
	assert_null(wrong->debug_path);
	assert_int_equal(shell("rm -r .build-id"), 0);
}

static void test_in_another_root(void **state)
{
	char path[256], root[256];
	struct image_index_options options = {.root = root, .debug_directory = "/dbg"};

	(void)state;
	snprintf(root, sizeof(root), "%s/root", compiled_directory);
	build_id_path("bare", path, sizeof(path));
	assert_int_equal(
	    shell("mkdir -p $(dirname root/dbg/%s) && cp whole.debug root/dbg/%s", path, path), 0);
	CLEANUP(image_index_free_p) struct image_index *bare = index_of_with("bare", &options);
	assert_non_null(bare->debug_path);
	assert_int_equal(shell("rm -r root"), 0);
}

static void test_by_debuglink(void **state)
{
	static const char *const places[] = {"", ".debug/"};
	struct image_index_options options = {.debug_directory = "/nonexistent"};

	(void)state;
	/* Without build ids, the checksum decides. */
	assert_int_equal(shell("gcc -O2 -g -DMORE=0 -Wl,--build-id=none p.c -o linked && "
			       "objcopy --only-keep-debug linked linked.debug && mkdir .debug && "
			       "objcopy --strip-all --add-gnu-debuglink=linked.debug linked && "
			       "mv linked.debug kept"),
	    0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		assert_int_equal(shell("cp kept %slinked.debug", places[i]), 0);
		CLEANUP(image_index_free_p)
		struct image_index *right = index_of_with("linked", &options);
		assert_non_null(right->debug_path);
		assert_int_equal(functions_named(right, "inner"), 1);
		assert_int_equal(shell("printf x >> %slinked.debug", places[i]), 0);
		CLEANUP(image_index_free_p)
		struct image_index *wrong = index_of_with("linked", &options);
		assert_null(wrong->debug_path);
		assert_int_equal(shell("rm %slinked.debug", places[i]), 0);
	}
}

static void test_dwz(void **state)
{
	char root[256], first[256], second[256];
	struct image_index_options options = {.root = root, .debug_directory = "/dbg"};

	(void)state;
	NEED("dwz");
	snprintf(root, sizeof(root), "%s/root", compiled_directory);
	build_id_path("whole", first, sizeof(first));
	build_id_path("other", second, sizeof(second));
	/* The file they share is where only the target's root has it. */
	assert_int_equal(
	    shell("mkdir -p root/dbg && cp whole.debug a.debug && cp other.debug b.debug && "
		  "dwz -m common.dwz -M /shared/common.dwz a.debug b.debug && cd root/dbg && "
		  "mkdir -p ../shared $(dirname %s) $(dirname %s) && mv ../../common.dwz ../shared "
		  "&& "
		  "mv ../../a.debug %s && mv ../../b.debug %s",
		first, second, first, second),
	    0);
	assert_int_equal(shell("readelf -WS root/dbg/%s | grep -q gnu_debugaltlink", first), 0);
	CLEANUP(image_index_free_p) struct image_index *whole = index_of("whole");
	CLEANUP(image_index_free_p) struct image_index *bare = index_of_with("bare", &options);
	assert_same(whole, bare);
	assert_int_equal(shell("rm -r root"), 0);
}

static void test_other_encodings(void **state)
{
	static const char *const flags[] = {"-gz", "-gdwarf-4 -fdebug-types-section",
	    "-gsplit-dwarf", "-flto", "-g3", "-gdwarf-5 -gdwarf64"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		assert_int_equal(shell("gcc -O2 -g -DMORE=0 %s p.c -o encoded", flags[i]), 0);
		CLEANUP(image_index_free_p) struct image_index *index = index_of("encoded");
		const struct source_function *worker = function_named(index, "worker");

		assert_int_equal(worker->line, 6);
		assert_int_equal(worker->copy_count, 1);
		assert_int_equal(function_named(index, "inner")->line, 2);
		assert_true(index->inlined.count >= 1);
	}
}

static void test_symbols_only(void **state)
{
	(void)state;
	assert_int_equal(shell("gcc -O2 -shared -fPIC -DMORE=0 p.c -o lib.so && strip lib.so"), 0);
	CLEANUP(image_index_free_p) struct image_index *index = index_of("lib.so");
	assert_null(index->debug_path);
	assert_int_equal(function_named(index, "main")->file, INDEX_NONE);
	assert_int_equal(functions_named(index, "worker"), 0); /* local: gone */
}

static void refused(const char *name, int code)
{
	struct failure failure = {0};
	struct image_index *index = NULL;

	assert_int_equal(try_index(name, NULL, &index, &failure), -code);
	assert_int_equal(failure.code, code);
	assert_non_null(strstr(failure.text, name));
	assert_null(index);
}

static void test_what_is_no_image(void **state)
{
	(void)state;
	write_text("text", "#!/bin/sh\necho this is a script, and long enough to have a header\n");
	refused("text", ENOEXEC);
	write_text("empty", "");
	refused("empty", ENOEXEC);
	assert_int_equal(shell("gcc -c -DMORE=0 p.c -o object.o"), 0);
	refused("object.o", ENOEXEC);
	assert_int_equal(shell("head -c 4200 whole > short"), 0);
	refused("short", EBADMSG);
}

/* Cut off anywhere, an image gives an index or one sentence; the fuzzer tries the rest. */
static void test_truncated(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(stat("whole", &status), 0);
	for (off_t size = 0; size < status.st_size; size += 97) {
		struct failure failure = {0};
		struct image_index *index = NULL;

		assert_int_equal(shell("head -c %ld whole > cut", (long)size), 0);
		if (try_index("cut", NULL, &index, &failure))
			assert_true(failure.text[0] != '\0');
		image_index_free(index);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_build_id),
	    cmocka_unit_test(test_in_another_root),
	    cmocka_unit_test(test_by_debuglink),
	    cmocka_unit_test(test_dwz),
	    cmocka_unit_test(test_other_encodings),
	    cmocka_unit_test(test_symbols_only),
	    cmocka_unit_test(test_what_is_no_image),
	    cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, set_up, compiled_tear_down);
}
