// SPDX-License-Identifier: GPL-2.0-or-later
// Writes folded stacks, one a line with its weight: "main;add;add.c:6 3000000".
//
// Weights are samples where the CPU was sampled, else nanoseconds without callees, by caller. The
// format has no comments: names say what must be said, " [timed 2 of 20 calls]".
#include "output/output.h"

#include <inttypes.h>

#include "output/flames.h"

int output_write_folded(const struct profile *profile, FILE *stream,
    const struct output_options *options, struct failure *failure)
{
	CLEANUP(names_free_p)
	struct names *names =
	    names_new(profile, &(struct names_options){.forbidden = ";", .mark_partial = true});
	struct flames flames;
	int error = flames_init(&flames, profile, names, ";");

	(void)options;
	(void)failure;
	if (!error)
		error = flames_build(&flames, profile->stacks.count ? FLAMES_CPU : FLAMES_CALLERS);
	if (!error) {
		ARRAY_FOREACH (stack, &flames.stacks) {
			for (size_t i = 0; i < stack->count; i++)
				fprintf(stream, "%s%s", i ? ";" : "",
				    flames.frames.items[flames.places.items[stack->first + i]]
					.name);
			fprintf(stream, " %" PRIu64 "\n", stack->weight);
		}
		names_report(".folded", profile_sum(names->shortened, flames.shortened));
	}
	flames_fini(&flames);
	return error;
}
