// SPDX-License-Identifier: GPL-2.0-or-later
// The plan of compiled programs: where sites may stand, what they count, and that it is a pure
// function.
#include "unit/compiled.h"

#include "target/flow.h"
#include "target/plan.h"

static const char program[] = "#include <stdlib.h>\n" /* 1 */
			      "static volatile long sink;\n"
			      "static inline long square(long x)\n"
			      "{\n"
			      "	sink++;\n" /* 5 */
			      "	return x * x;\n"
			      "}\n"
			      "__attribute__((noinline)) static long leaf(long x)\n"
			      "{\n"
			      "	return sink += x;\n" /* 10 */
			      "}\n"
			      "__attribute__((noinline)) static long tail(long x)\n"
			      "{\n"
			      "	if (x & 1)\n"
			      "		return leaf(x + 1);\n" /* 15 */
			      "	sink += leaf(x);\n"
			      "	return labs(x);\n"
			      "}\n"
			      "__attribute__((noinline)) static long choose(int x)\n"
			      "{\n" /* 20 */
			      "	switch (x) {\n"
			      "	case 0: return leaf(1);\n"
			      "	case 1: return tail(x + sink) + 1;\n"
			      "	case 2: sink = 3; return 7;\n"
			      "	case 3: return square(x);\n" /* 25 */
			      "	case 4: return leaf(x) * leaf(2);\n"
			      "	case 5: abort();\n"
			      "	default: return 9;\n"
			      "	}\n"
			      "}\n" /* 30 */
			      "int main(int argc, char **argv)\n"
			      "{\n"
			      "	long sum = 0;\n"
			      "	(void)argv;\n"
			      "	for (int i = 0; i < argc * 100; i++)\n" /* 35 */
			      "		sum += choose(i % 5) + square(i);\n"
			      "	return sum == 4;\n"
			      "}\n";

static const char *const builds[] = {"gcc -O0 -g", "gcc -O2 -g", "gcc -O3 -g -fcf-protection",
    "gcc -O2 -g -no-pie -fno-pie", "clang -O0 -g", "clang -O2 -g"};

static const struct plan_kernel kernel = {.rewrites_nop5 = true};

static int opened(void *context, struct selection_image *image, struct failure *failure)
{
	(void)context;
	(void)image;
	(void)failure;
	return 0;
}

/* Plans `spec` of a.out; the index must be freed after the plan. */
static struct plan *plan_of(const struct image_index *index, const char *spec, bool lines,
    const struct plan_options *options)
{
	struct selection_image image = {
	    .path = "a.out", .soname = "", .main = true, .index = (struct image_index *)index};
	const struct spec_request request = {spec, lines, 1.0};
	const struct selection_options selecting = {.open = opened};
	struct selection selection = {0};
	struct failure failure = {0};
	struct plan *plan = NULL;

	if (selection_build(&image, 1, &request, 1, &selecting, &selection, &failure) ||
	    plan_build(&image, 1, &selection, options, &plan, &failure))
		fail_msg("%s", failure.text);
	selection_fini(&selection);
	return plan;
}

static struct image_index *build(const char *how)
{
	write_text("plan.c", program);
	if (shell("%s -o plan plan.c", how))
		skip();
	return index_of("plan");
}

static const struct plan_function *planned(const struct plan *plan, const char *name)
{
	ARRAY_FOREACH (function, &plan->functions)
		if (!strcmp(function->name, name))
			return function;
	fail_msg("no function %s in the plan", name);
	return NULL;
}

static unsigned count_roles(const struct plan *plan, const struct plan_function *of, uint16_t role)
{
	unsigned count = 0;

	ARRAY_FOREACH (site, &plan->sites)
		count += site->function == of - plan->functions.items && site->roles & role;
	return count;
}

/* Every site stands on an instruction that may be probed, of the copy it says, once. */
static void check_places(const struct image_index *index, const struct plan *plan)
{
	static const struct instruction_kernel decoding = {.rewrites_nop5 = true};
	struct flow flow = {0};

	ARRAY_FOREACH (site, &plan->sites) {
		uint32_t at;
		uint64_t offset;

		assert_int_equal(flow_build(&flow, index, site->host, &decoding), 0);
		at = flow_find(&flow, site->address);
		assert_int_not_equal(at, FLOW_NONE);
		assert_null(flow.instructions.items[at].refused);
		assert_int_equal(image_index_offset(index, site->address, &offset), 0);
		assert_int_equal(offset, site->offset);
		assert_true(site == plan->sites.items || site->address > site[-1].address);
		assert_int_not_equal(site->roles | site->standby, 0);
	}
	flow_fini(&flow);
}

/* What counts a line is counted, in order, and known to the line. */
static void check_counts(const struct plan *plan)
{
	ARRAY_FOREACH (count, &plan->counts) {
		const struct plan_site *site = &plan->sites.items[count->site];

		assert_true(count->site < plan->sites.count);
		assert_true(count->line < plan->lines.count);
		assert_int_equal(count->sign, 1);
		assert_true(site->roles & SITE_LINE);
		assert_false(site->roles & SITE_SILENT);
		assert_true(plan->lines.items[count->line].sites > 0);
		assert_true(count == plan->counts.items || count->line >= count[-1].line);
	}
}

static void test_places(void **state)
{
	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(builds); at++)
		for (enum plan_exit way = PLAN_EXIT_AUTO; way <= PLAN_EXIT_SITES; way++) {
			struct image_index *index = build(builds[at]);
			const struct plan_options options = {.exit = way, .kernel = kernel};
			struct plan *plan = plan_of(index, "*", true, &options);

			check_places(index, plan);
			check_counts(plan);
			plan_free(plan);
			image_index_free(index);
		}
}

static void test_pure(void **state)
{
	struct image_index *index = build("gcc -O2 -g");
	const struct plan_options options = {.kernel = kernel};
	struct plan *first = plan_of(index, "*", true, &options);
	struct plan *second = plan_of(index, "*", true, &options);

	(void)state;
	assert_int_equal(first->sites.count, second->sites.count);
	assert_memory_equal(first->sites.items, second->sites.items,
	    first->sites.count * sizeof(*first->sites.items));
	assert_int_equal(first->counts.count, second->counts.count);
	assert_memory_equal(first->counts.items, second->counts.items,
	    first->counts.count * sizeof(*first->counts.items));
	plan_free(first);
	plan_free(second);
	image_index_free(index);
}

/* Without lines: one entry a function, and exits only where they are asked for. */
static void test_functions_only(void **state)
{
	struct image_index *index = build("gcc -O2 -g");
	const struct plan_options returns = {.exit = PLAN_EXIT_RETURN, .kernel = kernel};
	const struct plan_options sites = {.exit = PLAN_EXIT_SITES, .kernel = kernel};
	struct plan *plan = plan_of(index, "tail", false, &returns);
	const struct plan_function *tail = planned(plan, "tail");

	(void)state;
	assert_int_equal(plan->sites.count, 1);
	assert_int_equal(count_roles(plan, tail, SITE_ENTRY), 1);
	assert_int_equal(count_roles(plan, tail, SITE_RETURN), 1);
	assert_int_equal(plan->lines.count, 0);
	plan_free(plan);

	/* a jump to leaf() and one return at the end of labs() */
	plan = plan_of(index, "tail", false, &sites);
	tail = planned(plan, "tail");
	assert_int_equal(count_roles(plan, tail, SITE_ENTRY), 1);
	assert_int_equal(count_roles(plan, tail, SITE_RETURN), 0);
	assert_true(count_roles(plan, tail, SITE_EXIT) >= 2);
	plan_free(plan);
	image_index_free(index);
}

/* Each statement of the source that has code is counted, or left out with a reason. */
static void test_statements(void **state)
{
	static const struct {
		const char *function;
		uint32_t line;
	} statements[] = {{"square", 5}, {"leaf", 10}, {"tail", 14}, {"tail", 15}, {"tail", 16},
	    {"tail", 17}, {"choose", 22}, {"choose", 23}, {"choose", 24}, {"choose", 26},
	    {"main", 36}};

	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(builds); at++) {
		struct image_index *index = build(builds[at]);
		const struct plan_options options = {.kernel = kernel};
		struct plan *plan = plan_of(index, "*", true, &options);

		for (size_t row = 0; row < ARRAY_SIZE(statements); row++) {
			const struct plan_function *function =
			    planned(plan, statements[row].function);
			bool counted = false;

			for (uint32_t line = 0; line < function->line_count; line++) {
				const struct plan_line *of =
				    &plan->lines.items[function->first_line + line];

				counted |= of->line == statements[row].line && of->sites;
			}
			if (!counted)
				fail_msg(
				    "%s: line %u is not counted", builds[at], statements[row].line);
		}
		plan_free(plan);
		image_index_free(index);
	}
}

/* Where something of the target unwinds, only functions without calls keep return probes. */
static void test_automatic_exit(void **state)
{
	struct image_index *index = build("gcc -O2 -g");
	struct plan_options options = {.kernel = kernel};
	struct plan *plan = plan_of(index, "*", false, &options);

	(void)state;
	assert_int_equal(planned(plan, "choose")->exit, PLAN_EXIT_RETURN);
	plan_free(plan);
	options.traits = IMAGE_UNWINDS;
	plan = plan_of(index, "*", false, &options);
	assert_int_equal(planned(plan, "choose")->exit, PLAN_EXIT_SITES);
	assert_int_equal(planned(plan, "leaf")->exit, PLAN_EXIT_RETURN);
	plan_free(plan);
	options.traits = IMAGE_GO;
	plan = plan_of(index, "*", false, &options);
	assert_int_equal(planned(plan, "leaf")->exit, PLAN_EXIT_SITES);
	plan_free(plan);
	options = (struct plan_options){.kernel = kernel, .shadow_stack = true};
	plan = plan_of(index, "*", true, &options);
	assert_int_equal(planned(plan, "leaf")->exit, PLAN_EXIT_SITES);
	plan_free(plan);
	options = (struct plan_options){.kernel = {.kills_seccomp_returns = true}};
	plan = plan_of(index, "*", true, &options);
	assert_int_equal(planned(plan, "leaf")->exit, PLAN_EXIT_SITES);
	plan_free(plan);
	image_index_free(index);
}

static const char stacks[] =
    "#include <string.h>\n"
    "#define WHOLE __attribute__((noinline))\n"
    "WHOLE void use(void *p) { __asm__ volatile(\"\" : : \"r\"(p) : \"memory\"); }\n"
    "WHOLE void *own_return(void) { return __builtin_return_address(0); }\n"
    "WHOLE void *framed_return(int n) { char b[n]; use(b); return __builtin_return_address(0); }\n"
    "WHOLE void pass_frame(void) { use(__builtin_frame_address(0)); use(0); }\n"
    "WHOLE void **walk(int n) { void **f = __builtin_frame_address(0);\n"
    "	while (n--) f = *f; return f; }\n"
    "WHOLE void write_return(void) { __asm__ volatile(\"\"); *(void *volatile *)\n"
    "	__builtin_frame_address(0) = *((void **)__builtin_frame_address(0)); }\n"
    "WHOLE long plain(long a, long b, long c, long d, long e, long f, long g)\n"
    "	{ long x[2] = {a, g}; use(x); return x[0] + b + c + d + e + f; }\n"
    "WHOLE int varying(int n) { int s = 0; for (int i = 1; i < n; i++) {\n"
    "	char b[i]; memset(b, 1, sizeof(b)); use(b); s += b[0]; } return s; }\n"
    "WHOLE int fixed(int n) { char b[64]; memset(b, n, sizeof(b)); use(b); return b[3]; }\n"
    "int main(int c, char **v) { (void)v; walk(0); write_return(); pass_frame();\n"
    "	return !own_return() + !framed_return(c) + varying(c) + fixed(c) +\n"
    "	(int)plain(1, 2, 3, 4, 5, 6, c); }\n";

/* Who looks at where it returns to sees a return probe; who merely has variables does not. */
static void test_return_addresses(void **state)
{
	static const char *const looking[] = {
	    "own_return", "framed_return", "pass_frame", "walk", "write_return"};
	static const char *const others[] = {"plain", "fixed", "main", "use"};
	const struct plan_options options = {.kernel = kernel};

	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(builds); at++) {
		struct image_index *index;
		struct plan *plan;

		write_text("stacks.c", stacks);
		if (shell("%s -o stacks stacks.c", builds[at]))
			continue;
		index = index_of("stacks");
		plan = plan_of(index, "*", false, &options);
		for (size_t name = 0; name < ARRAY_SIZE(looking); name++)
			if (planned(plan, looking[name])->exit != PLAN_EXIT_SITES)
				fail_msg("%s: %s has a return probe", builds[at], looking[name]);
		/* Clang at -O0 gives an array back from a variable: so may who switches. */
		assert_int_equal(
		    index->traits, strcmp(builds[at], "clang -O0 -g") ? 0 : IMAGE_SWITCHES_STACKS);
		for (size_t name = 0; name < ARRAY_SIZE(others) && !index->traits; name++)
			if (planned(plan, others[name])->exit != PLAN_EXIT_RETURN)
				fail_msg("%s: %s has none: %s", builds[at], others[name],
				    planned(plan, others[name])->exit_reason);
		plan_free(plan);
		image_index_free(index);
	}
}

/* How fibers change stacks by themselves. */
static void test_stack_switches(void **state)
{
	static const char *const switches[] = {"mov (%rsi), %rsp", "mov %rdi, %rsp",
	    "mov 8(%r12), %rsp", "mov other(%rip), %rsp", "xchg %rsp, (%rdi)",
	    "xchg %rax, %rbx; xchg %rsp, %rdx", "mov %rsp, %rax; mov (%rsi), %rax; mov %rax, %rsp",
	    "push (%rsi); pop %rsp", "push (%rsi); .byte 0x8f, 0xc4",
	    "mov (%rdi), %rax; xchg %rax, %rsp", "lea other+8(%rip), %rsp", "lea 64(%rdi), %rsp",
	    "movabs $0x7000000000, %rsp", "mov $0x700000, %rsp", "cmovz %rdi, %rsp",
	    "movq %xmm1, %rsp", "mov 16(%rbp), %rsp", "xor %rdi, %rsp", "mov %fs:8(%rdi), %rsp",
	    "iretq"};
	static const char *const others[] = {"mov %rbp, %rsp", "mov -8(%rbp), %rsp",
	    "lea -8(%r10), %rsp", "lea -16(%rdx), %rsp",
	    "mov %rsp, %rcx; sub %rax, %rcx; mov %rcx, %rsp", "movl $0x27874a, %eax", "pop %r12",
	    "mov %rbx, 8(%rsp)", "mov %rbp, %rsp; pop %rsp", "add $24, %rsp; pop %rsp",
	    "and $-32, %rsp; sub %rax, %rsp", "xchg %rax, %r12", "movabs $0x5c5c5c5c5cc35c5c, %rax",
	    "leave"};
	const struct plan_options options = {.kernel = kernel};

	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(switches) + ARRAY_SIZE(others); at++) {
		bool moves = at < ARRAY_SIZE(switches);
		const char *code = moves ? switches[at] : others[at - ARRAY_SIZE(switches)];
		struct image_index *index;
		struct plan *plan;

		write_text("leaf.c",
		    "int leaf(int x) { return x + 1; }\nvoid odd(void);\n"
		    "int main(int c, char **v) { (void)v; odd(); return leaf(c); }\n");
		if (shell("echo '.globl odd; .type odd, @function; odd: push %%rbx; %s; pop %%rbx; "
			  "ret; .size odd, .-odd; "
			  ".section .note.GNU-stack; .bss; other: .skip 8' > odd.s && gcc -O2 -g "
			  "-fno-inline -o switching "
			  "leaf.c odd.s",
			code))
			skip();
		index = index_of("switching");
		if (moves != !!(index->traits & IMAGE_SWITCHES_STACKS))
			fail_msg("%s: traits %u", code, index->traits);
		plan = plan_of(index, "leaf", false, &options);
		assert_int_equal(
		    planned(plan, "leaf")->exit, moves ? PLAN_EXIT_SITES : PLAN_EXIT_RETURN);
		plan_free(plan);
		image_index_free(index);
	}
}

static const char go[] = "package main\n"
			 "//go:noinline\n"
			 "func small(x int) int {\n" /* 3 */
			 "	if x == 0 {\n"
			 "		return 1\n"
			 "	}\n"
			 "	return small(x-1) + 1\n"
			 "}\n"
			 "//go:noinline\n"
			 "func large(x int) byte {\n" /* 10: a frame that needs two comparisons */
			 "	var pad [10000]byte\n"
			 "	pad[x%10000] = byte(x)\n"
			 "	return pad[small(x)%10000]\n"
			 "}\n"
			 "//go:noinline\n"
			 "func leaf(x int) int {\n"
			 "	return x + 1\n"
			 "}\n"
			 "func main() {\n"
			 "	println(large(leaf(3)))\n"
			 "}\n";

/* The entry of a Go function stands behind all comparisons with its stack's end; its first line,
 * and nothing else before, is counted there, once. */
static void check_go_entry(const struct plan *plan, const char *name, bool grows)
{
	const struct plan_function *function = planned(plan, name);
	uint32_t first = 0, counts = 0;

	assert_int_equal(count_roles(plan, function, SITE_ENTRY), 1);
	assert_int_equal(count_roles(plan, function, SITE_GROWS), grows);
	assert_int_equal(count_roles(plan, function, SITE_LOOP), 0);
	while (plan->sites.items[first].function != function - plan->functions.items)
		first++;
	assert_true(plan->sites.items[first].roles & SITE_ENTRY);
	ARRAY_FOREACH (count, &plan->counts)
		counts +=
		    plan->lines.items[count->line].function == function - plan->functions.items &&
		    plan->lines.items[count->line].line == function->line;
	assert_int_equal(counts, 1);
}

static void test_go_entries(void **state)
{
	const struct plan_options options = {.kernel = kernel};
	struct image_index *index;
	struct plan *plan;

	(void)state;
	write_text("main.go", go);
	if (shell("HOME=$PWD GOFLAGS=-mod=mod GO111MODULE=off GOCACHE=$PWD/cache "
		  "go build -o g main.go 2>/dev/null"))
		skip();
	index = index_of("g");
	plan = plan_of(index, "main.*", true, &options);
	check_places(index, plan);
	check_go_entry(plan, "main.small", true);
	check_go_entry(plan, "main.large", true);
	check_go_entry(plan, "main.leaf", false);
	plan_free(plan);
	image_index_free(index);
}

static void test_line_hits(void **state)
{
	struct plan plan = {0};
	const uint64_t hits[] = {5, 7, 11};
	uint64_t lines[2] = {99, 99};
	struct plan_line items[2] = {{0}};
	struct plan_count counts[] = {
	    {.line = 0, .column = 3, .site = 0, .sign = 1},
	    {.line = 0, .column = 3, .site = 1, .sign = 1},
	    {.line = 0, .column = 9, .site = 2, .sign = 1},
	    {.line = 1, .column = 1, .site = 0, .sign = 1},
	    {.line = 1, .column = 1, .site = 2, .sign = -1},
	};

	(void)state;
	plan.lines.items = items;
	plan.lines.count = 2;
	plan.counts.items = counts;
	plan.counts.count = ARRAY_SIZE(counts);
	plan_count_lines(&plan, hits, lines);
	assert_int_equal(lines[0], 12); /* the larger column */
	assert_int_equal(lines[1], 0);  /* never below nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_pure),
	    cmocka_unit_test(test_functions_only),
	    cmocka_unit_test(test_statements),
	    cmocka_unit_test(test_automatic_exit),
	    cmocka_unit_test(test_return_addresses),
	    cmocka_unit_test(test_stack_switches),
	    cmocka_unit_test(test_go_entries),
	    cmocka_unit_test(test_line_hits),
	};

	return cmocka_run_group_tests(tests, compiled_set_up, compiled_tear_down);
}
