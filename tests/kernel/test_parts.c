// SPDX-License-Identifier: GPL-2.0-or-later
// Plans that come and go in one engine: their ids, their targets, their restarts.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "kernel/measured.h"

#define PINS "/sys/fs/bpf/lprof-test-parts"

/* `counted wait`: a call of leaf() for each byte that it is given. */
struct program {
	pid_t pid;
	int input;
};

static struct program program_start(void)
{
	struct program program;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	program.pid = fork();
	if (!program.pid) {
		dup2(ends[0], STDIN_FILENO);
		execl(counted_path(), "counted", "wait", (char *)NULL);
		_exit(127);
	}
	close(ends[0]);
	program.input = ends[1];
	return program;
}

static bool is_asleep(pid_t pid)
{
	char path[64], text[512], *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	state = strrchr(text, ')');
	return state && state[2] == 'S' && !strstr(text, "test_parts");
}

/* Has leaf() called `times` times, and returns when all of them are over. */
static void program_call(const struct program *program, int times)
{
	int unread = 1;

	while (times--)
		assert_int_equal(write(program->input, "x", 1), 1);
	while (ioctl(program->input, FIONREAD, &unread) == 0 && unread)
		usleep(1000);
	while (!is_asleep(program->pid))
		usleep(1000);
}

static void program_end(const struct program *program)
{
	close(program->input);
	assert_int_equal(waitpid(program->pid, NULL, 0), program->pid);
}

static uint64_t calls(struct engine *engine, uint32_t function)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	uint64_t count;

	assert_int_equal(engine_drain(engine, &profile, NULL), 0);
	ARRAY_FOREACH (each, &profile->functions)
		assert_true(profile_identity_holds(&each->accounting));
	count = profile->functions.items[function].calls;
	engine_rest(engine); /* whatever comes next maps the tables again */
	return count;
}

static const struct engine_options room = {.functions = 64, .sites = 256, .lines = 64};
static const struct engine_part_options everyone = {.everyone = true};
static const struct engine_part_options targets = {.follow = true};

static struct engine *open_engine(const struct engine_options *options)
{
	struct failure failure = {0};
	struct engine *engine = NULL;

	if (engine_open(NULL, options, &engine, &failure))
		fail_msg("%s", failure.text);
	engine_activate(engine);
	return engine;
}

static uint32_t add(struct engine *engine, const struct plan *plan,
    const struct engine_part_options *options, pid_t pid)
{
	struct failure failure = {0};
	uint32_t part = UINT32_MAX;

	if (engine_add(engine, plan, options, &part, &failure) ||
	    (pid && engine_add_part_target(engine, part, pid, &failure)) ||
	    engine_attach_part(engine, part, &failure))
		fail_msg("%s", failure.text);
	return part;
}

static void parts_come_and_go(void **state)
{
	struct plan one CLEANUP(plan_fini), two CLEANUP(plan_fini);
	CLEANUP(engine_free_p) struct engine *engine = open_engine(&room);
	struct program program = program_start();
	uint32_t part;

	(void)state;
	plan_init(&one, counted_path());
	plan_init(&two, counted_path());
	plan_add_function(&one, "descend");
	plan_add_function(&one, "leaf");
	plan_add_function(&two, "lines");
	plan_add_line(&two, 0, "lines_once");
	program_call(&program, 3);
	part = add(engine, &one, &everyone, 0);
	program_call(&program, 5);
	assert_int_equal(add(engine, &two, &everyone, 0), 1);
	program_call(&program, 7);
	assert_int_equal(calls(engine, 1), 12);
	engine_detach_part(engine, part);
	program_call(&program, 11);
	assert_int_equal(calls(engine, 1), 12);
	assert_int_equal(engine_revive(engine, part, &everyone, NULL), 0);
	assert_int_equal(engine_attach_part(engine, part, NULL), 0);
	program_call(&program, 13);
	assert_int_equal(calls(engine, 1), 25);
	assert_int_equal(engine_reset_part(engine, part, NULL), 0);
	assert_int_equal(calls(engine, 1), 0);
	program_call(&program, 2);
	assert_int_equal(calls(engine, 1), 2);
	program_end(&program);
}

static void targets_are_a_parts_own(void **state)
{
	struct plan one CLEANUP(plan_fini), two CLEANUP(plan_fini);
	CLEANUP(engine_free_p) struct engine *engine = open_engine(&room);
	struct program first = program_start(), second = program_start();
	uint32_t part;

	(void)state;
	plan_init(&one, counted_path());
	plan_init(&two, counted_path());
	plan_add_function(&one, "leaf");
	plan_add_function(&two, "leaf");
	part = add(engine, &one, &targets, first.pid);
	add(engine, &two, &targets, second.pid);
	program_call(&first, 3);
	program_call(&second, 5);
	program_call(&first, 7);
	assert_int_equal(calls(engine, 0), 10);
	assert_int_equal(calls(engine, 1), 5);
	assert_int_equal(engine_part_targets(engine, part), 1);
	assert_true(engine_part_has_target(engine, part, first.pid));
	assert_false(engine_part_has_target(engine, part, second.pid));
	program_end(&first);
	assert_int_equal(engine_part_targets(engine, part), 0);
	program_end(&second);
	assert_int_equal(calls(engine, 0), 10);
}

static void full_table_is_said(void **state)
{
	struct plan plan CLEANUP(plan_fini);
	struct engine_options small = {.functions = 1, .sites = 8, .lines = 1};
	CLEANUP(engine_free_p) struct engine *engine = open_engine(&small);
	struct failure failure = {0};
	uint32_t part;

	(void)state;
	plan_init(&plan, counted_path());
	plan_add_function(&plan, "leaf");
	add(engine, &plan, &everyone, 0);
	assert_int_equal(engine_add(engine, &plan, &everyone, &part, &failure), -E2BIG);
	assert_non_null(strstr(failure.text, "1 more functions do not fit"));
}

/* The engine's process dies, and another goes on where the kernel is. */
static void pinned_parts_go_on(void **state)
{
	struct plan one CLEANUP(plan_fini), two CLEANUP(plan_fini);
	struct engine_options options = room;
	struct engine *engine;
	struct program first = program_start(), second = program_start();
	struct engine_place places[2];
	struct failure failure = {0};
	size_t links, refused;
	uint32_t part;

	(void)state;
	options.pins = PINS;
	plan_init(&one, counted_path());
	plan_init(&two, counted_path());
	plan_add_function(&one, "descend");
	plan_add_function(&two, "leaf");
	engine = open_engine(&options);
	add(engine, &one, &everyone, 0);
	part = add(engine, &two, &targets, first.pid);
	for (int round = 1; round <= 3; round++) {
		program_call(&first, 10);
		program_call(&second, 10);
		engine_part_probes(engine, part, &links, &refused);
		places[0] = engine_part_place(engine, 0);
		places[1] = engine_part_place(engine, 1);
		engine_free(engine);
		program_call(&first, 10);
		assert_int_equal(engine_adopt(&options, &engine, &failure), 0);
		assert_int_equal(
		    engine_adopt_part(engine, &one, &places[0], 1, &part, &failure), 0);
		assert_int_equal(
		    engine_adopt_part(engine, &two, &places[1], links, &part, &failure), 0);
		assert_int_equal(calls(engine, 1), 20 * round);
		assert_int_equal(engine_part_targets(engine, part), 1);
	}
	engine_stop(engine);
	program_call(&first, 10);
	assert_int_equal(calls(engine, 1), 60);
	engine_free(engine);
	engine_purge(PINS);
	assert_int_equal(engine_adopt(&options, &engine, NULL), -ENOENT);
	assert_int_equal(access(PINS, F_OK), -1);
	program_end(&first);
	program_end(&second);
}

static void damaged_pins_are_refused(void **state)
{
	struct engine_options options = room;
	struct engine *engine;
	struct failure failure = {0};

	(void)state;
	options.pins = PINS;
	engine_free(open_engine(&options));
	assert_int_equal(unlink(PINS "/sites"), 0);
	assert_int_equal(engine_adopt(&options, &engine, &failure), -EPROTO);
	assert_int_equal(rename(PINS "/edges", PINS "/sites"), 0);
	assert_int_equal(engine_adopt(&options, &engine, NULL), -EPROTO);
	engine_purge(PINS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parts_come_and_go),
	    cmocka_unit_test(targets_are_a_parts_own),
	    cmocka_unit_test(full_table_is_said),
	    cmocka_unit_test(pinned_parts_go_on),
	    cmocka_unit_test(damaged_pins_are_refused),
	};

	engine_purge(PINS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
