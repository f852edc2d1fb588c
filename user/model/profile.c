// SPDX-License-Identifier: GPL-2.0-or-later
// Owns profiles in memory: their life, their strings, their sums, and the names of losses.
#include "model/profile.h"

#include <string.h>

struct profile *profile_new(void)
{
	struct profile *profile = calloc(1, sizeof(*profile));

	if (!profile)
		return NULL;
	profile->strings = strings_new();
	if (!profile->strings) {
		free(profile);
		return NULL;
	}
	profile->host.kernel = profile_intern(profile, "");
	profile->host.clock = profile_intern(profile, "");
	if (!profile->host.kernel || !profile->host.clock) {
		profile_free(profile);
		return NULL;
	}
	return profile;
}

void profile_free(struct profile *profile)
{
	if (!profile)
		return;
	ARRAY_FOREACH (function, &profile->functions) {
		ARRAY_FREE(&function->histogram);
		ARRAY_FREE(&function->callers);
		ARRAY_FREE(&function->lines);
	}
	ARRAY_FOREACH (stack, &profile->stacks)
		ARRAY_FREE(&stack->frames);
	ARRAY_FREE(&profile->targets);
	ARRAY_FREE(&profile->images);
	ARRAY_FREE(&profile->functions);
	ARRAY_FREE(&profile->frames);
	ARRAY_FREE(&profile->stacks);
	ARRAY_FREE(&profile->omissions);
	ARRAY_FREE(&profile->other_losses);
	strings_free(profile->strings);
	free(profile);
}

const char *profile_intern(struct profile *profile, const char *text)
{
	return strings_intern(profile->strings, text ? text : "");
}

struct profile_function *profile_add_function(struct profile *profile)
{
	const char *empty = profile_intern(profile, "");

	if (!empty || ARRAY_APPEND(&profile->functions,
			  (struct profile_function){
			      .name = empty, .linkage_name = empty, .file = empty, .rate = 1.0}))
		return NULL;
	return &profile->functions.items[profile->functions.count - 1];
}

const struct profile_image *profile_image_of(
    const struct profile *profile, const struct profile_function *function)
{
	return function->image < profile->images.count ? &profile->images.items[function->image]
						       : NULL;
}

static int line_compare(const void *left, const void *right)
{
	const struct profile_line *a = left, *b = right;
	int order = a->file == b->file ? 0 : strcmp(a->file, b->file);

	return order ? order : (a->line > b->line) - (a->line < b->line);
}

static int bucket_compare(const void *left, const void *right)
{
	const struct profile_bucket *a = left, *b = right;

	return (a->upper_ns > b->upper_ns) - (a->upper_ns < b->upper_ns);
}

void profile_sort(struct profile *profile)
{
	ARRAY_FOREACH (function, &profile->functions) {
		if (function->lines.count)
			qsort(function->lines.items, function->lines.count,
			    sizeof(*function->lines.items), line_compare);
		if (function->histogram.count)
			qsort(function->histogram.items, function->histogram.count,
			    sizeof(*function->histogram.items), bucket_compare);
	}
}

static int omission_compare(const void *left, const void *right)
{
	const struct profile_omission *a = *(const struct profile_omission *const *)left;
	const struct profile_omission *b = *(const struct profile_omission *const *)right;
	int order;

	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	order = strcmp(a->file, b->file);
	if (order)
		return order;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return strcmp(a->reason, b->reason);
}

const struct profile_omission **profile_order_omissions(const struct profile *profile)
{
	size_t count = profile->omissions.count;
	const struct profile_omission **order = calloc(count + 1, sizeof(*order));

	if (!order)
		return NULL;
	for (size_t i = 0; i < count; i++)
		order[i] = &profile->omissions.items[i];
	qsort(order, count, sizeof(*order), omission_compare);
	return order;
}

void profile_account(struct profile *profile)
{
	profile->accounting = (struct profile_accounting){0};
	ARRAY_FOREACH (function, &profile->functions)
		profile_add_accounting(&profile->accounting, &function->accounting);
}

void profile_add_accounting(
    struct profile_accounting *accounting, const struct profile_accounting *more)
{
	accounting->entries = profile_sum(accounting->entries, more->entries);
	accounting->exits = profile_sum(accounting->exits, more->exits);
	accounting->open = profile_sum(accounting->open, more->open);
	accounting->unwound = profile_sum(accounting->unwound, more->unwound);
	accounting->untimed = profile_sum(accounting->untimed, more->untimed);
	accounting->lost = profile_sum(accounting->lost, more->lost);
}

uint64_t profile_accounted(const struct profile_accounting *accounting)
{
	uint64_t sum = profile_sum(accounting->exits, accounting->open);

	sum = profile_sum(sum, accounting->unwound);
	sum = profile_sum(sum, accounting->untimed);
	return profile_sum(sum, accounting->lost);
}

bool profile_identity_holds(const struct profile_accounting *accounting)
{
	return accounting->entries == profile_accounted(accounting);
}

uint64_t profile_sum(uint64_t a, uint64_t b)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum) || sum > INT64_MAX)
		return INT64_MAX;
	return sum;
}

int64_t profile_sum_ns(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? -INT64_MAX : INT64_MAX; /* so that its negation exists */
	return sum;
}

int profile_lose(struct profile *profile, const char *cause, uint64_t count)
{
	const char *text;

	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (strcmp(cause, loss_cause(loss)) == 0) {
			profile->losses[loss] = profile_sum(profile->losses[loss], count);
			return 0;
		}
	ARRAY_FOREACH (other, &profile->other_losses)
		if (strcmp(other->cause, cause) == 0) {
			other->count = profile_sum(other->count, count);
			return 0;
		}
	text = profile_intern(profile, cause);
	if (!text || ARRAY_RESERVE(&profile->other_losses, 1))
		return -ENOMEM;
	profile->other_losses.items[profile->other_losses.count].cause = text;
	profile->other_losses.items[profile->other_losses.count++].count = count;
	return 0;
}

const char *loss_cause(enum loss loss)
{
	static const char *const causes[] = {
#define LOSS(id, cause, sentence) [LOSS_##id] = cause,
	    LPROF_LOSSES(LOSS)
#undef LOSS
	};

	return causes[loss];
}

const char *loss_sentence(enum loss loss)
{
	static const char *const sentences[] = {
#define LOSS(id, cause, sentence) [LOSS_##id] = sentence,
	    LPROF_LOSSES(LOSS)
#undef LOSS
	};

	return sentences[loss];
}

const char *profile_budget_state_name(enum profile_budget_state state)
{
	static const char *const names[PROFILE_BUDGET_COUNT] = {
	    [PROFILE_BUDGET_FULL] = "full",
	    [PROFILE_BUDGET_FEWER_TIMED] = "fewer_timed",
	    [PROFILE_BUDGET_LINES_SLICED] = "lines_sliced",
	    [PROFILE_BUDGET_SLICED] = "sliced",
	    [PROFILE_BUDGET_AWAY] = "away",
	};

	return names[state];
}

bool profile_was_away(const struct profile_function *function)
{
	return function->calls_stand.away_ns || function->lines_stand.away_ns;
}
