// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof add`: has lprofd set probes, and prints what they cost.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/control_call.h"
#include "cmd/options.h"
#include "output/json_stream.h"
#include "output/text.h"

static const char *const exit_names[] = {
    [PLAN_EXIT_AUTO] = "auto", [PLAN_EXIT_RETURN] = "return", [PLAN_EXIT_SITES] = "sites"};

/* As lprofd, which runs elsewhere, finds it. NULL: no memory. */
static char *absolute(const char *path)
{
	CLEANUP_FREE char *here = *path == '/' ? strdup("") : getcwd(NULL, 0);
	char *joined;

	if (!here || asprintf(&joined, "%s%s%s", here, *path == '/' ? "" : "/", path) < 0)
		return NULL;
	return joined;
}

static void write_path(struct json_stream *json, const char *key, const char *path)
{
	CLEANUP_FREE char *whole = absolute(path);

	json_text(json, key, whole ? whole : path);
}

static void write_specs(struct json_stream *json, const struct measure_options *options)
{
	json_open(json, "specs", '[', JSON_COMPACT);
	ARRAY_FOREACH (spec, &options->specs) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "text", spec->text);
		json_boolean(json, "lines", spec->lines);
		json_real(json, "rate", spec->rate);
		json_close(json);
	}
	json_close(json);
}

static void write_request(const struct measure_options *options, FILE *stream)
{
	struct json_stream json = {.file = stream};

	json_open(&json, NULL, '{', JSON_COMPACT);
	write_specs(&json, options);
	if (options->image)
		write_path(&json, "image", options->image);
	json_open(&json, "pids", '[', JSON_COMPACT);
	ARRAY_FOREACH (pid, &options->pids)
		json_signed(&json, NULL, *pid);
	json_close(&json);
	json_text(&json, "exit", exit_names[options->exit]);
	if (options->budget_percent > 0)
		json_real(&json, "budget", options->budget_percent);
	json_boolean(&json, "follow", options->follow);
	if (options->off_cpu)
		json_boolean(&json, "off_cpu", true);
	if (options->cpu)
		json_unsigned(&json, "cpu_hz", options->cpu_hz);
	json_open(&json, "outputs", '[', JSON_COMPACT);
	ARRAY_FOREACH (output, &options->outputs)
		write_path(&json, NULL, *output);
	json_close(&json);
	json_unsigned(&json, "for_ns", options->duration_ns);
	json_close(&json);
}

static void print_functions(struct json_object *functions)
{
	size_t count = json_object_array_length(functions);

	if (count)
		printf("  %12s  %5s  %-6s  %s\n", "ns a call", "sites", "exits", "function");
	for (size_t at = 0; at < count; at++) {
		struct json_object *function = json_object_array_get_idx(functions, at);

		printf("  %12lld  %5lld  %-6s  ", (long long)control_number(function, "price_ns"),
		    (long long)control_number(function, "sites"), control_text(function, "exit"));
		text_print(stdout, control_text(function, "name"), 200);
		putchar('\n');
	}
}

static void print_reply(struct json_object *reply)
{
	struct json_object *probe = json_object_object_get(reply, "probe");
	struct json_object *left = json_object_object_get(reply, "left_out");

	printf("probe %lld%s\n", (long long)control_number(probe, "id"),
	    json_object_get_boolean(json_object_object_get(reply, "created")) ? ""
									      : " stands already");
	if (json_object_object_get_ex(json_object_object_get(probe, "request"), "cpu_hz", NULL))
		printf("  samples CPU time of %lld processes\n",
		    (long long)control_number(probe, "sampled"));
	print_functions(json_object_object_get(reply, "functions"));
	for (size_t at = 0; left && at < json_object_array_length(left); at++) {
		fputs("  left out: ", stdout);
		text_print(
		    stdout, json_object_get_string(json_object_array_get_idx(left, at)), 400);
		putchar('\n');
	}
}

static int add(const struct measure_options *options)
{
	const struct control_options control = {.command = "add", .json = options->json};
	CLEANUP(json_document_put_p) struct json_object *reply = NULL;
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	struct failure failure = {0};
	int status;

	if (memory_text_init(&text) == 0) {
		write_request(options, text.file);
		if (memory_text_end(&text))
			failure_set(&failure, ENOMEM, "out of memory");
	}
	if (failure.code || !text.text)
		return cmd_failed("add", options->json, &failure);
	status = control_call(&control, "Add", text.text, &reply);
	if (status != STATUS_OK)
		return status;
	if (options->json)
		control_print_json(reply);
	else
		print_reply(reply);
	return STATUS_OK;
}

int cmd_add(int argc, char **argv)
{
	struct measure_options options;
	int status;

	if (measure_options_parse(OPTIONS_ADD, argc, argv, &options, &status))
		status = add(&options);
	measure_options_fini(&options);
	return status;
}
