// SPDX-License-Identifier: GPL-2.0-or-later
// Reads calls, and describes the interface.
#include "control/protocol.h"

#include <errno.h>

const char protocol_description[] =
    "# Probes of running programs, kept by lprofd.\n"
    "interface io.lprof.Control\n"
    "\n"
    "# A function's name, a glob, FILE:LINE or FILE:*, with IMAGE: in front for a library.\n"
    "type Spec (text: string, lines: ?bool, rate: ?float)\n"
    "\n"
    "# What is asked: of an image, whoever runs it, or of processes.\n"
    "type Request (\n"
    "  specs: []Spec,\n"
    "  image: ?string,\n"
    "  pids: ?[]int,\n"
    "  exit: ?string,\n"
    "  budget: ?float,\n"
    "  follow: ?bool,\n"
    "  cpu_hz: ?int,\n"
    "  off_cpu: ?bool,\n"
    "  outputs: ?[]string,\n"
    "  for_ns: ?int\n"
    ")\n"
    "\n"
    "# A function of a probe, and what a call of it costs.\n"
    "type Function (name: string, file: string, line: int, exit: string, sites: int,\n"
    "  price_ns: int)\n"
    "\n"
    "type Probe (id: int, user: int, active: bool, ends_ns: int, request: Request,\n"
    "  budget_percent: float, budget_state: string, problem: ?string, builds: int, functions: int, "
    "sites: int, refused: int, targets: int,\n"
    "  sampled: int)\n"
    "\n"
    "# Sets probes. The same request again is the same probe, with a new end. With `cpu_hz` CPU\n"
    "# time is sampled so often, in all code of whom it is about; without specs there is only "
    "that.\n"
    "method Add(specs: []Spec, image: ?string, pids: ?[]int, exit: ?string, follow: ?bool,\n"
    "  budget: ?float, cpu_hz: ?int, off_cpu: ?bool, outputs: ?[]string, for_ns: ?int)\n"
    "  -> (probe: Probe, created: bool, functions: []Function, left_out: []string)\n"
    "\n"
    "# Removes probes, named by id or by a spec as it was asked for. Their data stays.\n"
    "method Remove(probes: []string) -> (removed: []int)\n"
    "\n"
    "method List() -> (probes: []Probe)\n"
    "\n"
    "# The share of calls to time, from now on: of a probe by its id, or of functions by name.\n"
    "method SetRate(probe: string, rate: float) -> (functions: int)\n"
    "\n"
    "# The native profile so far.\n"
    "method Collect() -> (profile: object)\n"
    "\n"
    "# Starts counters from zero, and forgets probes that ended.\n"
    "method Reset() -> ()\n"
    "\n"
    "method Status() -> (version: string, pid: int, started_ns: int, restarts: int, probes: int,\n"
    "  clients: int, functions: int, functions_max: int, sites: int, sites_max: int,\n"
    "  lines: int, lines_max: int, hits: int, overhead_ns: int, sampling_hz: int,\n"
    "  cpu_samples: int, losses: [string]int, push: ?Push)\n"
    "# What is pushed to a profile store; counts are since this process started.\n"
    "type Push (url: string, store: string, pushed: int, failed: int, dropped: int,\n"
    "  spooled: int, spool_bytes: int, spool_bytes_max: int, pushed_ns: int,\n"
    "  problem: ?string, next_ns: ?int)\n"
    "\n"
    "# With `more`: the counts of all functions, again and again; with `lines` of their lines "
    "too.\n"
    "# Times are of timed calls; `now_ns` is the monotonic clock's. Samples are told where some "
    "are\n"
    "# taken, times off the CPU of those whose are measured; what is `sampled_only` has no other\n"
    "# counts.\n"
    "type Line (file: ?string, line: int, hits: int, total_ns: int, self_ns: int,\n"
    "  sampled_only: ?bool, cpu_samples: ?int, cpu_total_samples: ?int, blocked_ns: ?int,\n"
    "  waiting_ns: ?int)\n"
    "type Counts (name: string, file: string, line: int, image: string, calls: int,\n"
    "  timed_calls: int, open_calls: int, total_ns: int, self_ns: int, sampled_only: ?bool,\n"
    "  cpu_samples: ?int, cpu_total_samples: ?int, blocked_ns: ?int, waiting_ns: ?int,\n"
    "  lines: ?[]Line)\n"
    "method Watch(interval_ms: ?int, lines: ?bool) -> (now_ns: int, probes: int, hits: int,\n"
    "  overhead_ns: int, sampling_period_ns: ?int, losses: [string]int, functions: []Counts)\n"
    "\n"
    "error Failed (code: string, message: string)\n";

static int read_document(struct protocol_call *call, struct failure *failure)
{
	struct json_place document = {
	    .name = "message", .value = call->document, .failure = failure};
	struct json_place parameters;
	int error = json_expect(&document, json_type_object);

	if (error || (error = json_get_text(&document, "method", &call->method)) ||
	    (error = json_get_bool(&document, "more", &call->more)) ||
	    (error = json_get_bool(&document, "oneway", &call->oneway)))
		return error;
	if (!call->method)
		return json_refuse(&document, "has no \"method\"");
	if (!json_member(&document, "parameters", &parameters))
		return 0;
	call->parameters = parameters.value;
	return json_expect(&parameters, json_type_object);
}

int protocol_read_call(
    const char *bytes, size_t size, struct protocol_call *ret_call, struct failure *failure)
{
	int error;

	*ret_call = (struct protocol_call){0};
	error = json_document_parse("message", bytes, size, &ret_call->document, failure);
	return error ? error : read_document(ret_call, failure);
}

void protocol_call_fini(struct protocol_call *call)
{
	json_object_put(call->document);
	*call = (struct protocol_call){0};
}
