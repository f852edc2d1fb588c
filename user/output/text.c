// SPDX-License-Identifier: GPL-2.0-or-later
// Neutralizes text from foreign files: malformed UTF-8 and what terminals obey.
#include "output/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

size_t text_character(const char *text, uint32_t *ret_code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)text;
	size_t length = bytes[0] < 0x80           ? 1
			: (bytes[0] >> 5) == 0x06 ? 2
			: (bytes[0] >> 4) == 0x0e ? 3
			: (bytes[0] >> 3) == 0x1e ? 4
						  : 0;
	uint32_t code = length > 1 ? bytes[0] & (0x7f >> length) : bytes[0];

	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (!length || code < smallest[length] || code > 0x10ffff || (code >> 11) == 0x1b)
		return 0;
	if (ret_code)
		*ret_code = code;
	return length;
}

char *text_valid(const char *text)
{
	/* a malformed byte grows to three */
	char *valid = malloc(strlen(text) * 3 + 1), *end = valid;

	if (!valid)
		return NULL;
	while (*text) {
		size_t length = text_character(text, NULL);

		end = length ? mempcpy(end, text, length) : mempcpy(end, TEXT_REPLACEMENT, 3);
		text += length ? length : 1;
	}
	*end = '\0';
	return valid;
}

static bool is_obeyed(uint32_t code)
{
	return (code >= 0x80 && code < 0xa0) ||      /* C1 controls */
	       (code >= 0x200b && code <= 0x200f) || /* zero width, direction marks */
	       (code >= 0x2028 && code <= 0x202e) || /* separators, direction overrides */
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || code == 0x061c;
}

void text_print(FILE *stream, const char *text, size_t limit)
{
	for (; *text && limit; limit--) {
		uint32_t code = 0;
		size_t length = text_character(text, &code);

		if (!length)
			fputs(TEXT_REPLACEMENT, stream);
		else if ((code < ' ' && code != '\t') || code == 0x7f)
			fprintf(stream, "^%c", (int)(code ^ 0x40));
		else if (is_obeyed(code))
			fprintf(stream, "<U+%04X>", code);
		else
			fwrite(text, 1, length, stream);
		text += length ? length : 1;
	}
	if (*text)
		fputs("...", stream);
}
