// SPDX-License-Identifier: GPL-2.0-or-later
// pprof's files: what ours hold comes back, what other programs wrote is read, damaged ones give
// one sentence that says what is wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "files_written.h"
#include "input/gunzip.h"
#include "input/input.h"
#include "model/pprof.pb-c.h"
#include "profile_example.h"

static void test_round_trip(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	CLEANUP(profile_free_p) struct profile *again = NULL;
	CLEANUP_FREE char *bytes = NULL;
	const struct profile_function *add, *caller;
	struct failure failure = {0};
	size_t size;

	(void)state;
	bytes = file_written(output_write_pprof, profile, &size);
	if (input_read_bytes("x", bytes, size, &again, &failure))
		fail_msg("%s", failure.text);
	assert_true(again->started_ns == profile->started_ns);
	assert_true(again->duration_ns == profile->duration_ns);
	assert_int_equal(again->images.count, 2);
	assert_string_equal(again->images.items[0].path, "/bin/lua");
	assert_string_equal(again->images.items[0].build_id, "abcd");
	add = &again->functions.items[0];
	assert_string_equal(add->name, "add");
	assert_string_equal(add->linkage_name, "add");
	assert_string_equal(add->file, "/src/add.c");
	assert_int_equal(add->line, 3);
	assert_int_equal(add->image, 0);
	assert_int_equal(add->calls, 1000);
	assert_int_equal(add->total_ns, 5000000);
	assert_int_equal(add->self_ns, 4000000);
	assert_true(add->lines_measured);
	assert_int_equal(add->lines.count, 2); /* the third had nothing to tell */
	assert_int_equal(add->lines.items[1].line, 6);
	assert_int_equal(add->lines.items[1].hits, 4000);
	assert_int_equal(add->lines.items[1].total_ns, 4000000);
	assert_int_equal(add->lines.items[1].self_ns, 3000000);
	assert_true(again->off_cpu && add->off_cpu && !again->functions.items[1].off_cpu);
	assert_int_equal(add->blocked_ns, 300000);
	assert_int_equal(add->waiting_ns, 20000);
	assert_int_equal(add->lines.items[1].blocked_ns, 300000);
	assert_int_equal(add->lines.items[1].waiting_ns, 20000);
	assert_int_equal(add->lines.items[0].blocked_ns, 0);
	assert_int_equal(add->lines.items[1].cpu_samples, 3); /* the stack that ends there */
	assert_int_equal(add->lines.items[1].cpu_total_samples, 3);
	assert_int_equal(add->cpu_samples, 3);
	assert_int_equal(add->cpu_total_samples, 3);
	assert_int_equal(add->callers.count, 2);
	caller = &again->functions.items[add->callers.items[0].function];
	assert_string_equal(caller->name, "main");
	assert_int_equal(add->callers.items[0].calls, 990);
	assert_true(add->callers.items[1].function == PROFILE_NO_FUNCTION);
	assert_int_equal(caller->calls, 20);
	assert_int_equal(caller->timed_calls, 2);
	assert_true(caller->rate == 0.1);
	assert_int_equal(again->losses[LOSS_DEPTH], 12);
	assert_int_equal(again->other_losses.count, 1);
	assert_string_equal(again->other_losses.items[0].cause, "from the future");
	assert_int_equal(again->sampling_period_ns, 1001001);
	assert_int_equal(again->stacks.count, 2);
	assert_int_equal(again->stacks.items[1].cpu_samples, 2);
	assert_int_equal(again->stacks.items[1].frames.count, 2);
	assert_string_equal(
	    again->frames.items[again->stacks.items[1].frames.items[0]].name, "main");
	assert_string_equal(
	    again->frames.items[again->stacks.items[1].frames.items[1]].name, "[kernel]");
	for (size_t cut = 0; cut + 1 < size; cut++) {
		struct profile *none = NULL;

		failure_clear(&failure);
		assert_int_not_equal(input_read_pprof("x", bytes, cut, &none, &failure), 0);
		assert_true(failure.text[0]);
	}
}

/* A file of another program's CPU profiler: run() calls inner(), which was inlined into outer(). */
struct foreign {
	Pprof__Profile file;
	Pprof__ValueType types[2], *type_list[2], period;
	Pprof__Function functions[3], *function_list[3];
	Pprof__Location locations[2], *location_list[2];
	Pprof__Line lines[3], *line_list[3];
	Pprof__Sample sample, *sample_list[1];
	Pprof__Mapping mapping, *mapping_list[1];
	uint64_t stack[3];
	int64_t values[2];
	char *texts[12];
};

static void foreign_init(struct foreign *foreign)
{
	static const char *const texts[] = {"", "samples", "count", "cpu", "nanoseconds", "run",
	    "outer", "inner", "a.go", "/bin/a"};

	*foreign = (struct foreign){.file = PPROF__PROFILE__INIT};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		foreign->texts[i] = (char *)texts[i];
	foreign->file.string_table = foreign->texts;
	foreign->file.n_string_table = ARRAY_SIZE(texts);
	for (int i = 0; i < 2; i++) {
		foreign->types[i] = (Pprof__ValueType)PPROF__VALUE_TYPE__INIT;
		foreign->types[i].type = 1 + 2 * i;
		foreign->types[i].unit = 2 + 2 * i;
		foreign->type_list[i] = &foreign->types[i];
		foreign->locations[i] = (Pprof__Location)PPROF__LOCATION__INIT;
		foreign->locations[i].id = (uint64_t)-1 - (uint64_t)i;
		foreign->locations[i].mapping_id = 9;
		foreign->locations[i].n_line = i ? 1 : 2;
		foreign->locations[i].line = &foreign->line_list[2 * i];
		foreign->location_list[i] = &foreign->locations[i];
	}
	for (int i = 0; i < 3; i++) {
		foreign->functions[i] = (Pprof__Function)PPROF__FUNCTION__INIT;
		foreign->functions[i].id = 100 + (uint64_t)i;
		foreign->functions[i].name = foreign->functions[i].system_name = 7 - i;
		foreign->functions[i].filename = 8;
		foreign->function_list[i] = &foreign->functions[i];
		foreign->lines[i] = (Pprof__Line)PPROF__LINE__INIT;
		foreign->lines[i].function_id = 100 + (uint64_t)i;
		foreign->lines[i].line = 10 + i;
		foreign->line_list[i] = &foreign->lines[i];
	}
	foreign->sample = (Pprof__Sample)PPROF__SAMPLE__INIT;
	foreign->sample.location_id = foreign->stack;
	foreign->stack[0] = foreign->locations[0].id;
	foreign->stack[1] = foreign->stack[2] = foreign->locations[1].id;
	foreign->sample.n_location_id = 3; /* run() called itself */
	foreign->sample.value = foreign->values;
	foreign->sample.n_value = 2;
	foreign->values[0] = 4;
	foreign->values[1] = 40000000;
	foreign->sample_list[0] = &foreign->sample;
	foreign->mapping = (Pprof__Mapping)PPROF__MAPPING__INIT;
	foreign->mapping.id = 9;
	foreign->mapping.filename = 9;
	foreign->mapping_list[0] = &foreign->mapping;
	foreign->period = foreign->types[1];
	foreign->file.period_type = &foreign->period;
	foreign->file.period = 10000000;
	foreign->file.n_sample_type = 2;
	foreign->file.sample_type = foreign->type_list;
	foreign->file.n_function = 3;
	foreign->file.function = foreign->function_list;
	foreign->file.n_location = 2;
	foreign->file.location = foreign->location_list;
	foreign->file.n_sample = 1;
	foreign->file.sample = foreign->sample_list;
	foreign->file.n_mapping = 1;
	foreign->file.mapping = foreign->mapping_list;
}

static int foreign_read(
    const struct foreign *foreign, struct profile **ret_profile, struct failure *failure)
{
	size_t size = pprof__profile__get_packed_size(&foreign->file);
	CLEANUP_FREE char *bytes = malloc(size + 1);

	assert_int_equal(pprof__profile__pack(&foreign->file, (uint8_t *)bytes), size);
	return input_read_pprof("x", bytes, size, ret_profile, failure);
}

static void test_foreign_file(void **state)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	static const char *const names[] = {"inner", "outer", "run"};
	struct failure failure = {0};
	struct foreign foreign;

	(void)state;
	foreign_init(&foreign);
	if (foreign_read(&foreign, &profile, &failure))
		fail_msg("%s", failure.text);
	assert_int_equal(profile->sampling_period_ns, 10000000);
	assert_int_equal(profile->functions.count, 3);
	for (int i = 0; i < 3; i++) {
		const struct profile_function *function = &profile->functions.items[i];

		assert_string_equal(function->name, names[i]);
		assert_string_equal(function->file, "a.go");
		assert_int_equal(function->image, 0);
		assert_int_equal(function->cpu_samples, i ? 0 : 4);
		assert_int_equal(function->cpu_total_samples, 4); /* once, recursion or not */
		assert_int_equal(function->lines.count, 1);
		assert_int_equal(function->lines.items[0].line, 10 + i);
		assert_int_equal(function->lines.items[0].cpu_samples, i ? 0 : 4);
		assert_int_equal(function->lines.items[0].cpu_total_samples, 4);
		assert_false(function->lines_measured);
	}
	assert_int_equal(profile->stacks.count, 1);
	assert_int_equal(profile->stacks.items[0].frames.count, 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(
		    profile->frames.items[profile->stacks.items[0].frames.items[i]].name,
		    names[i < 2 ? 2 : 3 - i]);
}

static void check_refused(const struct foreign *foreign, const char *sentence)
{
	struct profile *profile = NULL;
	struct failure failure = {0};

	assert_int_not_equal(foreign_read(foreign, &profile, &failure), 0);
	assert_null(profile);
	if (!strstr(failure.text, sentence))
		fail_msg("\"%s\" does not say \"%s\"", failure.text, sentence);
}

static void test_refusals(void **state)
{
	struct foreign foreign;

	(void)state;
#define REFUSED(change, sentence)                  \
	do {                                       \
		foreign_init(&foreign);            \
		change;                            \
		check_refused(&foreign, sentence); \
	} while (0)
	REFUSED(foreign.functions[0].name = 99, "names a text that it does not have");
	REFUSED(foreign.functions[0].filename = -1, "names a text that it does not have");
	REFUSED(foreign.functions[0].system_name = 99, "names a text that it does not have");
	REFUSED(foreign.mapping.build_id = 99, "names a text that it does not have");
	REFUSED(foreign.types[0].type = 99, "names a text that it does not have");
	REFUSED(foreign.lines[2].function_id = 7, "names a function that it does not have");
	REFUSED(foreign.locations[1].mapping_id = 7, "names a mapping that it does not have");
	REFUSED(foreign.stack[1] = 7, "names a location that it does not have");
	REFUSED(foreign.lines[0].line = -1, "a line of source beyond all sources");
	REFUSED(foreign.lines[0].line = 1ll << 32, "a line of source beyond all sources");
	REFUSED(foreign.functions[0].start_line = -1, "a line of source beyond all sources");
	REFUSED(foreign.sample.n_value = 1, "more or fewer values than types");
	REFUSED(foreign.values[0] = -1, "a count below zero");
	REFUSED(foreign.types[1].type = 10; foreign.texts[10] = (char *)"self";
		foreign.file.n_string_table = 11;
		foreign.values[1] = INT64_MIN, "a time beyond 292 years");
	REFUSED(foreign.types[0].type = 3; foreign.types[0].unit = 4; foreign.types[1].type = 10;
		foreign.texts[10] = (char *)"blocked"; foreign.file.n_string_table = 11;
		foreign.values[1] = -1, "a time off the CPU below zero");
	REFUSED(foreign.types[0].type = foreign.types[1].type = 5,
	    "is a profile of run/count, run/nanoseconds: of pprof's files lprof reads");
	REFUSED(foreign.file.n_sample_type = 0, "is a profile of nothing");
}

static void test_gunzip(void **state)
{
	static const char small[] =
	    "\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c\x04\x03\0\x18\x72\xfe\x9c\x04"
	    "\0\0\0"; /* "aaaa", but its sum is of something else */
	CLEANUP(profile_free_p) struct profile *profile = profile_example("/src/add.c");
	CLEANUP_FREE char *bytes = NULL, *content = NULL;
	struct failure failure = {0};
	size_t size, content_size = 0;

	(void)state;
	bytes = file_written(output_write_pprof, profile, &size);
	assert_int_equal(gunzip("x", bytes, size, 1 << 20, &content, &content_size, &failure), 0);
	assert_true(content_size > 100 && content[0] == 0x0a);
	assert_int_equal(gunzip("x", bytes, size, 10, &content, &content_size, &failure), -EFBIG);
	assert_string_equal(failure.text, "x: is over 0 MiB when decompressed");
	failure_clear(&failure);
	assert_int_equal(
	    gunzip("x", small, sizeof(small) - 1, 10, &content, &content_size, &failure), -EBADMSG);
	assert_string_equal(failure.text, "x: is a damaged gzip file, or one that is cut off");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_foreign_file),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_gunzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
