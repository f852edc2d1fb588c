/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The border between what is told about a profile (metrics.c) and the formats it is told in
 * (metrics_text.c, metrics_protobuf.c). Labels stand on dozens of series each: a format makes them
 * once, as bytes, and is handed them back.
 */
#ifndef LPROF_OUTPUT_METRICS_SINK_H
#define LPROF_OUTPUT_METRICS_SINK_H

#include "base/bytes.h"
#include "output/metrics_series.h"

/* METRIC(id, name without _total, type, unit of the value, help): in the order of writing. */
#define METRICS(METRIC)                                                                            \
	METRIC(CALLS, "lprof_function_calls", COUNTER, ONE, "Calls of the function.")              \
	METRIC(SECONDS, "lprof_function_seconds", COUNTER, NANOSECOND,                             \
	    "Time from entry to exit of timed calls, callees included, outermost calls only.")     \
	METRIC(SELF_SECONDS, "lprof_function_self_seconds", COUNTER, NANOSECOND,                   \
	    "Time of timed calls less that of measured callees.")                                  \
	METRIC(TIMED_CALLS, "lprof_function_timed_calls", COUNTER, ONE,                            \
	    "Calls that were timed and have ended.")                                               \
	METRIC(CPU_SAMPLES, "lprof_function_cpu_samples", COUNTER, ONE,                            \
	    "Samples of the CPU in the function itself.")                                          \
	METRIC(BLOCKED, "lprof_function_blocked_seconds", COUNTER, NANOSECOND,                     \
	    "Part of lprof_function_seconds_total that threads were asleep.")                      \
	METRIC(WAITING, "lprof_function_waiting_seconds", COUNTER, NANOSECOND,                     \
	    "Part of lprof_function_seconds_total that threads waited for a CPU.")                 \
	METRIC(OPEN_CALLS, "lprof_function_open_calls", GAUGE, ONE,                                \
	    "Timed calls that have not ended.")                                                    \
	METRIC(BUDGET_STATE, "lprof_function_budget_state", GAUGE, ONE,                            \
	    "How much a budget lets stand: 0 all, 1 fewer timed calls, 2 lines for slices of "     \
	    "time, 3 all for slices, 4 nothing.")                                                  \
	METRIC(STOOD, "lprof_function_stood_seconds", COUNTER, NANOSECOND,                         \
	    "How long the function's probes stood: its calls are of that time.")                   \
	METRIC(LINES_STOOD, "lprof_function_lines_stood_seconds", COUNTER, NANOSECOND,             \
	    "How long the probes of the function's lines stood.")                                  \
	METRIC(DURATION, "lprof_function_duration_seconds", HISTOGRAM, NANOSECOND,                 \
	    "Duration of each timed call that returned; the sum is lprof_function_seconds_total.") \
	METRIC(LINE_HITS, "lprof_line_hits", COUNTER, ONE, "How often control entered the line.")  \
	METRIC(LINE_SECONDS, "lprof_line_seconds", COUNTER, NANOSECOND,                            \
	    "Time in the line, callees included.")                                                 \
	METRIC(LINE_CPU_SAMPLES, "lprof_line_cpu_samples", COUNTER, ONE,                           \
	    "Samples of the CPU in the line itself.")                                              \
	METRIC(LINE_BLOCKED, "lprof_line_blocked_seconds", COUNTER, NANOSECOND,                    \
	    "Part of lprof_line_seconds_total that threads were asleep.")                          \
	METRIC(LINE_WAITING, "lprof_line_waiting_seconds", COUNTER, NANOSECOND,                    \
	    "Part of lprof_line_seconds_total that threads waited for a CPU.")                     \
	METRIC(HITS, "lprof_probe_hits", COUNTER, ONE, "Hits of all probes.")                      \
	METRIC(OVERHEAD, "lprof_probe_overhead_seconds", COUNTER, NANOSECOND,                      \
	    "CPU time that the hits of all probes cost.")                                          \
	METRIC(ALL_CPU_SAMPLES, "lprof_cpu_samples", COUNTER, ONE,                                 \
	    "Samples of the CPU in all code of all sampled processes.")                            \
	METRIC(SAMPLING_PERIOD, "lprof_cpu_sampling_period_seconds", GAUGE, NANOSECOND,            \
	    "CPU time that each sample stands for; 0: none are taken or kept.")                    \
	METRIC(LOSSES, "lprof_losses", COUNTER, ONE, "What was not measured, by cause.")           \
	METRIC(PROBES, "lprofd_probes", GAUGE, ONE, "Active probes.")                              \
	METRIC(CLIENTS, "lprofd_clients", GAUGE, ONE, "Connections to the control socket.")        \
	METRIC(RESTARTS, "lprofd_restarts_survived", COUNTER, ONE,                                 \
	    "Starts that went on with the counters of the process before.")                        \
	METRIC(SCRAPES, "lprofd_scrapes", COUNTER, ONE, "Scrapes since this process started.")     \
	METRIC(DRAIN, "lprofd_drain_seconds", GAUGE, NANOSECOND,                                   \
	    "How long reading the kernel's counters took for this scrape.")                        \
	METRIC(SCRAPE, "lprofd_scrape_seconds", GAUGE, NANOSECOND,                                 \
	    "How long making the answer took for the scrape before this one.")                     \
	METRIC(TABLE_USED, "lprofd_table_used", GAUGE, ONE,                                        \
	    "Entries of the kernel's tables that are taken.")                                      \
	METRIC(TABLE_SIZE, "lprofd_table_size", GAUGE, ONE, "Entries of the kernel's tables.")     \
	METRIC(PUSHES, "lprofd_pushes", COUNTER, ONE,                                              \
	    "Profiles that the store accepted, attempts that failed, profiles that were dropped.") \
	METRIC(PUSH_SPOOL, "lprofd_push_spool_profiles", GAUGE, ONE,                               \
	    "Profiles that wait to be pushed.")                                                    \
	METRIC(PUSH_SPOOL_BYTES, "lprofd_push_spool_bytes", GAUGE, ONE,                            \
	    "Bytes of the profiles that wait to be pushed.")

enum metric {
#define METRIC(id, name, type, unit, help) METRIC_##id,
	METRICS(METRIC)
#undef METRIC
	    METRIC_COUNT
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metric_unit { METRIC_ONE, METRIC_NANOSECOND };

struct metric_description {
	const char *name;  /* of the family in OpenMetrics */
	const char *total; /* what older formats, and series, add to it */
	enum metric_type type;
	enum metric_unit unit;
	const char *help;
};

extern const struct metric_description metric_descriptions[METRIC_COUNT];

/* The classic buckets' upper bounds, each an octave of ns and so the end of a bucket of ours. */
#define METRICS_BOUND_FIRST 8  /* 2^8 ns */
#define METRICS_BOUND_LAST  36 /* 2^36 ns: 69 s */
#define METRICS_BOUND_STEP  2
#define METRICS_BOUNDS      ((METRICS_BOUND_LAST - METRICS_BOUND_FIRST) / METRICS_BOUND_STEP + 1)

struct metrics_label {
	const char *name, *value; /* any bytes; written as valid UTF-8 */
};

/* Labels as the format has them; empty: none. */
struct metrics_piece {
	const char *data;
	size_t size;
};

struct metrics_writer {
	struct bytes *out;
	bool open_metrics;
	const struct metric_description *family; /* being written */
	size_t family_at;                        /* where it begins in `out` */
	char bounds[METRICS_BOUNDS][32];         /* the text format's labels of classic buckets */
};

/* In this order: begin, then any number of values or histograms, end; after all families, finish.
 */
struct metrics_sink {
	bool whole; /* needs a family's end before its beginning can be read */
	void (*labels)(const struct metrics_label *labels, size_t count, struct bytes *out);
	void (*begin)(struct metrics_writer *writer);
	void (*value)(struct metrics_writer *writer, struct metrics_piece labels,
	    struct metrics_piece more, uint64_t value);
	void (*histogram)(struct metrics_writer *writer, struct metrics_piece labels,
	    const struct metrics_series *series);
	void (*end)(struct metrics_writer *writer);
	void (*finish)(struct metrics_writer *writer);
};

extern const struct metrics_sink metrics_sink_text, metrics_sink_protobuf;

/* How many calls took less than each bound. */
void metrics_below(const struct metrics_series *series, uint64_t ret_below[METRICS_BOUNDS]);

#endif
