// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps the account of what probes cost, and takes them away when it is overdrawn.
#include "collect/budget.h"

#include <time.h>

#define CREDIT_MAX_NS  1000000000 /* of pay */
#define SLICE_LEAST_NS 5000000    /* what there must be credit for before the probes come back */
#define SLICE_MOST_NS  100000000  /* after which the caller has its turn again */
#define SLICE_STEP_NS  1000000    /* between two looks in a slice */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void budget_open(struct budget *budget, double percent, const struct engine *engine)
{
	const double share = percent / 100;

	*budget = (struct budget){
	    .share = share,
	    .credit_max_ns = (int64_t)(share * CREDIT_MAX_NS),
	    .seen_ns = now_ns(),
	    .charged_ns = engine_overhead_ns(engine),
	    .standing = true,
	};
	budget->credit_ns = budget->credit_max_ns;
	budget->began_ns = budget->seen_ns;
	budget->began_charged_ns = budget->charged_ns;
}

double budget_spent(const struct budget *budget, const struct engine *engine, uint64_t least_ns)
{
	const uint64_t passed = now_ns() - budget->began_ns;

	if (passed < least_ns)
		return 0;
	return (double)(engine_overhead_ns(engine) - budget->began_charged_ns) / (double)passed;
}

static void settle(struct budget *budget, const struct engine *engine)
{
	const uint64_t now = now_ns(), overhead = engine_overhead_ns(engine);
	const uint64_t passed = now - budget->seen_ns, cost = overhead - budget->charged_ns;

	budget->credit_ns += (int64_t)(budget->share * (double)passed) - (int64_t)cost;
	if (budget->credit_ns > budget->credit_max_ns)
		budget->credit_ns = budget->credit_max_ns;
	if (budget->standing) {
		budget->stood_ns += passed;
		if (passed)
			budget->load = (double)cost / (double)passed;
	}
	budget->seen_ns = now;
	budget->charged_ns = overhead;
}

static void take_away(struct budget *budget, struct engine *engine)
{
	budget->standing = false;
	engine_pause(engine); /* hits meanwhile do not count, but cost */
	settle(budget, engine);
}

/* With a full account a slice is due however short it will be. */
static bool slice_is_due(const struct budget *budget)
{
	const double least = budget->load * SLICE_LEAST_NS;

	return budget->credit_ns > 0 &&
	       (budget->credit_ns >= budget->credit_max_ns || (double)budget->credit_ns >= least);
}

static int bring_back(struct budget *budget, struct engine *engine, struct failure *failure)
{
	int error = engine_resume(engine, failure);

	if (error)
		return error;
	budget->slices++;
	settle(budget, engine); /* what attaching took is not the slice's */
	budget->standing = true;
	return 0;
}

int budget_tick(struct budget *budget, struct engine *engine, struct failure *failure)
{
	const struct timespec step = {.tv_nsec = SLICE_STEP_NS};
	const uint64_t began = now_ns();
	int error = 0;

	if (budget->share <= 0)
		return 0;
	settle(budget, engine);
	if (!budget->standing) {
		if (!slice_is_due(budget))
			return 0;
		error = bring_back(budget, engine, failure);
		while (!error && budget->credit_ns > 0 && budget->seen_ns - began < SLICE_MOST_NS) {
			nanosleep(&step, NULL);
			settle(budget, engine);
		}
	}
	if (budget->standing && budget->credit_ns <= 0)
		take_away(budget, engine);
	return error;
}

void budget_close(struct budget *budget, const struct engine *engine, struct profile_cost *cost)
{
	if (budget->share <= 0)
		return;
	settle(budget, engine);
	cost->budget = (struct profile_budget){
	    .share = budget->share,
	    .stood_ns = budget->stood_ns,
	    .slices = budget->slices + !budget->standing,
	};
}
