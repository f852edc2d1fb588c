/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked to be probed, as it stands in the parameters of Add, in the state file and in
 *lists:
 *	{"specs": [{"text", "lines", "rate"}], "image" or "pids": [], "exit": "auto", "budget":
 *PERCENT, "follow": true, "cpu_hz": N, "outputs": [PATH], "for_ns": N}
 */
#ifndef LPROF_CONTROL_REQUEST_H
#define LPROF_CONTROL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "input/json_place.h"
#include "output/json_stream.h"
#include "target/selection.h"
#include "target/plan.h"

#define REQUEST_SPECS_MAX   256
#define REQUEST_PIDS_MAX    256
#define REQUEST_OUTPUTS_MAX 8
#define REQUEST_TEXT_MAX    4096
#define REQUEST_HZ_MAX      100000

struct probe_request {
	ARRAY(struct spec_request) specs; /* texts are owned */
	ARRAY(pid_t) pids;
	char *image; /* NULL: of the pids */
	enum plan_exit exit;
	double budget; /* percent of one CPU; 0: as configured */
	bool follow;
	uint32_t
	    cpu_hz;   /* samples a second of CPU time, 0: none; without specs there is only that */
	bool off_cpu; /* times are split by the scheduler */
	ARRAY(char *) outputs;
	uint64_t for_ns; /* the probe goes away after this time, 0: never */
};

/* -EINVAL (-EBADMSG of json_place) with a sentence naming the key. Free in any case. */
int request_read(const struct json_place *object, struct probe_request *ret_request);
void request_write(const struct probe_request *request, struct json_stream *json);
void request_fini(struct probe_request *request);

/* Whether both ask for the same probes; outputs and end may differ. */
bool request_equal(const struct probe_request *a, const struct probe_request *b);

/* Whether a spec of it has this very text. */
bool request_has_spec(const struct probe_request *request, const char *text);

#endif
