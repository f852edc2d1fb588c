// SPDX-License-Identifier: GPL-2.0-or-later
// Writes metrics in Prometheus' text format 0.0.4 and in OpenMetrics 1.0, which differ little.
#include <stdio.h>

#include "output/metrics.h"
#include "output/metrics_sink.h"
#include "output/text.h"

static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

/* ---- Values ---- */

/* Nanoseconds are written as seconds, exactly. */
static void write_number(struct bytes *out, enum metric_unit unit, uint64_t value)
{
	const uint64_t scale = unit == METRIC_NANOSECOND ? 1000000000 : 1;
	uint64_t rest = value % scale;

	bytes_add_number(out, value / scale);
	if (rest) {
		char digits[10];
		int at = sizeof(digits);

		for (int digit = 9; digit > 0; digit--, rest /= 10)
			digits[digit] = (char)('0' + rest % 10);
		digits[0] = '.';
		while (digits[at - 1] == '0')
			at--;
		bytes_add(out, digits, (size_t)at);
	}
	bytes_add(out, "\n", 1);
}

static void write_braced(struct bytes *out, struct metrics_piece labels, struct metrics_piece more)
{
	if (labels.size || more.size) {
		bytes_add(out, "{", 1);
		bytes_add(out, labels.data, labels.size);
		bytes_add(out, ",", labels.size && more.size ? 1 : 0);
		bytes_add(out, more.data, more.size);
		bytes_add(out, "}", 1);
	}
	bytes_add(out, " ", 1);
}

static void text_value(struct metrics_writer *writer, struct metrics_piece labels,
    struct metrics_piece more, uint64_t value)
{
	bytes_add_text(writer->out, writer->family->name);
	bytes_add_text(writer->out, writer->family->total);
	write_braced(writer->out, labels, more);
	write_number(writer->out, writer->family->unit, value);
}

/* One of a histogram's series. */
static void write_part(struct metrics_writer *writer, const char *part, struct metrics_piece labels,
    const char *bound, uint64_t value)
{
	bytes_add_text(writer->out, writer->family->name);
	bytes_add_text(writer->out, part);
	write_braced(writer->out, labels, (struct metrics_piece){bound, strlen(bound)});
	write_number(writer->out, !strcmp(part, "_sum") ? writer->family->unit : METRIC_ONE, value);
}

static void text_histogram(
    struct metrics_writer *writer, struct metrics_piece labels, const struct metrics_series *series)
{
	uint64_t below[METRICS_BOUNDS];

	metrics_below(series, below);
	for (size_t at = 0; at < METRICS_BOUNDS; at++)
		write_part(writer, "_bucket", labels, writer->bounds[at], below[at]);
	write_part(writer, "_bucket", labels, "le=\"+Inf\"", series->returned);
	write_part(
	    writer, "_sum", labels, "", series->total_ns > 0 ? (uint64_t)series->total_ns : 0);
	write_part(writer, "_count", labels, "", series->returned);
}

/* ---- Labels ---- */

static bool is_plain(unsigned char byte)
{
	return byte < 0x80 && byte != '"' && byte != '\\' && byte != '\n';
}

static void write_quoted(struct bytes *out, const char *text)
{
	bytes_add(out, "\"", 1);
	while (*text) {
		size_t length = 0;

		while (text[length] && is_plain((unsigned char)text[length]))
			length++;
		bytes_add(out, text, length);
		text += length;
		if (!*text)
			break;
		length = text_character(text, NULL);
		if (*text == '\n')
			bytes_add(out, "\\n", 2);
		else if (length == 1)
			bytes_add(out, (char[]){'\\', *text}, 2);
		else if (length)
			bytes_add(out, text, length);
		else
			bytes_add_text(out, TEXT_REPLACEMENT);
		text += length ? length : 1;
	}
	bytes_add(out, "\"", 1);
}

static void text_labels(const struct metrics_label *labels, size_t count, struct bytes *out)
{
	for (size_t at = 0; at < count; at++) {
		bytes_add(out, ",", at ? 1 : 0);
		bytes_add_text(out, labels[at].name);
		bytes_add(out, "=", 1);
		write_quoted(out, labels[at].value);
	}
}

/* ---- Families ---- */

static void write_head(struct metrics_writer *writer, const char *what, const char *text)
{
	bytes_add_text(writer->out, what);
	bytes_add_text(writer->out, writer->family->name);
	/* OpenMetrics names the family, the older format the series. */
	bytes_add_text(writer->out, writer->open_metrics ? "" : writer->family->total);
	bytes_add(writer->out, " ", 1);
	bytes_add_text(writer->out, text);
	bytes_add(writer->out, "\n", 1);
}

static void text_begin(struct metrics_writer *writer)
{
	for (size_t at = 0; at < METRICS_BOUNDS; at++)
		snprintf(writer->bounds[at], sizeof(writer->bounds[at]), "le=\"%.9g\"",
		    (double)(1ull << (METRICS_BOUND_FIRST + at * METRICS_BOUND_STEP)) / 1e9);
	write_head(writer, "# HELP ", writer->family->help);
	write_head(writer, "# TYPE ", type_names[writer->family->type]);
}

static void text_end(struct metrics_writer *writer)
{
	(void)writer;
}

static void text_finish(struct metrics_writer *writer)
{
	if (writer->open_metrics)
		bytes_add_text(writer->out, "# EOF\n");
}

const struct metrics_sink metrics_sink_text = {
    .labels = text_labels,
    .begin = text_begin,
    .value = text_value,
    .histogram = text_histogram,
    .end = text_end,
    .finish = text_finish,
};
