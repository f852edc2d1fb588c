/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lprofd counts, as a live view sees it: the replies of io.lprof.Control.Watch as rows, each
 * with what came since the reply before.
 *
 * Times of functions whose calls were timed in part are estimates: scaled to all calls. Functions
 * and lines that only samples of CPU time know have no other numbers.
 */
#ifndef LPROF_CONTROL_LIVE_H
#define LPROF_CONTROL_LIVE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/failure.h"

struct live_numbers {
	uint64_t count; /* calls, or hits of a line */
	uint64_t timed; /* how many of the calls have times; of a line: not set */
	int64_t total_ns, self_ns;
	uint64_t cpu_samples, cpu_total_samples; /* in itself, and in what it called as well */
	uint64_t blocked_ns, waiting_ns;         /* of total_ns */
};

/* A function, or a line. Texts live until the next update. */
struct live_row {
	const char *name, *file, *image;
	uint32_t line;
	uint64_t id;              /* the same in every update, and nobody else's */
	uint32_t function;        /* index of its row; of a line: its function's */
	bool estimated;           /* some calls that ended were not timed */
	bool sampled_only;        /* neither called nor timed under a probe */
	bool off_cpu;             /* its times off the CPU are measured */
	bool known;               /* `last` is */
	struct live_numbers all;  /* since counting began */
	struct live_numbers last; /* in the interval */
};

typedef ARRAY(struct live_row) live_rows;

struct live {
	struct json_object *reply;    /* owns the texts */
	live_rows functions, lines;   /* lines of a function follow each other */
	uint64_t now_ns, interval_ns; /* 0: there was no reply before */
	uint64_t sampling_period_ns;  /* CPU time that a sample stands for; 0: none are taken */
	bool off_cpu;                 /* some row's times off the CPU are measured */
	uint64_t probes, hits, last_hits, overhead_ns, last_overhead_ns, losses;
	uint64_t next_id;
};

/* Takes a reply in; on failure the rows are those of before. -EBADMSG, -ENOMEM. */
int live_update(struct live *live, struct json_object *reply, struct failure *failure);
void live_fini(struct live *live);

/* What rows are shown and sorted by: key, heading, width. */
#define LIVE_COLUMNS(COLUMN)                    \
	COLUMN(RATE, "rate", "CALLS/S", 9)      \
	COLUMN(TIME, "time", "TIME%", 6)        \
	COLUMN(SELF, "self", "SELF%", 6)        \
	COLUMN(CPU, "cpu", "CPU%", 6)           \
	COLUMN(CPU_ALL, "cpuall", "CPU+%", 6)   \
	COLUMN(BLOCKED, "blocked", "BLOCK%", 6) \
	COLUMN(WAITING, "waiting", "WAIT%", 6)  \
	COLUMN(EACH, "each", "PER CALL", 8)     \
	COLUMN(COUNT, "calls", "CALLS", 10)     \
	COLUMN(TOTAL, "total", "TOTAL", 8)      \
	COLUMN(OWN, "own", "OWN", 8)            \
	COLUMN(NAME, "name", "FUNCTION", 0)

enum live_column {
#define COLUMN(id, key, heading, width) LIVE_##id,
	LIVE_COLUMNS(COLUMN)
#undef COLUMN
	    LIVE_COLUMN_COUNT
};

/* Whether any row has a number in it: CPU time where it is sampled, states where they are told. */
bool live_has(const struct live *live, enum live_column column);

/*
 * The number in a column: a rate by second, shares of the interval (1.0 is one CPU's, or one
 * thread's, whole time), nanoseconds a call (in the interval, or of all if none ended in it),
 * totals. NAN: there is none.
 */
double live_value(const struct live *live, const struct live_row *row, enum live_column column);

/* Gives the indexes of all rows, in the order of a column: numbers descending, names ascending. */
void live_sort(const struct live *live, const live_rows *rows, enum live_column column,
    bool reverse, uint32_t *ret_order);

#endif
