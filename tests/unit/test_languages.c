// SPDX-License-Identifier: GPL-2.0-or-later
// Source functions of C++, Rust and Go: one row each, by the names people use.
#include "unit/compiled.h"

#include "target/flow.h"

static const char cpp[] =
    "#include <string>\n"
    "#include <vector>\n"
    "#include <cstdio>\n"
    "struct Shape {\n"
    "	virtual ~Shape();\n"
    "	virtual int area() const { return 1; }\n"
    "	std::string name;\n"
    "};\n"
    "Shape::~Shape()\n"
    "{\n"
    "	puts(name.c_str());\n"
    "}\n"
    "template <class T> struct Box {\n"
    "	T value;\n"
    "	__attribute__((noinline)) T get(int by)\n"
    "	{\n"
    "		return puts(\"get\") * by + value;\n"
    "	}\n"
    "};\n"
    "__attribute__((noinline)) static int local(int x)\n"
    "{\n"
    "	return puts(\"local\") + x;\n"
    "}\n"
    "bool operator<(const Shape &a, const Shape &b)\n"
    "{\n"
    "	return a.name < b.name;\n"
    "}\n"
    "int main(int argc, char **)\n"
    "{\n"
    "	Shape s;\n"
    "	Box<int> i{1};\n"
    "	Box<double> d{2};\n"
    "	auto twice = [](int x) {\n"
    "		return local(x) * 2;\n"
    "	};\n"
    "	return i.get(argc) + (int)d.get(argc) + twice(argc) + s.area() + (s < s);\n"
    "}\n";

static void check_cpp(const char *compiler, const char *flags)
{
	write_text("t.cc", cpp);
	assert_int_equal(shell("%s %s t.cc -o t", compiler, flags), 0);
	CLEANUP(image_index_free_p) struct image_index *index = index_of("t");
	const struct source_function *get = function_named(index, "Box::get");
	const struct source_function *destructor = function_named(index, "Shape::~Shape");

	assert_int_equal(get->copy_count, 2);
	assert_int_equal(get->line, 15);
	assert_int_equal(destructor->line, 9);
	assert_true(destructor->copy_count >= 1);
	assert_string_equal(function_named(index, "local")->full_name, "local(int)");
	assert_int_equal(function_named(index, "operator<")->line, 24);
	assert_true(index->traits & IMAGE_UNWINDS);
	assert_int_equal(functions_named(index, "main"), 1);
}

static void check_lambda(const char *compiler, const char *flags)
{
	size_t found = 0;

	assert_int_equal(shell("%s %s t.cc -o t", compiler, flags), 0);
	CLEANUP(image_index_free_p) struct image_index *index = index_of("t");
	ARRAY_FOREACH (function, &index->functions) {
		if (!string_starts(function->name, "main::") ||
		    !string_ends(function->name, "::operator()"))
			continue;
		assert_int_equal(function->line, 33);
		assert_true(string_ends(index->files.items[function->file], "/t.cc"));
		found++;
	}
	assert_int_equal(found, 1);
}

static void test_cpp(void **state)
{
	static const char *const compilers[] = {"g++", "clang++"};
	static const char *const flags[] = {"-O0 -g", "-O2 -g", "-O2 -gdwarf-4", "-O1 -g -flto"};

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(compilers); c++)
		for (size_t f = 0; f < ARRAY_SIZE(flags) - c; f++) { /* clang's LTO needs lld */
			if (shell("command -v %s >/dev/null", compilers[c]))
				continue;
			check_cpp(compilers[c], flags[f]);
			check_lambda(compilers[c], flags[f]);
		}
}

static void test_cpp_without_debug_information(void **state)
{
	(void)state;
	NEED("g++");
	write_text("t.cc", cpp);
	assert_int_equal(shell("g++ -O2 t.cc -o t"), 0);
	CLEANUP(image_index_free_p) struct image_index *index = index_of("t");
	assert_int_equal(functions_named(index, "Box<int>::get"), 1);
	assert_int_equal(functions_named(index, "Box<double>::get"), 1);
	/* The variants of a destructor are one function. */
	assert_true(function_named(index, "Shape::~Shape")->copy_count >= 2);
}

static const char rust[] = "use std::fmt::Debug;\n"
			   "mod shapes {\n"
			   "    pub struct Stack<T> {\n"
			   "        pub items: Vec<T>,\n"
			   "    }\n"
			   "    impl<T: Clone + std::fmt::Debug> Stack<T> {\n"
			   "        #[inline(never)]\n"
			   "        pub fn push(&mut self, item: T) {\n"
			   "            println!(\"{:?}\", item);\n"
			   "            self.items.push(item.clone());\n"
			   "        }\n"
			   "    }\n"
			   "}\n"
			   "#[inline(never)]\n"
			   "fn show<T: Debug>(value: T) -> usize {\n"
			   "    println!(\"{:?}\", value);\n"
			   "    4\n"
			   "}\n"
			   "fn main() {\n"
			   "    let mut a = shapes::Stack { items: vec![1u8] };\n"
			   "    let mut b = shapes::Stack { items: vec![1.5f64] };\n"
			   "    a.push(3);\n"
			   "    b.push(2.5);\n"
			   "    std::process::exit((show(3) + show(\"x\")) as i32);\n"
			   "}\n";

static void check_rust(const char *flags, const char *push)
{
	assert_int_equal(shell("rustc -g %s r.rs -o r 2>/dev/null", flags), 0);
	CLEANUP(image_index_free_p) struct image_index *index = index_of("r");
	const struct source_function *show = function_named(index, "r::show");

	assert_int_equal(show->copy_count, 2);
	assert_int_equal(show->line, 15);
	assert_string_equal(index->files.items[show->file] +
				strlen(index->files.items[show->file]) - strlen("/r.rs"),
	    "/r.rs");
	assert_int_equal(function_named(index, push)->copy_count, 2);
	assert_int_equal(function_named(index, "r::main")->line, 19);
	assert_true(index->traits & IMAGE_UNWINDS);
}

static void test_rust(void **state)
{
	(void)state;
	NEED("rustc");
	write_text("r.rs", rust);
	if (shell("rustc r.rs -o r 2>/dev/null"))
		skip();
	check_rust("-O -C symbol-mangling-version=v0", "<r::shapes::Stack>::push");
	if (!shell("rustc -C symbol-mangling-version=legacy r.rs -o r 2>/dev/null"))
		check_rust("-C symbol-mangling-version=legacy", "r::shapes::Stack<T>::push");
}

static const char thrower[] = "#include <string>\n"
			      "#include <stdexcept>\n"
			      "int seen;\n"
			      "struct guard { ~guard(); };\n"
			      "guard::~guard() { seen++; }\n"
			      "__attribute__((noinline)) int raise(int x)\n"
			      "{\n"
			      "	guard first;\n"
			      "	if (x > 2)\n"
			      "		throw std::runtime_error(std::to_string(x));\n"
			      "	return x;\n"
			      "}\n"
			      "__attribute__((noinline)) int guarded(int x)\n"
			      "{\n"
			      "	try {\n"
			      "		guard second;\n"
			      "		std::string text = std::to_string(raise(x));\n"
			      "		return (int)text.size();\n"
			      "	} catch (const std::logic_error &) {\n"
			      "		return 1;\n"
			      "	} catch (...) {\n"
			      "		guard third;\n"
			      "		return raise(x - 1);\n"
			      "	}\n"
			      "}\n"
			      "int main(int argc, char **)\n"
			      "{\n"
			      "	return guarded(argc);\n"
			      "}\n";

/* With branch protection, landing pads and function entries begin with endbr64, and nothing else.
 */
static size_t check_pads(const struct image_index *index, uint32_t copy)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	static const struct instruction_kernel kernel;
	struct flow flow = {0};
	size_t pads = 0;

	assert_int_equal(flow_build(&flow, index, copy, &kernel), 0);
	for (uint32_t at = 0; at < flow.instructions.count; at++) {
		uint64_t address = flow.instructions.items[at].address;
		size_t available, pad = image_index_pad_from(index, address);
		const uint8_t *bytes = image_index_bytes(index, address, &available);
		const struct flow_block *block = &flow.blocks.items[flow.block_of[at]];
		bool is_pad = available >= sizeof(endbr64) &&
			      !memcmp(bytes, endbr64, sizeof(endbr64)) &&
			      address != index->copies.items[copy].entry;

		assert_int_equal(is_pad,
		    pad < index->landing_pads.count && index->landing_pads.items[pad] == address);
		pads += is_pad;
		if (is_pad)
			assert_true(block->first == at && block->unknown_entry);
	}
	flow_fini(&flow);
	return pads;
}

static void test_landing_pads(void **state)
{
	static const char *const builds[] = {"g++ -O0", "g++ -O2", "g++ -O2 -no-pie -fno-pie",
	    "clang++ -O0", "clang++ -O2", "g++ -O2 -fno-reorder-blocks-and-partition"};

	(void)state;
	NEED("g++");
	write_text("t.cc", thrower);
	for (size_t at = 0; at < ARRAY_SIZE(builds); at++) {
		struct image_index *index;
		size_t pads = 0;

		if (shell("%s -g -fcf-protection=full t.cc -o t 2>/dev/null", builds[at]))
			continue;
		index = index_of("t");
		for (uint32_t copy = 0; copy < index->copies.count; copy++)
			if (!strncmp(index->functions.items[index->copies.items[copy].source].name,
				"raise", 5) ||
			    !strncmp(index->functions.items[index->copies.items[copy].source].name,
				"guarded", 7))
				pads += check_pads(index, copy);
		if (pads < 4)
			fail_msg("%s: %zu landing pads", builds[at], pads);
		image_index_free(index);
	}
}

static const char go[] = "package main\n"
			 "import \"fmt\"\n"
			 "type counter struct{ n int }\n"
			 "//go:noinline\n"
			 "func (c *counter) add(by int) int {\n"
			 "	fmt.Println(\"add\", by)\n"
			 "	return c.n + by\n"
			 "}\n"
			 "func small(x int) int {\n"
			 "	return x*3 + 1\n"
			 "}\n"
			 "func main() {\n"
			 "	c := counter{small(len(fmt.Sprint(1)))}\n"
			 "	c.add(2)\n"
			 "}\n";

static void test_go(void **state)
{
	(void)state;
	NEED("go");
	write_text("main.go", go);
	if (shell("HOME=$PWD GOFLAGS=-mod=mod GO111MODULE=off GOCACHE=$PWD/cache "
		  "go build -o g main.go 2>/dev/null"))
		skip();
	CLEANUP(image_index_free_p) struct image_index *index = index_of("g");
	const struct source_function *add = function_named(index, "main.(*counter).add");
	const struct source_function *small = function_named(index, "main.small");

	assert_true(index->traits & IMAGE_GO);
	assert_int_equal(add->line, 5);
	assert_int_equal(add->copy_count, 1);
	assert_true(add->end_line >= 7);
	assert_true(string_ends(index->files.items[add->file], "/main.go"));
	assert_true(small->inlined_count >= 1);
	assert_true(string_ends(index->files.items[small->file], "/main.go"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cpp),
	    cmocka_unit_test(test_cpp_without_debug_information),
	    cmocka_unit_test(test_rust),
	    cmocka_unit_test(test_landing_pads),
	    cmocka_unit_test(test_go),
	};

	return cmocka_run_group_tests(tests, compiled_set_up, compiled_tear_down);
}
