// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the pages that lprofd serves.
#include "control/http_pages.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/json_document.h"
#include "control/sampling.h"
#include "output/output.h"
#include "output/report.h"

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_HTML "text/html; charset=utf-8"

enum { STATUS_OK = 200, STATUS_BAD_REQUEST = 400, STATUS_NOT_FOUND = 404, STATUS_ERROR = 500 };

void http_page_refuse(struct http_page *page, unsigned status, const char *sentence)
{
	page->status = status;
	page->content_type = TYPE_TEXT;
	page->text = strdup(sentence);
	page->size = page->text ? strlen(sentence) : 0;
}

void http_page_fini(struct http_page *page)
{
	free(page->text);
	metrics_close(page->stream);
	*page = (struct http_page){0};
}

static void page_take(struct http_page *page, const char *type, struct memory_text *text)
{
	if (memory_text_end(text)) {
		http_page_refuse(page, STATUS_ERROR, "out of memory\n");
		return;
	}
	page->status = STATUS_OK;
	page->content_type = type;
	page->size = text->size;
	page->text = TAKE(text->text);
}

static void fill_push(const struct push *push, struct metrics_health *health)
{
	struct push_status status;

	push_get_status(push, &status);
	health->pushes[0] = status.pushed;
	health->pushes[1] = status.failed;
	health->pushes[2] = status.dropped;
	health->push_spool = status.spooled;
	health->push_spool_bytes = status.spool_bytes;
}

static void fill_health(const struct daemon *daemon, struct metrics_health *health)
{
	struct engine_fill fill;

	engine_fill(daemon->engine, &fill);
	ARRAY_FOREACH (probe, &daemon->probes.all)
		health->probes += (*probe)->active;
	health->clients = server_clients(daemon->server);
	health->restarts = daemon->restarts;
	health->scrapes = daemon->scrapes;
	health->scrape_ns = daemon->scrape_ns;
	health->tables[0].name = "functions";
	health->tables[0].used = fill.functions;
	health->tables[0].size = fill.functions_max;
	health->tables[1].name = "sites";
	health->tables[1].used = fill.sites;
	health->tables[1].size = fill.sites_max;
	health->tables[2].name = "lines";
	health->tables[2].used = fill.lines;
	health->tables[2].size = fill.lines_max;
	if (daemon->push)
		fill_push(daemon->push, health);
}

/* Series of probes that were removed disappear. */
static int drain_active(
    struct daemon *daemon, struct profile **ret_profile, struct failure *failure)
{
	CLEANUP_FREE bool *wanted = NULL;
	int error = probes_select(&daemon->probes, 0, NULL, &wanted, failure);

	if (error)
		return error;
	ARRAY_FOREACH (probe, &daemon->probes.all)
		ARRAY_FOREACH (part, &(*probe)->parts)
			if (!(*probe)->active)
				wanted[part->number] = false;
	return sampling_drain(&daemon->probes, wanted, ret_profile, failure);
}

static void make_metrics(
    struct daemon *daemon, const struct http_query *query, struct http_page *page)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	const struct metrics_options options = {
	    .format = metrics_negotiate(query->accept),
	    .lines_max = daemon->config.numbers[CONFIG_metrics_lines],
	    .sampled_max = daemon->config.numbers[CONFIG_metrics_sampled],
	    .marks = &daemon->marks,
	    .took_ns = &daemon->scrape_ns,
	};
	struct metrics_health health = {0};
	struct failure failure = {0};
	uint64_t begun = clock_ns(CLOCK_MONOTONIC);

	daemon->scrapes++;
	if (drain_active(daemon, &profile, &failure)) {
		http_page_refuse(page, STATUS_ERROR, "the counters cannot be read\n");
		return;
	}
	health.drain_ns = clock_ns(CLOCK_MONOTONIC) - begun;
	fill_health(daemon, &health);
	page->stream = metrics_open(TAKE(profile), &health, &options);
	if (!page->stream) {
		http_page_refuse(page, STATUS_ERROR, "out of memory\n");
		return;
	}
	page->content_type = metrics_content_type(options.format);
	page->status = STATUS_OK;
}

static const char *type_of(const char *extension)
{
	bool is_text = !strcmp(extension, ".txt") || !strcmp(extension, ".folded") ||
		       !strcmp(extension, ".callgrind");

	return string_ends(extension, ".json") ? "application/json"
	       : is_text                       ? TYPE_TEXT
	       : !strcmp(extension, ".html")   ? TYPE_HTML
					       : "application/octet-stream";
}

/* "?format=json": any of the formats that files have, by their extension. */
static void make_profile(
    struct daemon *daemon, const struct http_query *query, struct http_page *page)
{
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	static const struct output_options plain = {.public_sources = true};
	const struct output_format *format;
	struct failure failure = {0};
	char name[64];

	snprintf(name, sizeof(name), "profile.%s", query->format ? query->format : "txt");
	format = output_format_for(name, &failure);
	if (!format)
		http_page_refuse(page, STATUS_BAD_REQUEST, failure.text);
	else if (memory_text_init(&text) ||
		 sampling_drain(&daemon->probes, NULL, &profile, &failure) ||
		 format->write(profile, text.file, &plain, &failure))
		http_page_refuse(page, STATUS_ERROR, "the profile cannot be written\n");
	else
		page_take(page, type_of(format->extension), &text);
}

static void write_escaped(FILE *file, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", file);
		else if (*text == '&')
			fputs("&amp;", file);
		else
			fputc(*text, file);
	}
}

static void make_home(struct daemon *daemon, struct http_page *page)
{
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	struct memory_text report CLEANUP(memory_text_fini) = {0};
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	const struct report_options options = {.public_sources = true};

	if (memory_text_init(&text) || memory_text_init(&report) ||
	    sampling_drain(&daemon->probes, NULL, &profile, NULL) ||
	    report_print(profile, report.file, &options) || memory_text_end(&report)) {
		http_page_refuse(page, STATUS_ERROR, "the profile cannot be written\n");
		return;
	}
	fputs("<!DOCTYPE html><meta charset=utf-8><meta http-equiv=refresh content=5>"
	      "<title>lprofd</title><p><a href=/metrics>metrics</a> "
	      "<a href='/profile?format=html'>page</a> "
	      "<a href='/profile?format=json'>profile</a> <a href=/healthz>health</a><pre>",
	    text.file);
	write_escaped(text.file, report.text);
	fputs("</pre>\n", text.file);
	page_take(page, TYPE_HTML, &text);
}

void http_page_make(struct daemon *daemon, const struct http_query *query, struct http_page *page)
{
	if (!strcmp(query->path, "/metrics"))
		make_metrics(daemon, query, page);
	else if (!strcmp(query->path, "/profile"))
		make_profile(daemon, query, page);
	else if (!strcmp(query->path, "/healthz"))
		http_page_refuse(page, STATUS_OK, "ok\n");
	else if (!strcmp(query->path, "/"))
		make_home(daemon, page);
	else
		http_page_refuse(page, STATUS_NOT_FOUND,
		    "there is /, /metrics, /profile?format=FORMAT and /healthz\n");
}
