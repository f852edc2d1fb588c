// SPDX-License-Identifier: GPL-2.0-or-later
// Adds one profile to another.
#include "model/profile_merge.h"
#include "model/profile_merge_samples.h"

#include <math.h>
#include <string.h>

/* A function of `sum` under the key it is found by. */
struct keyed {
	const char *image, *file, *name, *linkage_name;
	uint32_t line, function;
};

struct merge {
	struct profile *sum;
	const struct profile *more;
	struct keyed *keys; /* of sum's functions before the merge, sorted */
	size_t key_count;
	struct keyed *more_keys; /* of more's functions, sorted */
	uint32_t *functions;     /* of more's functions: where they went in sum */
	uint32_t *images;        /* likewise */
};

/* Samples of `more` in the sum's period. */
static uint64_t samples_of(const struct merge *merge, uint64_t count)
{
	return profile_samples_of_period(
	    count, merge->more->sampling_period_ns, merge->sum->sampling_period_ns);
}

static const char *image_key(const struct profile_image *image)
{
	return !image ? "" : *image->build_id ? image->build_id : image->path;
}

static struct keyed key_of(const struct profile *profile, uint32_t function)
{
	const struct profile_function *item = &profile->functions.items[function];

	return (struct keyed){
	    .image = image_key(profile_image_of(profile, item)),
	    .file = item->file,
	    .name = item->name,
	    .linkage_name = item->linkage_name,
	    .line = item->line,
	    .function = function,
	};
}

static int key_compare_place(const struct keyed *a, const struct keyed *b)
{
	int order = strcmp(a->name, b->name);

	order = order ? order : strcmp(a->file, b->file);
	if (!order && a->line != b->line)
		order = a->line < b->line ? -1 : 1;
	return order ? order : strcmp(a->image, b->image);
}

static int key_compare(const void *left, const void *right)
{
	const struct keyed *a = left, *b = right;
	int order = key_compare_place(a, b);

	order = order ? order : strcmp(a->linkage_name, b->linkage_name);
	return order ? order : (a->function > b->function) - (a->function < b->function);
}

/* The function of `sum` with that key: by linkage name among several, the only one otherwise. */
static uint32_t find_function(const struct merge *merge, const struct keyed *key)
{
	size_t low = 0, high = merge->key_count;
	uint32_t found = PROFILE_NO_FUNCTION;
	size_t matches = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (key_compare_place(&merge->keys[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < merge->key_count && !key_compare_place(&merge->keys[low], key); low++) {
		matches++;
		if (!strcmp(merge->keys[low].linkage_name, key->linkage_name))
			return merge->keys[low].function;
		found = merge->keys[low].function;
	}
	return matches == 1 ? found : PROFILE_NO_FUNCTION;
}

static int merge_images(struct merge *merge)
{
	struct profile *sum = merge->sum;

	for (size_t i = 0; i < merge->more->images.count; i++) {
		const struct profile_image *image = &merge->more->images.items[i];
		struct profile_image copy;
		size_t at = 0;

		while (at < sum->images.count &&
		       strcmp(image_key(&sum->images.items[at]), image_key(image)) != 0)
			at++;
		merge->images[i] = (uint32_t)at;
		if (at < sum->images.count)
			continue;
		copy.path = profile_intern(sum, image->path);
		copy.build_id = profile_intern(sum, image->build_id);
		if (!copy.path || !copy.build_id || ARRAY_APPEND(&sum->images, copy))
			return -ENOMEM;
	}
	return 0;
}

/* Files tell it only where a budget took probes away: elsewhere they stood all the time. */
static void add_stand(struct profile_stand *into, uint64_t into_ns,
    const struct profile_stand *from, uint64_t from_ns)
{
	if (!into->away_ns)
		into->stood_ns = into_ns;
	into->stood_ns = profile_sum(into->stood_ns, from->away_ns ? from->stood_ns : from_ns);
	into->away_ns = profile_sum(into->away_ns, from->away_ns);
}

/* Histograms are short and ascending: a merge of sorted lists, in place by insertion. */
static int add_histogram(struct profile_function *into, const struct profile_function *from)
{
	size_t at = 0;

	ARRAY_FOREACH (bucket, &from->histogram) {
		while (at < into->histogram.count &&
		       into->histogram.items[at].upper_ns < bucket->upper_ns)
			at++;
		if (at < into->histogram.count &&
		    into->histogram.items[at].upper_ns == bucket->upper_ns) {
			into->histogram.items[at].count =
			    profile_sum(into->histogram.items[at].count, bucket->count);
			continue;
		}
		if (ARRAY_RESERVE(&into->histogram, 1))
			return -ENOMEM;
		memmove(&into->histogram.items[at + 1], &into->histogram.items[at],
		    (into->histogram.count - at) * sizeof(*into->histogram.items));
		into->histogram.items[at] = *bucket;
		into->histogram.count++;
	}
	return 0;
}

static int line_compare(const struct profile_line *a, const struct profile_line *b)
{
	int order = strcmp(a->file, b->file);

	return order ? order : (a->line > b->line) - (a->line < b->line);
}

/* What always stood is no estimate. */
static struct profile_estimate estimate_of(const struct profile_function *function)
{
	return profile_was_away(function) ? function->in_all
					  : (struct profile_estimate){function->calls, 0,
						function->total_ns, function->error_ns};
}

static struct profile_estimate estimate_of_line(
    const struct profile_function *function, const struct profile_line *line)
{
	return profile_was_away(function)
		   ? line->in_all
		   : (struct profile_estimate){line->hits, 0, line->total_ns, line->error_ns};
}

/* Slices of one profile and of another err independently; what hits cost is the same error. */
static void add_estimate(struct profile_estimate *into, const struct profile_estimate *from)
{
	into->count = profile_sum(into->count, from->count);
	into->count_error = profile_sum(
	    (uint64_t)ceil(hypot((double)into->count_error, (double)from->count_error)), 0);
	into->total_ns = profile_sum_ns(into->total_ns, from->total_ns);
	into->total_error_ns = profile_sum(into->total_error_ns, from->total_error_ns);
}

/* While it is still known which of them was away; lines of `from` follow when they are added. */
static void add_estimates(struct profile_function *into, const struct profile_function *from)
{
	const struct profile_estimate more = estimate_of(from);

	ARRAY_FOREACH (line, &into->lines)
		line->in_all = estimate_of_line(into, line);
	into->in_all = estimate_of(into);
	add_estimate(&into->in_all, &more);
}

static void add_line(struct profile_line *into, const struct profile_line *from)
{
	into->hits = profile_sum(into->hits, from->hits);
	into->total_ns = profile_sum_ns(into->total_ns, from->total_ns);
	into->self_ns = profile_sum_ns(into->self_ns, from->self_ns);
	into->error_ns = profile_sum(into->error_ns, from->error_ns);
	into->self_error_ns = profile_sum(into->self_error_ns, from->self_error_ns);
	into->cpu_samples = profile_sum(into->cpu_samples, from->cpu_samples);
	into->cpu_total_samples = profile_sum(into->cpu_total_samples, from->cpu_total_samples);
	into->blocked_ns = profile_sum(into->blocked_ns, from->blocked_ns);
	into->waiting_ns = profile_sum(into->waiting_ns, from->waiting_ns);
	add_estimate(&into->in_all, &from->in_all);
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	if (from->sites > into->sites)
		into->sites = from->sites;
	if (from->timing == PROFILE_TIMING_SHARED)
		into->timing = PROFILE_TIMING_SHARED;
}

/* Both are sorted by file and line; so is the result. */
static int add_lines(
    struct merge *merge, struct profile_function *into, const struct profile_function *from)
{
	__typeof__(into->lines) united = {0};
	size_t a = 0, b = 0;

	if (ARRAY_RESERVE(&united, into->lines.count + from->lines.count))
		return -ENOMEM;
	while (a < into->lines.count || b < from->lines.count) {
		int order = a == into->lines.count ? 1
			    : b == from->lines.count
				? -1
				: line_compare(&into->lines.items[a], &from->lines.items[b]);
		struct profile_line *line = &united.items[united.count++], more;

		if (order < 0) {
			*line = into->lines.items[a++];
			continue;
		}
		more = from->lines.items[b++];
		more.in_all = estimate_of_line(from, &more);
		more.cpu_samples = samples_of(merge, more.cpu_samples);
		more.cpu_total_samples = samples_of(merge, more.cpu_total_samples);
		if (order == 0) {
			*line = into->lines.items[a++];
			add_line(line, &more);
			continue;
		}
		*line = more;
		line->file = profile_intern(merge->sum, line->file);
		if (!line->file) {
			ARRAY_FREE(&united);
			return -ENOMEM;
		}
	}
	free(into->lines.items);
	into->lines.items = united.items;
	into->lines.count = united.count;
	into->lines.capacity = united.capacity;
	return 0;
}

static int add_callers(
    struct merge *merge, struct profile_function *into, const struct profile_function *from)
{
	ARRAY_FOREACH (caller, &from->callers) {
		struct profile_caller copy = *caller, *same = NULL;

		if (copy.function != PROFILE_NO_FUNCTION)
			copy.function = merge->functions[copy.function];
		ARRAY_FOREACH (known, &into->callers)
			if (known->function == copy.function)
				same = known;
		if (!same) {
			if (ARRAY_APPEND(&into->callers, copy))
				return -ENOMEM;
			continue;
		}
		same->calls = profile_sum(same->calls, copy.calls);
		same->primitive_calls = profile_sum(same->primitive_calls, copy.primitive_calls);
		same->total_ns = profile_sum_ns(same->total_ns, copy.total_ns);
		same->self_ns = profile_sum_ns(same->self_ns, copy.self_ns);
	}
	return 0;
}

/* For how long both stood: one that the sum did not know was not to stand in its time. */
static void add_stands(
    const struct merge *merge, struct profile_function *into, const struct profile_function *from)
{
	const bool known = (size_t)(into - merge->sum->functions.items) < merge->key_count;
	const uint64_t sum_ns = known ? merge->sum->duration_ns : 0;
	const uint64_t more_ns = merge->more->duration_ns;

	if (!profile_was_away(into) && !profile_was_away(from))
		return;
	add_stand(&into->calls_stand, sum_ns, &from->calls_stand, more_ns);
	add_stand(&into->lines_stand, sum_ns, &from->lines_stand, more_ns);
}

static void add_numbers(
    const struct merge *merge, struct profile_function *into, const struct profile_function *from)
{
	if (from->timed_calls && (!into->timed_calls || from->min_ns < into->min_ns))
		into->min_ns = from->min_ns;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	into->calls = profile_sum(into->calls, from->calls);
	into->primitive_calls = profile_sum(into->primitive_calls, from->primitive_calls);
	into->timed_calls = profile_sum(into->timed_calls, from->timed_calls);
	into->total_ns = profile_sum_ns(into->total_ns, from->total_ns);
	into->self_ns = profile_sum_ns(into->self_ns, from->self_ns);
	into->error_ns = profile_sum(into->error_ns, from->error_ns);
	into->self_error_ns = profile_sum(into->self_error_ns, from->self_error_ns);
	into->raw_total_ns = profile_sum(into->raw_total_ns, from->raw_total_ns);
	into->cpu_samples = profile_sum(into->cpu_samples, samples_of(merge, from->cpu_samples));
	into->cpu_total_samples =
	    profile_sum(into->cpu_total_samples, samples_of(merge, from->cpu_total_samples));
	into->blocked_ns = profile_sum(into->blocked_ns, from->blocked_ns);
	into->waiting_ns = profile_sum(into->waiting_ns, from->waiting_ns);
	into->off_cpu = into->off_cpu || from->off_cpu;
	into->lines_measured = into->lines_measured || from->lines_measured;
	if (from->inlined_copies > into->inlined_copies)
		into->inlined_copies = from->inlined_copies;
	if (into->rate != from->rate && into->calls)
		into->rate = into->timed_calls < into->calls
				 ? (double)into->timed_calls / (double)into->calls
				 : 1.0;
	add_stands(merge, into, from);
	if (from->budget_state > into->budget_state)
		into->budget_state = from->budget_state;
	profile_add_accounting(&into->accounting, &from->accounting);
}

/* An empty function of `sum` that `from` is added to next. */
static int place_function(const struct merge *merge, const struct profile_function *from)
{
	struct profile_function *into = profile_add_function(merge->sum);

	if (!into)
		return -ENOMEM;
	into->name = profile_intern(merge->sum, from->name);
	into->linkage_name = profile_intern(merge->sum, from->linkage_name);
	into->file = profile_intern(merge->sum, from->file);
	into->line = from->line;
	into->image =
	    from->image < merge->more->images.count ? merge->images[from->image] : PROFILE_NO_IMAGE;
	into->exit = from->exit;
	into->rate = from->rate;
	return into->name && into->linkage_name && into->file ? 0 : -ENOMEM;
}

/* Equal functions of one profile (probes that followed each other) become one, the first. */
static void unite_functions(const struct merge *merge)
{
	const size_t count = merge->more->functions.count;

	for (size_t first = 0, at = 0; at < count; at++) {
		const struct keyed *a = &merge->more_keys[first], *b = &merge->more_keys[at];

		if (key_compare_place(a, b) || strcmp(a->linkage_name, b->linkage_name) != 0)
			first = at;
		merge->functions[b->function] = merge->more_keys[first].function;
	}
}

static int place_functions(const struct merge *merge)
{
	int error = 0;

	for (uint32_t i = 0; i < merge->more->functions.count && !error; i++) {
		const struct keyed key = key_of(merge->more, i);

		if (merge->functions[i] != i) {
			merge->functions[i] = merge->functions[merge->functions[i]];
			continue;
		}
		merge->functions[i] = find_function(merge, &key);
		if (merge->functions[i] != PROFILE_NO_FUNCTION)
			continue;
		merge->functions[i] = (uint32_t)merge->sum->functions.count;
		error = place_function(merge, &merge->more->functions.items[i]);
	}
	return error;
}

static int merge_functions(struct merge *merge)
{
	size_t count = merge->more->functions.count;
	int error;

	unite_functions(merge);
	error = place_functions(merge);
	for (size_t i = 0; i < count && !error; i++) {
		const struct profile_function *from = &merge->more->functions.items[i];
		struct profile_function *into = &merge->sum->functions.items[merge->functions[i]];

		add_estimates(into, from);
		add_numbers(merge, into, from);
		error = add_histogram(into, from);
		error = error ? error : add_callers(merge, into, from);
		error = error ? error : add_lines(merge, into, from);
	}
	return error;
}

static int merge_omissions(struct merge *merge)
{
	struct profile *sum = merge->sum;
	size_t before = sum->omissions.count;

	ARRAY_FOREACH (omission, &merge->more->omissions) {
		struct profile_omission copy = {
		    .function = omission->function < merge->more->functions.count
				    ? merge->functions[omission->function]
				    : omission->function,
		    .file = profile_intern(sum, omission->file),
		    .line = omission->line,
		    .reason = profile_intern(sum, omission->reason),
		};
		bool known = false;

		if (!copy.file || !copy.reason)
			return -ENOMEM;
		for (size_t i = 0; i < before && !known; i++) {
			const struct profile_omission *other = &sum->omissions.items[i];

			known = other->function == copy.function && other->line == copy.line &&
				other->file == copy.file && other->reason == copy.reason;
		}
		if (!known && ARRAY_APPEND(&sum->omissions, copy))
			return -ENOMEM;
	}
	return 0;
}

static int merge_targets(struct merge *merge)
{
	ARRAY_FOREACH (target, &merge->more->targets) {
		struct profile_target copy = *target;

		copy.command = profile_intern(merge->sum, copy.command);
		if (!copy.command || ARRAY_APPEND(&merge->sum->targets, copy))
			return -ENOMEM;
	}
	return 0;
}

static int merge_losses(struct merge *merge)
{
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		merge->sum->losses[loss] =
		    profile_sum(merge->sum->losses[loss], merge->more->losses[loss]);
	ARRAY_FOREACH (other, &merge->more->other_losses)
		if (profile_lose(merge->sum, other->cause, other->count))
			return -ENOMEM;
	return 0;
}

/* After the durations were added. Where there was no budget the probes stood all the time. */
static void merge_budget(const struct merge *merge)
{
	const uint64_t more_ns = merge->more->duration_ns;
	const struct profile_budget *more = &merge->more->cost.budget;
	struct profile_budget *budget = &merge->sum->cost.budget;

	if (budget->share <= 0 && more->share <= 0)
		return;
	if (budget->share <= 0)
		budget->stood_ns = merge->sum->duration_ns - more_ns;
	budget->stood_ns =
	    profile_sum(budget->stood_ns, more->share > 0 ? more->stood_ns : more_ns);
	budget->slices = profile_sum(budget->slices, more->slices);
	if (more->share > budget->share)
		budget->share = more->share;
}

/* After the durations were added. */
static void merge_cost(const struct merge *merge)
{
	const struct profile_cost *more = &merge->more->cost;
	struct profile *sum = merge->sum;
	struct profile_cost *cost = &sum->cost;

	if (more->hits > cost->hits) {
		cost->emulated_ns = more->emulated_ns;
		cost->stepped_ns = more->stepped_ns;
		cost->return_ns = more->return_ns;
		cost->emulated_error_ns = more->emulated_error_ns;
		cost->stepped_error_ns = more->stepped_error_ns;
		cost->return_error_ns = more->return_error_ns;
	}
	cost->hits = profile_sum(cost->hits, more->hits);
	cost->overhead_ns = profile_sum(cost->overhead_ns, more->overhead_ns);
	cost->off_cpu_ns = profile_sum(cost->off_cpu_ns, more->off_cpu_ns);
	cost->bystander_hits = profile_sum(cost->bystander_hits, more->bystander_hits);
	cost->cpu_samples = profile_sum(cost->cpu_samples, samples_of(merge, more->cpu_samples));
	cost->share_of_cpu =
	    sum->duration_ns ? (double)cost->overhead_ns / (double)sum->duration_ns : 0;
	merge_budget(merge);
}

static int merge_head(const struct merge *merge)
{
	const struct profile *more = merge->more;
	struct profile *sum = merge->sum;

	if (!sum->started_ns || (more->started_ns && more->started_ns < sum->started_ns))
		sum->started_ns = more->started_ns;
	sum->off_cpu = sum->off_cpu || more->off_cpu;
	sum->duration_ns = profile_sum(sum->duration_ns, more->duration_ns);
	if (!*sum->host.kernel)
		sum->host.kernel = profile_intern(sum, more->host.kernel);
	if (!*sum->host.clock)
		sum->host.clock = profile_intern(sum, more->host.clock);
	if (sum->host.cpus < more->host.cpus)
		sum->host.cpus = more->host.cpus;
	profile_add_accounting(&sum->accounting, &more->accounting);
	merge_cost(merge);
	return sum->host.kernel && sum->host.clock ? 0 : -ENOMEM;
}

static struct keyed *sorted_keys(const struct profile *profile)
{
	struct keyed *keys = calloc(profile->functions.count + 1, sizeof(*keys));

	for (uint32_t i = 0; keys && i < profile->functions.count; i++)
		keys[i] = key_of(profile, i);
	if (keys)
		qsort(keys, profile->functions.count, sizeof(*keys), key_compare);
	return keys;
}

int profile_merge(struct profile *sum, const struct profile *more)
{
	CLEANUP_FREE struct keyed *keys = sorted_keys(sum);
	CLEANUP_FREE struct keyed *more_keys = sorted_keys(more);
	CLEANUP_FREE uint32_t *functions = calloc(more->functions.count + 1, sizeof(*functions));
	CLEANUP_FREE uint32_t *images = calloc(more->images.count + 1, sizeof(*images));
	struct merge merge = {
	    .sum = sum,
	    .more = more,
	    .keys = keys,
	    .key_count = sum->functions.count,
	    .more_keys = more_keys,
	    .functions = functions,
	    .images = images,
	};
	int error;

	if (!keys || !more_keys || !functions || !images)
		return -ENOMEM;
	profile_merge_period(sum, more->sampling_period_ns);
	if (more->sampling_event && !sum->sampling_event)
		sum->sampling_event = profile_intern(sum, more->sampling_event);
	else if (more->sampling_event && strcmp(more->sampling_event, sum->sampling_event) != 0)
		sum->sampling_event = NULL; /* both */
	error = merge_images(&merge);
	error = error ? error : merge_functions(&merge);
	error = error ? error : merge_omissions(&merge);
	error = error ? error : merge_targets(&merge);
	error = error ? error : profile_merge_stacks(sum, more, images);
	error = error ? error : merge_losses(&merge);
	return error ? error : merge_head(&merge);
}
