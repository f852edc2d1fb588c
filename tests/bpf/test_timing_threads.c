// SPDX-License-Identifier: GPL-2.0-or-later
// Threads and processes of the timing programs: storage, ends, forks, execve, bystanders, the gate.
#include "bpf/native/timing.h"

#define SP 80000

/* ---- Storage ---- */

static void no_storage_for_a_thread(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES | FUNCTION_RETURNS);
	uint32_t of_f = line_new(f);

	(void)state;
	native.no_memory = true;
	assert_false(enter(f, SP)); /* its return would find no frame */
	line(of_f, SP - 16);
	native.no_memory = false;
	assert_true(enter(f, SP - 64));
	return_(f, SP - 64);
	assert_int_equal(counted_hits(of_f), 1);
	EXPECT(f, .entries = 2, .exits = 1, .lost = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .min_ns = 1);
	expect_loss(LOSS_NO_STORAGE, 2);
}

/* Without sessions the return is reported all the same: it is no call of its own. */
static void no_storage_for_a_return(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS);

	(void)state;
	world.separate_returns = true;
	native.no_memory = true;
	assert_true(enter(f, SP));
	return_(f, SP);
	native.no_memory = false;
	EXPECT(f, .entries = 1, .lost = 1);
	expect_loss(LOSS_NO_STORAGE, 2);
}

/* On kernels before 6.2 a look-up fails while another thread's holds the CPU's storage lock. */
static void near_frames_out_of_reach(void **state)
{
	struct measured f = function_new(1, 0), g = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	native.unavailable = &threads;
	enter(g, SP - 64);
	leave(g, SP - 64);
	native.unavailable = NULL;
	at(50);
	leave(f, SP);
	EXPECT_CALLS(f, 1, 50, 50);
	EXPECT(g, .entries = 1, .lost = 1);
	expect_loss(LOSS_NO_STORAGE, 2);
}

static void far_frames_out_of_reach(void **state)
{
	struct measured f = function_new(1, 0), g = function_new(2, FUNCTION_LINES);
	uint32_t of_g = line_new(g);

	(void)state;
	for (uint64_t depth = 0; depth < 100; depth++)
		enter(f, SP - 64 * depth);
	native.unavailable = &far_frames;
	enter(g, SP - 64 * 100);
	line(of_g, SP - 64 * 100);
	leave(g, SP - 64 * 100);
	assert_int_equal(depth_now(), 100);
	native.unavailable = NULL;
	for (uint64_t depth = 100; depth-- > 0;)
		leave(f, SP - 64 * depth);
	assert_int_equal(counted(f.id).exits, 100);
	assert_int_equal(counted_hits(of_g), 1);
	EXPECT(g, .entries = 1, .lost = 1);
	expect_loss(LOSS_NO_STORAGE, 3);
}

/* ---- Threads ---- */

static void threads_have_stacks_of_their_own(void **state)
{
	struct measured f = function_new(1, 0);
	size_t first = 0, second = thread_new(100);

	(void)state;
	at(0);
	thread_switch(first);
	enter(f, SP);
	at(5);
	native.cpu = 1;
	thread_switch(second);
	enter(f, SP - 4096);
	enter(f, SP - 5000);
	at(10);
	native.cpu = 0;
	thread_switch(first);
	leave(f, SP);
	at(30);
	thread_switch(second);
	leave(f, SP - 5000);
	leave(f, SP - 4096);
	EXPECT(f, .entries = 3, .exits = 3, .opened = 3, .closed = 3, .primitive = 2,
	    .total_ns = 35, .self_ns = 35, .raw_total_ns = 35, .min_ns = 11, .max_ns = 25);
}

/* Calls that a thread ends inside ran until then. */
static void a_thread_ends_inside_calls(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g = function_new(2, 0);
	uint32_t of_f = line_new(f);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	line(of_f, SP - 16);
	at(20);
	enter(g, SP - 64);
	at(100);
	thread_end();
	EXPECT(f, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = 100, .self_ns = 20, .raw_total_ns = 100);
	EXPECT(g, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = 80, .self_ns = 80, .raw_total_ns = 80);
	EXPECT_LINE(line_of(of_f), .total_ns = 90, .self_ns = 10, .max_ns = 90);
}

/* Calls that were jumped out of long before did not. */
static void a_thread_ends_after_a_longjmp(void **state)
{
	struct measured m = function_new(3, 0), f = function_new(1, FUNCTION_LINES), g;
	uint32_t of_f = line_new(f);

	(void)state;
	g = function_new(2, 0);
	at(0);
	enter(m, SP + 64);
	enter(f, SP);
	at(10);
	line(of_f, SP - 16);
	at(20);
	enter(g, SP - 64);
	at(90);
	world.thread->registers.sp = SP + 32; /* in m again */
	at(1000000);
	thread_end();
	EXPECT(f, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .total_ns = 10, .self_ns = 10, .raw_total_ns = 10);
	EXPECT(g, .entries = 1, .unwound = 1, .opened = 1, .closed = 1, .primitive = 1);
	assert_int_equal(counted(m.id).total_ns, 1000000);
	assert_int_equal(counted(m.id).self_ns, 1000000 - 10);
}

static void a_thread_ends_a_thousand_calls_deep(void **state)
{
	struct measured f = function_new(1, 0);

	(void)state;
	at(0);
	for (uint64_t depth = 0; depth < FRAMES_MAX; depth++)
		enter(f, SP - 16 * depth);
	at(70);
	thread_end();
	assert_int_equal(counted(f.id).unwound, FRAMES_MAX);
	assert_int_equal(counted(f.id).total_ns, 70);
}

/* ---- Processes ---- */

static void fork_to(uint32_t process)
{
	struct task_struct child = {.tgid = (int)process};
	struct pt_regs registers = {0};
	struct native_thread forked = {.task = &child, .registers = &registers};
	__u64 arguments[2] = {(uintptr_t)native.thread->task, (uintptr_t)&child};

	native.forked = &forked;
	follow_fork(arguments);
	native.forked = NULL;
}

static bool is_followed(uint32_t process)
{
	return bpf_map_lookup_elem(&targets, &process) != NULL;
}

static void forks_are_followed(void **state)
{
	(void)state;
	fork_to(101);
	assert_true(is_followed(101));
	settings.follow_forks = 0;
	fork_to(102);
	assert_false(is_followed(102));
	settings.follow_forks = 1;
	world.thread->task.tgid = 555; /* no target */
	fork_to(103);
	assert_false(is_followed(103));
	world.thread->task.tgid = 101;
	for (uint32_t process = 200; process < 208; process++)
		fork_to(process); /* the table holds eight */
	assert_false(is_followed(207));
	expect_loss(LOSS_TARGETS, 2);
}

static void ended_processes_are_forgotten(void **state)
{
	(void)state;
	world.thread->process.live.counter = 1; /* another thread lives on */
	thread_end();
	assert_true(is_followed(100));
	world.thread->process.live.counter = 0;
	thread_end();
	assert_false(is_followed(100));
}

/* A forked child goes on with its parent's calls: its time is added to theirs, and they are counted
 * once. */
static void a_child_goes_on_with_its_parents_calls(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES | FUNCTION_RETURNS), g;
	uint32_t of_f = line_new(f), after = line_new(f);
	size_t parent = 0, child;

	(void)state;
	g = function_new(2, 0);
	at(0);
	enter(f, SP);
	at(10);
	line(of_f, SP - 16);
	at(20);
	enter(g, SP - 64);
	at(100);
	child = thread_fork(101, 0);
	thread_switch(child);
	at(107);
	leave(g, SP - 64);
	at(150);
	line(after, SP - 16);
	assert_true(enter(f, SP - 128)); /* not its first activation */
	at(157);
	return_(f, SP - 128);
	enter(g, SP - 64);
	at(160);
	leave(g, SP - 64);
	at(170);
	return_(f, SP);
	assert_int_equal(thread_state()->depth, 0);
	thread_switch(parent);
	at(200);
	leave(g, SP - 64);
	at(210);
	return_(f, SP);
	/* f ran for 210 in the parent, from 100 to 170 in the child */
	EXPECT(f, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 1,
	    .total_ns = 280, .self_ns = 90, .raw_total_ns = 280, .min_ns = 8, .max_ns = 210);
	EXPECT(g, .entries = 2, .exits = 2, .opened = 2, .closed = 2, .primitive = 2,
	    .total_ns = 190, .self_ns = 190, .raw_total_ns = 190, .min_ns = 4, .max_ns = 180);
	EXPECT_LINE(line_of(of_f), .total_ns = 250, .self_ns = 63, .max_ns = 200);
	EXPECT_LINE(line_of(after), .total_ns = 20, .self_ns = 10, .max_ns = 20);
	assert_int_equal(counted_hits(of_f), 1);
	assert_int_equal(counted_edge(f.id, g.id).calls, 2);
}

/* ... at any depth, or not at all. */
static void a_child_is_forked_deep_inside(void **state)
{
	struct measured f = function_new(1, 0);
	size_t child;

	(void)state;
	at(0);
	for (uint64_t depth = 0; depth < FRAMES_MAX; depth++)
		enter(f, SP - 16 * depth);
	at(50);
	child = thread_fork(101, 0);
	native.no_memory = true;
	thread_fork(102, 0);
	native.no_memory = false;
	expect_loss(LOSS_TARGETS, 1);
	expect_loss(LOSS_NO_STORAGE, 1);
	thread_switch(child);
	assert_int_equal(thread_state()->depth, FRAMES_MAX);
	at(57);
	for (uint64_t depth = FRAMES_MAX; depth-- > 0;)
		leave(f, SP - 16 * depth);
	assert_int_equal(thread_state()->depth, 0);
	EXPECT(f, .entries = FRAMES_MAX, .opened = FRAMES_MAX, .primitive = 1, .total_ns = 7,
	    .self_ns = 7, .raw_total_ns = 7);
	thread_switch(0);
	at(60);
	for (uint64_t depth = FRAMES_MAX; depth-- > 0;)
		leave(f, SP - 16 * depth);
	assert_int_equal(counted(f.id).total_ns, 67);
	assert_int_equal(counted(f.id).exits, FRAMES_MAX);
}

/* The rate's decision about a tree of calls holds in a child, too. */
static void a_child_is_left_out_with_its_parent(void **state)
{
	struct measured f = function_new(1, 0), g = function_new(2, 0);

	(void)state;
	function_of(f)->threshold = 0;
	enter(f, SP);
	thread_switch(thread_fork(101, 0));
	enter(g, SP - 64);
	leave(g, SP - 64);
	leave(f, SP);
	enter(g, SP - 64);
	leave(g, SP - 64);
	EXPECT(g, .entries = 2, .exits = 1, .untimed = 1, .opened = 1, .closed = 1, .primitive = 1,
	    .min_ns = 1);
	thread_switch(0);
	leave(f, SP);
	EXPECT(f, .entries = 1, .untimed = 1);
}

/* Who begins on another stack, or is no target, or is a thread, goes on with nothing. */
static void others_begin_anew(void **state)
{
	struct measured f = function_new(1, 0);

	(void)state;
	enter(f, SP);
	thread_fork(101, 4096);

	thread_fork(100, 0);
	settings.follow_forks = 0;
	thread_fork(102, 0);
	for (size_t thread = 1; thread < world.thread_count; thread++) {
		thread_switch(thread);
		assert_null(thread_state());
	}
	thread_switch(0);
	leave(f, SP);
}

/* Until a child is watched, it gets no return probes once it maps other code than at the fork. */
static void a_child_loads_images_before_it_is_watched(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS | FUNCTION_HELD);
	struct xol_area area = {0};
	size_t thread;

	(void)state;
	settings.forks_watched = 0;
	world.thread->memory.exec_vm = 50;
	thread_switch(thread_fork(101, 0));
	assert_int_equal(settings.forks, 1);
	world.thread->memory.uprobes_state.xol_area = &area; /* its own first probe */
	world.thread->memory.exec_vm++;
	assert_true(enter(f, SP));
	return_(f, SP);
	world.thread->memory.exec_vm++; /* dlopen() */
	assert_false(enter(f, SP));
	world.thread->registers.sp = SP + 16;
	thread = thread_fork(101, 4096); /* a thread of it */
	world.threads[thread].memory = world.thread->memory;
	thread_switch(thread);
	assert_false(enter(f, SP - 4096));
	thread_switch(thread_fork(102, 4096)); /* a child of it */
	assert_false(enter(f, SP));
	expect_loss(LOSS_IMAGES, 3);
	settings.forks_watched = 2;
	assert_true(enter(f, SP - 8192));
	return_(f, SP - 8192);
	thread_switch(0);
	assert_true(enter(f, SP)); /* the parent is another's matter */
	return_(f, SP);
}

/* The new program's calls have nothing to do with the old one's, whatever their stacks are. */
static void a_process_executes_another_program(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES), g;

	(void)state;
	g = function_new(2, FUNCTION_RETURNS);
	at(0);
	enter(f, SP);
	enter(g, SP - 64);
	at(10);
	world.thread->task.self_exec_id++;
	world.thread->pending_count = 0;
	at(50);
	enter(f, SP - 4096);
	at(57);
	leave(f, SP - 4096);
	EXPECT(f, .entries = 2, .exits = 1, .unwound = 1, .opened = 2, .closed = 2, .primitive = 2,
	    .total_ns = 7, .self_ns = 7, .raw_total_ns = 7, .min_ns = 8, .max_ns = 7);
	EXPECT_NO_EDGE(g.id, f.id);
	enter(f, SP - 64);
	at(100);
	world.thread->task.self_exec_id++;
	at(1000);
	thread_end(); /* before any hit of the third program */
	assert_int_equal(counted(f.id).total_ns, 7);
}

/* A thread that executes another program gets the first thread's id, whatever it stood in. */
static void a_deep_thread_executes_another_program(void **state)
{
	struct measured f = function_new(1, 0);

	(void)state;
	thread_new(100);
	for (uint64_t depth = 0; depth < 100; depth++)
		enter(f, SP - 16 * depth);
	world.thread->task.self_exec_id++;
	world.thread->kernel.tid = 100;
	at(50);
	for (uint64_t depth = 0; depth < 100; depth++)
		enter(f, SP - 16 * depth);
	at(60);
	for (uint64_t depth = 100; depth-- > 0;)
		leave(f, SP - 16 * depth);
	EXPECT(f, .entries = 200, .exits = 100, .unwound = 100, .opened = 200, .closed = 200,
	    .primitive = 2, .total_ns = 10, .self_ns = 10, .raw_total_ns = 10, .min_ns = 11,
	    .max_ns = 10);
}

static void bystanders_are_counted_apart(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES | FUNCTION_RETURNS);
	uint32_t of_f = line_new(f), other = 300;

	(void)state;
	thread_new(other);
	bpf_map_delete_elem(&targets, &other);
	assert_false(enter(f, SP));
	line(of_f, SP - 16);
	leave(f, SP);
	EXPECT(f, .entries = 0);
	assert_int_equal(counted_hits(of_f), 0);
	assert_int_equal(counted_bystanders(), 3);
	assert_null(thread_state()); /* nor do they cost memory */
	settings.all_processes = 1;
	assert_true(enter(f, SP));
	return_(f, SP);
	EXPECT_CALLS(f, 1, 0, 0);
}

/* Nobody is a target of probes that are still coming, so nobody is none. */
static void hits_before_all_probes_stand(void **state)
{
	struct measured f = function_new(1, FUNCTION_RETURNS);

	(void)state;
	site_of(f.entry)->scope = SCOPE_CLOSED;
	assert_false(enter(f, SP));
	assert_int_equal(counted_bystanders(), 0);
	assert_int_equal(counted_class(site_of(f.entry)->cost), 1);
	EXPECT(f, .entries = 0);
	assert_null(thread_state());
}

/* ---- The gate ---- */

static void hits_before_the_gate_opens(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES | FUNCTION_RETURNS);
	uint32_t of_f = line_new(f);

	(void)state;
	settings.gate = 0;
	assert_false(enter(f, SP));
	line(of_f, SP - 16);
	leave(f, SP);
	assert_null(thread_state());
	assert_int_equal(counted_hits(of_f) + counted(f.id).entries + counted_bystanders(), 0);
	settings.gate = 1;
}

static void frames_stay_open_when_the_gate_closes(void **state)
{
	struct measured f = function_new(1, 0);

	(void)state;
	at(0);
	enter(f, SP);
	settings.gate = 0;
	at(10);
	leave(f, SP);
	thread_end();
	EXPECT(f, .entries = 1, .opened = 1, .primitive = 1);
}

/* Each opening has a number of its own, which tells frames from before. */
static void the_gate_opens_again(void **state)
{
	struct measured f = function_new(1, 0), g = function_new(2, 0);

	(void)state;
	at(0);
	enter(f, SP);
	at(10);
	settings.gate = 0;
	leave(f, SP);
	enter(g, SP - 64);
	settings.gate = 2;
	at(100);
	enter(f, SP - 128);
	at(130);
	leave(f, SP - 128);
	EXPECT(f, .entries = 2, .exits = 1, .unwound = 1, .opened = 2, .closed = 2, .primitive = 2,
	    .total_ns = 30, .self_ns = 30, .raw_total_ns = 30, .min_ns = 31, .max_ns = 30);
	EXPECT_EDGE(NOBODY, f.id, .calls = 2, .total_ns = 30, .self_ns = 30, .primitive = 2);
	EXPECT(g, .entries = 0);
}

/* Its number may be another process's in another pid namespace. */
static void the_gate_closes_with_its_owner(void **state)
{
	(void)state;
	native.namespace_device = 4;
	native.namespace_number = 4026531836;
	settings.owner = world.thread->kernel.tgid;
	settings.owner_device = 4;
	settings.owner_namespace = 4026532201;
	follow_exit(NULL);
	assert_int_equal(settings.gate, 1);
	settings.owner_namespace = native.namespace_number;
	settings.owner++;
	follow_exit(NULL);
	assert_int_equal(settings.gate, 1);
	settings.owner--;
	world.thread->process.live.counter = 1; /* another thread lives on */
	follow_exit(NULL);
	assert_int_equal(settings.gate, 1);
	world.thread->process.live.counter = 0;
	follow_exit(NULL);
	assert_int_equal(settings.gate, 0);
}

/* ---- Preemption: programs of two threads interleave on one CPU ---- */

static struct {
	struct measured f;
	uint32_t of_f;
	size_t other;
	uint64_t calls;
} preempting;

static void call_by_other_thread(void)
{
	const struct simulated_thread *before = world.thread;
	uint64_t now = native.now, cookie = native.cookie, address = native.function_address;

	thread_switch(preempting.other);
	enter(preempting.f, SP - 40000);
	line(preempting.of_f, SP - 40016);
	native.now += 7;
	return_(preempting.f, SP - 40000);
	preempting.calls++;
	thread_switch((size_t)(before - world.threads));
	native.now = now; /* each has its own time here, so that sums are exact */
	native.cookie = cookie;
	native.function_address = address;
}

static void threads_preempt_each_other(void **state)
{
	struct measured f = function_new(1, FUNCTION_LINES | FUNCTION_RETURNS);

	(void)state;
	preempting.f = f;
	preempting.of_f = line_new(f);
	preempting.other = thread_new(100);
	preempting.calls = 0;
	thread_switch(0);
	native.preempt = call_by_other_thread;
	for (size_t i = 0; i < 50; i++) {
		enter(f, SP);
		line(preempting.of_f, SP - 16);
		enter(f, SP - 64);
		line(preempting.of_f, SP - 80);
		native.now += 7;
		return_(f, SP - 64);
		return_(f, SP);
	}
	native.preempt = NULL;
	assert_true(preempting.calls > 1000);
	EXPECT(f, .entries = preempting.calls + 100, .exits = preempting.calls + 100,
	    .opened = preempting.calls + 100, .closed = preempting.calls + 100,
	    .primitive = preempting.calls + 50, .total_ns = 7 * (int64_t)(preempting.calls + 50),
	    .self_ns = 7 * (int64_t)(preempting.calls + 50),
	    .raw_total_ns = 7 * (preempting.calls + 50), .min_ns = 8, .max_ns = 7);
	assert_int_equal(counted_hits(preempting.of_f), preempting.calls + 100);
	expect_lines_add_up(f, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TIMING_TEST(no_storage_for_a_thread),
	    TIMING_TEST(no_storage_for_a_return),
	    TIMING_TEST(near_frames_out_of_reach),
	    TIMING_TEST(far_frames_out_of_reach),
	    TIMING_TEST(threads_have_stacks_of_their_own),
	    TIMING_TEST(a_thread_ends_inside_calls),
	    TIMING_TEST(a_thread_ends_after_a_longjmp),
	    TIMING_TEST(a_thread_ends_a_thousand_calls_deep),
	    TIMING_TEST(forks_are_followed),
	    TIMING_TEST(ended_processes_are_forgotten),
	    TIMING_TEST(a_child_goes_on_with_its_parents_calls),
	    TIMING_TEST(a_child_is_forked_deep_inside),
	    TIMING_TEST(a_child_is_left_out_with_its_parent),
	    TIMING_TEST(others_begin_anew),
	    TIMING_TEST(a_child_loads_images_before_it_is_watched),
	    TIMING_TEST(a_process_executes_another_program),
	    TIMING_TEST(a_deep_thread_executes_another_program),
	    TIMING_TEST(bystanders_are_counted_apart),
	    TIMING_TEST(hits_before_all_probes_stand),
	    TIMING_TEST(hits_before_the_gate_opens),
	    TIMING_TEST(frames_stay_open_when_the_gate_closes),
	    TIMING_TEST(the_gate_opens_again),
	    TIMING_TEST(the_gate_closes_with_its_owner),
	    TIMING_TEST(threads_preempt_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
