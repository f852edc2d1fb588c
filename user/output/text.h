/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text from foreign files made safe for whoever reads it next: names and source lines can hold
 * terminal escapes, broken UTF-8 and characters that reorder what stands beside them.
 */
#ifndef LPROF_OUTPUT_TEXT_H
#define LPROF_OUTPUT_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/*
 * Bytes of the UTF-8 character at `text` (1 to 4), or 0 if it is malformed: overlong, a surrogate,
 * beyond U+10FFFF or cut off. `ret_code` may be NULL. Never reads beyond the NUL.
 */
size_t text_character(const char *text, uint32_t *ret_code);

/* A valid UTF-8 copy, malformed bytes replaced by U+FFFD; the caller frees it. NULL: no memory. */
char *text_valid(const char *text);

/*
 * Writes for a terminal: malformed bytes as U+FFFD, control characters as ^X, others that a
 * terminal obeys (C1 controls, bidirectional overrides, line separators) as <U+XXXX>. Tabs stay.
 * At most `limit` characters, then "...".
 */
void text_print(FILE *stream, const char *text, size_t limit);

#endif
