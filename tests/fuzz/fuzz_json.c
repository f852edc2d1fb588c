// SPDX-License-Identifier: GPL-2.0-or-later
// Feeds the json reader, and all that lprof does with what it accepted.
#include "fuzz/profile_exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	struct failure failure = {0};

	if (input_read_json("fuzz", (const char *)bytes, size, &profile, &failure)) {
		if (!failure.text[0] || profile)
			abort();
		return 0;
	}
	exercise_profile(profile);
	return 0;
}
