/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timing programs compiled natively, and a language to play hits to them:
 *
 *	struct measured f = function_new(1, FUNCTION_RETURNS);
 *	at(100);
 *	enter(f, 800);			a call, whose return address stands at 800
 *	at(130);
 *	return_(f, 800);		its return, seen by the return probe
 *	EXPECT(f, .entries = 1, .exits = 1, .opened = 1, .closed = 1, .primitive = 1,
 *	    .total_ns = 30, .self_ns = 30, .raw_total_ns = 30, .min_ns = 31, .max_ns = 30);
 *
 * Each test begins with world_begin() and ends with world_end() (its set-up and tear-down), which
 * ends all threads, and then holds every test to what must always be: accounts that close, stacks
 * that are empty, no activation left, and no loss that the test did not expect.
 */
#ifndef LPROF_TESTS_BPF_NATIVE_TIMING_H
#define LPROF_TESTS_BPF_NATIVE_TIMING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "../../../bpf/timing.bpf.c"
#pragma GCC diagnostic pop

#define WORLD_FUNCTIONS 1024
#define WORLD_SITES     2048
#define WORLD_LINES     1024
#define WORLD_SHARDS    2
#define WORLD_EDGES     1024
#define WORLD_ACCOUNTS  4
#define WORLD_THREADS   4
#define STACK_TOP       (NATIVE_USER_SIZE - 4096) /* where a thread is between calls */
#define TRAMPOLINE      0x7f0000001000ull
#define NOBODY          NO_FUNCTION /* a caller that is not measured */

struct measured {
	uint32_t id, entry, exit; /* function and sites */
};

/* What the kernel keeps of an entry with a return probe. */
struct pending_return {
	uint32_t site;
	uint64_t sp;
};

struct simulated_thread {
	struct native_thread kernel;
	struct task_struct task;
	struct signal_struct process;
	struct mm_struct memory;
	struct pt_regs registers;
	struct pending_return pending[2 * FRAMES_MAX];
	size_t pending_count;
};

static struct {
	struct simulated_thread threads[WORLD_THREADS];
	size_t thread_count;
	struct simulated_thread *thread;
	uint32_t sites, lines;
	uint64_t return_addresses; /* handed out so far */
	uint64_t expected_losses[LOSS_COUNT];
	bool separate_returns; /* no session programs: returns are probed unconditionally */
	bool functions[WORLD_FUNCTIONS];
} world;

/* ---- The world ---- */

static inline void thread_switch(size_t thread)
{
	world.thread = &world.threads[thread];
	native.thread = &world.thread->kernel;
}

/* A new thread of a process that is a target; it becomes the current one. */
static inline size_t thread_new(uint32_t process)
{
	struct simulated_thread *thread = &world.threads[world.thread_count];
	uint32_t one = 1;

	memset(thread, 0, sizeof(*thread));
	thread->task.pid = (int)(process + world.thread_count);
	thread->task.tgid = (int)process;
	thread->task.signal = &thread->process;
	thread->task.mm = &thread->memory;
	thread->kernel.task = &thread->task;
	thread->kernel.registers = &thread->registers;
	thread->kernel.tgid = process;
	thread->kernel.tid = process + (uint32_t)world.thread_count;
	thread->registers.sp = STACK_TOP;
	bpf_map_update_elem(&targets, &process, &one, BPF_ANY);
	thread_switch(world.thread_count);
	return world.thread_count++;
}

/*
 * The current thread forks a process, or with its own process a thread. The child's stack pointer
 * is its parent's plus `elsewhere`. The kernel copies what it keeps of returns. The parent goes on.
 */
static inline size_t thread_fork(uint32_t process, uint64_t elsewhere)
{
	struct simulated_thread *parent = world.thread, *child;
	size_t parent_id = (size_t)(parent - world.threads), child_id;
	bool followed = bpf_map_lookup_elem(&targets, &process);
	__u64 arguments[2];

	child_id = thread_new(process);
	child = world.thread;
	if (!followed)
		bpf_map_delete_elem(&targets, &process); /* that is the program's to do */
	child->registers.sp = parent->registers.sp + elsewhere;
	child->memory.exec_vm = parent->memory.exec_vm;
	child->task.self_exec_id = parent->task.self_exec_id;
	memcpy(child->pending, parent->pending, sizeof(child->pending));
	child->pending_count = parent->pending_count;
	thread_switch(parent_id);
	native.forked = &child->kernel;
	arguments[0] = (uintptr_t)&parent->task;
	arguments[1] = (uintptr_t)&child->task;
	follow_fork(arguments);
	native.forked = NULL;
	return child_id;
}

/* The current thread ends. */
static inline void thread_end(void)
{
	follow_exit(NULL);
	for (size_t i = 0; i < NATIVE_MAPS_MAX; i++) {
		free(world.thread->kernel.storage[i]);
		world.thread->kernel.storage[i] = NULL;
	}
}

static inline void world_maps(void)
{
	native_map_add(&sites, WORLD_SITES);
	native_map_add(&functions, WORLD_FUNCTIONS);
	native_map_add(&site_hits, WORLD_SHARDS * WORLD_SITES);
	native_map_add(&function_counters, WORLD_SHARDS * WORLD_FUNCTIONS);
	native_map_add(&histograms, WORLD_SHARDS * WORLD_FUNCTIONS);
	native_map_add(&line_counters, WORLD_SHARDS * WORLD_LINES);
	native_map_add(&shard_counters, WORLD_SHARDS);
	native_map_add(&edges, WORLD_EDGES);
	native_map_add(&accounts, WORLD_ACCOUNTS);
	native_map_add(&targets, 8);
	native_map_add(&threads, 0);
	native_map_add(&far_frames, 8);
	native_map_add(&empty_far, 1);
}

static inline int world_begin(void **state)
{
	(void)state;
	memset(&native, 0, sizeof(native));
	memset(&world, 0, sizeof(world));
	memset((void *)(uintptr_t)&settings, 0, sizeof(settings));
	world_maps();
	settings.gate = 1;
	settings.shard_mask = WORLD_SHARDS - 1;
	settings.sites = WORLD_SITES;
	settings.functions = WORLD_FUNCTIONS;
	settings.lines = WORLD_LINES;
	settings.edge_mask = WORLD_EDGES / WORLD_SHARDS - 1;
	settings.follow_forks = 1;
	settings.forks_watched = NEVER_WATCHED;
	thread_new(100);
	return 0;
}

static inline void world_free(void)
{
	for (size_t thread = 0; thread < world.thread_count; thread++)
		for (size_t i = 0; i < NATIVE_MAPS_MAX; i++)
			free(world.threads[thread].kernel.storage[i]);
	native_free();
}

/* ---- Tables ---- */

static inline struct site *site_of(uint32_t id)
{
	return bpf_map_lookup_elem(&sites, &id);
}

static inline uint32_t site_new(uint32_t function, uint32_t roles, enum cost_class cost)
{
	uint32_t id = world.sites++;

	*site_of(id) = (struct site){
	    .function = function,
	    .host = function,
	    .roles = (uint16_t)roles,
	    .cost = (uint8_t)cost,
	};
	return id;
}

static inline struct function *function_of(struct measured f)
{
	return bpf_map_lookup_elem(&functions, &f.id);
}

/* A function of that id, always timed; its exits are seen as `flags` say. */
static inline struct measured function_new(uint32_t id, uint32_t flags)
{
	struct measured f = {.id = id};
	bool returns = flags & FUNCTION_RETURNS;

	f.entry = site_new(id, returns ? SITE_ENTRY | SITE_RETURN : SITE_ENTRY,
	    returns ? COST_ENTRY_EMULATED : COST_BARE_ENTRY_EMULATED);
	f.exit = site_new(id, SITE_EXIT, COST_EXIT_STEPPED);
	*function_of(f) = (struct function){
	    .threshold = SAMPLE_ALL,
	    .flags = flags,
	    .entry_line = flags & FUNCTION_LINES ? world.lines++ : NO_FUNCTION,
	};
	world.functions[id] = true;
	return f;
}

static inline uint32_t entry_line_of(struct measured f)
{
	return function_of(f)->entry_line;
}

static inline void site_charge(uint32_t site, struct measured f, uint32_t line_of_f)
{
	site_of(site)->charges[site_of(site)->charge_count++] = (struct charge){line_of_f, f.id};
}

/* A line of f with one site, for line(); its time is charged to line_of(). */
static inline uint32_t line_new(struct measured f)
{
	uint32_t site = site_new(f.id, SITE_LINE, COST_EMULATED);

	site_charge(site, f, world.lines++);
	return site;
}

/* A site in a function that nobody asked for, with that id among such. */
static inline uint32_t carrier_site(uint32_t host, uint32_t roles)
{
	uint32_t site = site_new(NO_FUNCTION, roles, COST_EMULATED);

	site_of(site)->host = host;
	return site;
}

/* At one site several functions' lines: f is inlined there, in what stands there already. */
static inline uint32_t line_inlined(uint32_t site, struct measured f)
{
	site_charge(site, f, world.lines);
	return world.lines++;
}

static inline uint32_t line_of(uint32_t site)
{
	return site_of(site)->charges[0].line;
}

/* ---- Hits ---- */

static inline void at(uint64_t ns)
{
	native.now = ns;
}

static inline uint64_t *user_word(uint64_t sp)
{
	uint64_t *word = native_word(sp);

	assert_non_null(word);
	return word;
}

static inline struct registers registers_at(uint64_t sp, uint64_t ip)
{
	world.thread->registers.sp = sp;
	return (struct registers){.rsp = sp, .rip = ip};
}

enum program { PROGRAM_SITE, PROGRAM_SESSION, PROGRAM_RETURN };

/* The clock moves on by what the hit costs, so times corrected for it are those of the test. */
static inline int hit_flags(
    uint32_t site, uint64_t sp, enum program program, bool returned, uint64_t flags)
{
	enum cost_class cost = returned ? COST_RETURN : site_of(site)->cost;
	struct registers registers;
	int result;

	native.cookie = site;
	native.function_address = 0x401000 + 16 * site;
	registers = registers_at(sp, returned ? 0x400123 : native.function_address);
	registers.flags = flags;
	native.now += settings.cost_before_ns[cost];
	if (program == PROGRAM_SESSION)
		result = timing_session(&registers);
	else
		result =
		    program == PROGRAM_SITE ? timing_site(&registers) : timing_return(&registers);
	native.now += settings.cost_after_ns[cost];
	return result;
}

static inline int hit_(uint32_t site, uint64_t sp)
{
	return hit_flags(site, sp, PROGRAM_SITE, false, 0);
}

/* What the kernel does at an entry with a return probe: it swaps the return address. */
static inline void probe_return(uint32_t site, uint64_t sp)
{
	assert_true(world.thread->pending_count < 2 * FRAMES_MAX);
	world.thread->pending[world.thread->pending_count++] = (struct pending_return){site, sp};
	*user_word(sp) = TRAMPOLINE;
}

/* The entry site is reached, by whatever means; true: its return will be seen by a probe. */
static inline bool reach(struct measured f, uint32_t entry, uint64_t sp)
{
	bool returns = site_of(entry)->roles & SITE_RETURN, skipped = false;
	uint64_t rsp = sp - (uint64_t)(int64_t)site_of(entry)->stack_offset;

	(void)f;
	if (returns && !world.separate_returns)
		skipped = hit_flags(entry, rsp, PROGRAM_SESSION, false, 0);
	else
		assert_int_equal(hit_(entry, rsp), 0);
	if (returns && !skipped)
		probe_return(entry, sp);
	return returns && !skipped;
}

/* A call writes its return address, each call another one. */
static inline bool enter(struct measured f, uint64_t sp)
{
	*user_word(sp) = 0x400005 + 8 * world.return_addresses++;
	return reach(f, f.entry, sp);
}

/* A jump to the function's beginning leaves the return address alone. */
static inline bool jump(struct measured f, uint64_t sp)
{
	return reach(f, f.entry, sp);
}

/* Control reaches an exit site of f; the stack pointer is at the return address. */
static inline void leave(struct measured f, uint64_t sp)
{
	assert_int_equal(hit_(f.exit, sp), 0);
}

/* Forgets the returns of calls that were unwound: the kernel does, by the stack pointer. */
static inline void forget_returns(uint64_t below)
{
	struct simulated_thread *thread = world.thread;

	while (thread->pending_count && thread->pending[thread->pending_count - 1].sp < below)
		thread->pending_count--;
}

/* A `ret` whose address stands at sp: all return probes of that address fire, latest first. */
static inline unsigned int return_at(uint64_t sp)
{
	struct simulated_thread *thread = world.thread;
	unsigned int fired = 0;

	forget_returns(sp);
	while (thread->pending_count && thread->pending[thread->pending_count - 1].sp == sp) {
		uint32_t site = thread->pending[--thread->pending_count].site;

		assert_int_equal(
		    hit_flags(site, sp + 8,
			world.separate_returns ? PROGRAM_RETURN : PROGRAM_SESSION, true, 0),
		    0);
		fired++;
	}
	return fired;
}

static inline void return_(struct measured f, uint64_t sp)
{
	assert_true(world.thread->pending_count > 0);
	assert_int_equal(return_at(sp), 1);
	(void)f;
}

static inline void line(uint32_t site, uint64_t sp)
{
	assert_int_equal(hit_(site, sp), 0);
}

/* ---- Sums over the shards ---- */

static inline uint64_t counted_hits(uint32_t site)
{
	uint64_t sum = 0;

	for (uint32_t shard = 0; shard < WORLD_SHARDS; shard++) {
		uint32_t index = shard * WORLD_SITES + site;

		sum += *(const uint64_t *)bpf_map_lookup_elem(&site_hits, &index);
	}
	return sum;
}

/* What user space derives (wire.h). */
struct function_sums {
	uint64_t entries, exits, opened, closed, unwound, untimed, lost, primitive;
	int64_t total_ns, self_ns;
	uint64_t raw_total_ns, min_ns, max_ns;
};

struct line_sums {
	int64_t total_ns, self_ns;
	uint64_t max_ns;
};

struct edge_sums {
	uint64_t calls, primitive;
	int64_t total_ns, self_ns;
};

static inline void edge_add(struct edge_sums *sum, const struct edge_counters *more)
{
	sum->calls += more->calls;
	sum->primitive += more->calls - more->nested;
	sum->total_ns += more->total_ns;
	sum->self_ns += more->total_ns - more->inner_ns;
}

#define ANY_CALLER 0xfffffffeu

static inline struct edge_sums counted_edge(uint32_t caller, uint32_t callee)
{
	struct edge_sums sum = {0};

	for (uint32_t at = 0; at < WORLD_EDGES; at++) {
		const struct edge *edge = bpf_map_lookup_elem(&edges, &at);

		if (edge->key && EDGE_CALLEE(edge->key) == callee &&
		    (caller == ANY_CALLER || EDGE_CALLER(edge->key) == caller))
			edge_add(&sum, &edge->counters);
	}
	return sum;
}

static inline uint64_t counted_entries(uint32_t function)
{
	uint64_t sum = 0;

	for (uint32_t site = 0; site < world.sites; site++)
		if (site_of(site)->function == function &&
		    SITE_COUNTS_ENTRIES(site_of(site)->roles))
			sum += counted_hits(site);
	return sum;
}

static inline struct function_sums counted(uint32_t function)
{
	struct edge_sums ended = counted_edge(ANY_CALLER, function);
	struct function_sums sum = {.entries = counted_entries(function)};
	uint64_t nested = 0;

	for (uint32_t shard = 0; shard < WORLD_SHARDS; shard++) {
		uint32_t index = shard * WORLD_FUNCTIONS + function;
		const struct function_counters *one =
		    bpf_map_lookup_elem(&function_counters, &index);

		edge_add(&ended, &one->unplaced);
		sum.entries += one->entries;
		sum.unwound += one->unwound;
		sum.untimed += one->untimed;
		sum.lost += one->lost;
		nested += one->nested;
		sum.raw_total_ns += one->raw_total_ns;
		if (one->min_ns && (!sum.min_ns || one->min_ns < sum.min_ns))
			sum.min_ns = one->min_ns;
		if (one->max_ns > sum.max_ns)
			sum.max_ns = one->max_ns;
	}
	sum.opened = sum.entries - sum.untimed - sum.lost;
	sum.closed = ended.calls;
	sum.exits = sum.closed - sum.unwound;
	sum.primitive = sum.opened - nested;
	sum.total_ns = ended.total_ns;
	sum.self_ns = ended.self_ns;
	return sum;
}

static inline struct line_sums counted_line(uint32_t id)
{
	struct line_sums sum = {0};

	for (uint32_t shard = 0; shard < WORLD_SHARDS; shard++) {
		uint32_t index = shard * WORLD_LINES + id;
		const struct line_counters *one = bpf_map_lookup_elem(&line_counters, &index);

		sum.total_ns += one->total_ns;
		sum.self_ns += one->total_ns - one->inner_ns;
		if (one->max_ns > sum.max_ns)
			sum.max_ns = one->max_ns;
	}
	return sum;
}

static inline uint64_t counted_bucket(uint32_t function, uint32_t bucket)
{
	uint64_t sum = 0;

	for (uint32_t shard = 0; shard < WORLD_SHARDS; shard++) {
		uint32_t index = shard * WORLD_FUNCTIONS + function;
		const struct histogram_counters *one = bpf_map_lookup_elem(&histograms, &index);

		sum += one->buckets[bucket];
	}
	return sum;
}

static inline uint64_t counted_loss(enum loss loss)
{
	uint64_t sum = 0;

	for (uint32_t shard = 0; shard < WORLD_SHARDS; shard++)
		sum += ((const struct shard_counters *)bpf_map_lookup_elem(&shard_counters, &shard))
			   ->losses[loss];
	return sum;
}

/* Hits that no site counted. */
static inline uint64_t counted_class(enum cost_class cost)
{
	uint64_t sum = 0;

	for (uint32_t shard = 0; shard < WORLD_SHARDS; shard++)
		sum += ((const struct shard_counters *)bpf_map_lookup_elem(&shard_counters, &shard))
			   ->hits[cost];
	return sum;
}

static inline uint64_t counted_bystanders(void)
{
	uint64_t sum = 0;

	for (uint32_t shard = 0; shard < WORLD_SHARDS; shard++)
		sum += ((const struct shard_counters *)bpf_map_lookup_elem(&shard_counters, &shard))
			   ->bystander_hits;
	return sum;
}

/* ---- Expectations ---- */

#define EXPECT_FIELD(counted_, expected_, field)                                                \
	do {                                                                                    \
		if ((counted_).field != (expected_).field)                                      \
			fail_msg("%s:%d: %s is %lld, expected %lld", file, line_number, #field, \
			    (long long)(counted_).field, (long long)(expected_).field);         \
	} while (0)

static inline void expect_function(
    struct measured f, struct function_sums expected, const char *file, int line_number)
{
	struct function_sums sum = counted(f.id);

	EXPECT_FIELD(sum, expected, entries);
	EXPECT_FIELD(sum, expected, exits);
	EXPECT_FIELD(sum, expected, opened);
	EXPECT_FIELD(sum, expected, closed);
	EXPECT_FIELD(sum, expected, unwound);
	EXPECT_FIELD(sum, expected, untimed);
	EXPECT_FIELD(sum, expected, lost);
	EXPECT_FIELD(sum, expected, primitive);
	EXPECT_FIELD(sum, expected, total_ns);
	EXPECT_FIELD(sum, expected, self_ns);
	EXPECT_FIELD(sum, expected, raw_total_ns);
	EXPECT_FIELD(sum, expected, min_ns);
	EXPECT_FIELD(sum, expected, max_ns);
}

static inline void expect_line(
    uint32_t id, struct line_sums expected, const char *file, int line_number)
{
	struct line_sums sum = counted_line(id);

	EXPECT_FIELD(sum, expected, total_ns);
	EXPECT_FIELD(sum, expected, self_ns);
	EXPECT_FIELD(sum, expected, max_ns);
}

static inline void expect_edge(
    uint32_t caller, uint32_t callee, struct edge_sums expected, const char *file, int line_number)
{
	struct edge_sums sum = counted_edge(caller, callee);

	EXPECT_FIELD(sum, expected, calls);
	EXPECT_FIELD(sum, expected, total_ns);
	EXPECT_FIELD(sum, expected, self_ns);
	EXPECT_FIELD(sum, expected, primitive);
}

/* All fields count: what is not named must be zero. */
#define EXPECT(f, ...)       expect_function(f, (struct function_sums){__VA_ARGS__}, __FILE__, __LINE__)
#define EXPECT_LINE(id, ...) expect_line(id, (struct line_sums){__VA_ARGS__}, __FILE__, __LINE__)
#define EXPECT_EDGE(caller, callee, ...) \
	expect_edge(caller, callee, (struct edge_sums){__VA_ARGS__}, __FILE__, __LINE__)
#define EXPECT_NO_EDGE(caller, callee) EXPECT_EDGE(caller, callee, .calls = 0)

static inline void expect_loss(enum loss loss, uint64_t count_)
{
	world.expected_losses[loss] = count_;
	assert_int_equal(counted_loss(loss), count_);
}

/* n calls of a function that all returned, none inside another of it, each lasting ns. */
#define EXPECT_CALLS(f, n, ns, own_ns)                                                          \
	EXPECT(f, .entries = (n), .exits = (n), .opened = (n), .closed = (n), .primitive = (n), \
	    .total_ns = (n) * (ns), .self_ns = (n) * (own_ns), .raw_total_ns = (n) * (ns),      \
	    .min_ns = (ns) + 1, .max_ns = (ns))

static inline struct thread *thread_state(void)
{
	return bpf_task_storage_get(&threads, native.thread->task, NULL, 0);
}

static inline uint32_t depth_now(void)
{
	return thread_state() ? thread_state()->depth : 0;
}

/* Everything that a thread's frames held has been given back. */
static inline void expect_stack_empty(void)
{
	const struct thread *thread = thread_state();

	if (!thread)
		return;
	assert_int_equal(thread->depth, 0);
	assert_int_equal(thread->unclaimed, 0);
	assert_int_equal(thread->returns, 0);
	for (size_t i = 0; i < ACTIVE_SLOTS; i++)
		assert_int_equal(thread->active[i].count, 0);
}

/* All threads have ended: so has every call, unless the gate shut before. */
static inline void expect_accounts_closed(void)
{
	for (uint32_t id = 0; id < WORLD_FUNCTIONS; id++) {
		struct function_sums sum;

		if (!world.functions[id])
			continue;
		sum = counted(id);
		if (settings.gate)
			assert_int_equal(sum.opened, sum.closed);
		assert_true(sum.closed <= sum.opened);
		assert_true(sum.unwound <= sum.closed && sum.primitive <= sum.opened);
	}
}

/* The lines of f (consecutive ids from its entry line on) make up the function, to the ns. */
static inline void expect_lines_add_up(struct measured f, uint32_t lines)
{
	int64_t total_ns = 0, self_ns = 0;

	for (uint32_t id = entry_line_of(f); id < entry_line_of(f) + lines; id++) {
		total_ns += counted_line(id).total_ns;
		self_ns += counted_line(id).self_ns;
	}
	assert_int_equal(total_ns, counted(f.id).total_ns);
	assert_int_equal(self_ns, counted(f.id).self_ns);
}

static inline int world_end(void **state)
{
	(void)state;
	native.preempt = NULL;
	native.unavailable = NULL;
	for (size_t thread = 0; thread < world.thread_count; thread++) {
		thread_switch(thread);
		if (settings.gate) {
			follow_exit(NULL);
			expect_stack_empty();
		}
	}
	expect_accounts_closed();
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (counted_loss(loss) != world.expected_losses[loss])
			fail_msg("loss %d: %llu, expected %llu", loss,
			    (unsigned long long)counted_loss(loss),
			    (unsigned long long)world.expected_losses[loss]);
	world_free();
	return 0;
}

#define TIMING_TEST(test) cmocka_unit_test_setup_teardown(test, world_begin, world_end)

#endif
