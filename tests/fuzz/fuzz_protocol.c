// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzzes what lprofd makes of a message: the call, and the request among its parameters.
#include <stdint.h>

#include "control/protocol.h"
#include "control/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct protocol_call call CLEANUP(protocol_call_fini) = {0};
	struct probe_request request CLEANUP(request_fini) = {0};
	struct failure failure = {0};
	struct json_place parameters = {.name = "parameters", .failure = &failure};

	if (protocol_read_call((const char *)data, size, &call, &failure) || !call.parameters)
		return 0;
	parameters.value = call.parameters;
	if (request_read(&parameters, &request) == 0 && !request_equal(&request, &request))
		__builtin_trap();
	return 0;
}
