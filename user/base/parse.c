// SPDX-License-Identifier: GPL-2.0-or-later
// Parses the values of options: numbers, rates, percentages, durations, process ids.
#include "base/parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"

/* PID_MAX_LIMIT of a 64-bit kernel, include/linux/threads.h. */
#define PID_LIMIT (4 * 1024 * 1024)

static int parse_digits(const char *text, size_t length, uint64_t high, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!length || strspn(text, DIGITS) < length)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return -ERANGE;
	if (value > high)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int parse_integer(const char *text, uint64_t low, uint64_t high, uint64_t *ret_value)
{
	uint64_t value;
	int result = parse_digits(text, strlen(text), high, &value);

	if (result)
		return result;
	if (value < low)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

/*
 * The number that `text` begins with, without strtod: that one reads signs, hexadecimal, "nan" and
 * the locale's comma. Gives its length, 0 if there is none.
 */
static size_t read_decimal(const char *text, double *ret_value)
{
	size_t whole = strspn(text, DIGITS), fraction = 0;
	double value = 0, scale = 1;

	if (text[whole] == '.')
		fraction = strspn(text + whole + 1, DIGITS);
	if (whole + fraction == 0 || whole + fraction > 30 || (text[whole] == '.' && !fraction))
		return 0;
	for (size_t i = 0; i < whole; i++)
		value = value * 10 + (text[i] - '0');
	for (size_t i = 0; i < fraction; i++) {
		value = value * 10 + (text[whole + 1 + i] - '0');
		scale *= 10;
	}
	*ret_value = value / scale;
	return whole + (fraction ? fraction + 1 : 0);
}

int parse_decimal(const char *text, double low, double high, double *ret_value)
{
	double value;
	size_t length = read_decimal(text, &value);

	if (!length || text[length])
		return -EINVAL;
	if (value < low || value > high)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int parse_rate(const char *text, double *ret_rate)
{
	return parse_decimal(text, 0.0, 1.0, ret_rate);
}

int parse_percent(const char *text, double *ret_percent)
{
	double value;
	size_t length = read_decimal(text, &value);

	if (!length || (strcmp(text + length, "") && strcmp(text + length, "%")))
		return -EINVAL;
	if (value <= 0 || value > 100000)
		return -ERANGE;
	*ret_percent = value;
	return 0;
}

struct unit {
	const char *suffix;
	double scale;
};

static const struct unit duration_units[] = {
    {"", 1e9}, {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};

static const struct unit size_units[] = {
    {"", 1}, {"K", 0x1p10}, {"M", 0x1p20}, {"G", 0x1p30}, {"T", 0x1p40}};

/* A decimal with one of the suffixes behind it, in the suffix's unit. */
static int parse_unit(
    const char *text, const struct unit *units, size_t count, double most, uint64_t *ret_value)
{
	double value;
	size_t length = read_decimal(text, &value);

	if (!length)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text + length, units[i].suffix))
			continue;
		value *= units[i].scale;
		if (value < 1 || value > most)
			return -ERANGE;
		*ret_value = (uint64_t)(value + 0.5);
		return 0;
	}
	return -EINVAL;
}

int parse_duration(const char *text, uint64_t *ret_ns)
{
	const double century_ns = 100 * 365.25 * 86400e9;

	return parse_unit(text, duration_units, ARRAY_SIZE(duration_units), century_ns, ret_ns);
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	return parse_unit(text, size_units, ARRAY_SIZE(size_units), 0x1p62, ret_bytes);
}

static int append_pid(pid_array *pids, pid_t pid)
{
	ARRAY_FOREACH (known, pids) {
		if (*known == pid)
			return 0;
	}
	return ARRAY_APPEND(pids, pid);
}

int parse_pids(const char *text, pid_array *pids)
{
	size_t before = pids->count;

	for (;;) {
		size_t length = strcspn(text, ",");
		uint64_t pid;
		int result = parse_digits(text, length, PID_LIMIT, &pid);

		if (!result && !pid)
			result = -ERANGE;
		if (!result)
			result = append_pid(pids, pid);
		if (result) {
			pids->count = before;
			return result;
		}
		if (!text[length])
			return 0;
		text += length + 1;
	}
}
