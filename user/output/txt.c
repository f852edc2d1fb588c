// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the report as a file.
#include "output/output.h"
#include "output/report.h"

int output_write_txt(const struct profile *profile, FILE *stream,
    const struct output_options *options, struct failure *failure)
{
	(void)options;
	return report_print(profile, stream, &(struct report_options){.color = false})
		   ? failure_set(failure, ENOMEM, "no memory to print the report")
		   : 0;
}
