// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes metrics as Prometheus' protobuf messages (metrics.proto), which alone have native
 * histograms.
 *
 * A message's bytes are those of its parts one after the other, in any order and any number of
 * pieces. So a Metric is put together from labels that were packed once and a value packed now, and
 * a family is never in memory as messages.
 *
 * Native buckets are powers of 2^(1/16) s, ours quarters of octaves of ns, cut evenly: no schema
 * has bounds at ours. Each of ours goes whole to the native bucket around its middle, which no
 * other of ours shares, so that counts only ever grow, and a quantile is off by half a bucket of
 * ours (11%) and one of theirs (4%) at most.
 */
#include <math.h>

#include "output/metrics.pb-c.h"
#include "output/metrics_sink.h"
#include "output/text.h"

#define SCHEMA         4
#define ZERO_THRESHOLD 0x1p-128 /* as others have it: what is not longer counts as zero */
#define LENGTH_BYTES   5
#define METRIC_FIELD   (4 << 3 | 2) /* MetricFamily.metric, a length and so many bytes */
#define LABELS_MAX     8

/* ---- Pieces of messages ---- */

/* Of at least `width` bytes: a number may have more than it needs. */
static size_t encode_length(uint64_t length, size_t width, uint8_t ret_bytes[10])
{
	size_t at = 0;

	for (; length > 0x7f || at + 1 < width; length >>= 7)
		ret_bytes[at++] = (uint8_t)(length | 0x80);
	ret_bytes[at++] = (uint8_t)length;
	return at;
}

static void add_length(struct bytes *out, uint64_t length, size_t width)
{
	uint8_t bytes[10];

	bytes_add(out, bytes, encode_length(length, width, bytes));
}

/* `size` is the message's, packed. */
static void add_packed(struct bytes *out, const ProtobufCMessage *message, size_t size)
{
	if (out->size + size <= out->room || bytes_grow(out, size))
		out->size += protobuf_c_message_pack(message, (uint8_t *)out->data + out->size);
}

static void add_metric(struct bytes *out, struct metrics_piece labels, struct metrics_piece more,
    const Prometheus__Metric *value)
{
	size_t size = prometheus__metric__get_packed_size(value);

	add_length(out, METRIC_FIELD, 1);
	add_length(out, labels.size + more.size + size, 1);
	bytes_add(out, labels.data, labels.size);
	bytes_add(out, more.data, more.size);
	add_packed(out, &value->base, size);
}

/* Most texts are ASCII, and are taken as they are. */
static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text & 0x80)
			return false;
	return true;
}

static void protobuf_labels(const struct metrics_label *labels, size_t count, struct bytes *out)
{
	Prometheus__LabelPair pairs[LABELS_MAX], *pointers[LABELS_MAX];
	char *valid[LABELS_MAX] = {NULL};
	Prometheus__Metric metric = PROMETHEUS__METRIC__INIT;

	for (size_t at = 0; at < count && at < LABELS_MAX; at++) {
		prometheus__label_pair__init(&pairs[at]);
		pairs[at].name = (char *)labels[at].name;
		pairs[at].value = (char *)labels[at].value;
		if (!is_ascii(labels[at].value)) {
			pairs[at].value = valid[at] = text_valid(labels[at].value);
			out->failed |= !valid[at];
		}
		pointers[at] = &pairs[at];
		metric.n_label++;
	}
	metric.label = pointers;
	if (!out->failed)
		add_packed(out, &metric.base, prometheus__metric__get_packed_size(&metric));
	for (size_t at = 0; at < metric.n_label; at++)
		free(valid[at]);
}

/* ---- Values ---- */

static double in_unit(const struct metrics_writer *writer, uint64_t value)
{
	return (double)value / (writer->family->unit == METRIC_NANOSECOND ? 1e9 : 1);
}

static void protobuf_value(struct metrics_writer *writer, struct metrics_piece labels,
    struct metrics_piece more, uint64_t value)
{
	Prometheus__Metric metric = PROMETHEUS__METRIC__INIT;
	Prometheus__Counter counter = PROMETHEUS__COUNTER__INIT;
	Prometheus__Gauge gauge = PROMETHEUS__GAUGE__INIT;

	counter.value = gauge.value = in_unit(writer, value);
	if (writer->family->type == METRIC_COUNTER)
		metric.counter = &counter;
	else
		metric.gauge = &gauge;
	add_metric(writer->out, labels, more, &metric);
}

/* ---- Histograms ---- */

/* A histogram's message, with all that it points to. */
struct histogram {
	Prometheus__Histogram message;
	Prometheus__Bucket classic[METRICS_BOUNDS], *classic_pointers[METRICS_BOUNDS];
	Prometheus__BucketSpan spans[HISTOGRAM_BUCKETS], *span_pointers[HISTOGRAM_BUCKETS];
	int64_t deltas[HISTOGRAM_BUCKETS];
};

/* The native bucket around the middle of one of ours. */
static int32_t native_index(uint32_t bucket)
{
	uint64_t lower = histogram_lower(bucket);
	double middle = bucket == HISTOGRAM_BUCKETS - 1
			    ? (double)lower
			    : ((double)lower + (double)histogram_upper(bucket)) / 2;

	return (int32_t)ceil(log2(middle / 1e9) * (1 << SCHEMA));
}

static void add_native(struct histogram *histogram, const struct metrics_series *series)
{
	Prometheus__Histogram *message = &histogram->message;
	int64_t before = 0;
	int32_t next = 0;

	message->schema = SCHEMA;
	message->zero_threshold = ZERO_THRESHOLD;
	message->zero_count = series->buckets[0];
	for (uint32_t bucket = 1; bucket < HISTOGRAM_BUCKETS; bucket++) {
		Prometheus__BucketSpan *span = &histogram->spans[message->n_positive_span];
		int64_t count = (int64_t)series->buckets[bucket];

		if (!count)
			continue;
		prometheus__bucket_span__init(span);
		span->offset = native_index(bucket) - next;
		span->length = 1;
		next = native_index(bucket) + 1;
		histogram->span_pointers[message->n_positive_span++] = span;
		histogram->deltas[message->n_positive_delta++] = count - before;
		before = count;
	}
	message->positive_span = histogram->span_pointers;
	message->positive_delta = histogram->deltas;
}

static void add_classic(struct histogram *histogram, const struct metrics_series *series)
{
	uint64_t below[METRICS_BOUNDS];

	metrics_below(series, below);
	for (size_t at = 0; at < METRICS_BOUNDS; at++) {
		Prometheus__Bucket *bucket = &histogram->classic[at];

		prometheus__bucket__init(bucket);
		bucket->cumulative_count = below[at];
		bucket->upper_bound =
		    (double)(1ull << (METRICS_BOUND_FIRST + at * METRICS_BOUND_STEP)) / 1e9;
		histogram->classic_pointers[at] = bucket;
	}
	histogram->message.bucket = histogram->classic_pointers;
	histogram->message.n_bucket = METRICS_BOUNDS;
}

static void protobuf_histogram(
    struct metrics_writer *writer, struct metrics_piece labels, const struct metrics_series *series)
{
	Prometheus__Metric metric = PROMETHEUS__METRIC__INIT;
	struct histogram histogram;

	prometheus__histogram__init(&histogram.message);
	histogram.message.sample_count = series->returned;
	histogram.message.sample_sum =
	    in_unit(writer, series->total_ns > 0 ? (uint64_t)series->total_ns : 0);
	add_native(&histogram, series);
	add_classic(&histogram, series);
	metric.histogram = &histogram.message;
	add_metric(writer->out, labels, (struct metrics_piece){0}, &metric);
}

/* ---- Families ---- */

static void protobuf_begin(struct metrics_writer *writer)
{
	static const Prometheus__MetricType types[] = {
	    [METRIC_COUNTER] = PROMETHEUS__METRIC_TYPE__COUNTER,
	    [METRIC_GAUGE] = PROMETHEUS__METRIC_TYPE__GAUGE,
	    [METRIC_HISTOGRAM] = PROMETHEUS__METRIC_TYPE__HISTOGRAM};
	Prometheus__MetricFamily family = PROMETHEUS__METRIC_FAMILY__INIT;
	char name[128];

	snprintf(name, sizeof(name), "%s%s", writer->family->name, writer->family->total);
	family.name = name;
	family.help = (char *)writer->family->help;
	family.type = types[writer->family->type];
	add_length(writer->out, 0, LENGTH_BYTES); /* known at the end */
	add_packed(writer->out, &family.base, prometheus__metric_family__get_packed_size(&family));
}

static void protobuf_end(struct metrics_writer *writer)
{
	uint8_t length[10];

	if (writer->out->failed)
		return;
	(void)encode_length(
	    writer->out->size - writer->family_at - LENGTH_BYTES, LENGTH_BYTES, length);
	memcpy(writer->out->data + writer->family_at, length, LENGTH_BYTES);
}

static void protobuf_finish(struct metrics_writer *writer)
{
	(void)writer;
}

const struct metrics_sink metrics_sink_protobuf = {
    .whole = true, /* the length comes first */
    .labels = protobuf_labels,
    .begin = protobuf_begin,
    .value = protobuf_value,
    .histogram = protobuf_histogram,
    .end = protobuf_end,
    .finish = protobuf_finish,
};
