// SPDX-License-Identifier: GPL-2.0-or-later
// What attaching leaves in a process, during and after, and what it does about refused places.
#include "kernel/measured.h"
#include "target/process_maps.h"
#include "target/process.h"

#define BREAKPOINT 0xcc

static struct engine_options session = {.method = ATTACH_SESSION, .follow = true};
static struct engine_options multi = {.method = ATTACH_MULTI, .follow = true};
static struct engine_options perf = {.method = ATTACH_PERF, .follow = true};

/* The process's own byte at a file offset of the workload. */
static uint8_t byte_in_process(pid_t pid, uint64_t offset)
{
	struct process_maps maps = {0};
	uint64_t address = 0;
	uint8_t byte = 0;
	char path[64];
	int memory;

	assert_int_equal(process_read_maps("/proc", pid, &maps, NULL), 0);
	ARRAY_FOREACH (mapping, &maps.mappings)
		if (strstr(mapping->path, "counted") && offset >= mapping->offset &&
		    offset - mapping->offset < mapping->end - mapping->start)
			address = mapping->start + offset - mapping->offset;
	process_maps_fini(&maps);
	assert_int_not_equal(address, 0);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(memory, &byte, 1, (off_t)address), 1);
	close(memory);
	return byte;
}

static void probes_go_as_they_came(void **state)
{
	CLEANUP(spawn_free_p) struct spawn *spawn = NULL;
	CLEANUP(engine_free_p) struct engine *engine = NULL;
	const struct spawn_options command = {
	    .arguments = (const char *const[]){counted_path(), "leaf", NULL}};
	struct plan plan CLEANUP(plan_fini);
	struct failure failure = {0};
	uint64_t offset;
	uint8_t before;
	int status;

	need_method(*state);
	plan_init(&plan, counted_path());
	plan_add_function(&plan, "leaf");
	offset = plan.sites.items[0].offset;
	assert_int_equal(spawn_open(&command, &spawn, &status, &failure), 0);
	before = byte_in_process(spawn_pid(spawn), offset);
	assert_int_not_equal(before, BREAKPOINT);
	assert_int_equal(engine_open(&plan, *state, &engine, &failure), 0);
	assert_int_equal(engine_add_target(engine, spawn_pid(spawn), &failure), 0);
	assert_int_equal(engine_attach(engine, &failure), 0);
	assert_int_equal(byte_in_process(spawn_pid(spawn), offset), BREAKPOINT);
	engine_stop(engine);
	assert_int_equal(byte_in_process(spawn_pid(spawn), offset), before);
}

static void refused_place_is_reported_and_the_rest_measured(void **state)
{
	struct plan plan CLEANUP(plan_fini);
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	uint32_t leaf, refused, outer;

	plan_init(&plan, counted_path());
	leaf = plan_add_function(&plan, "leaf");
	refused = plan_add_function(&plan, "locked");
	outer = plan_add_function(&plan, "outer");
	profile = measure(&plan, *state, "leaf", NULL);
	assert_int_equal(profile->functions.items[leaf].calls, 7919);
	assert_int_equal(profile->functions.items[refused].calls, 0);
	assert_int_equal(profile->functions.items[outer].calls, 1);
	assert_int_equal(profile->omissions.count, 1);
	assert_int_equal(profile->omissions.items[0].function, refused);
	assert_non_null(strstr(profile->omissions.items[0].reason, "refuses"));
}

static void nothing_but_refused_places_is_an_error(void **state)
{
	CLEANUP(spawn_free_p) struct spawn *spawn = NULL;
	CLEANUP(engine_free_p) struct engine *engine = NULL;
	const struct spawn_options command = {
	    .arguments = (const char *const[]){counted_path(), "leaf", NULL}};
	struct plan plan CLEANUP(plan_fini);
	struct failure failure = {0};
	int status;

	need_method(*state);
	plan_init(&plan, counted_path());
	plan_add_function(&plan, "locked");
	assert_int_equal(spawn_open(&command, &spawn, &status, &failure), 0);
	assert_int_equal(engine_open(&plan, *state, &engine, &failure), 0);
	assert_int_not_equal(engine_attach(engine, &failure), 0);
	assert_non_null(strstr(failure.text, "refuses"));
}

/* Processes that run the same code and are no targets are not measured, but counted. */
static void bystanders_are_counted_apart(void **state)
{
	struct plan plan CLEANUP(plan_fini);
	CLEANUP(spawn_free_p) struct spawn *bystander = NULL;
	CLEANUP(spawn_free_p) struct spawn *target = NULL;
	CLEANUP(engine_free_p) struct engine *engine = NULL;
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	const struct spawn_options command = {
	    .arguments = (const char *const[]){counted_path(), "leaf", NULL}};
	struct failure failure = {0};
	int status;

	need_method(*state);
	plan_init(&plan, counted_path());
	plan_add_function(&plan, "leaf");
	assert_int_equal(spawn_open(&command, &bystander, &status, &failure), 0);
	assert_int_equal(spawn_open(&command, &target, &status, &failure), 0);
	assert_int_equal(engine_open(&plan, *state, &engine, &failure), 0);
	assert_int_equal(engine_add_target(engine, spawn_pid(target), &failure), 0);
	assert_int_equal(engine_attach(engine, &failure), 0);
	engine_activate(engine);
	assert_int_equal(spawn_release(bystander, &failure), 0);
	assert_int_equal(spawn_release(target, &failure), 0);
	assert_int_equal(spawn_wait(bystander, NULL, &status, &failure), 0);
	assert_int_equal(spawn_wait(target, NULL, &status, &failure), 0);
	engine_stop(engine);
	assert_int_equal(engine_drain(engine, &profile, &failure), 0);
	assert_int_equal(profile->functions.items[0].calls, 7919);
	assert_true(profile->cost.bystander_hits >= 7919);
}

#define BY(way, test)                                                               \
	{                                                                           \
		.name = #test " by " #way, .test_func = test, .initial_state = &way \
	}
#define BY_EACH_WAY(test) BY(session, test), BY(multi, test), BY(perf, test)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BY_EACH_WAY(probes_go_as_they_came),
	    BY_EACH_WAY(refused_place_is_reported_and_the_rest_measured),
	    BY_EACH_WAY(nothing_but_refused_places_is_an_error),
	    BY_EACH_WAY(bystanders_are_counted_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
