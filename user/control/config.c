// SPDX-License-Identifier: GPL-2.0-or-later
// Reads lprofd's configuration and the probes it is to set by itself.
#include "control/config.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/nearest.h"
#include "base/parse.h"

#define CONFIG_SIZE_MAX (1u << 20)

enum kind { TEXT, NUMBER, DURATION, SIZE, PERCENT };

static const struct key {
	const char *name;
	enum kind kind;
	const char *standard;
	uint64_t low, high;
} keys[] = {
#define KEY(name, kind, standard, low, high) {#name, kind, standard, low, high},
    CONFIG_KEYS(KEY)
#undef KEY
};

/* What goes along while a text is read; the parser tells a handler no line, so it is counted. */
struct reading {
	const char *name;
	const char *rest; /* of the text */
	int line;         /* that was read last */
	int refused;      /* the line of the failure, 0: none */
	struct failure *failure;
	struct config *config;         /* or NULL */
	struct probe_request *request; /* or NULL */
	double rate;
};

static int refuse(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What ini.h wants of a handler that failed. */
static int refuse(struct reading *reading, const char *format, ...)
{
	char sentence[FAILURE_TEXT_MAX / 2];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	if (!reading->refused)
		reading->refused = reading->line;
	failure_set(reading->failure, EINVAL, "%s:%d: %s", reading->name, reading->line, sentence);
	return 0;
}

static char *read_line(char *buffer, int size, void *stream)
{
	struct reading *reading = stream;
	size_t length = strcspn(reading->rest, "\n");

	if (!*reading->rest)
		return NULL;
	reading->line++;
	if (length >= (size_t)size - 1) {
		(void)refuse(reading, "is longer than %d characters", size - 2);
		return NULL;
	}
	memcpy(buffer, reading->rest, length);
	reading->rest += length;
	if (*reading->rest == '\n') {
		buffer[length++] = '\n';
		reading->rest++;
	}
	buffer[length] = '\0';
	return buffer;
}

static int parse(struct reading *reading, ini_handler handler)
{
	int line = ini_parse_stream(read_line, reading, handler, reading);

	if (line > 0 && !reading->refused) {
		reading->line = line;
		(void)refuse(reading, "is neither [SECTION] nor KEY = VALUE");
	}
	if (line < 0)
		return failure_set(reading->failure, ENOMEM, "out of memory");
	return reading->refused ? -EINVAL : 0;
}

static int refuse_key(
    struct reading *reading, const char *name, const char *const *known, size_t count)
{
	const char *meant = nearest_match(name, known, count);

	return meant ? refuse(reading, "there is no key `%s`; did you mean `%s`?", name, meant)
		     : refuse(reading, "there is no key `%s`", name);
}

/* ---- lprofd.conf ---- */

/* 0: no limit. */
static int set_percent(const char *value, uint64_t *ret_number)
{
	double percent = 0;
	int error = strcmp(value, "0") ? parse_percent(value, &percent) : 0;

	if (!error)
		*ret_number = (uint64_t)(percent * CONFIG_PERCENT);
	return error;
}

static int set_key(struct config *config, size_t at, const char *value)
{
	char *copy;

	switch (keys[at].kind) {
	case TEXT:
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
		free(config->texts[at]);
		config->texts[at] = copy;
		return 0;
	case NUMBER:
		return parse_integer(value, keys[at].low, keys[at].high, &config->numbers[at]);
	case SIZE:
		return parse_size(value, &config->numbers[at]);
	case PERCENT:
		return set_percent(value, &config->numbers[at]);
	default:
		if (!strcmp(value, "0") || !strcmp(value, "0s")) {
			config->numbers[at] = 0;
			return 0;
		}
		return parse_duration(value, &config->numbers[at]);
	}
}

static int refuse_config_value(struct reading *reading, const struct key *key, const char *value)
{
	if (key->kind == NUMBER)
		return refuse(reading, "%s: '%s' is not a number from %llu to %llu", key->name,
		    value, (unsigned long long)key->low, (unsigned long long)key->high);
	if (key->kind == PERCENT)
		return refuse(reading,
		    "%s: '%s' is not a percentage of one CPU such as 2, or 0 for no limit",
		    key->name, value);
	if (key->kind == SIZE)
		return refuse(
		    reading, "%s: '%s' is not a size such as 512K, 64M or 1G", key->name, value);
	return refuse(reading, "%s: '%s' is not a time such as 30s, 10m or 1h", key->name, value);
}

static int handle_config(void *context, const char *section, const char *name, const char *value)
{
	const char *names[ARRAY_SIZE(keys)];
	struct reading *reading = context;

	if (strcmp(section, "lprofd") != 0)
		return refuse(
		    reading, "there is no section [%s]: all keys are in [lprofd]", section);
	for (size_t at = 0; at < ARRAY_SIZE(keys); at++) {
		names[at] = keys[at].name;
		if (strcmp(keys[at].name, name) != 0)
			continue;
		if (keys[at].kind == TEXT && !*value && at != CONFIG_group)
			return refuse(reading, "%s has no value", name);
		return set_key(reading->config, at, value)
			   ? refuse_config_value(reading, &keys[at], value)
			   : 1;
	}
	return refuse_key(reading, name, names, ARRAY_SIZE(names));
}

int config_init(struct config *config)
{
	*config = (struct config){0};
	for (size_t at = 0; at < ARRAY_SIZE(keys); at++)
		if (set_key(config, at, keys[at].standard))
			return -ENOMEM;
	return 0;
}

void config_fini(struct config *config)
{
	for (size_t at = 0; at < CONFIG_COUNT; at++)
		free(config->texts[at]);
	*config = (struct config){0};
}

int config_read_text(
    struct config *config, const char *name, const char *text, struct failure *failure)
{
	struct reading reading = {.name = name, .rest = text, .failure = failure, .config = config};

	return parse(&reading, handle_config);
}

int config_read(struct config *config, const char *path, struct failure *failure)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int error = file_read(path, CONFIG_SIZE_MAX, &text, &size, NULL);

	if (error == -ENOENT)
		return 0;
	if (error)
		return file_read(path, CONFIG_SIZE_MAX, &text, &size, failure);
	return config_read_text(config, path, text, failure);
}

/* ---- A probe ---- */

static int add_spec(struct reading *reading, const char *value, bool lines)
{
	struct spec_request spec = {.lines = lines, .rate = reading->rate};

	if (!*value || strlen(value) > REQUEST_TEXT_MAX)
		return refuse(reading, "names no function");
	if (reading->request->specs.count == REQUEST_SPECS_MAX)
		return refuse(reading, "there are more than %d functions", REQUEST_SPECS_MAX);
	spec.text = strdup(value);
	if (!spec.text || ARRAY_APPEND(&reading->request->specs, spec)) {
		free((char *)spec.text);
		return refuse(reading, "no memory");
	}
	return 1;
}

static int set_image(struct reading *reading, const char *value)
{
	if (*value != '/')
		return refuse(reading, "image: '%s' is not an absolute path", value);
	free(reading->request->image);
	reading->request->image = strdup(value);
	return reading->request->image ? 1 : refuse(reading, "no memory");
}

static int set_rate(struct reading *reading, const char *value)
{
	if (parse_rate(value, &reading->rate))
		return refuse(reading, "rate: '%s' is not a share from 0.0 to 1.0", value);
	ARRAY_FOREACH (spec, &reading->request->specs)
		spec->rate = reading->rate;
	return 1;
}

static int set_budget(struct reading *reading, const char *value)
{
	if (parse_percent(value, &reading->request->budget))
		return refuse(
		    reading, "budget: '%s' is not a percentage of one CPU such as 2", value);
	return 1;
}

static int set_exit(struct reading *reading, const char *value)
{
	static const char *const names[] = {
	    [PLAN_EXIT_AUTO] = "auto", [PLAN_EXIT_RETURN] = "return", [PLAN_EXIT_SITES] = "sites"};

	for (size_t at = 0; at < ARRAY_SIZE(names); at++) {
		if (strcmp(names[at], value) != 0)
			continue;
		reading->request->exit = (enum plan_exit)at;
		return 1;
	}
	return refuse(reading, "exit: '%s' is not auto, return or sites", value);
}

static int set_cpu(struct reading *reading, const char *value)
{
	uint64_t hz;

	if (parse_integer(value, 1, REQUEST_HZ_MAX, &hz))
		return refuse(
		    reading, "cpu: '%s' is not a frequency from 1 to %d", value, REQUEST_HZ_MAX);
	reading->request->cpu_hz = (uint32_t)hz;
	return 1;
}

static int handle_probe(void *context, const char *section, const char *name, const char *value)
{
	static const char *const names[] = {
	    "image", "function", "line", "rate", "budget", "exit", "cpu"};
	struct reading *reading = context;

	if (strcmp(section, "probe") != 0)
		return refuse(
		    reading, "there is no section [%s]: all keys are in [probe]", section);
	if (!strcmp(name, "function"))
		return add_spec(reading, value, false);
	if (!strcmp(name, "line"))
		return add_spec(reading, value, true);
	if (!strcmp(name, "image"))
		return set_image(reading, value);
	if (!strcmp(name, "rate"))
		return set_rate(reading, value);
	if (!strcmp(name, "budget"))
		return set_budget(reading, value);
	if (!strcmp(name, "exit"))
		return set_exit(reading, value);
	if (!strcmp(name, "cpu"))
		return set_cpu(reading, value);
	return refuse_key(reading, name, names, ARRAY_SIZE(names));
}

int config_read_probe_text(
    const char *name, const char *text, struct probe_request *ret_request, struct failure *failure)
{
	struct reading reading = {
	    .name = name, .rest = text, .failure = failure, .request = ret_request, .rate = 1.0};
	int error;

	*ret_request = (struct probe_request){.follow = true};
	error = parse(&reading, handle_probe);
	if (!error && !ret_request->image)
		return failure_set(failure, EINVAL, "%s: names no image", name);
	return error;
}
