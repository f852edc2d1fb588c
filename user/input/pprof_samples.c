// SPDX-License-Identifier: GPL-2.0-or-later
// Turns pprof's samples into functions, lines, callers and stacks.
//
// Of our own files, calls stand at a function below its caller, times and hits at lines; CPU time
// has whole stacks. A value counts where its stack ends, as in pprof's "flat". Whose times off the
// CPU were measured the file does not say: those that have some are taken to be.
#include "input/pprof_reader.h"

#include <string.h>

/* A function's values at a line, or of its calls from a caller; sorted, equal ones are added up. */
struct entry {
	uint32_t function, caller; /* rows; NO_FUNCTION: not about calls */
	const char *file;
	uint32_t line;
	uint64_t calls, hits, samples, total_samples;
	int64_t wall, self;
	uint64_t blocked, waiting; /* of wall */
};

struct entries {
	ARRAY(struct entry) list;
};

static int64_t value_of(
    const struct pprof_reader *reader, const Pprof__Sample *sample, enum pprof_type type)
{
	return reader->columns[type] >= 0 ? sample->value[reader->columns[type]] : 0;
}

/* The row of a location's function, the innermost for `depth` 0; a new one if need be. */
static int row_of(struct pprof_reader *reader, uint32_t location, size_t depth, uint32_t *ret_row)
{
	const Pprof__Profile *message = reader->message;
	const Pprof__Line *line = message->location[location]->line[depth];
	uint32_t at = pprof_find(reader->functions, message->n_function, line->function_id);
	const struct profile_frame *frame =
	    &reader->profile->frames.items[reader->first_frames[location + 1] - 1 - depth];
	struct profile_function *function;

	if (reader->rows[at] == PROFILE_NO_FUNCTION) {
		function = profile_add_function(reader->profile);
		if (!function)
			return pprof_no_memory(reader);
		reader->rows[at] = (uint32_t)reader->profile->functions.count - 1;
		function->name = frame->name;
		function->linkage_name = profile_intern(
		    reader->profile, message->string_table[message->function[at]->system_name]);
		if (!function->linkage_name)
			return pprof_no_memory(reader);
		function->file = frame->file;
		function->line = (uint32_t)message->function[at]->start_line;
		function->image = frame->image;
	}
	*ret_row = reader->rows[at];
	return 0;
}

static int read_stack(struct pprof_reader *reader, const Pprof__Sample *sample, uint64_t samples)
{
	struct profile_stack *stack;

	if (ARRAY_APPEND(&reader->profile->stacks, (struct profile_stack){.cpu_samples = samples}))
		return pprof_no_memory(reader);
	stack = &reader->profile->stacks.items[reader->profile->stacks.count - 1];
	for (size_t i = sample->n_location_id; i--;) {
		uint32_t location = pprof_find(
		    reader->locations, reader->message->n_location, sample->location_id[i]);

		for (uint32_t frame = reader->first_frames[location];
		     frame < reader->first_frames[location + 1]; frame++)
			if (ARRAY_APPEND(&stack->frames, frame))
				return pprof_no_memory(reader);
	}
	return 0;
}

/* How many samples a value is: the file says so, or its period does. */
static uint64_t samples_of(const struct pprof_reader *reader, const Pprof__Sample *sample)
{
	uint64_t period = reader->profile->sampling_period_ns;
	int64_t cpu = value_of(reader, sample, PPROF_cpu);

	if (reader->columns[PPROF_samples] >= 0)
		return (uint64_t)value_of(reader, sample, PPROF_samples);
	return period && cpu > 0 ? ((uint64_t)cpu + period / 2) / period : 0;
}

static int check_sample(struct pprof_reader *reader, const Pprof__Sample *sample)
{
	if (sample->n_value != reader->message->n_sample_type)
		return pprof_refuse(reader, "has a sample with more or fewer values than types");
	if (value_of(reader, sample, PPROF_calls) < 0 || value_of(reader, sample, PPROF_hits) < 0 ||
	    value_of(reader, sample, PPROF_samples) < 0)
		return pprof_refuse(reader, "has a count below zero");
	if (value_of(reader, sample, PPROF_blocked) < 0 ||
	    value_of(reader, sample, PPROF_waiting) < 0)
		return pprof_refuse(reader, "has a time off the CPU below zero");
	if (value_of(reader, sample, PPROF_wall) == INT64_MIN ||
	    value_of(reader, sample, PPROF_self) == INT64_MIN)
		return pprof_refuse(reader, "has a time beyond 292 years");
	for (size_t i = 0; i < sample->n_location_id; i++)
		if (pprof_find(reader->locations, reader->message->n_location,
			sample->location_id[i]) == UINT32_MAX)
			return pprof_refuse(reader, "names a location that it does not have");
	return 0;
}

static bool is_known(const struct entries *entries, size_t first, const struct entry *entry)
{
	for (size_t i = first; i < entries->list.count; i++)
		if (entries->list.items[i].function == entry->function &&
		    entries->list.items[i].line == entry->line)
			return true;
	return false;
}

/* Counts the samples once for each function and line of the stack, however often these are in it.
 */
static int add_stack(struct pprof_reader *reader, const Pprof__Sample *sample, uint64_t samples,
    struct entries *entries)
{
	const Pprof__Profile *message = reader->message;
	size_t first = entries->list.count;
	int error = read_stack(reader, sample, samples);

	for (size_t i = 0; i < sample->n_location_id && !error; i++) {
		uint32_t location =
		    pprof_find(reader->locations, message->n_location, sample->location_id[i]);
		const Pprof__Location *place = message->location[location];

		for (size_t depth = 0; depth < place->n_line && !error; depth++) {
			struct entry entry = {
			    .caller = PROFILE_NO_FUNCTION,
			    .line = (uint32_t)place->line[depth]->line,
			    .samples = i == 0 && depth == 0 ? samples : 0,
			    .total_samples = samples,
			};
			struct profile_function *function;

			error = row_of(reader, location, depth, &entry.function);
			if (error || is_known(entries, first, &entry))
				continue;
			function = &reader->profile->functions.items[entry.function];
			if (reader->last_stacks[entry.function] != reader->profile->stacks.count)
				function->cpu_total_samples =
				    profile_sum(function->cpu_total_samples, samples);
			reader->last_stacks[entry.function] =
			    (uint32_t)reader->profile->stacks.count;
			entry.file = function->file;
			if (ARRAY_APPEND(&entries->list, entry))
				error = pprof_no_memory(reader);
		}
	}
	return error;
}

static bool has_times(const struct entry *entry)
{
	return entry->hits || entry->wall || entry->self || entry->blocked || entry->waiting;
}

static int add_entries(
    struct pprof_reader *reader, const Pprof__Sample *sample, struct entries *entries)
{
	const Pprof__Profile *message = reader->message;
	uint32_t leaf = sample->n_location_id ? pprof_find(reader->locations, message->n_location,
						    sample->location_id[0])
					      : UINT32_MAX;
	struct entry entry = {
	    .caller = PROFILE_NO_FUNCTION,
	    .hits = (uint64_t)value_of(reader, sample, PPROF_hits),
	    .wall = value_of(reader, sample, PPROF_wall),
	    .self = value_of(reader, sample, PPROF_self),
	    .blocked = (uint64_t)value_of(reader, sample, PPROF_blocked),
	    .waiting = (uint64_t)value_of(reader, sample, PPROF_waiting),
	};
	struct entry call = {.calls = (uint64_t)value_of(reader, sample, PPROF_calls),
	    .caller = PROFILE_NO_FUNCTION};
	uint64_t samples = samples_of(reader, sample);
	int error = samples ? add_stack(reader, sample, samples, entries) : 0;

	if (error || leaf == UINT32_MAX || !message->location[leaf]->n_line)
		return error; /* nothing is known of the place but an address */
	if (!has_times(&entry) && !call.calls)
		return 0;
	error = row_of(reader, leaf, 0, &entry.function);
	if (error)
		return error;
	entry.file = reader->profile->functions.items[entry.function].file;
	entry.line = (uint32_t)message->location[leaf]->line[0]->line;
	call.function = entry.function;
	call.file = entry.file;
	if (call.calls && sample->n_location_id > 1) {
		uint32_t caller =
		    pprof_find(reader->locations, message->n_location, sample->location_id[1]);

		if (message->location[caller]->n_line)
			error = row_of(reader, caller, 0, &call.caller);
	}
	if (error)
		return error;
	if (has_times(&entry) && ARRAY_APPEND(&entries->list, entry))
		return pprof_no_memory(reader);
	return call.calls && ARRAY_APPEND(&entries->list, call) ? pprof_no_memory(reader) : 0;
}

static int entry_compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	if (!a->calls != !b->calls)
		return a->calls ? 1 : -1;
	if (a->caller != b->caller)
		return a->caller < b->caller ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

static int add_call(struct profile_function *function, const struct entry *entry)
{
	function->calls = profile_sum(function->calls, entry->calls);
	return ARRAY_APPEND(&function->callers, (struct profile_caller){
						    .function = entry->caller,
						    .calls = entry->calls,
						    .primitive_calls = entry->calls,
						});
}

static int add_line(struct profile_function *function, const struct entry *entry)
{
	function->total_ns = profile_sum_ns(function->total_ns, entry->wall);
	function->self_ns = profile_sum_ns(function->self_ns, entry->self);
	function->cpu_samples = profile_sum(function->cpu_samples, entry->samples);
	function->blocked_ns = profile_sum(function->blocked_ns, entry->blocked);
	function->waiting_ns = profile_sum(function->waiting_ns, entry->waiting);
	function->off_cpu = function->blocked_ns || function->waiting_ns;
	function->lines_measured = function->lines_measured || entry->hits;
	/* where lines were not measured all of the time stands at the function's own */
	if (!entry->line ||
	    (!entry->hits && !entry->total_samples && entry->line == function->line))
		return 0;
	return ARRAY_APPEND(&function->lines, (struct profile_line){
						  .file = entry->file,
						  .line = entry->line,
						  .hits = entry->hits,
						  .total_ns = entry->wall,
						  .self_ns = entry->self,
						  .cpu_samples = entry->samples,
						  .cpu_total_samples = entry->total_samples,
						  .blocked_ns = entry->blocked,
						  .waiting_ns = entry->waiting,
						  .sites = entry->hits != 0,
					      });
}

/* Adds up equal entries and puts them into their functions. */
static int place_entries(struct pprof_reader *reader, struct entries *entries)
{
	size_t count = entries->list.count, next;
	int error = 0;

	ARRAY_SORT(&entries->list, entry_compare);
	for (size_t i = 0; i < count && !error; i = next) {
		struct entry sum = entries->list.items[i];
		struct profile_function *function = &reader->profile->functions.items[sum.function];

		for (next = i + 1; next < count && !entry_compare(&sum, &entries->list.items[next]);
		     next++) {
			const struct entry *more = &entries->list.items[next];

			sum.calls = profile_sum(sum.calls, more->calls);
			sum.hits = profile_sum(sum.hits, more->hits);
			sum.samples = profile_sum(sum.samples, more->samples);
			sum.total_samples = profile_sum(sum.total_samples, more->total_samples);
			sum.wall = profile_sum_ns(sum.wall, more->wall);
			sum.self = profile_sum_ns(sum.self, more->self);
			sum.blocked = profile_sum(sum.blocked, more->blocked);
			sum.waiting = profile_sum(sum.waiting, more->waiting);
		}
		error = sum.calls ? add_call(function, &sum) : add_line(function, &sum);
	}
	return error ? pprof_no_memory(reader) : 0;
}

/* What calls alone do not say: that all were timed, and, of a caller that is the only one, times.
 */
static void complete_functions(struct profile *profile)
{
	ARRAY_FOREACH (function, &profile->functions) {
		function->primitive_calls = function->timed_calls = function->calls;
		if (function->callers.count != 1)
			continue;
		function->callers.items[0].total_ns = function->total_ns;
		function->callers.items[0].self_ns = function->self_ns;
	}
}

static void read_period(struct pprof_reader *reader)
{
	const Pprof__Profile *message = reader->message;
	const Pprof__ValueType *type = message->period_type;
	bool has_cpu = reader->columns[PPROF_cpu] >= 0, sampled = false;

	if (type && type->unit > 0 && (uint64_t)type->unit < message->n_string_table &&
	    !strcmp(message->string_table[type->unit], "nanoseconds") && message->period > 0)
		reader->profile->sampling_period_ns = (uint64_t)message->period;
	/* Without a period, each nanosecond of CPU time is a sample. */
	for (size_t i = 0; i < message->n_sample && has_cpu; i++)
		sampled = sampled || (message->sample[i]->n_value == message->n_sample_type &&
					 value_of(reader, message->sample[i], PPROF_cpu));
	if (sampled && !reader->profile->sampling_period_ns && reader->columns[PPROF_samples] < 0)
		reader->profile->sampling_period_ns = 1;
}

int pprof_read_samples(struct pprof_reader *reader)
{
	const Pprof__Profile *message = reader->message;
	struct entries entries = {0};
	int error = 0;

	read_period(reader);
	reader->profile->off_cpu =
	    reader->columns[PPROF_blocked] >= 0 || reader->columns[PPROF_waiting] >= 0;
	for (size_t i = 0; i < message->n_sample && !error; i++) {
		error = check_sample(reader, message->sample[i]);
		error = error ? error : add_entries(reader, message->sample[i], &entries);
	}
	error = error ? error : place_entries(reader, &entries);
	ARRAY_FREE(&entries.list);
	if (!error) {
		complete_functions(reader->profile);
		profile_sort(reader->profile);
	}
	return error;
}
