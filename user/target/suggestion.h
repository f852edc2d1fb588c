/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few of many names that somebody who mistyped one probably meant. */
#ifndef LPROF_TARGET_SUGGESTION_H
#define LPROF_TARGET_SUGGESTION_H

#include <stddef.h>

#define SUGGESTIONS 3

struct suggestion {
	const char *typed;
	struct {
		const char *name; /* NULL: none */
		unsigned score;
	} best[SUGGESTIONS]; /* best first */
};

/* Considers a candidate, which must outlive the suggestion. */
void suggestion_offer(struct suggestion *suggestion, const char *name);

/* "; did you mean a, b or c?", or `otherwise` if nothing was near. */
const char *suggestion_text(
    const struct suggestion *suggestion, const char *otherwise, char *text, size_t size);

#endif
