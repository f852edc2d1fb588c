// SPDX-License-Identifier: GPL-2.0-or-later
// Feeds the reader of pprof's files, uncompressed, and all that lprof does with what it accepted.
#include "fuzz/profile_exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	exercise_reader(input_read_pprof, bytes, size);
	return 0;
}
