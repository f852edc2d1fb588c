// SPDX-License-Identifier: GPL-2.0-or-later
// Reads what formats a scraper accepts.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "output/metrics.h"

#define PROTOBUF_TYPE    "application/vnd.google.protobuf"
#define PROTOBUF_MESSAGE "io.prometheus.client.MetricFamily"

static const char *const content_types[] = {
    [METRICS_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
    [METRICS_OPEN] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
    [METRICS_PROTOBUF] = PROTOBUF_TYPE "; proto=" PROTOBUF_MESSAGE "; encoding=delimited",
};

const char *metrics_content_type(enum metrics_format format)
{
	return content_types[format];
}

/* A part of the header, without spaces around it. */
struct part {
	const char *text;
	size_t size;
};

/* Takes the part up to a separator off `rest`. */
static struct part take_part(struct part *rest, char separator)
{
	const char *end = memchr(rest->text, separator, rest->size);
	struct part part = {rest->text, end ? (size_t)(end - rest->text) : rest->size};
	size_t taken = part.size + (end != NULL);

	rest->text += taken;
	rest->size -= taken;
	while (part.size && strchr(" \t", *part.text))
		part = (struct part){part.text + 1, part.size - 1};
	while (part.size && strchr(" \t", part.text[part.size - 1]))
		part.size--;
	return part;
}

static bool is_text(struct part part, const char *text)
{
	return part.size == strlen(text) && !strncasecmp(part.text, text, part.size);
}

/* "0.75"; what is not a number is 0, so that it is not preferred. */
static double read_quality(struct part part)
{
	char text[8] = "";

	memcpy(text, part.text, part.size < sizeof(text) ? part.size : sizeof(text) - 1);
	return strspn(text, "0123456789.") == strlen(text) ? atof(text) : 0;
}

/* One "TYPE; NAME=VALUE; q=0.5": which of ours it is, -1: none. */
static int read_range(struct part range, double *ret_quality)
{
	const struct part type = take_part(&range, ';');
	bool ours = false, delimited = false;

	*ret_quality = 1;
	while (range.size) {
		struct part parameter = take_part(&range, ';');
		const struct part name = take_part(&parameter, '=');
		const struct part value = take_part(&parameter, '\0');

		if (is_text(name, "q"))
			*ret_quality = read_quality(value);
		else if (is_text(name, "proto"))
			ours = is_text(value, PROTOBUF_MESSAGE);
		else if (is_text(name, "encoding"))
			delimited = is_text(value, "delimited");
	}
	if (is_text(type, PROTOBUF_TYPE))
		return ours && delimited ? METRICS_PROTOBUF : -1;
	if (is_text(type, "application/openmetrics-text"))
		return METRICS_OPEN;
	return is_text(type, "text/plain") || is_text(type, "text/*") || is_text(type, "*/*")
		   ? METRICS_TEXT
		   : -1;
}

enum metrics_format metrics_negotiate(const char *accept)
{
	struct part rest = {accept ? accept : "", accept ? strlen(accept) : 0};
	enum metrics_format best = METRICS_TEXT;
	double quality = 0;

	while (rest.size) {
		double wanted;
		int format = read_range(take_part(&rest, ','), &wanted);

		if (format >= 0 && wanted > quality) {
			best = (enum metrics_format)format;
			quality = wanted;
		}
	}
	return best;
}
