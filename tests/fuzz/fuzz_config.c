// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzzes the readers of lprofd's configuration and of its files of probes.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "control/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_FREE char *text = strndup((const char *)data, size);
	struct config config CLEANUP(config_fini) = {0};
	struct probe_request request CLEANUP(request_fini) = {0};
	struct failure failure = {0};

	if (!text || config_init(&config))
		return 0;
	/* A refusal has a sentence, and success none. */
	if (!config_read_text(&config, "x", text, &failure) != !failure.code)
		__builtin_trap();
	failure = (struct failure){0};
	if (!config_read_probe_text("x", text, &request, &failure) != !failure.code)
		__builtin_trap();
	return 0;
}
