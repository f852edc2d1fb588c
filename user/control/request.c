// SPDX-License-Identifier: GPL-2.0-or-later
// Reads, writes and compares what is asked to be probed.
#include "control/request.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static const char *const exit_names[] = {
    [PLAN_EXIT_AUTO] = "auto", [PLAN_EXIT_RETURN] = "return", [PLAN_EXIT_SITES] = "sites"};

typedef int (*element_reader)(struct probe_request *request, const struct json_place *element);

static int no_memory(const struct json_place *place)
{
	return failure_set(place->failure, ENOMEM, "out of memory");
}

static int read_list(struct probe_request *request, const struct json_place *object,
    const char *key, size_t most, element_reader read)
{
	struct json_place list, element;
	size_t count;
	int error;

	if (!json_member(object, key, &list))
		return 0;
	error = json_expect(&list, json_type_array);
	if (error)
		return error;
	count = json_object_array_length(list.value);
	if (count > most)
		return json_refuse(&list, "has more than %zu members", most);
	for (size_t at = 0; at < count && !error; at++) {
		json_element(&list, at, &element);
		error = read(request, &element);
	}
	return error;
}

static int check_text(const struct json_place *place, const char *text)
{
	if (!*text)
		return json_refuse(place, "is empty");
	return strlen(text) > REQUEST_TEXT_MAX ? json_refuse(place, "is too long") : 0;
}

static int read_spec(struct probe_request *request, const struct json_place *element)
{
	struct spec_request spec = {.rate = 1.0};
	const char *text = "";
	int error = json_expect(element, json_type_object);

	if (error || (error = json_get_text(element, "text", &text)) ||
	    (error = check_text(element, text)) ||
	    (error = json_get_bool(element, "lines", &spec.lines)) ||
	    (error = json_get_real(element, "rate", 0, 1, &spec.rate)))
		return error;
	if (ARRAY_RESERVE(&request->specs, 1) || !(spec.text = strdup(text)))
		return no_memory(element);
	request->specs.items[request->specs.count++] = spec;
	return 0;
}

static int read_pid(struct probe_request *request, const struct json_place *element)
{
	int64_t pid;
	int error = json_number(element, 1, INT32_MAX, &pid);

	if (error)
		return error;
	ARRAY_FOREACH (known, &request->pids)
		if (*known == pid)
			return 0;
	return ARRAY_APPEND(&request->pids, (pid_t)pid) ? no_memory(element) : 0;
}

static int read_output(struct probe_request *request, const struct json_place *element)
{
	const char *text;
	char *copy;
	int error = json_string(element, &text);

	if (error || (error = check_text(element, text)))
		return error;
	if (*text != '/')
		return json_refuse(element, "must be an absolute path");
	copy = strdup(text);
	if (!copy || ARRAY_APPEND(&request->outputs, copy)) {
		free(copy);
		return no_memory(element);
	}
	return 0;
}

static int read_image(struct probe_request *request, const struct json_place *object)
{
	const char *text = NULL;
	int error = json_get_text(object, "image", &text);

	if (error || !text)
		return error;
	error = check_text(object, text);
	if (error)
		return error;
	if (*text != '/')
		return json_refuse(object, "has an image that is not an absolute path");
	request->image = strdup(text);
	return request->image ? 0 : no_memory(object);
}

int request_read(const struct json_place *object, struct probe_request *ret_request)
{
	unsigned exit = PLAN_EXIT_AUTO;
	int64_t cpu_hz = 0;
	int error;

	*ret_request = (struct probe_request){.follow = true};
	if ((error = read_list(ret_request, object, "specs", REQUEST_SPECS_MAX, read_spec)) ||
	    (error = read_list(ret_request, object, "pids", REQUEST_PIDS_MAX, read_pid)) ||
	    (error = read_list(ret_request, object, "outputs", REQUEST_OUTPUTS_MAX, read_output)) ||
	    (error = read_image(ret_request, object)) ||
	    (error = json_get_name(object, "exit", exit_names, ARRAY_SIZE(exit_names), &exit)) ||
	    (error = json_get_real(object, "budget", 0, 100000, &ret_request->budget)) ||
	    (error = json_get_bool(object, "follow", &ret_request->follow)) ||
	    (error = json_get_bool(object, "off_cpu", &ret_request->off_cpu)) ||
	    (error = json_get_signed(object, "cpu_hz", 0, REQUEST_HZ_MAX, &cpu_hz)) ||
	    (error = json_get_unsigned(object, "for_ns", &ret_request->for_ns)))
		return error;
	ret_request->exit = (enum plan_exit)exit;
	ret_request->cpu_hz = (uint32_t)cpu_hz;
	if (!ret_request->image == !ret_request->pids.count)
		return json_refuse(object, "must name processes or an image, one of both");
	return 0;
}

static void write_specs(const struct probe_request *request, struct json_stream *json)
{
	json_open(json, "specs", '[', JSON_COMPACT);
	ARRAY_FOREACH (spec, &request->specs) {
		json_open(json, NULL, '{', JSON_COMPACT);
		json_text(json, "text", spec->text);
		json_boolean(json, "lines", spec->lines);
		json_real(json, "rate", spec->rate);
		json_close(json);
	}
	json_close(json);
}

void request_write(const struct probe_request *request, struct json_stream *json)
{
	json_open(json, "request", '{', JSON_COMPACT);
	write_specs(request, json);
	if (request->image)
		json_text(json, "image", request->image);
	if (request->pids.count) {
		json_open(json, "pids", '[', JSON_COMPACT);
		ARRAY_FOREACH (pid, &request->pids)
			json_signed(json, NULL, *pid);
		json_close(json);
	}
	json_text(json, "exit", exit_names[request->exit]);
	if (request->budget > 0)
		json_real(json, "budget", request->budget);
	json_boolean(json, "follow", request->follow);
	if (request->off_cpu)
		json_boolean(json, "off_cpu", true);
	if (request->cpu_hz)
		json_unsigned(json, "cpu_hz", request->cpu_hz);
	json_open(json, "outputs", '[', JSON_COMPACT);
	ARRAY_FOREACH (output, &request->outputs)
		json_text(json, NULL, *output);
	json_close(json);
	json_unsigned(json, "for_ns", request->for_ns);
	json_close(json);
}

void request_fini(struct probe_request *request)
{
	ARRAY_FOREACH (spec, &request->specs)
		free((char *)spec->text);
	ARRAY_FREE(&request->specs);
	ARRAY_FREE(&request->pids);
	ARRAY_FOREACH (output, &request->outputs)
		free(*output);
	ARRAY_FREE(&request->outputs);
	free(TAKE(request->image));
}

static bool has_pid(const struct probe_request *request, pid_t pid)
{
	ARRAY_FOREACH (known, &request->pids)
		if (*known == pid)
			return true;
	return false;
}

bool request_equal(const struct probe_request *a, const struct probe_request *b)
{
	if (a->specs.count != b->specs.count || a->pids.count != b->pids.count ||
	    !a->image != !b->image || a->exit != b->exit || a->follow != b->follow ||
	    a->cpu_hz != b->cpu_hz || a->off_cpu != b->off_cpu)
		return false;
	if (a->image && strcmp(a->image, b->image) != 0)
		return false;
	for (size_t at = 0; at < a->specs.count; at++)
		if (strcmp(a->specs.items[at].text, b->specs.items[at].text) != 0 ||
		    a->specs.items[at].lines != b->specs.items[at].lines)
			return false;
	ARRAY_FOREACH (pid, &a->pids)
		if (!has_pid(b, *pid))
			return false;
	return true;
}

bool request_has_spec(const struct probe_request *request, const char *text)
{
	ARRAY_FOREACH (spec, &request->specs)
		if (!strcmp(spec->text, text))
			return true;
	return false;
}
