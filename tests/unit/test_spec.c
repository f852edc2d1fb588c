// SPDX-License-Identifier: GPL-2.0-or-later
// The grammar of specs, demangling, and what is offered to those who mistype.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/array.h"
#include "target/demangle.h"
#include "target/source_path.h"
#include "target/spec.h"
#include "target/suggestion.h"

static void check(
    const char *text, enum spec_kind kind, const char *image, const char *name, uint32_t line)
{
	struct failure failure = {0};
	struct spec spec;

	if (spec_parse(text, &spec, &failure))
		fail_msg("%s: %s", text, failure.text);
	assert_int_equal(spec.kind, kind);
	assert_string_equal(spec.name, name);
	assert_int_equal(spec.line, line);
	if (image)
		assert_string_equal(spec.image, image);
	else
		assert_null(spec.image);
	spec_fini(&spec);
}

static void test_grammar(void **state)
{
	(void)state;
	check("luaV_concat", SPEC_NAME, NULL, "luaV_concat", 0);
	check("luaV_*", SPEC_NAME, NULL, "luaV_*", 0);
	check("ns::Parser::parse", SPEC_NAME, NULL, "ns::Parser::parse", 0);
	check("::f", SPEC_NAME, NULL, "::f", 0);
	check("libc.so.6:malloc", SPEC_NAME, "libc.so.6", "malloc", 0);
	check("/usr/lib/libx.so:ns::f(int)", SPEC_NAME, "/usr/lib/libx.so", "ns::f(int)", 0);
	check("libx.so:::f", SPEC_NAME, "libx.so", "::f", 0);
	check("lvm.c:12", SPEC_LINE, NULL, "lvm.c", 12);
	check("a/lvm.c:*", SPEC_FILE, NULL, "a/lvm.c", 0);
	check("lib*:lvm.c:12", SPEC_LINE, "lib*", "lvm.c", 12);
	check("lib.so:lvm.c:*", SPEC_FILE, "lib.so", "lvm.c", 0);
	check("ns::operator*", SPEC_NAME, NULL, "ns::operator*", 0);
	check("ns::*", SPEC_NAME, NULL, "ns::*", 0);
	check("main.(*T).Method", SPEC_NAME, NULL, "main.(*T).Method", 0);
}

static void test_malformed(void **state)
{
	static const char *const texts[] = {"", ":", "x:", ":x", "a.c:0", "a.c:99999999999", "l::"};

	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_SIZE(texts); i++) {
		struct failure failure = {0};
		struct spec spec;

		if (spec_parse(texts[i], &spec, &failure) != -EINVAL)
			fail_msg("\"%s\" was accepted", texts[i]);
		assert_non_null(strstr(failure.text, "write"));
	}
}

static void demangles(const char *symbol, enum demangle_form form, const char *wanted)
{
	char text[DEMANGLED_MAX];

	assert_true(demangle(symbol, form, text, sizeof(text)));
	assert_string_equal(text, wanted);
}

static void test_demangling(void **state)
{
	const char *rust = "_ZN1r3gen17h101cbf6cc43ca2a0E";
	char text[8];

	(void)state;
	demangles("_ZNK2ns6Parser5parseEPKci", DEMANGLE_NAME, "ns::Parser::parse");
	demangles("_ZNK2ns6Parser5parseEPKci", DEMANGLE_FULL,
	    "ns::Parser::parse(char const*, int) const");
	demangles("_ZN2ns5twiceIdEET_S1_", DEMANGLE_NAME, "ns::twice<double>");
	demangles("_ZN2ns5twiceIdEET_S1_", DEMANGLE_FULL, "ns::twice<double>(double)");
	demangles("_ZN2ns5twiceIdEET_S1_", DEMANGLE_RETURN, "double ns::twice<double>(double)");
	demangles("_ZL4stati.constprop.0.cold", DEMANGLE_FULL, "stat(int)");
	demangles(rust, DEMANGLE_NAME, "r::gen");
	demangles(rust, DEMANGLE_FULL, "r::gen::h101cbf6cc43ca2a0");
	demangles("_RNvCs6GmmlP4bgsG_1r4main", DEMANGLE_NAME, "r::main");
	assert_false(demangle("main", DEMANGLE_NAME, text, sizeof(text)));
	assert_false(demangle("_ZN2ns5twiceIdEET_S1_", DEMANGLE_NAME, text, sizeof(text)));
}

/* Each of the first would take libiberty centuries, without a character printed. */
static void test_rust_names_end(void **state)
{
	static const char *const endless[] = {
	    "_RMIC1rDGzzzzzzzzzz_EL_Eu",
	    "_RXIC1rDGzzzzzzzzzz_EL_EuC1r",
	    "_RXIC1rFGzzzzzzzzzz_EuEuC1r",
	    "_RC1rIC1aDGzzzzzzzzzz_EL_E",
	    "_RC1rMIC1rTDGzzzzzzzzzz_EL_uEEu",
	    "_RINvC1r1fNtBe_18MIC1rDGzzzzzzzzzz_EL_EuE",
	};
	static const char *const real[][2] = {
	    {"_RNvCs6GmmDGbgsFGz_1r7DGabcd_", "r::DGabcd_"},
	    {"_RINvC1r1fNtC1r4FDGaB2_E", "r::f::<r::FDGa, r>"},
	    {"_RINvC1r1fDG_NtC1r1TEL_E", "r::f::<dyn for<'a> r::T>"},
	    {"_RINvC1r1fFG0_RL0_hRL_tEuE", "r::f::<for<'a, 'b> fn(&'b u8, &u16)>"},
	};
	char text[DEMANGLED_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(endless); i++)
		if (demangle(endless[i], DEMANGLE_NAME, text, sizeof(text)))
			fail_msg("%s became %s", endless[i], text);
	for (size_t i = 0; i < ARRAY_SIZE(real); i++)
		demangles(real[i][0], DEMANGLE_NAME, real[i][1]);
	demangles("_RNvC1ru7gc_xkab", DEMANGLE_NAME, "r::gücü");
	/* No room, where libiberty holds memory: nothing leaks (as the sanitizer sees) */
	for (size_t size = 1; size < 9; size++)
		assert_false(demangle("_RNvC1ru7gc_xkab", DEMANGLE_NAME, text, size));
}

static void test_clone_suffixes(void **state)
{
	static const struct {
		const char *symbol;
		size_t length;
	} cases[] = {{"f", 1}, {"f.constprop.0", 1}, {"f.part.0.isra.12", 1}, {"f.cold", 1},
	    {"f.constprop.0.cold", 1}, {"f.llvm.1234567890", 1}, {"main.main.func1", 15},
	    {"a.b", 3}, {".cold", 5}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(demangle_base_length(cases[i].symbol), cases[i].length);
}

static void drops(const char *name, const char *wanted)
{
	char text[256];

	strcpy(text, name);
	demangle_drop_arguments(text);
	assert_string_equal(text, wanted);
}

static void test_arguments_are_dropped(void **state)
{
	(void)state;
	drops("a::B<int>::f<char>", "a::B::f");
	drops("std::vector<int, std::allocator<int> >::push_back", "std::vector::push_back");
	drops("operator<", "operator<");
	drops("a::operator<< <int>", "a::operator<< ");
	drops("a::operator<=>", "a::operator<=>");
	drops("operator->", "operator->");
	drops("f<&X::operator->>", "f");
	drops("core::ptr::f::<u8>", "core::ptr::f");
	drops("<T as core::Trait<U>>::go", "<T as core::Trait>::go");
	drops("<lambda(int)>", "<lambda(int)>");
}

static void test_suggestions(void **state)
{
	static const char *const names[] = {
	    "lua_concat", "luaV_concat", "luaH_get", "tconcat", "main", "luaV_concat", "x"};
	struct suggestion suggestion = {.typed = "luaV_concta"};
	struct suggestion part = {.typed = "concat"}, none = {.typed = "zzzzzz"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		suggestion_offer(&suggestion, names[i]);
		suggestion_offer(&part, names[i]);
		suggestion_offer(&none, names[i]);
	}
	assert_string_equal(suggestion_text(&suggestion, "", text, sizeof(text)),
	    "; did you mean luaV_concat or lua_concat?");
	assert_string_equal(suggestion_text(&part, "", text, sizeof(text)),
	    "; did you mean tconcat, lua_concat or luaV_concat?");
	assert_string_equal(suggestion_text(&none, "; no", text, sizeof(text)), "; no");
}

static void test_source_paths(void **state)
{
	(void)state;
	assert_true(source_path_matches("/src/a/lvm.c", "lvm.c"));
	assert_true(source_path_matches("/src/a/lvm.c", "./a/lvm.c"));
	assert_true(source_path_matches("/src/a/lvm.c", "/src/a/lvm.c"));
	assert_true(source_path_matches("lvm.c", "lvm.c"));
	assert_false(source_path_matches("/src/a/lvm.c", "vm.c"));
	assert_false(source_path_matches("/src/a/lvm.c", "b/lvm.c"));
	assert_false(source_path_matches("/src/a/lvm.c", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_grammar),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_demangling),
	    cmocka_unit_test(test_rust_names_end),
	    cmocka_unit_test(test_clone_suffixes),
	    cmocka_unit_test(test_arguments_are_dropped),
	    cmocka_unit_test(test_suggestions),
	    cmocka_unit_test(test_source_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
