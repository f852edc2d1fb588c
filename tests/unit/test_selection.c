// SPDX-License-Identifier: GPL-2.0-or-later
// Specs against compiled programs: what they select, and what is said when they select nothing.
#include <errno.h>

#include "unit/compiled.h"
#include "target/function_match.h"
#include "target/selection.h"

static const char program[] = "#include <cstdio>\n"
			      "namespace ns {\n"
			      "template <class T> __attribute__((noinline)) T twice(T x)\n"
			      "{\n"
			      "	return puts(\"t\") + x + x;\n"
			      "}\n"
			      "struct Parser {\n"
			      "	Parser(int a);\n"
			      "	~Parser();\n"
			      "	int parse(const char *s, int n) const;\n"
			      "	int v;\n"
			      "};\n"
			      "Parser::Parser(int a) : v(a)\n"
			      "{\n"
			      "	puts(\"ctor\");\n"
			      "}\n"
			      "Parser::~Parser()\n"
			      "{\n"
			      "	puts(\"dtor\");\n"
			      "}\n"
			      "int Parser::parse(const char *s, int n) const\n"
			      "{\n"
			      "	return s[n] + v;\n"
			      "}\n"
			      "namespace {\n"
			      "__attribute__((noinline)) int hidden(int x)\n"
			      "{\n"
			      "	return puts(\"h\") * x;\n"
			      "}\n"
			      "} // namespace\n"
			      "} // namespace ns\n"
			      "static inline int tiny(int x)\n"
			      "{\n"
			      "	return x * 7 + 1;\n"
			      "}\n"
			      "extern \"C\" int c_function(int x)\n"
			      "{\n"
			      "	return tiny(x) + tiny(x + 1);\n"
			      "}\n"
			      "int main(int argc, char **argv)\n"
			      "{\n"
			      "	ns::Parser p(argc);\n"
			      "	return ns::twice(argc) + (int)ns::twice(1.5) + ns::hidden(argc) +\n"
			      "	    p.parse(argv[0], 0) + c_function(argc);\n"
			      "}\n";

static const char library[] = "int library_call(int x)\n"
			      "{\n"
			      "	return x + 1;\n"
			      "}\n";

static unsigned opened;

static int open_image(void *context, struct selection_image *image, struct failure *failure)
{
	(void)context;
	opened++;
	return try_index(image->path, NULL, &image->index, failure);
}

static const struct selection_options options = {.open = open_image};

/* The program, its library with other soname and file name, and the program without symbols. */
static struct selection_image images[] = {
    {.path = "prog", .soname = "prog", .main = true},
    {.path = "libcall-1.2.so", .soname = "libcall-1.2.so"},
    {.path = "stripped", .soname = "stripped"},
};

static int set_up(void **state)
{
	if (compiled_set_up(state))
		return -1;
	write_text("prog.cc", program);
	write_text("call.c", library);
	return shell("g++ -O2 -g prog.cc -o prog && strip prog -o stripped && gcc -O1 -g -shared "
		     "-fPIC call.c -o libcall-1.2.so -Wl,-soname,libcall.so.7");
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		image_index_free(images[i].index);
	return compiled_tear_down(state);
}

/* The selected functions' names, "NAME" or "NAME+" with lines, separated by blanks. */
static int select_names(
    const char *text, bool lines, char *names, size_t size, struct failure *failure)
{
	struct spec_request request = {.text = text, .lines = lines, .rate = 1.0};
	struct selection selection = {0};
	size_t used = 0;
	int result =
	    selection_build(images, ARRAY_SIZE(images), &request, 1, &options, &selection, failure);

	names[0] = '\0';
	ARRAY_FOREACH (selected, &selection.functions)
		used += (size_t)snprintf(names + used, size - used, "%s%s%s", used ? " " : "",
		    images[selected->image].index->functions.items[selected->source].name,
		    selected->lines ? "+" : "");
	selection_fini(&selection);
	return result;
}

static void selects(const char *text, const char *wanted)
{
	struct failure failure = {0};
	char names[1024];

	if (select_names(text, false, names, sizeof(names), &failure))
		fail_msg("%s: %s", text, failure.text);
	assert_string_equal(names, wanted);
}

static void refuses(const char *text, bool lines, int code, const char *part)
{
	struct failure failure = {0};
	char names[1024];

	assert_int_equal(select_names(text, lines, names, sizeof(names), &failure), -code);
	assert_int_equal(failure.code, code);
	if (!strstr(failure.text, part))
		fail_msg("\"%s\" does not hold \"%s\"", failure.text, part);
}

static void test_libraries_stay_closed(void **state)
{
	(void)state;
	opened = 0;
	selects("main", "main");
	assert_int_equal(opened, 1);
}

static void test_names(void **state)
{
	(void)state;
	selects("c_function", "c_function");
	selects("ns::Parser::parse", "ns::Parser::parse");
	selects("ns::Parser::parse(char const*, int) const", "ns::Parser::parse");
	selects("ns::Parser::parse(char const*,int) const", "ns::Parser::parse");
	selects("_ZNK2ns6Parser5parseEPKci", "ns::Parser::parse");
	selects("ns::(anonymous namespace)::hidden", "ns::(anonymous namespace)::hidden");
	selects("ns::Parser::Parser", "ns::Parser::Parser"); /* C1 and C2 are one */
	selects("_ZN2ns6ParserC1Ei", "ns::Parser::Parser");
	selects("_ZN2ns6ParserC2Ei", "ns::Parser::Parser");
	selects("tiny", "tiny"); /* inlined only */
}

static void test_instances_are_one(void **state)
{
	(void)state;
	selects("ns::twice", "ns::twice");
	selects("ns::twice<int>", "ns::twice");
	selects("ns::twice<double>(double)", "ns::twice");
	selects("double ns::twice<double>(double)", "ns::twice");
}

static void test_globs(void **state)
{
	(void)state;
	selects("ns::Parser::*", "ns::Parser::Parser ns::Parser::parse ns::Parser::~Parser");
	selects("ns::*Pars?r", "ns::Parser::Parser ns::Parser::~Parser");
	selects("*tiny*", "tiny");
	selects("_ZN2ns5twice*", "ns::twice");
	selects("[mc]*n", "c_function main");
}

static void test_places(void **state)
{
	(void)state;
	selects("prog.cc:23", "ns::Parser::parse");
	selects("./prog.cc:34", "tiny");
	selects("prog.cc:32", "tiny");
	selects("prog.cc:*", "c_function main ns::(anonymous namespace)::hidden ns::Parser::Parser "
			     "ns::Parser::parse ns::Parser::~Parser ns::twice tiny");
	refuses("prog.cc:2", false, ENOENT, "the nearest is ns::twice, lines 3 to 6");
	refuses("prog.cx:2", false, ENOENT, "did you mean prog.cc?");
	refuses("prog.cc:0", false, EINVAL, "names no line");
}

static void test_innermost_function_around_a_line(void **state)
{
	struct source_function functions[] = {
	    {.name = "inner", .line = 5, .end_line = 8},
	    {.name = "outer", .line = 1, .end_line = 20},
	    {.name = "second", .line = 6, .end_line = 7},
	};
	struct image_index index = {.functions = {functions, 3, 3}};
	static const struct {
		uint32_t line, function;
	} cases[] = {{4, 1}, {5, 0}, {6, 2}, {7, 2}, {8, 0}, {9, 1}, {20, 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		source_array found = {0};

		assert_int_equal(function_match_line(&index, 0, cases[i].line, &found), 0);
		assert_int_equal(found.count, 1);
		assert_int_equal(found.items[0], cases[i].function);
		ARRAY_FREE(&found);
	}
}

static void test_images(void **state)
{
	(void)state;
	selects("libcall.so.7:library_call", "library_call"); /* opened to learn the soname */
	selects("libcall-1.2.so:library_call", "library_call");
	selects("libcall*:library_*", "library_call");
	selects("prog:main", "main");
	selects("libcall-1.2.so:call.c:3", "library_call");
	refuses("library_call", false, ENOENT, "no function \"library_call\" in prog");
	refuses("libcal.so.7:f", false, ENOENT, "the target maps no image \"libcal.so.7\"");
	refuses("libcall.so.7:library_cal", false, ENOENT, "did you mean library_call?");
}

static void test_misses(void **state)
{
	(void)state;
	refuses("c_functoin", false, ENOENT, "did you mean c_function?");
	refuses("PARSE", false, ENOENT, "ns::Parser::parse");
	refuses("qqqqqq*", false, ENOENT, "no function \"qqqqqq*\" in prog");
}

static void test_no_lines(void **state)
{
	struct failure failure = {0};
	char names[4096];

	(void)state;
	refuses("_start", true, ENODATA, "install its debug symbols");
	refuses("_init*", true, ENODATA, "install its debug symbols");
	refuses("stripped:_*", true, ENOENT, "");
	refuses("stripped:prog.cc:12", false, ENODATA, "install its debug symbols");
	/* Of a glob, what has lines gets them. */
	assert_int_equal(select_names("*t*", true, names, sizeof(names), &failure), 0);
	assert_non_null(strstr(names, "_start "));
	assert_non_null(strstr(names, "c_function+"));
}

static void test_later_specs_win(void **state)
{
	static const struct spec_request requests[] = {
	    {"c_*", true, 0.5}, {"c_function", false, 0.25}, {"main", false, 1.0}};
	struct selection selection;
	struct failure failure = {0};

	(void)state;
	assert_int_equal(selection_build(images, ARRAY_SIZE(images), requests, 3, &options,
			     &selection, &failure),
	    0);
	assert_int_equal(selection.functions.count, 2);
	assert_true(selection.functions.items[0].lines);
	assert_true(selection.functions.items[0].rate == 0.25);
	assert_false(selection.functions.items[1].lines);
	selection_fini(&selection);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_libraries_stay_closed),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_instances_are_one),
	    cmocka_unit_test(test_globs),
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_innermost_function_around_a_line),
	    cmocka_unit_test(test_images),
	    cmocka_unit_test(test_misses),
	    cmocka_unit_test(test_no_lines),
	    cmocka_unit_test(test_later_specs_win),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
