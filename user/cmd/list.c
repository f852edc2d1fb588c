// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof list`: shows lprofd's probes.
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/control_call.h"
#include "output/text.h"

static void print_specs(struct json_object *request)
{
	struct json_object *specs = json_object_object_get(request, "specs");
	size_t count = specs ? json_object_array_length(specs) : 0;
	int64_t hz = control_number(request, "cpu_hz");

	for (size_t at = 0; at < count; at++) {
		struct json_object *spec = json_object_array_get_idx(specs, at);

		fputs(json_object_get_boolean(json_object_object_get(spec, "lines")) ? " -l "
										     : " -f ",
		    stdout);
		text_print(stdout, control_text(spec, "text"), 60);
	}
	if (json_object_get_boolean(json_object_object_get(request, "off_cpu")))
		fputs(" --off-cpu", stdout);
	if (hz)
		printf(" --cpu=%" PRId64, hz);
	else if (!count)
		fputs(" (marked functions)", stdout);
}

static void print_where(struct json_object *request)
{
	struct json_object *pids = json_object_object_get(request, "pids");

	if (!pids) {
		fputs(" of ", stdout);
		text_print(stdout, control_text(request, "image"), 200);
		return;
	}
	for (size_t at = 0; at < json_object_array_length(pids); at++)
		printf("%s%" PRId64, at ? "," : " of process ",
		    json_object_get_int64(json_object_array_get_idx(pids, at)));
}

static void print_probe(struct json_object *probe)
{
	struct json_object *request = json_object_object_get(probe, "request");
	bool active = json_object_get_boolean(json_object_object_get(probe, "active"));
	int64_t ends_ns = control_number(probe, "ends_ns");

	printf("%5" PRId64 "  %-6s  %5" PRId64 "  %6" PRId64 " ", control_number(probe, "id"),
	    active ? "active" : "ended", control_number(probe, "functions"),
	    control_number(probe, "sites"));
	print_specs(request);
	print_where(request);
	if (active && json_object_get_double(json_object_object_get(probe, "budget_percent")) > 0) {
		printf(" at most %g%%",
		    json_object_get_double(json_object_object_get(probe, "budget_percent")));
		if (strcmp(control_text(probe, "budget_state"), "full") != 0)
			printf(" (%s)", control_text(probe, "budget_state"));
	}
	if (active && ends_ns)
		printf(" for %" PRId64 " s", ends_ns / 1000000000 - (int64_t)time(NULL));
	if (*control_text(probe, "problem"))
		printf("\n       ! %s", control_text(probe, "problem"));
	putchar('\n');
}

int cmd_list(int argc, char **argv)
{
	CLEANUP(json_document_put_p) struct json_object *reply = NULL;
	struct control_options options;
	struct json_object *probes;
	int status;

	if (!control_options_parse(
		argc, argv, false, 0, 0, "takes no arguments", &options, &status))
		return status;
	status = control_call(&options, "List", NULL, &reply);
	if (status != STATUS_OK)
		return status;
	if (options.json) {
		control_print_json(reply);
		return STATUS_OK;
	}
	probes = json_object_object_get(reply, "probes");
	if (json_object_array_length(probes))
		puts("   id  state   funcs   sites  probe");
	for (size_t at = 0; at < json_object_array_length(probes); at++)
		print_probe(json_object_array_get_idx(probes, at));
	return STATUS_OK;
}
