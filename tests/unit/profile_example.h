/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile with every field filled, for the tests of writers and readers. */
#ifndef LPROF_TESTS_PROFILE_EXAMPLE_H
#define LPROF_TESTS_PROFILE_EXAMPLE_H

#include "model/profile.h"

static inline struct profile *profile_example(const char *source)
{
	struct profile *p = profile_new();
	const char *(*text)(struct profile *, const char *) = profile_intern;
	struct profile_function *f;

	p->started_ns = 1767225600123456789;
	p->duration_ns = 2000000000;
	p->host.kernel = text(p, "6.18.0");
	p->host.clock = text(p, "monotonic");
	p->host.cpus = 2;
	ARRAY_APPEND(&p->targets, (struct profile_target){1234, text(p, "./lua bench.lua"), 0});
	ARRAY_APPEND(&p->targets, (struct profile_target){1235, text(p, "worker"), -1});
	ARRAY_APPEND(&p->images, (struct profile_image){text(p, "/bin/lua"), text(p, "abcd")});
	ARRAY_APPEND(&p->images, (struct profile_image){text(p, "/bin/lua"), text(p, "")});

	f = profile_add_function(p);
	f->name = f->linkage_name = text(p, "add");
	f->file = text(p, source);
	f->line = 3;
	f->calls = f->primitive_calls = f->timed_calls = 1000;
	f->total_ns = 5000000;
	f->self_ns = 4000000;
	f->error_ns = 200000;
	f->self_error_ns = 150000;
	f->min_ns = 3000;
	f->max_ns = 9000;
	f->raw_total_ns = 7000000;
	f->cpu_samples = 3;
	f->cpu_total_samples = 4;
	f->blocked_ns = 300000;
	f->waiting_ns = 20000;
	f->off_cpu = true;
	f->exit = PROFILE_EXIT_RETURN;
	f->lines_measured = true;
	f->accounting = (struct profile_accounting){.entries = 1000, .exits = 1000};
	ARRAY_APPEND(&f->histogram, (struct profile_bucket){5119, 900});
	ARRAY_APPEND(&f->histogram, (struct profile_bucket){10239, 100});
	ARRAY_APPEND(&f->callers, (struct profile_caller){1, 990, 990, 4900000, 3900000});
	ARRAY_APPEND(
	    &f->callers, (struct profile_caller){PROFILE_NO_FUNCTION, 10, 10, 100000, 100000});
	ARRAY_APPEND(&f->lines, (struct profile_line){f->file, 5, 1000, 1000000, 1000000, 40000,
				    40000, 2000, 1, 2, 0, 0, 1, PROFILE_TIMING_OWN});
	ARRAY_APPEND(&f->lines, (struct profile_line){f->file, 6, 4000, 4000000, 3000000, 160000,
				    110000, 8000, 2, 2, 300000, 20000, 2, PROFILE_TIMING_SHARED});
	ARRAY_APPEND(&f->lines,
	    (struct profile_line){f->file, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, PROFILE_TIMING_OWN});

	f = profile_add_function(p);
	f->name = text(p, "main");
	f->linkage_name = text(p, "main");
	f->image = 1;
	f->file = text(p, source);
	f->line = 11;
	f->calls = 20;
	f->primitive_calls = 10;
	f->timed_calls = 2;
	f->total_ns = 6000000;
	f->self_ns = 1100000;
	f->min_ns = 2500000;
	f->max_ns = 3500000;
	f->raw_total_ns = 6500000;
	f->exit = PROFILE_EXIT_SITES;
	f->rate = 0.1;
	f->inlined_copies = 3;
	f->budget_state = PROFILE_BUDGET_LINES_SLICED;
	f->calls_stand = (struct profile_stand){900000000, 100000000};
	f->lines_stand = (struct profile_stand){40000000, 960000000};
	f->in_all = (struct profile_estimate){23, 2, 6600000, 700000};
	ARRAY_APPEND(&f->lines, (struct profile_line){.file = text(p, "/src/more.h"),
				    .line = 13,
				    .hits = 2,
				    .sites = 1,
				    .in_all = {50, 9, 0, 0}});
	f->accounting = (struct profile_accounting){20, 1, 1, 0, 18, 0};

	ARRAY_APPEND(&p->omissions,
	    (struct profile_omission){1, text(p, ""), 0, text(p, "has inlined copies")});
	ARRAY_APPEND(&p->omissions,
	    (struct profile_omission){0, text(p, source), 7, text(p, "no safe place for a probe")});
	p->losses[LOSS_DEPTH] = 12;
	profile_lose(p, "from the future", 5);
	p->off_cpu = true;
	p->sampling_period_ns = 1001001;
	p->sampling_event = text(p, "cycles");
	ARRAY_APPEND(&p->frames, (struct profile_frame){text(p, "main"), text(p, source), 13, 0});
	ARRAY_APPEND(&p->frames, (struct profile_frame){text(p, "add"), text(p, source), 6, 0});
	ARRAY_APPEND(&p->frames,
	    (struct profile_frame){text(p, "[kernel]"), text(p, ""), 0, PROFILE_NO_IMAGE});
	ARRAY_APPEND(&p->stacks, (struct profile_stack){.cpu_samples = 3});
	ARRAY_APPEND(&p->stacks.items[0].frames, 0);
	ARRAY_APPEND(&p->stacks.items[0].frames, 1);
	ARRAY_APPEND(&p->stacks, (struct profile_stack){.cpu_samples = 2});
	ARRAY_APPEND(&p->stacks.items[1].frames, 0);
	ARRAY_APPEND(&p->stacks.items[1].frames, 2);
	p->cost = (struct profile_cost){8020, 8100000, 100000, 650.5, 10200, 900, 60, 700, 80,
	    0.00405, 4, 1, {.share = 0.02, .stood_ns = 1200000, .slices = 3}};
	profile_account(p);
	return p;
}

#endif
