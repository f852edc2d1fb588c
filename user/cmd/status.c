// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof status`: how lprofd is.
#include <inttypes.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/control_call.h"
#include "output/text.h"

#define PROBLEM_SHOWN 300 /* characters */

static void print_table(struct json_object *reply, const char *used, const char *most)
{
	printf("  %-10s %" PRId64 " of %" PRId64 "\n", used, control_number(reply, used),
	    control_number(reply, most));
}

static void print_push(struct json_object *push)
{
	const char *problem = control_text(push, "problem");

	printf("Pushes to %s (%s): %" PRId64 " accepted, %" PRId64 " dropped, %" PRId64
	       " wait, %" PRId64 " of %" PRId64 " bytes\n",
	    control_text(push, "url"), control_text(push, "store"), control_number(push, "pushed"),
	    control_number(push, "dropped"), control_number(push, "spooled"),
	    control_number(push, "spool_bytes"), control_number(push, "spool_bytes_max"));
	if (!*problem)
		return;
	printf("  %" PRId64 " attempts failed, now: ", control_number(push, "failed"));
	text_print(stdout, problem, PROBLEM_SHOWN);
	printf("; again in %.1f s\n", (double)control_number(push, "next_ns") / 1e9);
}

static void print_status(struct json_object *reply)
{
	struct json_object *losses = json_object_object_get(reply, "losses");
	int64_t since = (int64_t)time(NULL) - control_number(reply, "started_ns") / 1000000000;

	printf("lprofd %s, process %" PRId64 ", measuring for %" PRId64 " s, over %" PRId64
	       " restarts\n",
	    control_text(reply, "version"), control_number(reply, "pid"), since,
	    control_number(reply, "restarts"));
	printf("%" PRId64 " probes, %" PRId64 " clients, %" PRId64 " hits, %.3f%% of a CPU\n",
	    control_number(reply, "probes"), control_number(reply, "clients"),
	    control_number(reply, "hits"),
	    100 * json_object_get_double(json_object_object_get(reply, "share_of_cpu")));
	if (control_number(reply, "sampling_hz"))
		printf("%" PRId64 " samples of CPU time at %" PRId64 " Hz\n",
		    control_number(reply, "cpu_samples"), control_number(reply, "sampling_hz"));
	puts("Tables:");
	print_table(reply, "functions", "functions_max");
	print_table(reply, "sites", "sites_max");
	print_table(reply, "lines", "lines_max");
	puts(json_object_object_length(losses) ? "Not measured:" : "Nothing was lost.");
	json_object_object_foreach(losses, cause, count)
	    printf("  %-20s %" PRId64 "\n", cause, json_object_get_int64(count));
	if (json_object_object_get(reply, "push"))
		print_push(json_object_object_get(reply, "push"));
}

int cmd_status(int argc, char **argv)
{
	CLEANUP(json_document_put_p) struct json_object *reply = NULL;
	struct control_options options;
	int status;

	if (!control_options_parse(
		argc, argv, false, 0, 0, "takes no arguments", &options, &status))
		return status;
	status = control_call(&options, "Status", NULL, &reply);
	if (status != STATUS_OK)
		return status;
	if (options.json)
		control_print_json(reply);
	else
		print_status(reply);
	return STATUS_OK;
}
