// SPDX-License-Identifier: GPL-2.0-or-later
// Writes callgrind's format, version 1, for kcachegrind and callgrind_annotate.
//
//	fl=(1) /src/add.c
//	fn=(2) main
//	13 1000 6000 20			line, ns, total_ns, hits
//	cfn=(1) add
//	calls=990 3			calls, the callee's line
//	13 5000				the line of the call, ns with callees
//
// Events: ns leaves callees out, so that readers add callees' up to inclusive times; total_ns has
// them in, line by line, as in line_profiler's table, and needs no adding up; hits; and where the
// CPU was sampled cpu_ns and cpu_total_ns, alike; blocked_ns and waiting_ns, parts of total_ns,
// where times were split. A call stands at the line it must have come from, or else at the
// function's own. Calls from outside of all measured functions, or from callers that were not
// counted, come from "[not measured]", so that each function's calls and inclusive times are whole.
// Where nothing was timed, calls are those of sampled stacks, as many as samples.
//
// Names are compressed, "(number) name" at first and "(number)" then: a name that itself begins
// with a bracket would be taken for a number otherwise.
#include "output/output.h"

#include <inttypes.h>
#include <string.h>

#include "output/call_paths.h"
#include "output/callgrind_calls.h"
#include "output/names.h"
#include "output/notes.h"
#include "output/text_table.h"

struct costs {
	int64_t ns, total_ns;
	uint64_t hits;
	int64_t cpu_ns, cpu_total_ns;
	uint64_t blocked_ns, waiting_ns;
};

struct writer {
	const struct profile *profile;
	const struct names *names;
	FILE *stream;
	struct text_table files, objects;
	bool *named; /* functions */
	bool times, samples;
	uint64_t shortened;
	int error;
};

static int64_t cpu_ns(const struct profile *profile, uint64_t samples)
{
	int64_t ns;

	return __builtin_mul_overflow(samples, profile->sampling_period_ns, &ns) ? INT64_MAX : ns;
}

static void put_costs(const struct writer *writer, const struct costs *costs)
{
	if (writer->times)
		fprintf(writer->stream, " %" PRId64 " %" PRId64 " %" PRIu64,
		    costs->ns > 0 ? costs->ns : 0, costs->total_ns > 0 ? costs->total_ns : 0,
		    costs->hits);
	if (writer->samples)
		fprintf(
		    writer->stream, " %" PRId64 " %" PRId64, costs->cpu_ns, costs->cpu_total_ns);
	if (writer->profile->off_cpu)
		fprintf(
		    writer->stream, " %" PRIu64 " %" PRIu64, costs->blocked_ns, costs->waiting_ns);
	fputc('\n', writer->stream);
}

/* "fl=(1) /src/add.c", then "fl=(1)". */
static void put_name(
    struct writer *writer, struct text_table *table, const char *key, const char *text)
{
	size_t known = table->texts.count;
	uint32_t number = 0;

	if (text_table_number(table, *text ? text : "???", &number)) {
		writer->error = -ENOMEM;
		return;
	}
	fprintf(writer->stream, "%s=(%u)", key, number + 1);
	if (number == known) {
		CLEANUP_FREE char *name =
		    name_printable(table->texts.items[number], "", &writer->shortened);

		fprintf(writer->stream, " %s", name ? name : "?");
	}
	fputc('\n', writer->stream);
}

static void put_object(
    struct writer *writer, const char *key, const struct profile_function *function)
{
	const struct profile_image *image = profile_image_of(writer->profile, function);

	put_name(writer, &writer->objects, key, image ? image->path : "");
}

static void put_function(struct writer *writer, const char *key, size_t index)
{
	fprintf(writer->stream, "%s=(%zu)", key, index + 1);
	if (!writer->named[index])
		fprintf(writer->stream, " %s", writer->names->functions[index]);
	fputc('\n', writer->stream);
	writer->named[index] = true;
}

static void put_line(const struct writer *writer, const struct profile_line *line)
{
	struct costs costs = {line->self_ns, line->total_ns, line->hits,
	    cpu_ns(writer->profile, line->cpu_samples),
	    cpu_ns(writer->profile, line->cpu_total_samples), line->blocked_ns, line->waiting_ns};

	fprintf(writer->stream, "%u", line->line);
	put_costs(writer, &costs);
}

static void put_lines(struct writer *writer, const struct profile_function *function)
{
	const struct profile_line rest = call_path_rest(function);
	const char *file = function->file;

	ARRAY_FOREACH (line, &function->lines) {
		if (strcmp(line->file, file) != 0)
			put_name(writer, &writer->files, "fi", line->file);
		file = line->file;
		put_line(writer, line);
	}
	if (strcmp(file, function->file) != 0)
		put_name(writer, &writer->files, "fe", function->file);
	if (rest.self_ns || rest.total_ns || rest.cpu_samples || rest.cpu_total_samples ||
	    rest.blocked_ns || rest.waiting_ns || !function->lines.count)
		put_line(writer, &rest);
}

static void put_call(struct writer *writer, const struct callgrind_call *call)
{
	const struct profile_function *callee = &writer->profile->functions.items[call->callee];

	put_object(writer, "cob", callee);
	put_name(writer, &writer->files, "cfi", callee->file);
	put_function(writer, "cfn", call->callee);
	fprintf(writer->stream, "calls=%" PRIu64 " %u\n%u", call->calls, callee->line, call->line);
	put_costs(writer, &(struct costs){.ns = call->total_ns,
			      .cpu_ns = cpu_ns(writer->profile, call->samples)});
}

static void put_functions(struct writer *writer, const struct callgrind_calls *calls)
{
	size_t at = 0;

	for (size_t i = 0; i < writer->profile->functions.count; i++) {
		const struct profile_function *function = &writer->profile->functions.items[i];

		fputc('\n', writer->stream);
		put_object(writer, "ob", function);
		put_name(writer, &writer->files, "fl", function->file);
		put_function(writer, "fn", i);
		put_lines(writer, function);
		for (; at < calls->list.count && calls->list.items[at].caller == i; at++)
			put_call(writer, &calls->list.items[at]);
	}
	if (at == calls->list.count)
		return;
	fputc('\n', writer->stream);
	put_name(writer, &writer->objects, "ob", "");
	put_name(writer, &writer->files, "fl", "");
	fprintf(writer->stream, "fn=(%zu) [not measured]\n", writer->profile->functions.count + 1);
	for (; at < calls->list.count; at++)
		put_call(writer, &calls->list.items[at]);
}

static int put_note(void *context, const char *sentence)
{
	fprintf(context, "desc: %s\n", sentence);
	return 0;
}

static void put_summary(const struct writer *writer)
{
	struct costs sum = {0};

	ARRAY_FOREACH (function, &writer->profile->functions) {
		if (function->self_ns > 0)
			sum.ns = profile_sum_ns(sum.ns, function->self_ns);
		ARRAY_FOREACH (line, &function->lines)
			sum.hits = profile_sum(sum.hits, line->hits);
		sum.cpu_ns =
		    profile_sum_ns(sum.cpu_ns, cpu_ns(writer->profile, function->cpu_samples));
	}
	sum.cpu_total_ns = sum.cpu_ns;
	sum.blocked_ns = sum.waiting_ns = (uint64_t)sum.ns;
	sum.total_ns = sum.ns; /* so that shares are of all time */
	fputs("summary:", writer->stream);
	put_costs(writer, &sum);
}

/* After the body: what names it shortened is said before it. */
static int put_head(struct writer *writer)
{
	const struct profile *profile = writer->profile;
	FILE *stream = writer->stream;
	int error;

	fprintf(stream, "# callgrind format\nversion: 1\ncreator: lprof " LPROF_VERSION "\n");
	if (profile->targets.count) {
		CLEANUP_FREE char *command =
		    name_printable(profile->targets.items[0].command, "", NULL);

		fprintf(stream, "pid: %d\ncmd: %s\n", profile->targets.items[0].pid,
		    command ? command : "?");
	}
	error = notes_list(profile, writer->names, writer->shortened, put_note, stream);
	if (!writer->times)
		fputs("desc: calls are samples in which they were seen\n", stream);
	fputs("positions: line\n", stream);
	if (writer->times)
		fputs("event: ns : Time (ns)\nevent: total_ns : Time with callees (ns)\n"
		      "event: hits : Hits\n",
		    stream);
	if (writer->samples)
		fputs("event: cpu_ns : Sampled CPU time (ns)\n"
		      "event: cpu_total_ns : Sampled CPU time with callees (ns)\n",
		    stream);
	if (profile->off_cpu)
		fputs("event: blocked_ns : Blocked, with callees (ns)\n"
		      "event: waiting_ns : Waiting for a CPU, with callees (ns)\n",
		    stream);
	fprintf(stream, "events:%s%s%s\n", writer->times ? " ns total_ns hits" : "",
	    writer->samples ? " cpu_ns cpu_total_ns" : "",
	    profile->off_cpu ? " blocked_ns waiting_ns" : "");
	put_summary(writer);
	return error;
}

int output_write_callgrind(const struct profile *profile, FILE *stream,
    const struct output_options *options, struct failure *failure)
{
	CLEANUP(names_free_p)
	struct names *names = names_new(profile, &(struct names_options){.by_line = false});
	CLEANUP_FREE bool *named = calloc(profile->functions.count + 1, sizeof(*named));
	struct writer writer = {
	    .profile = profile,
	    .names = names,
	    .named = named,
	    .samples = profile->sampling_period_ns,
	};
	CLEANUP_FREE char *body = NULL;
	struct callgrind_calls calls = {0};
	size_t size = 0;
	int error = names && named ? 0 : -ENOMEM;

	(void)options;
	(void)failure;
	writer.times = !writer.samples;
	ARRAY_FOREACH (function, &profile->functions)
		writer.times = writer.times || function->calls || function->total_ns;
	if (!error)
		error = writer.times ? callgrind_calls_count(profile, &calls)
				     : callgrind_calls_sample(profile, &calls);
	if (!error && !(writer.stream = open_memstream(&body, &size)))
		error = -ENOMEM;
	if (!error)
		put_functions(&writer, &calls);
	if (writer.stream && fclose(writer.stream))
		error = -ENOMEM;
	writer.stream = stream;
	error = error ? error : put_head(&writer);
	if (!error)
		fwrite(body, 1, size, stream);
	callgrind_calls_fini(&calls);
	text_table_fini(&writer.files);
	text_table_fini(&writer.objects);
	return error ? error : writer.error;
}
