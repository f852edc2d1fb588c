// SPDX-License-Identifier: GPL-2.0-or-later
// Ranks names by their likeness to a mistyped one.
#include "target/suggestion.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

#define NAME_MAX_SHOWN 200
#define FAR            1000

/* The last part of a qualified name. */
static const char *last_part(const char *name)
{
	const char *part = name;

	for (const char *c = name; *c && *c != '(' && *c != '<'; c++)
		if (c[0] == ':' && c[1] == ':')
			part = c + 2;
	return *part ? part : name;
}

static unsigned distance(const char *typed, const char *name)
{
	size_t length = strlen(typed), other = strlen(name);
	size_t apart = length > other ? length - other : other - length;
	unsigned found;

	if (!is_near(typed, (unsigned)apart))
		return FAR;
	found = edit_distance(typed, name);
	return is_near(typed, found) ? found : FAR;
}

/* Small is near: slips of the fingers first, then names that hold the other, shortest first. */
static unsigned score(const char *typed, const char *name)
{
	unsigned whole = distance(typed, name), part = distance(typed, last_part(name));
	size_t length = strlen(typed), other = strlen(name);

	if (part + 1 < whole)
		whole = part + 1;
	if (whole >= FAR && length >= 3 && strcasestr(name, typed))
		whole = 100 + (unsigned)(other - length < 500 ? other - length : 500);
	else if (whole >= FAR && other >= 4 && strcasestr(typed, name))
		whole = 100 + (unsigned)(length - other < 500 ? length - other : 500);
	return whole;
}

void suggestion_offer(struct suggestion *suggestion, const char *name)
{
	unsigned found = score(suggestion->typed, name);
	size_t at = SUGGESTIONS;

	if (found >= FAR)
		return;
	for (size_t i = 0; i < SUGGESTIONS; i++)
		if (suggestion->best[i].name && !strcmp(suggestion->best[i].name, name))
			return;
	while (at > 0 && (!suggestion->best[at - 1].name || suggestion->best[at - 1].score > found))
		at--;
	if (at == SUGGESTIONS)
		return;
	memmove(&suggestion->best[at + 1], &suggestion->best[at],
	    (SUGGESTIONS - at - 1) * sizeof(*suggestion->best));
	suggestion->best[at].name = name;
	suggestion->best[at].score = found;
}

const char *suggestion_text(
    const struct suggestion *suggestion, const char *otherwise, char *text, size_t size)
{
	size_t used = 0, count = 0;

	while (count < SUGGESTIONS && suggestion->best[count].name)
		count++;
	if (count == 0)
		return otherwise;
	for (size_t i = 0; i < count; i++) {
		const char *before = i == 0 ? "; did you mean " : i + 1 < count ? ", " : " or ";
		int length = snprintf(text + used, size - used, "%s%.*s", before, NAME_MAX_SHOWN,
		    suggestion->best[i].name);

		if (length < 0 || (size_t)length + 2 >= size - used)
			break;
		used += (size_t)length;
	}
	text[used++] = '?';
	text[used] = '\0';
	return text;
}
