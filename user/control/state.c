// SPDX-License-Identifier: GPL-2.0-or-later
// Writes and reads the state file.
#include "control/state.h"

#include <errno.h>
#include <string.h>

#include "base/files.h"
#include "control/json_document.h"
#include "control/sampling.h"
#include "cpu_wire.h"

#define STATE_VERSION 1
#define TABLE_MAX     INT32_MAX

static const char *const phase_names[] = {
    [PART_ATTACHING] = "attaching", [PART_ATTACHED] = "attached", [PART_ENDED] = "ended"};

/* ---- Writing ---- */

static void write_part(
    struct json_stream *json, const struct engine *engine, const struct probe_part *part)
{
	struct engine_place place = engine_part_place(engine, part->number);
	size_t links, refused;

	engine_part_probes(engine, part->number, &links, &refused);
	json_open(json, NULL, '{', JSON_COMPACT);
	json_unsigned(json, "functions", place.functions);
	json_unsigned(json, "sites", place.sites);
	json_unsigned(json, "lines", place.lines);
	json_unsigned(json, "scope", place.scope);
	json_unsigned(json, "links", part->phase == PART_ATTACHED ? links : 0);
	if (part->slot != NO_SLOT)
		json_unsigned(json, "slot", part->slot);
	json_text(json, "phase", phase_names[part->phase]);
	json_boolean(json, "shown", engine_part_shown(engine, part->number));
	json_signed(json, "hash", (int64_t)(part->hash >> 1)); /* numbers are signed in JSON */
	json_unsigned(json, "file", part->file);
	json_unsigned(json, "device", part->identity.device);
	json_unsigned(json, "inode", part->identity.inode);
	json_unsigned(json, "size", part->identity.size);
	json_signed(json, "changed_ns", part->identity.changed_ns);
	json_close(json);
}

static void write_probe(
    struct json_stream *json, const struct engine *engine, const struct probe *probe)
{
	json_open(json, NULL, '{', JSON_ROWS);
	json_unsigned(json, "id", probe->id);
	json_unsigned(json, "user", probe->user);
	json_boolean(json, "active", probe->active);
	json_signed(json, "ends_ns", probe->ends_ns);
	request_write(&probe->request, json);
	json_open(json, "parts", '[', JSON_ROWS);
	ARRAY_FOREACH (part, &probe->parts)
		write_part(json, engine, part);
	json_close(json);
	json_close(json);
}

static void write_target(void *context, pid_t pid, const char *command)
{
	struct json_stream *json = context;

	json_open(json, NULL, '{', JSON_COMPACT);
	json_signed(json, "pid", pid);
	json_text(json, "command", command);
	json_close(json);
}

static void write_state(const struct state_input *input, FILE *stream)
{
	const struct probes *probes = input->probes;
	const struct engine *engine = probes->options.engine;
	struct json_stream json = {.file = stream};

	json_open(&json, NULL, '{', JSON_ROWS);
	json_unsigned(&json, "version", STATE_VERSION);
	json_text(&json, "boot", input->boot);
	json_signed(&json, "started_ns", engine_started(engine));
	json_unsigned(&json, "restarts", input->restarts);
	json_unsigned(&json, "next_id", probes->next_id);
	json_unsigned(&json, "next_file", probes->next_file);
	json_unsigned(&json, "sampling_hz", sampling_hz(probes->options.sampling));
	if (sampling_event(probes->options.sampling))
		json_text(&json, "sampling_event", sampling_event(probes->options.sampling));
	json_open(&json, "targets", '[', JSON_ROWS);
	engine_visit_targets(engine, write_target, &json);
	json_close(&json);
	json_open(&json, "probes", '[', JSON_ROWS);
	ARRAY_FOREACH (probe, &probes->all)
		write_probe(&json, engine, *probe);
	json_close(&json);
	json_close(&json);
	fputc('\n', stream);
}

int state_save(const struct state_input *input, const char *path, struct failure *failure)
{
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	int error = memory_text_init(&text);

	if (!error) {
		write_state(input, text.file);
		error = memory_text_end(&text);
	}
	if (error)
		return failure_set(failure, ENOMEM, "out of memory");
	return file_write_atomically(path, text.text, text.size, failure);
}

/* ---- Reading ---- */

typedef int (*element_reader)(const struct json_place *element, void *context);

static int read_list(
    const struct json_place *object, const char *key, element_reader read, void *context)
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
	for (size_t at = 0; at < count && !error; at++) {
		json_element(&list, at, &element);
		error = json_expect(&element, json_type_object);
		if (!error)
			error = read(&element, context);
	}
	return error;
}

static int no_memory(const struct json_place *place)
{
	return failure_set(place->failure, ENOMEM, "out of memory");
}

static int read_base(const struct json_place *element, const char *key, uint32_t *ret_base)
{
	int64_t base = 0;
	int error = json_get_signed(element, key, 0, TABLE_MAX, &base);

	*ret_base = (uint32_t)base;
	return error;
}

static int read_part(const struct json_place *element, void *context)
{
	struct stored_probe *probe = context;
	struct stored_part part = {.shown = true};
	int64_t slot = NO_SLOT;
	unsigned phase = PART_ENDED;
	int error;

	if ((error = read_base(element, "functions", &part.place.functions)) ||
	    (error = read_base(element, "sites", &part.place.sites)) ||
	    (error = read_base(element, "lines", &part.place.lines)) ||
	    (error = json_get_u32(element, "scope", &part.place.scope)) ||
	    (error = json_get_unsigned(element, "links", &part.links)) ||
	    (error = json_get_signed(element, "slot", 0, SAMPLING_SLOTS - 1, &slot)) ||
	    (error = json_get_unsigned(element, "hash", &part.hash)) ||
	    (error = json_get_unsigned(element, "file", &part.file)) ||
	    (error = json_get_bool(element, "shown", &part.shown)) ||
	    (error = json_get_name(
		 element, "phase", phase_names, ARRAY_SIZE(phase_names), &phase)) ||
	    (error = json_get_unsigned(element, "device", &part.identity.device)) ||
	    (error = json_get_unsigned(element, "inode", &part.identity.inode)) ||
	    (error = json_get_unsigned(element, "size", &part.identity.size)) ||
	    (error = json_get_signed(
		 element, "changed_ns", INT64_MIN + 1, INT64_MAX, &part.identity.changed_ns)))
		return error;
	if (part.links > TABLE_MAX)
		return json_refuse(element, "has too many links");
	part.phase = (enum part_phase)phase;
	part.slot = (uint32_t)slot;
	return ARRAY_APPEND(&probe->parts, part) ? no_memory(element) : 0;
}

static void stored_probe_fini(struct stored_probe *probe)
{
	request_fini(&probe->request);
	ARRAY_FREE(&probe->parts);
}

static int read_probe(const struct json_place *element, void *context)
{
	struct state *state = context;
	struct stored_probe *probe;
	struct json_place request;
	int error;

	if (ARRAY_APPEND(&state->probes, (struct stored_probe){0}))
		return no_memory(element);
	probe = &state->probes.items[state->probes.count - 1];
	if (!json_member(element, "request", &request))
		return json_refuse(element, "has no \"request\"");
	if ((error = json_expect(&request, json_type_object)) ||
	    (error = request_read(&request, &probe->request)) ||
	    (error = json_get_unsigned(element, "id", &probe->id)) ||
	    (error = json_get_unsigned(element, "user", &probe->user)) ||
	    (error = json_get_bool(element, "active", &probe->active)) ||
	    (error = json_get_signed(element, "ends_ns", 0, INT64_MAX, &probe->ends_ns)))
		return error;
	if (probe->user > UINT32_MAX)
		return json_refuse(element, "has a wrong \"user\"");
	return read_list(element, "parts", read_part, probe);
}

static int read_target(const struct json_place *element, void *context)
{
	struct state *state = context;
	struct stored_target target = {0};
	const char *command = "";
	int error;

	if ((error = json_get_signed(element, "pid", 1, INT32_MAX, &target.pid)) ||
	    (error = json_get_text(element, "command", &command)))
		return error;
	target.command = strdup(command);
	if (!target.command || ARRAY_APPEND(&state->targets, target)) {
		free(target.command);
		return no_memory(element);
	}
	return 0;
}

static int read_document(const struct json_place *document, struct state *state)
{
	const char *boot = "", *event = "";
	int64_t version = 0, hz = 0;
	int error = json_expect(document, json_type_object);

	if (error || (error = json_get_signed(document, "version", 0, INT32_MAX, &version)))
		return error;
	if (version != STATE_VERSION)
		return json_refuse(
		    document, "is of version %d, which this lprofd does not read", (int)version);
	if ((error = json_get_text(document, "boot", &boot)) ||
	    (error = json_get_signed(document, "started_ns", 0, INT64_MAX, &state->started_ns)) ||
	    (error = json_get_unsigned(document, "restarts", &state->restarts)) ||
	    (error = json_get_unsigned(document, "next_id", &state->next_id)) ||
	    (error = json_get_unsigned(document, "next_file", &state->next_file)) ||
	    (error = json_get_signed(document, "sampling_hz", 0, REQUEST_HZ_MAX, &hz)) ||
	    (error = json_get_text(document, "sampling_event", &event)) ||
	    (error = read_list(document, "targets", read_target, state)) ||
	    (error = read_list(document, "probes", read_probe, state)))
		return error;
	state->sampling_hz = (uint32_t)hz;
	snprintf(state->boot, sizeof(state->boot), "%s", boot);
	snprintf(state->sampling_event, sizeof(state->sampling_event), "%s", event);
	return 0;
}

int state_read(const char *name, const char *bytes, size_t size, struct state *ret_state,
    struct failure *failure)
{
	CLEANUP(json_document_put_p) struct json_object *value = NULL;
	struct json_place document = {.name = name, .failure = failure};
	int error;

	*ret_state = (struct state){0};
	error = json_document_parse(name, bytes, size, &value, failure);
	if (error)
		return error;
	document.value = value;
	return read_document(&document, ret_state);
}

void state_fini(struct state *state)
{
	ARRAY_FOREACH (probe, &state->probes)
		stored_probe_fini(probe);
	ARRAY_FREE(&state->probes);
	ARRAY_FOREACH (target, &state->targets)
		free(target->command);
	ARRAY_FREE(&state->targets);
}
