// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the name that is nearest to a mistyped one.
#include "base/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool equal(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

unsigned edit_distance(const char *a, const char *b)
{
	/* Rows of the table of distances between prefixes: the one before last, the last, this one.
	 */
	unsigned rows[3][NEAREST_LENGTH_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *current = rows[2];
	size_t a_length = strnlen(a, NEAREST_LENGTH_MAX), b_length = strnlen(b, NEAREST_LENGTH_MAX);

	for (size_t j = 0; j <= b_length; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned *reused = before;

		current[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			current[j] = least(last[j - 1] + !equal(a[i - 1], b[j - 1]),
			    least(last[j], current[j - 1]) + 1);
			if (i > 1 && j > 1 && equal(a[i - 1], b[j - 2]) &&
			    equal(a[i - 2], b[j - 1]))
				current[j] = least(current[j], before[j - 2] + 1);
		}
		before = last;
		last = current;
		current = reused;
	}
	return last[b_length];
}

bool is_near(const char *text, unsigned distance)
{
	return distance <= 1 + strlen(text) / 4;
}

const char *nearest_match(const char *text, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	unsigned smallest = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = edit_distance(text, candidates[i]);

		if (!nearest || distance < smallest) {
			nearest = candidates[i];
			smallest = distance;
		}
	}
	return nearest && is_near(text, smallest) ? nearest : NULL;
}
