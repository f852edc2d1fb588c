// SPDX-License-Identifier: GPL-2.0-or-later
// Answers calls: finds the method, checks who asks, does it, writes the reply.
#include "control/methods.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "control/methods_reply.h"
#include "control/protocol.h"
#include "control/sampling.h"
#include "output/output.h"
#include "target/process.h"

#define WATCH_MIN_MS     100
#define WATCH_DEFAULT_MS 1000
#define WATCH_MAX_MS     3600000

/* A call on its way to its reply. */
struct call {
	struct daemon *daemon;
	struct server_client *client;
	const struct protocol_call *message;
	uid_t user; /* 0: may do and see all */
	struct json_place parameters;
	struct failure *failure;
};

/* ---- Add ---- */

static int check_processes(const struct call *call, const struct probe_request *request)
{
	ARRAY_FOREACH (pid, &request->pids) {
		struct process_status status;
		int error = process_read_status("/proc", *pid, &status, call->failure);

		if (error)
			return error;
		if (status.process != *pid)
			return failure_set(call->failure, EINVAL,
			    "%d is a thread: its process is %d", (int)*pid, (int)status.process);
		if (status.tracer)
			return failure_set(call->failure, EBUSY,
			    "process %d is being traced by process %d: end the debugger first",
			    (int)*pid, (int)status.tracer);
		if (call->user &&
		    (status.user != call->user || status.effective_user != call->user))
			return failure_set(call->failure, EPERM,
			    "process %d is another user's: only root may probe it", (int)*pid);
	}
	return 0;
}

static int check_request(const struct call *call, const struct probe_request *request)
{
	if (call->user && request->image)
		return failure_set(call->failure, EPERM,
		    "only root may probe an image, which other users run too: name processes");
	if (call->user && request->outputs.count)
		return failure_set(call->failure, EPERM,
		    "only root may have lprofd write files: use lprof collect -o");
	ARRAY_FOREACH (output, &request->outputs)
		if (!output_format_for(*output, call->failure))
			return -EINVAL;
	return check_processes(call, request);
}

static int do_add(struct call *call, struct json_stream *json)
{
	struct probe_request request CLEANUP(request_fini) = {0};
	struct probe *probe;
	bool created;
	int error = request_read(&call->parameters, &request);

	if (!error)
		error = check_request(call, &request);
	if (!error)
		error = probes_add(
		    &call->daemon->probes, &request, call->user, &probe, &created, call->failure);
	if (error)
		return error;
	if (created)
		log_probe(LOG_LEVEL_NOTE, probe->id, "set by user %u", (unsigned)call->user);
	reply_probe(json, "probe", &call->daemon->probes, probe);
	json_boolean(json, "created", created);
	reply_functions(json, &call->daemon->probes, probe);
	reply_left_out(json, probe);
	return 0;
}

/* ---- Remove, List, SetRate, Reset ---- */

static bool may_see(const struct call *call, const struct probe *probe)
{
	return !call->user || probe->user == call->user;
}

/* Whether a probe is meant by `name`: its id, or one of its specs. */
static bool is_meant(const struct probe *probe, const char *name)
{
	uint64_t id;

	if (!parse_integer(name, 1, UINT64_MAX, &id))
		return probe->id == id;
	return request_has_spec(&probe->request, name);
}

/* Removes the probes that `name` means; how many, or -errno. */
static int remove_named(struct call *call, const char *name, struct json_stream *json)
{
	struct probes *probes = &call->daemon->probes;
	int count = 0;

	ARRAY_FOREACH (probe, &probes->all) {
		int error;

		if (!(*probe)->active || !may_see(call, *probe) || !is_meant(*probe, name))
			continue;
		error = probes_remove(probes, *probe, call->failure);
		if (error)
			return error;
		log_probe(LOG_LEVEL_NOTE, (*probe)->id, "removed by user %u", (unsigned)call->user);
		json_unsigned(json, NULL, (*probe)->id);
		count++;
	}
	return count;
}

static int do_remove(struct call *call, struct json_stream *json)
{
	struct json_place list, element;
	int error = 0;

	if (!json_member(&call->parameters, "probes", &list))
		return json_refuse(&call->parameters, "has no \"probes\"");
	error = json_expect(&list, json_type_array);
	if (error)
		return error;
	json_open(json, "removed", '[', JSON_COMPACT);
	for (size_t at = 0; at < json_object_array_length(list.value) && !error; at++) {
		const char *name = "";
		int count;

		json_element(&list, at, &element);
		error = json_string(&element, &name);
		count = error ? 0 : remove_named(call, name, json);
		if (!error && !count)
			error = failure_set(call->failure, ENOENT,
			    "no probe is called \"%s\": lprof list shows those there are", name);
		error = count < 0 ? count : error;
	}
	json_close(json);
	return error;
}

static int do_list(struct call *call, struct json_stream *json)
{
	json_open(json, "probes", '[', JSON_ROWS);
	ARRAY_FOREACH (probe, &call->daemon->probes.all)
		if (may_see(call, *probe) && (*probe)->parts.count)
			reply_probe(json, NULL, &call->daemon->probes, *probe);
	json_close(json);
	return 0;
}

/* The functions of that name, or the probes that are meant as a whole; how many functions. */
static ssize_t set_rate(struct call *call, const char *name, bool whole, double rate)
{
	struct probes *probes = &call->daemon->probes;
	ssize_t changed = 0;

	ARRAY_FOREACH (probe, &probes->all) {
		ssize_t more;

		if (!(*probe)->active || !may_see(call, *probe) ||
		    (whole && !is_meant(*probe, name)))
			continue;
		more = probe_set_rate(probes, *probe, whole ? NULL : name, rate, call->failure);
		if (more < 0)
			return more;
		changed += more;
	}
	return changed;
}

static int do_set_rate(struct call *call, struct json_stream *json)
{
	const char *name = NULL;
	double rate = -1;
	ssize_t changed;
	int error = json_get_text(&call->parameters, "probe", &name);

	if (!error)
		error = json_get_real(&call->parameters, "rate", 0, 1, &rate);
	if (error)
		return error;
	if (!name || rate < 0)
		return json_refuse(&call->parameters, "needs a \"probe\" and a \"rate\"");
	changed = set_rate(call, name, false, rate);
	if (!changed)
		changed = set_rate(call, name, true, rate);
	if (changed < 0)
		return (int)changed;
	if (!changed)
		return failure_set(call->failure, ENOENT,
		    "no probe or function is called \"%s\": lprof list shows those there are",
		    name);
	json_unsigned(json, "functions", (uint64_t)changed);
	return call->daemon->probes.options.save(call->daemon, call->failure);
}

static int do_reset(struct call *call, struct json_stream *json)
{
	int error;

	(void)json;
	push_before_reset(call->daemon->push);
	error = probes_reset(&call->daemon->probes, call->user, call->failure);
	push_after_reset(call->daemon->push);
	return error;
}

/* ---- Collect, Status, Watch ---- */

static int drain(
    const struct daemon *daemon, uid_t user, struct profile **ret_profile, struct failure *failure)
{
	CLEANUP_FREE bool *wanted = NULL;
	int error = probes_select(&daemon->probes, user, NULL, &wanted, failure);

	return error ? error : sampling_drain(&daemon->probes, wanted, ret_profile, failure);
}

static int do_collect(struct call *call, struct json_stream *json)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	static const struct output_options plain;
	int error = drain(call->daemon, call->user, &profile, call->failure);

	if (error)
		return error;
	fputs("\"profile\": ", json->file);
	return output_write_json(profile, json->file, &plain, call->failure);
}

static int do_status(struct call *call, struct json_stream *json)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	int error = drain(call->daemon, call->user, &profile, call->failure);

	if (!error)
		reply_status(json, call->daemon, profile);
	return error;
}

struct watcher {
	struct daemon *daemon;
	struct server_client *client;
	uid_t user;
	bool lines;
	uint64_t interval_us;
	sd_event_source *timer;
};

static int reply_watch(
    const struct watcher *watcher, struct json_stream *json, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	const uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int error = drain(watcher->daemon, watcher->user, &profile, failure);

	if (!error)
		reply_counts(json, watcher->daemon, profile, now_ns, watcher->lines);
	return error;
}

static int watch_again(sd_event_source *source, uint64_t now, void *context)
{
	const struct watcher *watcher = context;
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	struct json_stream json;

	(void)now;
	sd_event_source_set_time_relative(source, watcher->interval_us);
	sd_event_source_set_enabled(source, SD_EVENT_ON);
	if (client_pending(watcher->client) || memory_text_init(&text))
		return 0; /* one that reads slowly sees fewer */
	reply_begin(&json, text.file);
	if (!reply_watch(watcher, &json, NULL)) {
		reply_end(&json, true);
		if (!memory_text_end(&text))
			client_send(watcher->client, text.text, text.size);
	}
	return 0;
}

void methods_gone(void *context, struct server_client *client)
{
	struct watcher *watcher = client_context(client);

	(void)context;
	if (!watcher)
		return;
	sd_event_source_disable_unref(watcher->timer);
	free(watcher);
	client_set_context(client, NULL);
}

static int start_watching(struct call *call, const struct watcher *wanted)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	int error;

	if (!watcher)
		return failure_set(call->failure, ENOMEM, "out of memory");
	*watcher = *wanted;
	error = sd_event_add_time_relative(call->daemon->event, &watcher->timer, CLOCK_MONOTONIC,
	    watcher->interval_us, 0, watch_again, watcher);
	if (error < 0) {
		free(watcher);
		return failure_set(call->failure, -error, "cannot watch: %s", strerror(-error));
	}
	client_set_context(call->client, watcher);
	return 0;
}

static int do_watch(struct call *call, struct json_stream *json)
{
	struct watcher wanted = {
	    .daemon = call->daemon, .client = call->client, .user = call->user};
	int64_t interval_ms = WATCH_DEFAULT_MS;
	int error = json_get_signed(
	    &call->parameters, "interval_ms", WATCH_MIN_MS, WATCH_MAX_MS, &interval_ms);

	wanted.interval_us = (uint64_t)interval_ms * 1000;
	if (!error)
		error = json_get_bool(&call->parameters, "lines", &wanted.lines);
	if (!error && client_context(call->client))
		error = failure_set(call->failure, EBUSY, "this connection watches already");
	if (!error)
		error = reply_watch(&wanted, json, call->failure);
	if (!error && call->message->more)
		error = start_watching(call, &wanted);
	return error;
}

/* ---- org.varlink.service ---- */

static int do_get_info(struct call *call, struct json_stream *json)
{
	(void)call;
	json_text(json, "vendor", "lprof");
	json_text(json, "product", "lprofd");
	json_text(json, "version", LPROF_VERSION);
	json_text(json, "url", "");
	json_open(json, "interfaces", '[', JSON_COMPACT);
	json_text(json, NULL, "org.varlink.service");
	json_text(json, NULL, PROTOCOL_INTERFACE);
	json_close(json);
	return 0;
}

static int do_describe(struct call *call, struct json_stream *json)
{
	const char *name = "";
	int error = json_get_text(&call->parameters, "interface", &name);

	if (error)
		return error;
	if (strcmp(name, PROTOCOL_INTERFACE) != 0)
		return failure_set(call->failure, ENOENT, "there is no interface %s", name);
	json_text(json, "description", protocol_description);
	return 0;
}

/* ---- Dispatch ---- */

static const struct method {
	const char *name;
	int (*run)(struct call *call, struct json_stream *json);
	bool continues; /* with `more` the reply is not the last */
} methods[] = {
    {"io.lprof.Control.Add", do_add, false},
    {"io.lprof.Control.Remove", do_remove, false},
    {"io.lprof.Control.List", do_list, false},
    {"io.lprof.Control.SetRate", do_set_rate, false},
    {"io.lprof.Control.Collect", do_collect, false},
    {"io.lprof.Control.Reset", do_reset, false},
    {"io.lprof.Control.Status", do_status, false},
    {"io.lprof.Control.Watch", do_watch, true},
    {"org.varlink.service.GetInfo", do_get_info, false},
    {"org.varlink.service.GetInterfaceDescription", do_describe, false},
};

static const struct method *find_method(const char *name)
{
	for (size_t at = 0; at < ARRAY_SIZE(methods); at++)
		if (!strcmp(methods[at].name, name))
			return &methods[at];
	return NULL;
}

/* Root and lprofd's own user may do all; members of the group what is their own. */
static int check_caller(const struct daemon *daemon, const struct server_client *client,
    uid_t *ret_user, struct failure *failure)
{
	*ret_user = client_user(client);
	if (*ret_user == geteuid())
		*ret_user = 0;
	if (!*ret_user || (daemon->group != (gid_t)-1 && client_in_group(client, daemon->group)))
		return 0;
	return failure_set(failure, EPERM, "only root and members of group %s may use lprofd",
	    daemon->config.texts[CONFIG_group]);
}

static void send_text(struct call *call, struct memory_text *text)
{
	if (memory_text_end(text) == 0 && !call->message->oneway)
		client_send(call->client, text->text, text->size);
}

static void answer_failure(struct call *call, const char *error)
{
	struct memory_text text CLEANUP(memory_text_fini) = {0};

	if (memory_text_init(&text))
		return;
	reply_error(text.file, error, call->failure);
	send_text(call, &text);
}

static void answer(struct call *call)
{
	const struct method *method = find_method(call->message->method);
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	struct json_stream json;
	int error;

	if (!method) {
		failure_set(call->failure, ENOSYS, "there is no method %s", call->message->method);
		answer_failure(call, PROTOCOL_METHOD_NOT_FOUND);
		return;
	}
	if (memory_text_init(&text))
		return;
	reply_begin(&json, text.file);
	error = method->run(call, &json);
	if (error) {
		failure_set(call->failure, -error, "%s", strerror(-error));
		answer_failure(call, PROTOCOL_FAILED);
		return;
	}
	reply_end(&json, method->continues && call->message->more);
	send_text(call, &text);
}

bool methods_handle(void *context, struct server_client *client, const char *message, size_t size)
{
	struct protocol_call parsed CLEANUP(protocol_call_fini) = {0};
	CLEANUP(json_document_put_p) struct json_object *nothing = NULL;
	struct failure failure = {0};
	struct call call = {.daemon = context,
	    .client = client,
	    .message = &parsed,
	    .parameters = {.name = "parameters", .failure = &failure},
	    .failure = &failure};
	int error = protocol_read_call(message, size, &parsed, &failure);

	if (!error)
		error = check_caller(call.daemon, client, &call.user, &failure);
	if (error) {
		answer_failure(&call, PROTOCOL_FAILED);
		return error != -EBADMSG;
	}
	if (!parsed.parameters)
		nothing = json_object_new_object();
	call.parameters.value = parsed.parameters ? parsed.parameters : nothing;
	answer(&call);
	return true;
}
