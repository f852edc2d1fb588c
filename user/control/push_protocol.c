// SPDX-License-Identifier: GPL-2.0-or-later
// Wraps a profile as the store that gets it wants it.
#include "control/push_protocol.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strings.h"
#include "control/json_document.h"
#include "output/json_stream.h"
#include "output/text.h"

#define LABELS_MAX    32
#define LABEL_MAX     1024 /* characters */
#define PROFILE_NAME  "lprof"
#define LABEL_SERVICE "service_name"

struct push_protocol {
	const char *name;
	const char *path; /* what the URL's ends in */
	int (*make)(const char *url, const push_labels *labels, int64_t from_ns, int64_t until_ns,
	    struct push_message *message);
};

static int make_ingest(const char *url, const push_labels *labels, int64_t from_ns,
    int64_t until_ns, struct push_message *message);
static int make_push(const char *url, const push_labels *labels, int64_t from_ns, int64_t until_ns,
    struct push_message *message);
static int make_write_raw(const char *url, const push_labels *labels, int64_t from_ns,
    int64_t until_ns, struct push_message *message);

static const struct push_protocol protocols[] = {
    {"Pyroscope", "/ingest", make_ingest},
    {"Pyroscope", "/push.v1.PusherService/Push", make_push},
    {"Parca", "/profiles/writeraw", make_write_raw},
};

/* ---- The URL ---- */

/* Behind "http://" or "https://"; NULL: it is neither. */
static const char *authority_of(const char *url)
{
	return !strncasecmp(url, "http://", 7)    ? url + 7
	       : !strncasecmp(url, "https://", 8) ? url + 8
						  : NULL;
}

bool push_url_is_plain(const char *url)
{
	return !strncasecmp(url, "http://", 7);
}

const char *push_protocol_name(const struct push_protocol *protocol)
{
	return protocol->name;
}

static bool has_strange(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f || *text == '#')
			return true;
	return false;
}

const struct push_protocol *push_protocol_of(const char *url, struct failure *failure)
{
	const char *authority = authority_of(url);
	const size_t host = authority ? strcspn(authority, "/?") : 0;
	const size_t end = strcspn(url, "?");

	if (!host || has_strange(url)) {
		failure_set(failure, EINVAL,
		    "push_url: '%s' is not a URL such as https://HOST/ingest", url);
		return NULL;
	}
	if (memchr(authority, '@', host)) {
		failure_set(failure, EINVAL,
		    "push_url: has credentials in it, which everybody may read: put them into the "
		    "file that push_password_file names");
		return NULL;
	}
	for (size_t at = 0; at < ARRAY_SIZE(protocols); at++) {
		const size_t length = strlen(protocols[at].path);

		if (url + end >= authority + host + length &&
		    !strncmp(url + end - length, protocols[at].path, length))
			return &protocols[at];
	}
	failure_set(failure, EINVAL,
	    "push_url: the path of '%s' ends in none of %s and %s (Pyroscope) and %s (Parca)", url,
	    protocols[0].path, protocols[1].path, protocols[2].path);
	return NULL;
}

/* ---- Labels ---- */

void push_labels_fini(push_labels *labels)
{
	ARRAY_FOREACH (label, labels) {
		free(label->name);
		free(label->value);
	}
	ARRAY_FREE(labels);
}

static struct push_label *find_label(const push_labels *labels, const char *name)
{
	ARRAY_FOREACH (label, labels)
		if (!strcmp(label->name, name))
			return label;
	return NULL;
}

static int set_label(push_labels *labels, const char *name, const char *value)
{
	struct push_label *known = find_label(labels, name);
	struct push_label label = {known ? NULL : strdup(name), strdup(value)};

	if (label.value && known) {
		free(known->value);
		known->value = label.value;
		return 0;
	}
	if (label.name && label.value && !ARRAY_APPEND(labels, label))
		return 0;
	free(label.name);
	free(label.value);
	return -ENOMEM;
}

/* As Prometheus has them; names with two underscores in front are the stores' own. */
static bool is_label_name(const char *name)
{
	if (!*name || isdigit((unsigned char)*name) || string_starts(name, "__"))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_')
			return false;
	return true;
}

/* What is in a name={...} must not end it. */
static bool is_label_value(const char *value)
{
	if (!*value || strlen(value) > LABEL_MAX || strpbrk(value, "{}=,\""))
		return false;
	while (*value) {
		const size_t length = text_character(value, NULL);

		if (!length || iscntrl((unsigned char)*value))
			return false;
		value += length;
	}
	return true;
}

static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return text;
}

static int read_label(char *text, push_labels *labels, struct failure *failure)
{
	char *equals = strchr(text, '=');
	const char *name, *value;

	if (!equals)
		return failure_set(
		    failure, EINVAL, "push_labels: '%s' is not NAME=VALUE", trim(text));
	*equals = '\0';
	name = trim(text);
	value = trim(equals + 1);
	if (!is_label_name(name))
		return failure_set(
		    failure, EINVAL, "push_labels: '%s' is not a label's name", name);
	if (!is_label_value(value))
		return failure_set(failure, EINVAL,
		    "push_labels: the value of %s is empty, too long or has one of { } = , \" in "
		    "it",
		    name);
	if (labels->count == LABELS_MAX)
		return failure_set(
		    failure, EINVAL, "push_labels: there are more than %d", LABELS_MAX);
	return set_label(labels, name, value) ? failure_set(failure, ENOMEM, "out of memory") : 0;
}

int push_labels_read(const char *text, push_labels *ret_labels, struct failure *failure)
{
	CLEANUP_FREE char *copy = strdup(text);
	char host[256] = "", *rest = copy, *word;
	int error = copy ? 0 : -ENOMEM;

	*ret_labels = (push_labels){0};
	(void)gethostname(host, sizeof(host) - 1);
	if (!error)
		error = set_label(ret_labels, LABEL_SERVICE, "lprofd");
	if (!error)
		error = set_label(ret_labels, "instance", is_label_value(host) ? host : "unknown");
	if (error)
		return failure_set(failure, ENOMEM, "out of memory");
	if (!*trim(copy))
		return 0;
	while (!error && (word = strsep(&rest, ",")))
		error = read_label(word, ret_labels, failure);
	return error;
}

/* ---- Messages ---- */

void push_message_fini(struct push_message *message)
{
	free(message->url);
	free(message->body);
	*message = (struct push_message){0};
}

int push_message_make(const struct push_protocol *protocol, const char *url,
    const push_labels *labels, int64_t from_ns, int64_t until_ns, char *profile, size_t size,
    struct push_message *ret_message)
{
	*ret_message = (struct push_message){.body = profile, .size = size};
	return protocol->make(url, labels, from_ns, until_ns, ret_message);
}

static void write_escaped(FILE *file, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("-_.~", *text))
			fputc(*text, file);
		else
			fprintf(file, "%%%02X", (unsigned char)*text);
	}
}

static int make_ingest(const char *url, const push_labels *labels, int64_t from_ns,
    int64_t until_ns, struct push_message *message)
{
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	const char *separator = "";

	if (memory_text_init(&text))
		return -ENOMEM;
	fprintf(text.file, "%s%cname=", url, strchr(url, '?') ? '&' : '?');
	write_escaped(text.file, find_label(labels, LABEL_SERVICE)->value);
	write_escaped(text.file, "{");
	ARRAY_FOREACH (label, labels) {
		if (!strcmp(label->name, LABEL_SERVICE))
			continue;
		write_escaped(text.file, separator);
		write_escaped(text.file, label->name);
		write_escaped(text.file, "=");
		write_escaped(text.file, label->value);
		separator = ",";
	}
	write_escaped(text.file, "}");
	fprintf(text.file, "&from=%" PRId64 "&until=%" PRId64 "&format=pprof&spyName=lprof",
	    from_ns / 1000000000, until_ns / 1000000000);
	if (memory_text_end(&text))
		return -ENOMEM;
	message->url = TAKE(text.text);
	message->content_type = "application/octet-stream";
	return 0;
}

static char *encode_base64(const char *data, size_t size)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((size + 2) / 3 * 4 + 1), *end = text;

	for (size_t at = 0; text && at < size; at += 3) {
		uint32_t bits = 0;

		for (size_t i = 0; i < 3; i++)
			bits = bits << 8 | (at + i < size ? (unsigned char)data[at + i] : 0);
		for (int i = 0; i < 4; i++)
			*end++ = at + (size_t)i <= size ? digits[bits >> (18 - 6 * i) & 63] : '=';
	}
	if (text)
		*end = '\0';
	return text;
}

static void write_label(struct json_stream *json, const char *name, const char *value)
{
	json_open(json, NULL, '{', JSON_COMPACT);
	json_text(json, "name", name);
	json_text(json, "value", value);
	json_close(json);
}

static void write_labels(struct json_stream *json, const push_labels *labels)
{
	json_open(json, "labels", '[', JSON_COMPACT);
	write_label(json, "__name__", PROFILE_NAME);
	ARRAY_FOREACH (label, labels)
		write_label(json, label->name, label->value);
}

/* Ends the labels, and gives the one profile of the one series. */
static int end_series(
    struct json_stream *json, struct memory_text *text, struct push_message *message)
{
	CLEANUP_FREE char *profile = encode_base64(message->body, message->size);

	if (!profile)
		return -ENOMEM;
	json_text(json, "rawProfile", profile);
	while (json->depth)
		json_close(json);
	if (memory_text_end(text))
		return -ENOMEM;
	free(message->body);
	message->body = TAKE(text->text);
	message->size = text->size;
	message->content_type = "application/json";
	return 0;
}

static void begin_series(struct json_stream *json)
{
	json_open(json, NULL, '{', JSON_COMPACT);
	json_open(json, "series", '[', JSON_COMPACT);
	json_open(json, NULL, '{', JSON_COMPACT);
}

static void begin_sample(struct json_stream *json)
{
	json_open(json, "samples", '[', JSON_COMPACT);
	json_open(json, NULL, '{', JSON_COMPACT);
}

static int make_push(const char *url, const push_labels *labels, int64_t from_ns, int64_t until_ns,
    struct push_message *message)
{
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	struct json_stream json;
	char id[SD_ID128_UUID_STRING_MAX];
	sd_id128_t number;

	(void)from_ns; /* the profile says itself */
	(void)until_ns;
	message->url = strdup(url);
	if (!message->url || sd_id128_randomize(&number) < 0 || memory_text_init(&text))
		return -ENOMEM;
	json = (struct json_stream){.file = text.file};
	begin_series(&json);
	write_labels(&json, labels);
	write_label(&json, "__delta__", "false"); /* what is pushed is one: it makes none of it */
	json_close(&json);
	begin_sample(&json);
	json_text(&json, "ID", sd_id128_to_uuid_string(number, id));
	return end_series(&json, &text, message);
}

static int make_write_raw(const char *url, const push_labels *labels, int64_t from_ns,
    int64_t until_ns, struct push_message *message)
{
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	struct json_stream json;

	(void)from_ns;
	(void)until_ns;
	message->url = strdup(url);
	if (!message->url || memory_text_init(&text))
		return -ENOMEM;
	json = (struct json_stream){.file = text.file};
	begin_series(&json);
	json_open(&json, "labels", '{', JSON_COMPACT);
	write_labels(&json, labels);
	json_close(&json);
	json_close(&json);
	begin_sample(&json);
	return end_series(&json, &text, message);
}
