// SPDX-License-Identifier: GPL-2.0-or-later
// Fits texts and numbers into columns of a terminal.
#include "cmd/top_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/array.h"
#include "output/text.h"

#define TAB 8

/* A character's columns in this locale, -1: it cannot be shown. */
static int character_columns(uint32_t code)
{
	if (code >= 0x80 && MB_CUR_MAX == 1)
		return -1;
	return wcwidth((wchar_t)code);
}

/* Appends what text_print() made of a text: valid, without controls but for tabs. */
static size_t append_clean(char *line, const char *text, size_t columns)
{
	char *end = line + strlen(line);
	size_t used = 0;

	while (*text && end + 5 < line + TOP_LINE_MAX) {
		uint32_t code = 0;
		size_t length = text_character(text, &code);
		size_t wanted = code == '\t' ? TAB - used % TAB : 1;
		int width = code == '\t' ? 1 : character_columns(code);

		if (width > 1)
			wanted = (size_t)width;
		if (width == 0)
			wanted = 0;
		if (!length || used + wanted > columns)
			break;
		if (code == '\t')
			for (size_t at = 0; at < wanted && end + 5 < line + TOP_LINE_MAX; at++)
				*end++ = ' ';
		else if (width < 0)
			*end++ = '?';
		else
			end = mempcpy(end, text, length);
		used += wanted;
		text += length;
	}
	*end = '\0';
	return used;
}

size_t top_text_append(char *line, const char *text, size_t columns)
{
	char *clean = NULL;
	size_t size = 0, used = 0;
	FILE *stream = open_memstream(&clean, &size);

	if (!stream)
		return 0;
	text_print(stream, text, columns);
	if (fclose(stream) == 0)
		used = append_clean(line, clean, columns);
	free(clean);
	return used;
}

void top_text_pad(char *line, size_t used, size_t columns)
{
	size_t length = strlen(line);

	while (used++ < columns && length + 1 < TOP_LINE_MAX)
		line[length++] = ' ';
	line[length] = '\0';
}

const char *top_number(double number, const char *mark, char text[TOP_CELL_MAX])
{
	static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
	size_t unit = 0;

	if (isnan(number))
		return strcpy(text, "-");
	if (fabs(number) < 99.95 && number != floor(number))
		snprintf(text, TOP_CELL_MAX, "%s%.1f", mark, number);
	else if (fabs(number) < 9999999.5)
		snprintf(text, TOP_CELL_MAX, "%s%.0f", mark, number);
	else {
		for (; fabs(number) >= 9999.5 && unit + 1 < ARRAY_SIZE(units); unit++)
			number /= 1000;
		snprintf(text, TOP_CELL_MAX, "%s%.0f%s", mark, number, units[unit]);
	}
	return text;
}

const char *top_duration(double ns, const char *mark, char text[TOP_CELL_MAX])
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	size_t unit = 0;

	if (isnan(ns))
		return strcpy(text, "-");
	for (; fabs(ns) >= 999.5 && unit + 1 < ARRAY_SIZE(units); unit++)
		ns /= 1000;
	if (fabs(ns) < 999.5)
		snprintf(text, TOP_CELL_MAX, "%s%.3g%s", mark, ns, units[unit]);
	else if (fabs(ns) < 99999.5)
		snprintf(text, TOP_CELL_MAX, "%s%.0fs", mark, ns);
	else
		snprintf(text, TOP_CELL_MAX, "%s%.0fh", mark, ns / 3600);
	return text;
}

const char *top_percent(double share, const char *mark, char text[TOP_CELL_MAX])
{
	if (isnan(share))
		return strcpy(text, "-");
	if (fabs(share) < 0.0005)
		share = 0; /* not -0.0 */
	snprintf(text, TOP_CELL_MAX, fabs(share) < 9.9995 ? "%s%.1f" : "%s%.0f", mark, 100 * share);
	return text;
}
