// SPDX-License-Identifier: GPL-2.0-or-later
// Writes what cProfile writes for pstats: a marshal of
//	{(file, line, function): (primitive calls, calls, self seconds, total seconds, callers)}
// with callers
//	{(file, line, function): (calls, primitive calls, self seconds, total seconds)}
// whose first two stand the other way round. A function without source is ('~', 0, '<image name>').
// Where nothing was timed, times are sampled CPU time, and calls are not known.
// pstats refuses an empty dict, so that a profile without functions has a row which says so.
#include "output/output.h"

#include <string.h>

#include "output/names.h"

#define DIGIT_BITS 15

struct writer {
	const struct profile *profile;
	const struct names *names;
	FILE *stream;
	uint64_t shortened;
	bool timed; /* or else times are sampled CPU time */
};

static void put_u32(const struct writer *writer, uint32_t number)
{
	for (int shift = 0; shift < 32; shift += 8)
		fputc((int)(number >> shift & 0xff), writer->stream);
}

static void put_integer(const struct writer *writer, uint64_t number)
{
	uint32_t digits = 0;

	if (number <= INT32_MAX) {
		fputc('i', writer->stream);
		put_u32(writer, (uint32_t)number);
		return;
	}
	for (uint64_t rest = number; rest; rest >>= DIGIT_BITS)
		digits++;
	fputc('l', writer->stream);
	put_u32(writer, digits);
	for (; number; number >>= DIGIT_BITS) {
		fputc((int)(number & 0xff), writer->stream);
		fputc((int)(number >> 8 & 0x7f), writer->stream);
	}
}

static void put_seconds(const struct writer *writer, int64_t ns)
{
	double seconds = (double)ns / 1e9;
	uint64_t bits;

	memcpy(&bits, &seconds, sizeof(bits));
	fputc('g', writer->stream);
	put_u32(writer, (uint32_t)bits);
	put_u32(writer, (uint32_t)(bits >> 32));
}

static void put_text(const struct writer *writer, const char *text)
{
	fputc('u', writer->stream);
	put_u32(writer, (uint32_t)strlen(text));
	fputs(text, writer->stream);
}

static void put_tuple(const struct writer *writer, uint32_t count)
{
	fputc('(', writer->stream);
	put_u32(writer, count);
}

/* '<libc.so.6 memcpy>'; what is in brackets already, as in files that cProfile wrote, stays. */
static int put_sourceless(
    struct writer *writer, const struct profile_function *function, const char *name)
{
	const struct profile_image *image = profile_image_of(writer->profile, function);
	const char *slash = image ? strrchr(image->path, '/') : NULL;
	CLEANUP_FREE char *image_name = name_printable(slash   ? slash + 1
						       : image ? image->path
							       : "",
	    "", &writer->shortened);
	CLEANUP_FREE char *text = NULL;

	if (!image_name)
		return -ENOMEM;
	if (!image && string_starts(name, "<") && string_ends(name, ">")) {
		put_text(writer, name);
		return 0;
	}
	if (image ? asprintf(&text, "<%s %s>", image_name, name) < 0
		  : asprintf(&text, "<%s>", name) < 0)
		return -ENOMEM;
	put_text(writer, text);
	return 0;
}

static int put_key(struct writer *writer, size_t index)
{
	const struct profile_function *function = &writer->profile->functions.items[index];
	CLEANUP_FREE char *file = name_printable(function->file, "", &writer->shortened);

	if (!file)
		return -ENOMEM;
	put_tuple(writer, 3);
	put_text(writer, *function->file ? file : "~");
	put_integer(writer, *function->file ? function->line : 0);
	if (!*function->file)
		return put_sourceless(writer, function, writer->names->functions[index]);
	put_text(writer, writer->names->functions[index]);
	return 0;
}

static int put_callers(struct writer *writer, const struct profile_function *function)
{
	int error = 0;

	fputc('{', writer->stream);
	ARRAY_FOREACH (caller, &function->callers) {
		if (caller->function == PROFILE_NO_FUNCTION)
			continue;
		error = error ? error : put_key(writer, caller->function);
		put_tuple(writer, 4);
		put_integer(writer, caller->calls);
		put_integer(writer, caller->primitive_calls);
		put_seconds(writer, caller->self_ns);
		put_seconds(writer, caller->total_ns);
	}
	fputc('0', writer->stream);
	return error;
}

static int64_t cpu_ns(const struct profile *profile, uint64_t samples)
{
	int64_t ns;

	return __builtin_mul_overflow(samples, profile->sampling_period_ns, &ns) ? INT64_MAX : ns;
}

static int put_function(struct writer *writer, size_t index)
{
	const struct profile_function *function = &writer->profile->functions.items[index];
	int error = put_key(writer, index);

	put_tuple(writer, 5);
	put_integer(writer, function->primitive_calls);
	put_integer(writer, function->calls);
	put_seconds(writer,
	    writer->timed ? function->self_ns : cpu_ns(writer->profile, function->cpu_samples));
	put_seconds(writer, writer->timed ? function->total_ns
					  : cpu_ns(writer->profile, function->cpu_total_samples));
	return error ? error : put_callers(writer, function);
}

static void put_nothing(const struct writer *writer)
{
	put_tuple(writer, 3);
	put_text(writer, "~");
	put_integer(writer, 0);
	put_text(writer, "<nothing was measured>");
	put_tuple(writer, 5);
	put_integer(writer, 0);
	put_integer(writer, 0);
	put_seconds(writer, 0);
	put_seconds(writer, 0);
	fputs("{0", writer->stream);
}

int output_write_pstats(const struct profile *profile, FILE *stream,
    const struct output_options *options, struct failure *failure)
{
	CLEANUP(names_free_p)
	struct names *names =
	    names_new(profile, &(struct names_options){.by_line = true, .mark_partial = true});
	struct writer writer = {.profile = profile, .names = names, .stream = stream};
	int error = names ? 0 : -ENOMEM;

	(void)options;
	(void)failure;
	ARRAY_FOREACH (function, &profile->functions)
		writer.timed = writer.timed || function->calls || function->total_ns;
	fputc('{', stream);
	for (size_t i = 0; i < profile->functions.count && !error; i++)
		error = put_function(&writer, i);
	if (!profile->functions.count)
		put_nothing(&writer);
	fputc('0', stream);
	if (!error)
		names_report(".prof", profile_sum(names->shortened, writer.shortened));
	return error;
}
