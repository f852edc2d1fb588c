// SPDX-License-Identifier: GPL-2.0-or-later
// Random programs under the timing programs, held to a model that knows what really happens.
//
// A program is played by plain recursion: each C call of play() is a call of a measured function,
// and each of host() one of a function that nobody asked for. The model books what happens as it
// happens, by names and not by stack pointers: it knows when a call ends, the BPF programs must
// find out. Afterwards every counter must agree, to the nanosecond.
//
// Where the programs cannot know better by design, the player keeps out of it: memory is cleared
// when a frame goes, so that no stale return address stands; who catches an exception is seen doing
// something before code that is not measured, or an outlined part, runs deeper on the stack;
// functions whose entry is a loop and whose exits are sites throw nothing; a host is left by a
// silent site.
//
// LPROF_SEEDS=FIRST-LAST plays other seeds than the usual ones.
#include "bpf/native/timing.h"

#define FUNCTIONS 5
#define HOSTS     2
#define SITES     4
#define BASE      (STACK_TOP - 800)
#define DEPTH_MAX 120

enum { CONTINUE = -1, EXIT = -2 }; /* else: the depth of the call that catches an exception */

/* One measured function, or one host. */
struct subject {
	struct measured f; /* .id is NO_FUNCTION for hosts */
	uint32_t flags;
	bool loops;
	uint32_t part_entry, part_exit; /* part_entry is 0: none */
	uint32_t lines[SITES], line_count;
	uint32_t left; /* of hosts: the silent site behind inlined code */
};

/* One call that is timed, or a host's inlined code. */
struct running {
	struct running *below;
	const struct subject *of;
	bool outermost;
	uint32_t site;
	uint64_t entered, raw_entered, since;
	int64_t children, children_since;
};

/* What the counters should say. */
struct books {
	struct function_sums functions[FUNCTIONS];
	struct line_sums lines[WORLD_LINES];
	uint64_t hits[WORLD_SITES];
	struct edge_sums edges[FUNCTIONS + 1][FUNCTIONS];
	uint64_t buckets[FUNCTIONS][HISTOGRAM_BUCKETS];
	bool raw_unknown[FUNCTIONS]; /* an outermost call died: nobody knows how long it took */
};

static struct {
	uint64_t random;
	struct subject functions[FUNCTIONS], hosts[HOSTS];
	struct running *top;
	bool sampled; /* rate 0.5, else 1 */
	bool caught;  /* the caller of the call that begins caught an exception just now */
	bool untimed; /* inside a tree that the rate left out */
	uint64_t now; /* virtual: work alone */
	int budget;   /* events to play */
	int depth_max;
	bool sticky[DEPTH_MAX + 2]; /* the call at that depth must not throw */
	struct books books;
} model;

/* ---- Chance ---- */

static uint32_t below(uint32_t limit)
{
	model.random += 0x9e3779b97f4a7c15ull; /* splitmix64 */
	uint64_t z = model.random;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ (z >> 31)) >> 16) % limit;
}

static bool chance(uint32_t percent)
{
	return below(100) < percent;
}

/* ---- The model ---- */

static size_t index_of(uint32_t function)
{
	for (size_t i = 0; i < FUNCTIONS; i++)
		if (model.functions[i].f.id == function)
			return i;
	return FUNCTIONS; /* nobody */
}

static bool site_has(const struct running *running, uint32_t function)
{
	if (running->site == NO_SITE || running->of->f.id == function)
		return false;
	for (uint32_t at = 0; at < site_of(running->site)->charge_count; at++)
		if (site_of(running->site)->charges[at].function == function)
			return true;
	return false;
}

/* Whether the function runs in one of these calls, or is inlined where one of the outer ones is. */
static bool runs_in(const struct running *from, uint32_t function)
{
	for (const struct running *at = from; at; at = at->below)
		if (at->of->f.id == function || (at->below && site_has(at->below, function)))
			return true;
	return false;
}

static uint32_t running_in(const struct running *running)
{
	const struct site *site;

	if (!running)
		return NOBODY;
	site = running->site == NO_SITE ? NULL : site_of(running->site);
	if (site && site->charge_count)
		return site->charges[site->charge_count - 1].function;
	return running->of->f.id;
}

static void book_line(uint32_t id, int64_t total, int64_t self, bool outermost)
{
	struct line_sums *book = &model.books.lines[id];

	book->total_ns += outermost ? total : 0;
	book->self_ns += self;
	if (total > (int64_t)book->max_ns)
		book->max_ns = (uint64_t)total;
}

static void end_stay(struct running *running, uint64_t until)
{
	int64_t total = (int64_t)(until - running->since);
	int64_t self = total - (running->children - running->children_since);
	const struct subject *of = running->of;
	const struct site *site;

	if (!total && !self)
		return;
	if (running->site != NO_SITE) {
		site = site_of(running->site);
		for (uint32_t at = 0; at < site->charge_count; at++) {
			uint32_t function = site->charges[at].function;
			bool last = at + 1 == site->charge_count, inlined = function != of->f.id;

			book_line(site->charges[at].line, total, last ? self : 0,
			    inlined ? !runs_in(running, function) : running->outermost);
			if (last && inlined)
				running->children += self;
		}
	} else if (of->flags & FUNCTION_LINES) {
		book_line(entry_line_of(of->f), total, self, running->outermost);
	}
	running->since = until;
	running->children_since = running->children;
}

enum end { RETURNED, STOPPED, DIED };

static void book_end(const struct running *running, uint64_t until, enum end end)
{
	size_t function = index_of(running->of->f.id);
	struct function_sums *book = &model.books.functions[function];
	struct edge_sums *edge = &model.books.edges[index_of(running_in(running->below))][function];
	uint64_t total = until - running->entered;

	book->closed++;
	*(end == RETURNED ? &book->exits : &book->unwound) += 1;
	book->self_ns += (int64_t)total - running->children;
	edge->calls++;
	edge->self_ns += (int64_t)total - running->children;
	if (running->outermost) {
		book->total_ns += (int64_t)total;
		edge->total_ns += (int64_t)total;
		edge->primitive++;
		model.books.raw_unknown[function] |= end == DIED;
	}
	if (end == RETURNED) {
		model.books.buckets[function][histogram_bucket(total)]++;
		if (!book->min_ns || total + 1 < book->min_ns)
			book->min_ns = total + 1;
		if (total > book->max_ns)
			book->max_ns = total;
	}
	if (running->below)
		running->below->children += (int64_t)total;
}

/* The topmost ends; `raw_until` is what the clock shows then. */
static void end_top(enum end end, uint64_t raw_until)
{
	struct running *top = model.top;
	uint64_t until = model.now;

	if (end == DIED)
		until = top->since + (uint64_t)(top->children - top->children_since);
	end_stay(top, until);
	model.top = top->below;
	if (top->of->f.id == NO_FUNCTION) {
		if (top->below)
			top->below->children += top->children;
		return;
	}
	if (top->outermost)
		model.books.functions[index_of(top->of->f.id)].raw_total_ns +=
		    raw_until - top->raw_entered;
	book_end(top, until, end);
}

static void begin_top(struct running *running, const struct subject *of)
{
	*running = (struct running){
	    .below = model.top,
	    .of = of,
	    .site = NO_SITE,
	    .entered = model.now,
	    .since = model.now,
	    .outermost =
		!runs_in(model.top, of->f.id) && !(model.top && site_has(model.top, of->f.id)),
	};
	model.top = running;
}

/* ---- The player ---- */

static void work(void)
{
	uint64_t ns = chance(30) ? 0 : below(100);

	native.now += ns;
	model.now += ns;
	native.cpu = below(3);
	model.budget--;
}

static uint64_t raw_reading(enum cost_class cost)
{
	return native.now + settings.cost_before_ns[cost];
}

static void play_line_of(const struct subject *of, uint64_t rsp)
{
	uint32_t site = of->lines[below(of->line_count)];

	line(site, rsp);
	if (model.untimed)
		return;
	if (!(site_of(site)->roles & SITE_SILENT))
		model.books.hits[site]++;
	end_stay(model.top, model.now);
	model.top->site = site;
}

static int play(size_t which, uint64_t sp, int depth);
static int host(size_t which, uint64_t sp, int depth);

/* One call of a measured function, while others that tail-called it may await the same return. */
struct call {
	uint64_t sp, rsp;
	int depth;
	const struct subject *of;
	struct running calls[8];
	size_t begun;               /* how many of them were used */
	size_t waiting;             /* how many of them run, all at this stack pointer */
	unsigned int awaited;       /* returns that will be seen */
	const struct subject *root; /* of a tree that the rate left out; NULL: not begun here */
	bool timed;
	bool caught; /* an exception, and nothing was seen since */
	uint32_t exit;
};

static void call_begin(struct call *call, const struct subject *of, uint32_t entry, bool jumped)
{
	struct books *books = &model.books;
	bool returns = of->flags & FUNCTION_RETURNS, begins_root, awaits, seen;
	struct function_sums *book = &books->functions[index_of(of->f.id)];
	uint64_t raw = raw_reading(site_of(entry)->cost);

	native.random = below(2) ? 0 : UINT32_MAX;
	call->timed = !model.untimed && (model.top || !model.sampled || !native.random);
	call->of = of;
	call->exit = entry == of->f.entry ? of->f.exit : of->part_exit;
	if (!jumped)
		*user_word(call->sp) = 0x400005 + 8 * world.return_addresses++;
	awaits = reach(of->f, entry, call->sp);
	book->entries++;
	begins_root = !call->timed && !model.untimed;
	if (!call->timed) {
		book->untimed++;
		if (begins_root)
			call->root = of;
		model.untimed = true;
	} else {
		struct running *begun = &call->calls[call->begun++];

		begin_top(begun, of);
		begun->raw_entered = raw;
		book->opened++;
		book->primitive += begun->outermost;
		call->waiting++;
	}
	seen = returns && (world.separate_returns || call->timed || of->loops || begins_root);
	assert_int_equal(awaits, seen);
	call->awaited += seen;
	model.sticky[call->depth] = of->loops && !returns;
}

/* The function's own exit, by a `ret` or a jump; those that await a return probe run on. */
static void call_leave(struct call *call)
{
	bool returns = call->of->flags & FUNCTION_RETURNS;

	if (!returns) {
		uint64_t raw = raw_reading(COST_EXIT_STEPPED);

		assert_int_equal(hit_(call->exit, call->sp), 0);
		if (call->timed) {
			end_top(RETURNED, raw);
			call->waiting--;
		}
	}
	/* An untimed root that jumps away has ended, unless its return is awaited. */
	if (call->root == call->of && !returns) {
		call->root = NULL;
		model.untimed = false;
	}
}

static void call_return(struct call *call)
{
	call_leave(call);
	/* all probes of one return address fire at one moment; only their costs come between */
	while (call->awaited) {
		struct pending_return *last = &world.thread->pending[--world.thread->pending_count];
		uint64_t raw = raw_reading(COST_RETURN);

		assert_int_equal(last->sp, call->sp);
		hit_flags(last->site, call->sp + 8,
		    world.separate_returns ? PROGRAM_RETURN : PROGRAM_SESSION, true, 0);
		call->awaited--;
		if (call->waiting && model.top->of->f.id == site_of(last->site)->function) {
			end_top(RETURNED, raw);
			call->waiting--;
		}
	}
	assert_int_equal(call->waiting, 0);
	if (call->root)
		model.untimed = false;
}

static void call_clear(const struct call *call)
{
	for (uint64_t at = call->rsp; at <= call->sp; at += 8)
		*user_word(at) = 0;
}

static void call_die(struct call *call)
{
	for (; call->waiting; call->waiting--)
		end_top(DIED, 0);
	if (call->root)
		model.untimed = false;
	call_clear(call);
}

/* A depth above from which all calls may be thrown through, or CONTINUE. */
static int catcher(int depth)
{
	int from = depth;

	while (from > 1 && !model.sticky[from])
		from--;
	if (from == depth)
		return CONTINUE;
	return from + (int)below((uint32_t)(depth - from));
}

static bool may_nest(const struct call *call)
{
	return call->depth < model.depth_max && model.budget > 0;
}

static void play_loop(struct call *call)
{
	bool awaited = reach(call->of->f, call->of->f.entry, call->sp);

	assert_int_equal(awaited, world.separate_returns && call->of->flags & FUNCTION_RETURNS);
	call->awaited += awaited;
	call->caught = false;
}

/* The outlined part is called, and returns. */
static void play_part(struct call *call)
{
	bool awaited = reach(call->of->f, call->of->part_entry, call->rsp - 8);

	assert_int_equal(awaited, world.separate_returns && call->of->flags & FUNCTION_RETURNS);
	if (call->of->line_count)
		play_line_of(call->of, call->rsp - 16);
	if (awaited)
		assert_int_equal(return_at(call->rsp - 8), 1);
	else if (!(call->of->flags & FUNCTION_RETURNS))
		assert_int_equal(hit_(call->of->part_exit, call->rsp - 8), 0);
	*user_word(call->rsp - 8) = 0;
	call->caught = false;
}

static int play_callee(struct call *call)
{
	int status;

	model.caught = call->caught;
	status = play(below(FUNCTIONS), call->rsp - 8, call->depth + 1);

	call->caught = false;
	if (status == call->depth) {
		forget_returns(call->rsp);
		call->caught = true;
		return CONTINUE;
	}
	return status;
}

static int play_step(struct call *call)
{
	uint32_t what = below(100);
	int status;

	work();
	if (what < 35 && call->of->line_count) {
		play_line_of(call->of, call->rsp);
		call->caught = false;
	} else if (what < 45 && call->of->loops && call->begun <= 1 && !call->caught) {
		play_loop(call);
	} else if (what < 52 && call->of->part_entry && !call->caught) {
		play_part(call);
	} else if (what < 75 && may_nest(call)) {
		return play_callee(call);
	} else if (what < 85 && may_nest(call) && !call->caught &&
		   (!model.sampled || model.top || model.untimed)) {
		status = host(below(HOSTS), call->rsp - 8, call->depth + 1);
		if (status != call->depth)
			return status;
		forget_returns(call->rsp);
		call->caught = true;
	} else if (what < 88) {
		return catcher(call->depth);
	} else if (what == 99 && chance(3)) {
		return EXIT;
	}
	return CONTINUE;
}

static void end_thread(uint64_t rsp)
{
	world.thread->registers.sp = rsp;
	thread_end();
	while (model.top)
		end_top(STOPPED, native.now);
}

static int play(size_t which, uint64_t sp, int depth)
{
	struct call call = {.sp = sp, .rsp = sp - 16 * below(4), .depth = depth};
	const struct subject *of = &model.functions[which];
	bool part = of->part_entry && chance(30) && !model.caught &&
		    running_in(model.top) != of->f.id && !(model.top && model.top->of == of);
	uint32_t chain = 1u << which; /* of functions that jumped from one to the other */
	int status = CONTINUE;

	model.caught = false;
	call_begin(&call, of, part ? of->part_entry : of->f.entry, false);
	for (;;) {
		for (uint32_t steps = below(8); steps > 0 && status == CONTINUE; steps--)
			status = play_step(&call);
		if (status != CONTINUE || chance(80) || call.begun == 8 || model.budget <= 0)
			break;
		of = &model.functions[below(FUNCTIONS)];
		if (of->loops && chain & 1u << index_of(of->f.id))
			continue; /* it would be a turn of its own loop */
		chain |= 1u << index_of(of->f.id);
		work();
		call_leave(&call);
		call_begin(&call, of, of->f.entry, true);
	}
	if (status == EXIT) {
		if (native.thread->storage[0] || model.top)
			end_thread(call.rsp);
		return EXIT;
	}
	if (status != CONTINUE) {
		call_die(&call);
		return status;
	}
	work();
	call_return(&call);
	call_clear(&call);
	return CONTINUE;
}

/* ---- Hosts ---- */

/* A site of inlined code: the first one of this call, or one of the same host's further out. */
static void host_line(const struct subject *of, uint64_t rsp, struct running *spare)
{
	uint32_t site = of->lines[below(of->line_count)];

	line(site, rsp);
	if (model.untimed)
		return;
	model.books.hits[site]++;
	if (!site_of(site)->charge_count)
		return; /* no function has lines: nothing to carry */
	if (!model.top || model.top->of != of)
		begin_top(spare, of);
	end_stay(model.top, model.now);
	model.top->site = site;
}

/* Inlined code ends. */
static void host_left(const struct subject *of, uint64_t rsp)
{
	line(of->left, rsp);
	if (!model.untimed && model.top && model.top->of == of)
		end_top(STOPPED, 0);
}

static int host_step(const struct subject *of, uint64_t rsp, int depth, struct running *carrier)
{
	work();
	if (chance(40))
		host_line(of, rsp, carrier);
	else if (chance(20))
		host_left(of, rsp);
	else if (depth < model.depth_max && model.budget > 0)
		return chance(70) ? play(below(FUNCTIONS), rsp - 8, depth + 1)
				  : host(below(HOSTS), rsp - 8, depth + 1);
	return CONTINUE;
}

static int host(size_t which, uint64_t sp, int depth)
{
	const struct subject *of = &model.hosts[which];
	uint64_t rsp = sp - 16 * (1 + below(3));
	struct running carrier;
	int status = CONTINUE;

	*user_word(sp) = 0x400005 + 8 * world.return_addresses++;
	model.sticky[depth] = false;
	for (uint32_t steps = below(6); steps > 0 && status == CONTINUE; steps--) {
		status = host_step(of, rsp, depth, &carrier);
		if (status == depth) /* hosts catch nothing: their callers shall be seen to */
			status = depth - 1;
	}
	if (status == EXIT)
		return EXIT;
	if (status == CONTINUE)
		host_left(of, rsp);
	else if (model.top == &carrier)
		end_top(DIED, 0);
	for (uint64_t at = rsp; at <= sp; at += 8)
		*user_word(at) = 0;
	return status;
}

/* ---- Programs ---- */

static void functions_make(bool returns)
{
	uint32_t id = 1 + below(5);

	for (size_t i = 0; i < FUNCTIONS; i++) {
		struct subject *of = &model.functions[i];

		of->flags = (returns && chance(50) ? FUNCTION_RETURNS : 0) |
			    (chance(70) ? FUNCTION_LINES : 0);
		of->f = function_new(id, of->flags);
		id += chance(40) && id < 512 ? ACTIVE_SLOTS : 1 + below(3);
		if (model.sampled)
			function_of(of->f)->threshold = 1ull << 31;
		of->loops = chance(25);
		if (of->loops)
			site_of(of->f.entry)->roles |= SITE_LOOP;
		if (model.sampled || !chance(25))
			continue;
		of->part_entry = site_new(
		    of->f.id, site_of(of->f.entry)->roles | SITE_PART, site_of(of->f.entry)->cost);
		site_of(of->part_entry)->roles &= (uint16_t)~SITE_LOOP;
		of->part_exit = site_new(of->f.id, SITE_EXIT | SITE_PART, COST_EXIT_STEPPED);
	}
}

/* Adds up to three other functions that are inlined at the site. */
static void site_inline(uint32_t site, const struct subject *in)
{
	size_t first = below(FUNCTIONS);

	for (size_t i = 0; i < FUNCTIONS && site_of(site)->charge_count < CHARGES_MAX; i++) {
		const struct subject *of = &model.functions[(first + i) % FUNCTIONS];

		if (of != in && of->flags & FUNCTION_LINES &&
		    (chance(40) || (in >= model.hosts && in < model.hosts + HOSTS &&
				       !site_of(site)->charge_count)))
			line_inlined(site, of->f);
	}
}

static void lines_make(void)
{
	for (size_t i = 0; i < FUNCTIONS; i++) {
		struct subject *of = &model.functions[i];

		while (of->flags & FUNCTION_LINES && of->line_count < 1 + i % SITES) {
			uint32_t site = line_new(of->f);

			of->lines[of->line_count++] = site;
			if (chance(30))
				site_inline(site, of);
			if (chance(20))
				site_of(site)->roles |= SITE_SILENT;
			if (chance(30))
				site_of(site)->cost = COST_STEPPED;
		}
	}
	for (uint32_t i = 0; i < HOSTS; i++) {
		struct subject *of = &model.hosts[i];

		of->f.id = NO_FUNCTION;
		of->left = carrier_site(i, SITE_LINE | SITE_SILENT);
		for (; of->line_count < 2; of->line_count++) {
			of->lines[of->line_count] = carrier_site(i, SITE_LINE);
			site_inline(of->lines[of->line_count], of);
		}
	}
}

static void program_make(uint64_t seed)
{
	bool deep = seed % 7 == 0;

	memset(&model, 0, sizeof(model));
	model.random = seed;
	model.sampled = chance(40);
	model.budget = (int)below(deep ? 3000 : 400);
	model.depth_max = deep ? DEPTH_MAX : 4 + (int)below(20);
	world.separate_returns = chance(30);
	functions_make(!deep);
	lines_make();
	for (int class = 0; seed % 3 && class < COST_CLASSES; class ++) {
		settings.cost_before_ns[class] = below(500);
		settings.cost_after_ns[class] = below(500);
	}
	at(1000000);
	model.now = native.now;
}

static void program_play(void)
{
	int status = CONTINUE;

	while (model.budget > 0 && status != EXIT) {
		work();
		status = chance(80) || model.sampled ? play(below(FUNCTIONS), BASE, 1)
						     : host(below(HOSTS), BASE, 1);
		forget_returns(BASE + 8);
		/* what was thrown over everything is noticed where the stack begins */
		if (status != EXIT)
			line(model.hosts[0].left, BASE + 64);
	}
	end_thread(BASE + 64);
}

/* ---- The comparison ---- */

static void expect_books(void)
{
	const struct books *books = &model.books;

	for (size_t i = 0; i < FUNCTIONS; i++) {
		struct measured f = model.functions[i].f;
		struct function_sums expected = books->functions[i];

		if (books->raw_unknown[i])
			expected.raw_total_ns = counted(f.id).raw_total_ns;
		expect_function(f, expected, "function", (int)i);
		for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
			assert_int_equal(counted_bucket(f.id, bucket), books->buckets[i][bucket]);
		for (size_t from = 0; from <= FUNCTIONS; from++)
			expect_edge(from < FUNCTIONS ? model.functions[from].f.id : NOBODY, f.id,
			    books->edges[from][i], "caller", (int)(10 * from + i));
	}
	for (uint32_t id = 0; id < world.lines; id++)
		expect_line(id, books->lines[id], "line", (int)id);
	for (uint32_t id = 0; id < world.sites; id++)
		if (!SITE_COUNTS_ENTRIES(site_of(id)->roles) && counted_hits(id) != books->hits[id])
			fail_msg("site %u: %llu hits, expected %llu", id,
			    (unsigned long long)counted_hits(id),
			    (unsigned long long)books->hits[id]);
}

/* Lines add up to their function, where all of it and nothing else is charged to them. */
static void expect_sums(void)
{
	int64_t total[FUNCTIONS] = {0}, self[FUNCTIONS] = {0};
	bool elsewhere[FUNCTIONS] = {false};

	for (uint32_t id = 0; id < world.sites; id++)
		for (uint32_t at = 0; at < site_of(id)->charge_count; at++) {
			struct charge charge = site_of(id)->charges[at];
			size_t of = index_of(charge.function);

			total[of] += counted_line(charge.line).total_ns;
			self[of] += counted_line(charge.line).self_ns;
			elsewhere[of] |= charge.function != site_of(id)->function;
		}
	for (size_t i = 0; i < FUNCTIONS; i++) {
		struct measured f = model.functions[i].f;

		if (!(model.functions[i].flags & FUNCTION_LINES) || elsewhere[i])
			continue;
		total[i] += counted_line(entry_line_of(f)).total_ns;
		self[i] += counted_line(entry_line_of(f)).self_ns;
		assert_int_equal(total[i], counted(f.id).total_ns);
		assert_int_equal(self[i], counted(f.id).self_ns);
	}
}

static void seed_play(uint64_t seed)
{
	void *nothing = NULL;

	world_begin(&nothing);
	program_make(seed);
	program_play();
	expect_books();
	expect_sums();
	world_end(&nothing);
}

static uint64_t seed_playing; /* 0: all are through */

static int say_seed(void **state)
{
	(void)state;
	if (seed_playing)
		print_message("failed with LPROF_SEEDS=%llu-%llu\n",
		    (unsigned long long)seed_playing, (unsigned long long)seed_playing);
	return 0;
}

static void counters_agree_with_the_model(void **state)
{
	const char *given = getenv("LPROF_SEEDS");
	unsigned long long first = 1, last = 10000;

	(void)state;
	if (given)
		assert_int_equal(sscanf(given, "%llu-%llu", &first, &last), 2);
	for (seed_playing = first; seed_playing <= last; seed_playing++)
		seed_play(seed_playing);
	seed_playing = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(counters_agree_with_the_model, say_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
