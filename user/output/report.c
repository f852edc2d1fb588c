// SPDX-License-Identifier: GPL-2.0-or-later
// Puts the report together from its tables; the numbers' look and the options' words.
#include "output/report.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "model/certainty.h"

static const struct {
	const char *name;
	double seconds;
} units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};

bool report_parse_sort(const char *text, enum report_sort *ret_sort)
{
	static const char *const sorts[] = {
#define SORT(id, keys, order) keys,
	    REPORT_SORTS(SORT)
#undef SORT
	};
	size_t length = strlen(text), matches = 0;

	for (size_t sort = 0; length && sort < ARRAY_SIZE(sorts); sort++) {
		bool begins = false;

		for (const char *key = sorts[sort]; *key; key += strspn(key, " ")) {
			size_t key_length = strcspn(key, " ");

			if (length <= key_length && strncmp(key, text, length) == 0) {
				if (length == key_length) {
					*ret_sort = (enum report_sort)sort;
					return true;
				}
				begins = true;
			}
			key += key_length;
		}
		matches += begins;
		if (begins && matches == 1)
			*ret_sort = (enum report_sort)sort;
	}
	return matches == 1;
}

bool report_parse_unit(const char *text, double *ret_unit)
{
	double seconds;
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(units[i].name, text) == 0) {
			*ret_unit = units[i].seconds;
			return true;
		}
	seconds = strtod(text, &end);
	if (end == text || *end || !isfinite(seconds) || seconds < 1e-15 || seconds > 1e9)
		return false;
	*ret_unit = seconds;
	return true;
}

bool report_parse_color(const char *when, FILE *stream, bool *ret_color)
{
	const char *terminal = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (strcmp(when, "always") == 0)
		*ret_color = true;
	else if (strcmp(when, "never") == 0)
		*ret_color = false;
	else if (strcmp(when, "auto") == 0)
		*ret_color = isatty(fileno(stream)) && !(no_color && *no_color) && terminal &&
			     strcmp(terminal, "dumb") != 0;
	else
		return false;
	return true;
}

const char *report_heat(const struct report_options *options, double share)
{
	static const struct {
		double share;
		const char *escape;
	} heats[] = {{0.5, "\033[1;31m"}, {0.2, "\033[31m"}, {0.05, "\033[33m"}};

	for (size_t i = 0; options->color && i < ARRAY_SIZE(heats); i++)
		if (share >= heats[i].share)
			return heats[i].escape;
	return "";
}

double report_unit(const struct profile *profile)
{
	double largest = 0;
	size_t unit = 0;

	ARRAY_FOREACH (function, &profile->functions) {
		double lines = 0;

		ARRAY_FOREACH (line, &function->lines)
			lines += (double)line->total_ns;
		largest = fmax(largest, fmax(lines, (double)function->total_ns));
	}
	/* nine digits and a fraction fill the 12 columns of Time */
	while (unit + 1 < ARRAY_SIZE(units) && largest * 1e-9 / units[unit].seconds >= 1e9)
		unit++;
	return units[unit].seconds;
}

const char *report_duration(double ns, char text[REPORT_DURATION_MAX])
{
	size_t unit = 0;

	while (unit + 1 < ARRAY_SIZE(units) && fabs(ns) * 1e-9 / units[unit].seconds >= 999.5)
		unit++;
	snprintf(text, REPORT_DURATION_MAX, fabs(ns) >= 1e15 ? "%.0f %s" : "%.3g %s",
	    ns * 1e-9 / units[unit].seconds, units[unit].name);
	return text;
}

const char *report_number(double number, int decimals, int width, char text[REPORT_NUMBER_MAX])
{
	int used = snprintf(text, REPORT_NUMBER_MAX, "%.*f", decimals, number);

	if (number != 0 && strspn(text, "-0.") == strlen(text))
		snprintf(text, REPORT_NUMBER_MAX, "%.2g", number);
	else if (used > width)
		snprintf(text, REPORT_NUMBER_MAX, "%.3g", number);
	return text;
}

const char *report_time(int64_t ns, uint64_t error_ns, double unit_ns, int decimals, int width,
    char text[REPORT_NUMBER_MAX])
{
	char number[REPORT_NUMBER_MAX];

	if (!certainty_drowns(ns, error_ns))
		return report_number((double)ns / unit_ns, decimals, width, text);
	report_number(((double)ns + (double)error_ns) / unit_ns, decimals, width - 1, number);
	snprintf(text, REPORT_NUMBER_MAX, "<%.*s", REPORT_NUMBER_MAX - 2, number);
	return text;
}

bool report_is_partial(const struct profile_function *function)
{
	return profile_sum(function->timed_calls, function->accounting.open) < function->calls;
}

double report_estimate(const struct profile_function *function, int64_t ns)
{
	return function->timed_calls
		   ? (double)ns * (double)function->calls / (double)function->timed_calls
		   : 0;
}

bool report_is_sampled_only(const struct profile_function *function)
{
	return function->cpu_total_samples && !function->lines_measured && !function->calls &&
	       !function->total_ns && function->exit == PROFILE_EXIT_NONE;
}

static int place_compare(const void *left, const void *right, void *context)
{
	const struct profile *profile = context;
	const struct profile_function *a = &profile->functions.items[*(const size_t *)left];
	const struct profile_function *b = &profile->functions.items[*(const size_t *)right];

	return report_compare_places(a, b);
}

/* The line tables in line_profiler's order: by file, line and name. */
static int print_line_tables(
    const struct profile *profile, double unit, FILE *stream, const struct report_options *options)
{
	CLEANUP_FREE const struct profile_omission **omissions = profile_order_omissions(profile);
	CLEANUP_FREE size_t *order = calloc(profile->functions.count + 1, sizeof(*order));
	CLEANUP(source_free_p) struct source *source = NULL;
	const char *opened = NULL;

	if (!omissions || !order)
		return -ENOMEM;
	for (size_t i = 0; i < profile->functions.count; i++)
		order[i] = i;
	qsort_r(order, profile->functions.count, sizeof(*order), place_compare, (void *)profile);
	for (size_t i = 0; i < profile->functions.count; i++) {
		const struct profile_function *function = &profile->functions.items[order[i]];

		if (!function->lines_measured ||
		    (options->skip_zero && !function->calls && !function->total_ns))
			continue;
		if (!opened || strcmp(opened, function->file) != 0) {
			source_free(source);
			source = source_open(function->file, options->public_sources);
			opened = function->file;
		}
		report_lines(profile, order[i], source,
		    (const struct profile_omission *const *)omissions, unit, stream, options);
	}
	return 0;
}

/*
 * line_profiler's files have lines alone, and samples are in tables of their own: no calls, nothing
 * for a table of functions.
 */
static bool has_functions(const struct profile *profile)
{
	bool lines_only = profile->functions.count > 0, sampled_only = lines_only;

	ARRAY_FOREACH (function, &profile->functions)
		sampled_only = sampled_only && report_is_sampled_only(function);
	if (sampled_only)
		return false;
	ARRAY_FOREACH (function, &profile->functions)
		lines_only = lines_only && function->lines_measured && !function->calls &&
			     function->total_ns && function->image == PROFILE_NO_IMAGE;
	return !lines_only;
}

int report_print(const struct profile *profile, FILE *stream, const struct report_options *options)
{
	bool both = !options->lines && !options->functions && !options->tree;
	double unit = options->unit > 0 ? options->unit : report_unit(profile);
	int error = 0;

	if (both || options->lines) {
		bool any = false;

		ARRAY_FOREACH (function, &profile->functions)
			any = any || function->lines_measured;
		if (any || (options->lines && !profile->sampling_period_ns))
			fprintf(stream, "Timer unit: %g s\n\n", unit);
		error = print_line_tables(profile, unit, stream, options);
	}
	if (!error && ((options->functions && !profile->sampling_period_ns) ||
			  ((both || options->functions) && has_functions(profile))))
		error = report_functions(profile, unit, stream, options);
	if (!error && options->tree)
		error = report_tree(profile, unit, stream, options);
	if (!error && options->tree)
		error = report_stacks(profile, stream, options);
	if (!error)
		error = report_cpu(profile, stream, options);
	if (!error)
		report_cost(profile, stream);
	return error;
}
