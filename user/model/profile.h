/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The profile: what was measured, as pure data, one struct for a file and for a running
 * measurement. Field by field it is the native JSON profile, version 1 (DESIGN.md 2.4,
 * docs/profile.schema.json).
 *
 * Times are integer nanoseconds. Strings are interned in the profile and live as long as it does.
 * Lines are sorted by file and line, functions in the order of the plan.
 */
#ifndef LPROF_MODEL_PROFILE_H
#define LPROF_MODEL_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/strings.h"
#include "losses.h"

#define PROFILE_VERSION 1

enum profile_exit { PROFILE_EXIT_NONE, PROFILE_EXIT_RETURN, PROFILE_EXIT_SITES };
enum profile_timing { PROFILE_TIMING_OWN, PROFILE_TIMING_SHARED };

struct profile_target {
	int32_t pid;
	const char *command;
	int32_t exit_status; /* as a shell has it: 128+N for signal N; -1: still running */
};

struct profile_image {
	const char *path;
	const char *build_id; /* lower-case hexadecimal, "" where the image has none */
};

/* One row of the histogram of call durations: `count` calls took less than or exactly `upper_ns`.
 */
struct profile_bucket {
	uint64_t upper_ns, count;
};

struct profile_caller {
	uint32_t function; /* index into functions, or PROFILE_NO_FUNCTION: called from elsewhere */
	uint64_t calls, primitive_calls;
	int64_t total_ns, self_ns;
};
#define PROFILE_NO_FUNCTION UINT32_MAX

#define PROFILE_NO_IMAGE UINT32_MAX

/*
 * What was counted, and what it comes to for all of the time where a budget had probes away for
 * part of it; the truth lies within the errors 19 times of 20. Meaningless where they always stood.
 */
struct profile_estimate {
	uint64_t count, count_error; /* calls, or hits */
	int64_t total_ns;
	uint64_t total_error_ns; /* with what total_ns itself may be off */
};

struct profile_line {
	const char *file;
	uint32_t line;
	uint64_t hits;
	int64_t total_ns, self_ns;
	uint64_t error_ns, self_error_ns; /* as those of functions */
	uint64_t max_ns;
	uint64_t cpu_samples;       /* taken in the line itself */
	uint64_t cpu_total_samples; /* in what it called as well */
	uint64_t blocked_ns;        /* of total_ns: asleep */
	uint64_t waiting_ns;        /* of total_ns: runnable, without a CPU */
	uint32_t sites;             /* probes that serve this line; 0: it could not be counted */
	enum profile_timing timing;
	bool sampled; /* known by samples alone; not kept in files */
	struct profile_estimate in_all;
};

/* entries = exits + open + unwound + untimed + lost */
struct profile_accounting {
	uint64_t entries, exits, open, unwound, untimed, lost;
};

/* How much of a function's probes a budget let stand in the end. */
enum profile_budget_state {
	PROFILE_BUDGET_FULL,
	PROFILE_BUDGET_FEWER_TIMED,  /* fewer of its calls are timed than was asked for */
	PROFILE_BUDGET_LINES_SLICED, /* its lines stand for slices of time */
	PROFILE_BUDGET_SLICED,       /* all of it does */
	PROFILE_BUDGET_AWAY,
	PROFILE_BUDGET_COUNT
};

/* How long probes were to stand and did, or did not: what they counted is of stood_ns. */
struct profile_stand {
	uint64_t stood_ns, away_ns;
};

struct profile_function {
	const char *name, *linkage_name;
	uint32_t image;           /* index into images, or PROFILE_NO_IMAGE: a foreign file */
	const char *file;         /* "" without debug information */
	uint32_t line;            /* 0 without debug information */
	uint64_t calls;           /* exact, at any rate */
	uint64_t primitive_calls; /* outermost of `calls`; below rate 1 in the timed ones' share */
	uint64_t timed_calls;     /* only these have times */
	int64_t total_ns, self_ns;
	/* How far they may lie from the truth, by what was subtracted for the probes' cost; 0: not
	 * known, or nothing was. */
	uint64_t error_ns, self_error_ns;
	uint64_t min_ns, max_ns;
	uint64_t raw_total_ns;                   /* not corrected for the probes' cost */
	uint64_t cpu_samples, cpu_total_samples; /* as those of lines */
	uint64_t blocked_ns, waiting_ns;
	enum profile_exit exit;
	double rate;
	bool lines_measured; /* asked for with -l */
	enum profile_budget_state budget_state;
	struct profile_stand calls_stand, lines_stand;
	struct profile_estimate in_all;
	uint32_t inlined_copies; /* inlined in so many places: calls there are not in `calls` */
	struct profile_accounting accounting;
	ARRAY(struct profile_bucket) histogram; /* ascending, empty buckets left out */
	ARRAY(struct profile_caller) callers;
	ARRAY(struct profile_line) lines;
	bool off_cpu; /* blocked_ns and waiting_ns were measured, of it and its lines */
};

/*
 * A place in sampled stacks, stored once. Inlined functions are frames of their own, inside that of
 * the function they were inlined into. Where no function is known the name says what is:
 * "[kernel]", "[lua]" (an image without symbols), "[anonymous]".
 */
struct profile_frame {
	const char *name;
	const char *file; /* "" unknown */
	uint32_t line;    /* that ran, or of the call that the frame within came from; 0: unknown */
	uint32_t image;   /* index into images, or PROFILE_NO_IMAGE */
};

/* A stack that was sampled, indexes into frames, outermost first. */
struct profile_stack {
	ARRAY(uint32_t) frames;
	uint64_t cpu_samples;
};

/* How the probes' cost was held down. */
struct profile_budget {
	double share;      /* of one CPU; 0: there was none */
	uint64_t stood_ns; /* how long that function's lines stood that did least */
	uint64_t slices;   /* how often probes went; 0: they always stood */
};

struct profile_cost {
	uint64_t hits;
	uint64_t overhead_ns; /* hits times their calibrated cost, and off_cpu_ns */
	uint64_t off_cpu_ns;  /* that following the scheduler took */
	double emulated_ns, stepped_ns,
	    return_ns; /* a hit's cost on this machine, 0: not measured */
	double emulated_error_ns, stepped_error_ns,
	    return_error_ns;     /* and how far that may be off */
	double share_of_cpu;     /* overhead / duration: 1.0 is one CPU */
	uint64_t bystander_hits; /* in processes that were not targets */
	uint64_t cpu_samples;    /* taken in the handling of probes */
	struct profile_budget budget;
};

/* Something the plan could not or did not probe, for the report's footnotes. */
struct profile_omission {
	uint32_t function; /* index */
	const char *file;
	uint32_t line; /* 0: the function as a whole */
	const char *reason;
};

struct profile {
	struct strings *strings;
	int64_t started_ns; /* CLOCK_REALTIME, UTC; RFC3339 in JSON */
	uint64_t duration_ns;
	struct {
		const char *kernel, *clock;
		uint32_t cpus;
	} host;
	ARRAY(struct profile_target) targets;
	ARRAY(struct profile_image) images;
	ARRAY(struct profile_function) functions;
	bool off_cpu;                /* blocked_ns and waiting_ns were, of some function */
	uint64_t sampling_period_ns; /* CPU time that a sample stands for; 0: not sampled */
	const char *sampling_event;  /* that takes them, by perf's name; NULL: not known */
	ARRAY(struct profile_frame) frames;
	ARRAY(struct profile_stack) stacks;
	ARRAY(struct profile_omission) omissions;
	uint64_t losses[LOSS_COUNT];
	ARRAY(struct {
		const char *cause;
		uint64_t count;
	})
	other_losses; /* causes of a file that this version does not know */
	struct profile_accounting accounting;
	struct profile_cost cost;
};

struct profile *profile_new(void); /* NULL: no memory */
void profile_free(struct profile *profile);
DEFINE_CLEANUP(struct profile *, profile_free)

/* The profile's copy of `text` (NULL gives ""), or NULL: no memory. */
const char *profile_intern(struct profile *profile, const char *text);

/* Appends a zeroed function; NULL: no memory. The pointer is good until the next append. */
struct profile_function *profile_add_function(struct profile *profile);

/* The function's image, or NULL. */
const struct profile_image *profile_image_of(
    const struct profile *profile, const struct profile_function *function);

/* Puts every function's lines and buckets into the order that struct profile promises. */
void profile_sort(struct profile *profile);

/*
 * Pointers to all omissions, ordered by function, file and line; the caller frees the array, not
 * what it points to. NULL: no memory.
 */
const struct profile_omission **profile_order_omissions(const struct profile *profile);

/* a + b, but never beyond what a file can say (2^63 - 1): hostile files must not wrap sums. */
uint64_t profile_sum(uint64_t a, uint64_t b);
int64_t profile_sum_ns(int64_t a, int64_t b);

/* Adds to the loss of that cause, known to this version or not; 0 or -ENOMEM. */
int profile_lose(struct profile *profile, const char *cause, uint64_t count);

/* accounting += more */
void profile_add_accounting(
    struct profile_accounting *accounting, const struct profile_accounting *more);

/* exits + open + unwound + untimed + lost */
uint64_t profile_accounted(const struct profile_accounting *accounting);

/* Sums the functions' accounting into profile->accounting. */
void profile_account(struct profile *profile);

/* The state's key in files and metrics ("fewer_timed"). */
const char *profile_budget_state_name(enum profile_budget_state state);

/* Whether a budget ever took any of its probes away. */
bool profile_was_away(const struct profile_function *function);

/* entries = exits + open + unwound + untimed + lost, for one function or sum. */
bool profile_identity_holds(const struct profile_accounting *accounting);

/* The cause's key in files ("no_storage") and its sentence in reports. */
const char *loss_cause(enum loss loss);
const char *loss_sentence(enum loss loss);

#endif
