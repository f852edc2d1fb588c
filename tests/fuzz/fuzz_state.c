// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzzes the reader of lprofd's state file.
#include <stdint.h>

#include "control/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state state CLEANUP(state_fini) = {0};
	struct failure failure = {0};

	if (!state_read("x", (const char *)data, size, &state, &failure) != !failure.code)
		__builtin_trap();
	return 0;
}
