/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes JSON as it goes, so that a profile of a million lines needs no tree in memory: RFC 8259,
 * always valid UTF-8. Keys are our own literals. In arrays the key is NULL.
 */
#ifndef LPROF_OUTPUT_JSON_STREAM_H
#define LPROF_OUTPUT_JSON_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 16

struct json_stream {
	FILE *file;
	unsigned depth;
	struct {
		char bracket;
		bool rows, filled;
	} levels[JSON_DEPTH_MAX];
};

/* JSON_ROWS: each member on a line of its own. */
enum json_layout { JSON_COMPACT, JSON_ROWS };

void json_open(struct json_stream *json, const char *key, char bracket, enum json_layout layout);
void json_close(struct json_stream *json);
void json_text(struct json_stream *json, const char *key, const char *text); /* NULL: null */
void json_unsigned(struct json_stream *json, const char *key, uint64_t number);
void json_signed(struct json_stream *json, const char *key, int64_t number);
void json_real(struct json_stream *json, const char *key, double number); /* NaN, infinity: null */
void json_boolean(struct json_stream *json, const char *key, bool value);
void json_null(struct json_stream *json, const char *key);

#endif
