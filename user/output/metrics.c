// SPDX-License-Identifier: GPL-2.0-or-later
// Writes metrics for Prometheus.
#include "output/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"

/* METRIC(id, name without _total, type, help): the order in which they are written */
#define METRICS(METRIC)                                                                           \
	METRIC(CALLS, "lprof_function_calls", "counter", "Calls of the function.")                \
	METRIC(SECONDS, "lprof_function_seconds", "counter",                                      \
	    "Time from entry to exit of timed calls, callees included, outermost calls only.")    \
	METRIC(SELF_SECONDS, "lprof_function_self_seconds", "counter",                            \
	    "Time of timed calls less that of measured callees.")                                 \
	METRIC(TIMED_CALLS, "lprof_function_timed_calls", "counter",                              \
	    "Calls that were timed and have ended.")                                              \
	METRIC(CPU_SAMPLES, "lprof_function_cpu_samples", "counter",                              \
	    "Samples of the CPU in the function.")                                                \
	METRIC(                                                                                   \
	    OPEN_CALLS, "lprof_function_open_calls", "gauge", "Timed calls that have not ended.") \
	METRIC(DURATION, "lprof_function_duration_seconds", "histogram",                          \
	    "Duration of timed calls that returned.")                                             \
	METRIC(LINE_HITS, "lprof_line_hits", "counter", "How often control entered the line.")    \
	METRIC(                                                                                   \
	    LINE_SECONDS, "lprof_line_seconds", "counter", "Time in the line, callees included.") \
	METRIC(HITS, "lprof_probe_hits", "counter", "Hits of all probes.")                        \
	METRIC(OVERHEAD, "lprof_probe_overhead_seconds", "counter",                               \
	    "CPU time that the hits of all probes cost.")                                         \
	METRIC(LOSSES, "lprof_losses", "counter", "What was not measured, by cause.")             \
	METRIC(PROBES, "lprofd_probes", "gauge", "Active probes.")                                \
	METRIC(CLIENTS, "lprofd_clients", "gauge", "Connections to the control socket.")          \
	METRIC(RESTARTS, "lprofd_restarts_survived", "counter",                                   \
	    "Starts that went on with the counters of the process before.")                       \
	METRIC(SCRAPES, "lprofd_scrapes", "counter", "Scrapes since this process started.")       \
	METRIC(DRAIN, "lprofd_drain_seconds", "gauge",                                            \
	    "How long reading the kernel's counters took for this scrape.")                       \
	METRIC(TABLE_USED, "lprofd_table_used", "gauge",                                          \
	    "Entries of the kernel's tables that are taken.")                                     \
	METRIC(TABLE_SIZE, "lprofd_table_size", "gauge", "Entries of the kernel's tables.")

enum metric {
#define METRIC(id, name, type, help) METRIC_##id,
	METRICS(METRIC)
#undef METRIC
	    METRIC_COUNT
};

static const struct {
	const char *name, *type, *help;
} metrics[] = {
#define METRIC(id, name, type, help) {name, type, help},
    METRICS(METRIC)
#undef METRIC
};

/* Upper bounds of the histogram, each an octave of ns and so the end of a bucket of ours. */
#define BOUND_FIRST 8  /* 2^8 ns */
#define BOUND_LAST  36 /* 2^36 ns: 69 s */
#define BOUND_STEP  2

struct line_series {
	const char *file;
	uint32_t line;
	uint64_t hits;
	int64_t total_ns;
};

/* What functions of the same labels have together. */
struct series {
	const struct profile_function *function; /* the first, for the labels */
	const struct profile_image *image;       /* or NULL */
	char *labels;                            /* as written, without the closing brace */
	size_t label_size;
	uint64_t calls, timed, samples, open, returned;
	int64_t total_ns, self_ns;
	uint64_t below[(BOUND_LAST - BOUND_FIRST) / BOUND_STEP + 1]; /* cumulative */
	ARRAY(struct line_series) lines;
	uint64_t other_hits;
	int64_t other_ns;
	bool has_other;
};

struct writer {
	FILE *file;
	const struct metrics_options *options;
	const struct profile *profile;
	ARRAY(struct series) series;
};

/* ---- Gathering ---- */

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

struct named_function {
	const struct profile_function *function;
	const struct profile_image *image;
};

static int compare_functions(const void *a, const void *b)
{
	const struct named_function *one = a, *two = b;
	int order = strcmp(one->function->name, two->function->name);

	if (!order)
		order = strcmp(one->function->file, two->function->file);
	if (!order && one->function->line != two->function->line)
		order = one->function->line < two->function->line ? -1 : 1;
	if (!order)
		order = compare_text(
		    one->image ? one->image->path : NULL, two->image ? two->image->path : NULL);
	if (!order)
		order = compare_text(one->image ? one->image->build_id : NULL,
		    two->image ? two->image->build_id : NULL);
	return order;
}

static int compare_lines(const void *a, const void *b)
{
	const struct line_series *one = a, *two = b;
	int order = strcmp(one->file, two->file);

	return order ? order : one->line < two->line ? -1 : one->line > two->line;
}

static void add_function(struct series *series, const struct profile_function *function)
{
	series->calls += function->calls;
	series->timed += function->timed_calls;
	series->samples += function->cpu_samples;
	series->open += function->accounting.open;
	series->total_ns += function->total_ns;
	series->self_ns += function->self_ns;
	ARRAY_FOREACH (bucket, &function->histogram) {
		series->returned += bucket->count;
		for (size_t at = 0; at < ARRAY_SIZE(series->below); at++)
			if (bucket->upper_ns < 1ull << (BOUND_FIRST + at * BOUND_STEP))
				series->below[at] += bucket->count;
	}
}

static int add_lines(struct series *series, const struct profile_function *function)
{
	ARRAY_FOREACH (line, &function->lines)
		if (ARRAY_APPEND(&series->lines,
			(struct line_series){line->file, line->line, line->hits, line->total_ns}))
			return -ENOMEM;
	return 0;
}

/* Sums equal lines up, and those beyond the limit as "other". */
static void limit_lines(struct series *series, size_t most)
{
	size_t kept = 0;

	if (!series->lines.count)
		return;
	qsort(
	    series->lines.items, series->lines.count, sizeof(*series->lines.items), compare_lines);
	for (size_t at = 0; at < series->lines.count; at++) {
		const struct line_series *line = &series->lines.items[at];
		struct line_series *last = kept ? &series->lines.items[kept - 1] : NULL;

		if (last && !series->has_other && !compare_lines(last, line)) {
			last->hits += line->hits;
			last->total_ns += line->total_ns;
		} else if (kept < most) {
			series->lines.items[kept++] = *line;
		} else {
			series->has_other = true;
			series->other_hits += line->hits;
			series->other_ns += line->total_ns;
		}
	}
	series->lines.count = kept;
}

static int gather_series(
    struct writer *writer, const struct named_function *functions, size_t count)
{
	for (size_t at = 0; at < count; at++) {
		struct series fresh = {
		    .function = functions[at].function, .image = functions[at].image};
		struct series *series;

		if ((!at || compare_functions(&functions[at - 1], &functions[at])) &&
		    ARRAY_APPEND(&writer->series, fresh))
			return -ENOMEM;
		series = &writer->series.items[writer->series.count - 1];
		add_function(series, functions[at].function);
		if (add_lines(series, functions[at].function))
			return -ENOMEM;
	}
	ARRAY_FOREACH (series, &writer->series)
		limit_lines(series, writer->options->lines_max);
	return 0;
}

static int gather(struct writer *writer)
{
	const struct profile *profile = writer->profile;
	CLEANUP_FREE struct named_function *functions =
	    calloc(profile->functions.count + 1, sizeof(*functions));

	if (!functions)
		return -ENOMEM;
	for (size_t at = 0; at < profile->functions.count; at++) {
		functions[at].function = &profile->functions.items[at];
		functions[at].image = profile_image_of(profile, functions[at].function);
	}
	qsort(functions, profile->functions.count, sizeof(*functions), compare_functions);
	return gather_series(writer, functions, profile->functions.count);
}

static void writer_fini(struct writer *writer)
{
	ARRAY_FOREACH (series, &writer->series) {
		ARRAY_FREE(&series->lines);
		free(series->labels);
	}
	ARRAY_FREE(&writer->series);
}

/* ---- Writing ---- */

static bool is_counter(enum metric metric)
{
	return !strcmp(metrics[metric].type, "counter");
}

static const char *total(enum metric metric)
{
	return is_counter(metric) ? "_total" : "";
}

static void write_head(const struct writer *writer, enum metric metric)
{
	/* OpenMetrics names the family, the older format the series. */
	const char *suffix = writer->options->open_metrics ? "" : total(metric);

	fprintf(writer->file, "# HELP %s%s %s\n# TYPE %s%s %s\n", metrics[metric].name, suffix,
	    metrics[metric].help, metrics[metric].name, suffix, metrics[metric].type);
}

static void write_quoted(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", file);
		else if (*text == '"' || *text == '\\')
			fprintf(file, "\\%c", *text);
		else
			fputc(*text, file);
	}
	fputc('"', file);
}

/* Labels stand on dozens of lines each: they are made once. */
static int make_labels(struct series *series)
{
	FILE *file = open_memstream(&series->labels, &series->label_size);

	if (!file)
		return -ENOMEM;
	fputs("{function=", file);
	write_quoted(file, series->function->name);
	fputs(",file=", file);
	write_quoted(file, series->function->file);
	fprintf(file, ",declared=\"%u\",image=", series->function->line);
	write_quoted(file, series->image ? series->image->path : "");
	fputs(",build_id=", file);
	write_quoted(file, series->image ? series->image->build_id : "");
	return fclose(file) ? -ENOMEM : 0;
}

static void write_labels(const struct writer *writer, const struct series *series)
{
	fwrite(series->labels, 1, series->label_size, writer->file);
}

static double seconds(int64_t ns)
{
	return (double)ns / 1e9;
}

/* The end of a line. Most values are whole numbers, which print much faster as such. */
static void write_number(FILE *file, double value)
{
	if (value >= 0 && value < 1e15 && value == (double)(uint64_t)value)
		fprintf(file, "} %llu\n", (unsigned long long)value);
	else
		fprintf(file, "} %.17g\n", value);
}

static void write_value(
    const struct writer *writer, enum metric metric, const struct series *series, double value)
{
	fputs(metrics[metric].name, writer->file);
	fputs(total(metric), writer->file);
	write_labels(writer, series);
	write_number(writer->file, value);
}

static double value_of(enum metric metric, const struct series *series)
{
	switch (metric) {
	case METRIC_CALLS:
		return (double)series->calls;
	case METRIC_SECONDS:
		return seconds(series->total_ns);
	case METRIC_SELF_SECONDS:
		return seconds(series->self_ns);
	case METRIC_TIMED_CALLS:
		return (double)series->timed;
	case METRIC_CPU_SAMPLES:
		return (double)series->samples;
	default:
		return (double)series->open;
	}
}

static void write_functions(const struct writer *writer)
{
	for (enum metric metric = METRIC_CALLS; metric <= METRIC_OPEN_CALLS; metric++) {
		write_head(writer, metric);
		ARRAY_FOREACH (series, &writer->series)
			write_value(writer, metric, series, value_of(metric, series));
	}
}

static void write_bucket(
    const struct writer *writer, const struct series *series, const char *bound, uint64_t count)
{
	fprintf(writer->file, "%s_bucket", metrics[METRIC_DURATION].name);
	write_labels(writer, series);
	fprintf(writer->file, ",le=\"%s\"} %llu\n", bound, (unsigned long long)count);
}

static void write_durations(const struct writer *writer)
{
	const char *name = metrics[METRIC_DURATION].name;

	write_head(writer, METRIC_DURATION);
	ARRAY_FOREACH (series, &writer->series) {
		for (size_t at = 0; at < ARRAY_SIZE(series->below); at++) {
			char bound[32];

			snprintf(bound, sizeof(bound), "%.9g",
			    (double)(1ull << (BOUND_FIRST + at * BOUND_STEP)) / 1e9);
			write_bucket(writer, series, bound, series->below[at]);
		}
		write_bucket(writer, series, "+Inf", series->returned);
		fprintf(writer->file, "%s_sum", name);
		write_labels(writer, series);
		fprintf(writer->file, "} %.17g\n%s_count", seconds(series->total_ns), name);
		write_labels(writer, series);
		fprintf(writer->file, "} %llu\n", (unsigned long long)series->returned);
	}
}

static void write_line(const struct writer *writer, enum metric metric, const struct series *series,
    const char *file, const char *line, double value)
{
	fprintf(writer->file, "%s%s", metrics[metric].name, total(metric));
	write_labels(writer, series);
	fputs(",line_file=", writer->file);
	write_quoted(writer->file, file);
	fprintf(writer->file, ",line=\"%s\"} %.17g\n", line, value);
}

static void write_lines(const struct writer *writer)
{
	for (enum metric metric = METRIC_LINE_HITS; metric <= METRIC_LINE_SECONDS; metric++) {
		bool hits = metric == METRIC_LINE_HITS;

		write_head(writer, metric);
		ARRAY_FOREACH (series, &writer->series) {
			ARRAY_FOREACH (line, &series->lines) {
				char number[16];

				snprintf(number, sizeof(number), "%u", line->line);
				write_line(writer, metric, series, line->file, number,
				    hits ? (double)line->hits : seconds(line->total_ns));
			}
			if (series->has_other)
				write_line(writer, metric, series, "", "other",
				    hits ? (double)series->other_hits : seconds(series->other_ns));
		}
	}
}

static void write_plain(const struct writer *writer, enum metric metric, double value)
{
	write_head(writer, metric);
	fprintf(writer->file, "%s%s %.17g\n", metrics[metric].name, total(metric), value);
}

static void write_health(const struct writer *writer, const struct metrics_health *health)
{
	const struct profile *profile = writer->profile;

	write_plain(writer, METRIC_HITS, (double)profile->cost.hits);
	write_plain(writer, METRIC_OVERHEAD, seconds((int64_t)profile->cost.overhead_ns));
	write_head(writer, METRIC_LOSSES);
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		fprintf(writer->file, "%s_total{cause=\"%s\"} %llu\n", metrics[METRIC_LOSSES].name,
		    loss_cause((enum loss)loss), (unsigned long long)profile->losses[loss]);
	write_plain(writer, METRIC_PROBES, (double)health->probes);
	write_plain(writer, METRIC_CLIENTS, (double)health->clients);
	write_plain(writer, METRIC_RESTARTS, (double)health->restarts);
	write_plain(writer, METRIC_SCRAPES, (double)health->scrapes);
	write_plain(writer, METRIC_DRAIN, health->drain_seconds);
	for (enum metric metric = METRIC_TABLE_USED; metric <= METRIC_TABLE_SIZE; metric++) {
		write_head(writer, metric);
		for (size_t at = 0; at < ARRAY_SIZE(health->tables); at++)
			fprintf(writer->file, "%s{table=\"%s\"} %llu\n", metrics[metric].name,
			    health->tables[at].name,
			    (unsigned long long)(metric == METRIC_TABLE_USED
						     ? health->tables[at].used
						     : health->tables[at].size));
	}
}

int metrics_write(const struct profile *profile, const struct metrics_health *health,
    const struct metrics_options *options, FILE *stream)
{
	struct writer writer CLEANUP(writer_fini) = {
	    .file = stream, .options = options, .profile = profile};
	int error = gather(&writer);

	ARRAY_FOREACH (series, &writer.series)
		if (!error)
			error = make_labels(series);
	if (error)
		return error;
	write_functions(&writer);
	write_durations(&writer);
	write_lines(&writer);
	write_health(&writer, health);
	if (options->open_metrics)
		fputs("# EOF\n", stream);
	return 0;
}
