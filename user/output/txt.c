// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the report as a file.
#include "output/output.h"
#include "output/report.h"

int output_write_txt(const struct profile *profile, FILE *stream,
    const struct output_options *options, struct failure *failure)
{
	const struct report_options plain = {.public_sources = options->public_sources};

	return report_print(profile, stream, &plain)
		   ? failure_set(failure, ENOMEM, "no memory to print the report")
		   : 0;
}
