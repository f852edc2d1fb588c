// SPDX-License-Identifier: GPL-2.0-or-later
// Puts rates, losses and cost into sentences.
#include "output/notes.h"

#include <inttypes.h>
#include <stdarg.h>

#include "output/report.h"

struct notes {
	note_taker take;
	void *context;
	int error;
};

__attribute__((format(printf, 2, 3))) static void note(struct notes *notes, const char *format, ...)
{
	va_list arguments;
	char *sentence;
	int length;

	if (notes->error)
		return;
	va_start(arguments, format);
	length = vasprintf(&sentence, format, arguments);
	va_end(arguments);
	if (length < 0) {
		notes->error = -ENOMEM;
		return;
	}
	notes->error = notes->take(notes->context, sentence);
	free(sentence);
}

static void note_losses(struct notes *notes, const struct profile *profile)
{
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (profile->losses[loss])
			note(notes, "not measured: %" PRIu64 " %s", profile->losses[loss],
			    loss_sentence(loss));
	ARRAY_FOREACH (other, &profile->other_losses) {
		CLEANUP_FREE char *cause = name_printable(other->cause, "", NULL);

		note(notes, "not measured: %" PRIu64 " lost by cause %s", other->count,
		    cause ? cause : "?");
	}
}

int notes_list(const struct profile *profile, const struct names *names, uint64_t shortened_more,
    note_taker take, void *context)
{
	struct notes notes = {.take = take, .context = context};
	uint64_t shortened = profile_sum(names->shortened, shortened_more);

	for (size_t i = 0; i < profile->functions.count; i++) {
		const struct profile_function *function = &profile->functions.items[i];

		if (report_is_partial(function))
			note(&notes,
			    "%s: timed %" PRIu64 " of %" PRIu64 " calls; times are of those",
			    names->functions[i], function->timed_calls, function->calls);
		if (function->accounting.open)
			note(&notes,
			    "%s: %" PRIu64 " calls had not ended; they are not in the times",
			    names->functions[i], function->accounting.open);
	}
	note_losses(&notes, profile);
	if (profile->cost.hits)
		note(&notes,
		    "probes: %" PRIu64 " hits cost %" PRIu64 " ns; times are corrected for that",
		    profile->cost.hits, profile->cost.overhead_ns);
	if (profile->cost.off_cpu_ns)
		note(&notes, "of that, following the scheduler cost %" PRIu64 " ns",
		    profile->cost.off_cpu_ns);
	if (shortened)
		note(&notes, "%" PRIu64 " names were shortened to %d characters", shortened,
		    NAME_CHARACTERS_MAX);
	return notes.error;
}
