// SPDX-License-Identifier: GPL-2.0-or-later
// Fits functions into a budget, the cheapest first.
#include "collect/budget_choice.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* How far each step may fill the budget. What is left is for slices, and for loads that grow. */
#define FILL_ALL   0.8 /* all functions, whole */
#define FILL_FULL  0.4
#define FILL_LINES 0.6
#define FILL_FEWER 0.7

#define SHARE_LEAST (1.0 / 1024) /* of calls to be timed */
#define LOAD_MOST   0.95         /* of a thread, that its speed without probes is told from */

struct ranked {
	size_t function;
	double load;
};

static double load_of(const struct budget_load *load)
{
	return load->entries + load->returns + load->lines;
}

static int cheaper_first(const void *a, const void *b)
{
	const struct ranked *one = a, *two = b;

	return (one->load > two->load) - (one->load < two->load);
}

/*
 * How many times as often hits come when no probes slow the target down: a busy thread that probes
 * take 75% of runs at a quarter of its speed.
 */
static double speed_without(double all)
{
	return 1 / (1 - (all < LOAD_MOST ? all : LOAD_MOST));
}

/* The step of a function that is not whole; adds what it costs all the time to *spent. */
static struct part_choice choose_dear(
    const struct budget_load *load, double speed, double share, bool fewer, double *spent)
{
	const double entries = load->entries * speed, returns = load->returns * speed;
	const double calls = entries + returns;
	double left;

	if (load->lines > 0 && *spent + calls <= FILL_LINES * share) {
		*spent += calls;
		return (struct part_choice){.step = STEP_LINES};
	}
	left = FILL_FEWER * share - *spent - entries;
	if (fewer && load->lines <= 0 && returns > 0 && left >= SHARE_LEAST * returns) {
		*spent += entries + left;
		return (struct part_choice){
		    .step = STEP_FEWER, .share = left < returns ? left / returns : 1};
	}
	return (struct part_choice){.step = STEP_SLICED};
}

int budget_choose(const struct budget_load *loads, size_t count, double share, bool fewer,
    struct part_choice *ret_choices)
{
	CLEANUP_FREE struct ranked *ranked = calloc(count + 1, sizeof(*ranked));
	double all = 0, spent = 0, speed;

	if (!ranked)
		return -ENOMEM;
	for (size_t at = 0; at < count; at++) {
		ranked[at] = (struct ranked){at, load_of(&loads[at])};
		all += ranked[at].load;
	}
	speed = speed_without(all);
	qsort(ranked, count, sizeof(*ranked), cheaper_first);
	for (size_t rank = 0; rank < count; rank++) {
		const size_t at = ranked[rank].function;
		const double whole = ranked[rank].load * speed;

		if (all <= FILL_ALL * share || spent + whole <= FILL_FULL * share) {
			spent += whole;
			ret_choices[at] = (struct part_choice){.step = STEP_FULL};
		} else {
			ret_choices[at] = choose_dear(&loads[at], speed, share, fewer, &spent);
		}
	}
	return 0;
}
