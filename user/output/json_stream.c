// SPDX-License-Identifier: GPL-2.0-or-later
// Writes JSON tokens: commas, layout, escapes.
#include "output/json_stream.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "output/text.h"

static void write_string(FILE *file, const char *text)
{
	fputc('"', file);
	while (*text) {
		uint32_t code = 0;
		size_t length = text_character(text, &code);

		if (!length)
			fputs(TEXT_REPLACEMENT, file);
		else if (code == '"' || code == '\\')
			fprintf(file, "\\%c", (int)code);
		else if (code < ' ' || code == 0x7f)
			fprintf(file, "\\u%04x", code);
		else
			fwrite(text, 1, length, file);
		text += length ? length : 1;
	}
	fputc('"', file);
}

static void begin_member(struct json_stream *json, const char *key)
{
	bool rows = json->depth && json->levels[json->depth - 1].rows;

	if (json->depth) {
		if (json->levels[json->depth - 1].filled)
			fputs(rows ? "," : ", ", json->file);
		json->levels[json->depth - 1].filled = true;
	}
	if (rows)
		fprintf(json->file, "\n%*s", (int)json->depth, "");
	if (key)
		fprintf(json->file, "\"%s\": ", key);
}

void json_open(struct json_stream *json, const char *key, char bracket, enum json_layout layout)
{
	assert(json->depth < JSON_DEPTH_MAX);
	begin_member(json, key);
	fputc(bracket, json->file);
	json->levels[json->depth].bracket = bracket;
	json->levels[json->depth].rows = layout == JSON_ROWS;
	json->levels[json->depth].filled = false;
	json->depth++;
}

void json_close(struct json_stream *json)
{
	assert(json->depth);
	json->depth--;
	fputc(json->levels[json->depth].bracket == '{' ? '}' : ']', json->file);
	if (!json->depth)
		fputc('\n', json->file);
}

void json_text(struct json_stream *json, const char *key, const char *text)
{
	begin_member(json, key);
	if (text)
		write_string(json->file, text);
	else
		fputs("null", json->file);
}

void json_unsigned(struct json_stream *json, const char *key, uint64_t number)
{
	begin_member(json, key);
	fprintf(json->file, "%" PRIu64, number);
}

void json_signed(struct json_stream *json, const char *key, int64_t number)
{
	begin_member(json, key);
	fprintf(json->file, "%" PRId64, number);
}

void json_real(struct json_stream *json, const char *key, double number)
{
	char shortest[32];

	if (!isfinite(number)) {
		json_null(json, key);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(shortest, sizeof(shortest), "%.*g", digits, number);
		if (strtod(shortest, NULL) == number)
			break;
	}
	begin_member(json, key);
	fputs(shortest, json->file);
}

void json_boolean(struct json_stream *json, const char *key, bool value)
{
	begin_member(json, key);
	fputs(value ? "true" : "false", json->file);
}

void json_null(struct json_stream *json, const char *key)
{
	begin_member(json, key);
	fputs("null", json->file);
}
