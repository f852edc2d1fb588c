// SPDX-License-Identifier: GPL-2.0-or-later
// Tells a profile and lprofd's health as metrics, in whichever format.
#include "output/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "output/metrics_sink.h"

const struct metric_description metric_descriptions[METRIC_COUNT] = {
#define METRIC(id, name, type, unit, help) \
	{name, METRIC_##type == METRIC_COUNTER ? "_total" : "", METRIC_##type, METRIC_##unit, help},
    METRICS(METRIC)
#undef METRIC
};

#define PIECE_BYTES (64u << 10)

struct metrics_stream {
	const struct metrics_sink *sink;
	struct metrics_writer writer;
	struct profile *profile;
	struct metrics_health health;
	uint64_t *took_ns, spent_ns;
	struct metrics_set set;
	struct bytes labels; /* of all series and lines */
	struct bytes out;    /* what is written and not yet read from `read_at` on */
	size_t read_at;
	enum metric metric; /* what comes next: METRIC_COUNT is the end, beyond it nothing */
	size_t item;        /* of it */
};

void metrics_below(const struct metrics_series *series, uint64_t ret_below[METRICS_BOUNDS])
{
	uint64_t below = 0;

	for (uint32_t at = 0, bucket = 0; at < METRICS_BOUNDS; at++) {
		uint64_t bound = 1ull << (METRICS_BOUND_FIRST + at * METRICS_BOUND_STEP);

		while (histogram_upper(bucket) < bound)
			below += series->buckets[bucket++];
		ret_below[at] = below;
	}
}

/* ---- Labels ---- */

static void label_series(struct metrics_stream *stream, struct metrics_series *series)
{
	char declared[16];
	const struct metrics_label labels[] = {
	    {"function", series->function->name},
	    {"file", series->function->file},
	    {"declared", declared},
	    {"image", series->image ? series->image->path : ""},
	    {"build_id", series->image ? series->image->build_id : ""},
	};

	snprintf(declared, sizeof(declared), "%u", series->function->line);
	series->labels = stream->labels.size;
	stream->sink->labels(labels, ARRAY_SIZE(labels), &stream->labels);
	series->labels_size = stream->labels.size - series->labels;
}

static void label_line(struct metrics_stream *stream, struct line_series *line, const char *number)
{
	const struct metrics_label labels[] = {{"line_file", line->file}, {"line", number}};

	line->labels = stream->labels.size;
	stream->sink->labels(labels, ARRAY_SIZE(labels), &stream->labels);
	line->labels_size = stream->labels.size - line->labels;
}

static void make_labels(struct metrics_stream *stream)
{
	ARRAY_FOREACH (series, &stream->set.series) {
		label_series(stream, series);
		ARRAY_FOREACH (line, &series->lines) {
			char number[16];

			snprintf(number, sizeof(number), "%u", line->line);
			label_line(stream, line, number);
		}
		series->other.file = "";
		if (series->has_other)
			label_line(stream, &series->other, "other");
	}
}

static struct metrics_piece piece_of(const struct metrics_stream *stream, size_t at, size_t size)
{
	return (struct metrics_piece){stream->labels.data + at, size};
}

/* ---- Families, each of items ---- */

static uint64_t of_time(int64_t ns)
{
	return ns > 0 ? (uint64_t)ns : 0;
}

static size_t item_count(const struct metrics_stream *stream, enum metric metric)
{
	if (metric <= METRIC_LINE_WAITING)
		return stream->set.series.count;
	return metric == METRIC_LOSSES   ? LOSS_COUNT
	       : metric == METRIC_PUSHES ? METRICS_PUSH_RESULTS
	       : metric == METRIC_TABLE_USED || metric == METRIC_TABLE_SIZE
		   ? ARRAY_SIZE(stream->health.tables)
		   : 1;
}

static uint64_t value_of(enum metric metric, const struct metrics_series *series)
{
	switch (metric) {
	case METRIC_CALLS:
		return series->calls;
	case METRIC_SECONDS:
		return of_time(series->total_ns);
	case METRIC_SELF_SECONDS:
		return of_time(series->self_ns);
	case METRIC_TIMED_CALLS:
		return series->timed;
	case METRIC_CPU_SAMPLES:
		return series->samples;
	case METRIC_BLOCKED:
		return series->blocked_ns;
	case METRIC_WAITING:
		return series->waiting_ns;
	case METRIC_BUDGET_STATE:
		return series->budget_state;
	case METRIC_STOOD:
		return series->stood_ns;
	case METRIC_LINES_STOOD:
		return series->lines_stood_ns;
	default:
		return series->open;
	}
}

static uint64_t count_samples(const struct profile *profile)
{
	uint64_t samples = 0;

	ARRAY_FOREACH (function, &profile->functions)
		samples += function->cpu_samples;
	return samples;
}

static uint64_t health_of(enum metric metric, const struct metrics_stream *stream)
{
	const struct metrics_health *health = &stream->health;

	switch (metric) {
	case METRIC_HITS:
		return stream->profile->cost.hits;
	case METRIC_OVERHEAD:
		return stream->profile->cost.overhead_ns;
	case METRIC_ALL_CPU_SAMPLES:
		return count_samples(stream->profile);
	case METRIC_SAMPLING_PERIOD:
		return stream->profile->sampling_period_ns;
	case METRIC_PROBES:
		return health->probes;
	case METRIC_CLIENTS:
		return health->clients;
	case METRIC_RESTARTS:
		return health->restarts;
	case METRIC_SCRAPES:
		return health->scrapes;
	case METRIC_DRAIN:
		return health->drain_ns;
	case METRIC_PUSH_SPOOL:
		return health->push_spool;
	case METRIC_PUSH_SPOOL_BYTES:
		return health->push_spool_bytes;
	default:
		return health->scrape_ns;
	}
}

static void tell(struct metrics_stream *stream, struct metrics_piece labels,
    struct metrics_piece more, uint64_t value)
{
	stream->sink->value(&stream->writer, labels, more, value);
}

static uint64_t value_of_line(enum metric metric, const struct line_series *line)
{
	switch (metric) {
	case METRIC_LINE_HITS:
		return line->hits;
	case METRIC_LINE_SECONDS:
		return of_time(line->total_ns);
	case METRIC_LINE_BLOCKED:
		return line->blocked_ns;
	case METRIC_LINE_WAITING:
		return line->waiting_ns;
	default:
		return line->samples;
	}
}

static bool is_off_cpu(enum metric metric)
{
	return metric == METRIC_BLOCKED || metric == METRIC_WAITING ||
	       metric == METRIC_LINE_BLOCKED || metric == METRIC_LINE_WAITING;
}

static void tell_line(struct metrics_stream *stream, const struct metrics_series *series,
    const struct line_series *line)
{
	tell(stream, piece_of(stream, series->labels, series->labels_size),
	    piece_of(stream, line->labels, line->labels_size), value_of_line(stream->metric, line));
}

static void tell_series(struct metrics_stream *stream, const struct metrics_series *series)
{
	const struct metrics_piece labels = piece_of(stream, series->labels, series->labels_size);

	if (series->sampled_only && stream->metric != METRIC_CPU_SAMPLES)
		return;
	if (is_off_cpu(stream->metric) && !series->off_cpu)
		return;
	if (stream->metric == METRIC_DURATION) {
		stream->sink->histogram(&stream->writer, labels, series);
	} else if (stream->metric < METRIC_DURATION) {
		tell(stream, labels, (struct metrics_piece){0}, value_of(stream->metric, series));
	} else {
		ARRAY_FOREACH (line, &series->lines)
			tell_line(stream, series, line);
		if (series->has_other)
			tell_line(stream, series, &series->other);
	}
}

static void tell_labelled(
    struct metrics_stream *stream, const char *label, const char *text, uint64_t value)
{
	const struct metrics_label labels = {label, text};
	struct bytes made CLEANUP(bytes_fini) = {0};

	stream->sink->labels(&labels, 1, &made);
	stream->out.failed |= made.failed;
	tell(
	    stream, (struct metrics_piece){made.data, made.size}, (struct metrics_piece){0}, value);
}

static void tell_item(struct metrics_stream *stream, size_t item)
{
	static const char *const push_results[METRICS_PUSH_RESULTS] = {"ok", "failed", "dropped"};
	const enum metric metric = stream->metric;

	if (metric <= METRIC_LINE_WAITING)
		tell_series(stream, &stream->set.series.items[item]);
	else if (metric == METRIC_LOSSES)
		tell_labelled(
		    stream, "cause", loss_cause((enum loss)item), stream->profile->losses[item]);
	else if (metric == METRIC_PUSHES)
		tell_labelled(stream, "result", push_results[item], stream->health.pushes[item]);
	else if (metric == METRIC_TABLE_USED || metric == METRIC_TABLE_SIZE)
		tell_labelled(stream, "table", stream->health.tables[item].name,
		    metric == METRIC_TABLE_USED ? stream->health.tables[item].used
						: stream->health.tables[item].size);
	else
		tell(stream, (struct metrics_piece){0}, (struct metrics_piece){0},
		    health_of(metric, stream));
}

/* Writes what comes next: an item, with its family's beginning and end where it is there. */
static void advance(struct metrics_stream *stream)
{
	if (stream->metric == METRIC_COUNT) {
		stream->sink->finish(&stream->writer);
		stream->metric++;
		return;
	}
	if (!stream->item) {
		stream->writer.family = &metric_descriptions[stream->metric];
		stream->writer.family_at = stream->out.size;
		stream->sink->begin(&stream->writer);
	}
	if (stream->item < item_count(stream, stream->metric))
		tell_item(stream, stream->item);
	if (++stream->item < item_count(stream, stream->metric))
		return;
	stream->sink->end(&stream->writer);
	stream->metric++;
	stream->item = 0;
}

/* ---- The stream ---- */

struct metrics_stream *metrics_open(struct profile *profile, const struct metrics_health *health,
    const struct metrics_options *options)
{
	struct metrics_stream *stream = calloc(1, sizeof(*stream));
	const uint64_t begun = clock_ns(CLOCK_MONOTONIC);

	if (!stream) {
		profile_free(profile);
		return NULL;
	}
	*stream = (struct metrics_stream){
	    .sink =
		options->format == METRICS_PROTOBUF ? &metrics_sink_protobuf : &metrics_sink_text,
	    .writer = {.out = &stream->out, .open_metrics = options->format == METRICS_OPEN},
	    .profile = profile,
	    .health = *health,
	    .took_ns = options->took_ns,
	};
	if (metrics_gather(profile, options->lines_max, options->sampled_max, &stream->set) ||
	    metrics_marks_keep(options->marks, &stream->set))
		stream->labels.failed = true;
	else
		make_labels(stream);
	stream->spent_ns = clock_ns(CLOCK_MONOTONIC) - begun;
	if (!stream->labels.failed)
		return stream;
	metrics_close(stream);
	return NULL;
}

void metrics_close(struct metrics_stream *stream)
{
	if (!stream)
		return;
	*stream->took_ns = stream->spent_ns;
	metrics_set_fini(&stream->set);
	bytes_fini(&stream->labels);
	bytes_fini(&stream->out);
	profile_free(stream->profile);
	free(stream);
}

/* Writes so much that some can be read, unless there is no more. */
static void write_piece(struct metrics_stream *stream)
{
	const uint64_t begun = clock_ns(CLOCK_MONOTONIC);

	stream->read_at = stream->out.size = 0;
	while (stream->metric <= METRIC_COUNT && !stream->out.failed &&
	       (stream->out.size < PIECE_BYTES || (stream->item && stream->sink->whole)))
		advance(stream);
	stream->spent_ns += clock_ns(CLOCK_MONOTONIC) - begun;
}

ssize_t metrics_read(struct metrics_stream *stream, char *room, size_t size)
{
	if (stream->read_at == stream->out.size)
		write_piece(stream);
	if (stream->out.failed)
		return -ENOMEM;
	if (size > stream->out.size - stream->read_at)
		size = stream->out.size - stream->read_at;
	if (size)
		memcpy(room, stream->out.data + stream->read_at, size);
	stream->read_at += size;
	return (ssize_t)size;
}
