// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the profile as one page that a browser shows without any network: the page that
// user/output/page/ holds, then two elements of data that its script reads:
//	profile  the native profile
//	page     {"version", "functions": [{"median_ns", "p99_ns"}...], "losses": {cause: sentence},
//	         "sources": [{"file", "state": "present"|"changed"|"missing",
//	                      "blocks": [[first line, ["text"...]]...]}...]}
//
// Data stay data: every "<" in them is written as an escape of JSON, so no name and no source line
// can end its element, and the script makes text of them, never markup.
#include "output/html_sources.h"
#include "output/output.h"

#include "model/distribution.h"
#include "output/json_stream.h"

static const unsigned char page[] = {
#include "page.inc"
};

static ssize_t write_escaped(void *stream, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] == '<')
			fputs("\\u003c", stream);
		else
			fputc(text[i], stream);
	return ferror((FILE *)stream) ? -1 : (ssize_t)size;
}

/* A stream that writes JSON to `stream` as an element's text; NULL: no memory. */
static FILE *element_open(FILE *stream, const char *id)
{
	fprintf(stream, "<script type=\"application/json\" id=\"%s\">", id);
	return fopencookie(stream, "w", (cookie_io_functions_t){.write = write_escaped});
}

static int element_close(FILE *element, FILE *stream)
{
	int error = fclose(element) ? -ENOMEM : 0;

	fputs("</script>\n", stream);
	return error;
}

static int write_profile(const struct profile *profile, FILE *stream, struct failure *failure)
{
	static const struct output_options options;
	FILE *element = element_open(stream, "profile");
	int error;

	if (!element)
		return -ENOMEM;
	error = output_write_json(profile, element, &options, failure);
	return element_close(element, stream) ?: error;
}

static void write_losses(struct json_stream *json)
{
	json_open(json, "losses", '{', JSON_COMPACT);
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		json_text(json, loss_cause(loss), loss_sentence(loss));
	json_close(json);
}

static void write_quantiles(struct json_stream *json, const struct profile *profile)
{
	json_open(json, "functions", '[', JSON_ROWS);
	ARRAY_FOREACH (function, &profile->functions) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_unsigned(json, "median_ns", distribution_quantile(function, 0.5));
		json_unsigned(json, "p99_ns", distribution_quantile(function, 0.99));
		json_close(json);
	}
	json_close(json);
}

static int write_page(const struct profile *profile, bool public_sources, FILE *stream)
{
	FILE *element = element_open(stream, "page");
	struct json_stream json = {.file = element};
	int error;

	if (!element)
		return -ENOMEM;
	json_open(&json, NULL, '{', JSON_ROWS);
	json_text(&json, "version", LPROF_VERSION);
	write_losses(&json);
	write_quantiles(&json, profile);
	error = html_sources_write(profile, public_sources, &json);
	json_close(&json);
	return element_close(element, stream) ?: error;
}

int output_write_html(const struct profile *profile, FILE *stream,
    const struct output_options *options, struct failure *failure)
{
	int error;

	fwrite(page, 1, sizeof(page), stream);
	error = write_profile(profile, stream, failure);
	error = error ?: write_page(profile, options->public_sources, stream);
	return error ? failure_set(failure, -error, "no memory to write the profile as a page") : 0;
}
