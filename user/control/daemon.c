// SPDX-License-Identifier: GPL-2.0-or-later
// Brings lprofd up, runs its loop, and brings it down.
#include "control/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/files.h"
#include "base/log.h"
#include "collect/features.h"
#include "control/daemon_files.h"
#include "control/http.h"
#include "control/methods.h"
#include "control/sampling.h"
#include "control/state.h"

#define STATE_DIRECTORY   "/var/lib/lprofd"
#define BOOT_ID_PATH      "/proc/sys/kernel/random/boot_id"
#define TICK_US           1000000ull
#define EXIT_WAIT_US      100000ull
#define SLICE_ACCURACY_US 1000
#define LOCK_TRIES        100
#define LOCK_WAIT_US      50000

/* ---- Set up ---- */

static int set_text(char **destination, const char *text, struct failure *failure)
{
	*destination = strdup(text);
	return *destination ? 0 : failure_set(failure, ENOMEM, "out of memory");
}

static int configure(struct daemon *daemon, struct failure *failure)
{
	const struct daemon_options *options = &daemon->options;
	const char *directory =
	    options->state_directory ? options->state_directory : getenv("STATE_DIRECTORY");
	int error = config_init(&daemon->config);

	if (error)
		return failure_set(failure, ENOMEM, "out of memory");
	error =
	    config_read(&daemon->config, options->config ? options->config : CONFIG_PATH, failure);
	if (!error)
		error = set_text(
		    &daemon->state_directory, directory ? directory : STATE_DIRECTORY, failure);
	if (!error)
		error = set_text(&daemon->pins,
		    options->pins ? options->pins : daemon->config.texts[CONFIG_pins], failure);
	if (!error && asprintf(&daemon->state_path, "%s/state.json", daemon->state_directory) < 0)
		error = failure_set(failure, ENOMEM, "out of memory");
	return error;
}

static int read_boot_id(struct daemon *daemon, struct failure *failure)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int error = file_read(BOOT_ID_PATH, 4096, &text, &size, failure);

	if (error)
		return error;
	snprintf(daemon->boot, sizeof(daemon->boot), "%.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

/*
 * Takes a lock that lprofd holds as long as it lives. One that was killed while it set probes
 * leaves a helper for the moment that this takes (collect/shelter.h), which still has its
 * descriptors.
 */
static bool lock_file(int fd)
{
	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		usleep(LOCK_WAIT_US);
	}
	return false;
}

/* One lprofd a state directory. */
static int lock_state(struct daemon *daemon, struct failure *failure)
{
	CLEANUP_FREE char *path = NULL;

	if (mkdir(daemon->state_directory, 0750) < 0 && errno != EEXIST)
		return failure_set(
		    failure, errno, "cannot make %s: %s", daemon->state_directory, strerror(errno));
	if (asprintf(&path, "%s/lock", daemon->state_directory) < 0)
		return failure_set(failure, ENOMEM, "out of memory");
	daemon->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (daemon->lock < 0)
		return failure_set(failure, errno, "cannot open %s: %s", path, strerror(errno));
	if (!lock_file(daemon->lock))
		return failure_set(
		    failure, EBUSY, "another lprofd uses %s", daemon->state_directory);
	return 0;
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* ---- Engine and probes ---- */

static int save_state(void *context, struct failure *failure)
{
	const struct daemon *daemon = context;
	const struct state_input input = {
	    .probes = &daemon->probes, .boot = daemon->boot, .restarts = daemon->restarts};

	return state_save(&input, daemon->state_path, failure);
}

static void write_outputs(void *context, const struct probe *probe)
{
	daemon_write_outputs(context, probe);
}

static struct engine_options engine_options_of(const struct daemon *daemon)
{
	const uint64_t *numbers = daemon->config.numbers;

	return (struct engine_options){
	    .correct = true,
	    .off_cpu = true,
	    .functions = (uint32_t)numbers[CONFIG_functions],
	    .sites = (uint32_t)numbers[CONFIG_sites],
	    .lines = (uint32_t)numbers[CONFIG_lines],
	    .edges = (uint32_t)numbers[CONFIG_callers],
	    .pins = daemon->pins,
	};
}

static double percent_of(const struct daemon *daemon, enum config_key key)
{
	return (double)daemon->config.numbers[key] / CONFIG_PERCENT;
}

static int init_probes(struct daemon *daemon, const struct state *state, struct failure *failure)
{
	const struct sampling_options sampling = {
	    .engine = daemon->engine,
	    .event = daemon->event,
	    .pins = daemon->pins,
	    .hz = state->sampling_hz,
	    .event_name = state->sampling_event,
	};
	struct features features;

	if (sampling_new(&sampling, &daemon->sampling))
		return failure_set(failure, ENOMEM, "out of memory");
	features_detect(&features);
	budget_init(&daemon->budget, daemon->engine, percent_of(daemon, CONFIG_budget_total));
	probes_init(&daemon->probes, &(struct probes_options){
					 .engine = daemon->engine,
					 .sampling = daemon->sampling,
					 .budget = &daemon->budget,
					 .budget_percent = percent_of(daemon, CONFIG_budget),
					 .kernel = features_plan_kernel(&features),
					 .directory = daemon->state_directory,
					 .save = save_state,
					 .ended = write_outputs,
					 .context = daemon,
				     });
	return 0;
}

/* What the state file says; a damaged one is put aside and counts as none. */
static int read_state(const struct daemon *daemon, struct state *state, struct failure *failure)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *aside = NULL;
	struct failure damage = {0};
	size_t size;
	int error = file_read(daemon->state_path, STATE_SIZE_MAX, &text, &size, &damage);

	*state = (struct state){0};
	if (error == -ENOENT)
		return 0;
	if (!error)
		error = state_read(daemon->state_path, text, size, state, &damage);
	if (!error)
		return 0;
	if (error == -ENOMEM || asprintf(&aside, "%s.damaged", daemon->state_path) < 0)
		return failure_set(failure, ENOMEM, "out of memory");
	log_warning("%s; it is kept as %s, and no probe is known", damage.text, aside);
	state_fini(state);
	*state = (struct state){0};
	if (rename(daemon->state_path, aside) < 0)
		return failure_set(
		    failure, errno, "cannot rename %s: %s", daemon->state_path, strerror(errno));
	return 0;
}

/* What is pinned belongs to one lprofd, whatever its state directory is. */
static int lock_pins(struct daemon *daemon, struct failure *failure)
{
	cleanup_close(&daemon->pins_lock);
	daemon->pins_lock = open(daemon->pins, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (daemon->pins_lock >= 0 && !lock_file(daemon->pins_lock))
		return failure_set(failure, EBUSY, "another lprofd uses %s", daemon->pins);
	return 0; /* not there: nobody's */
}

/* Goes on where the kernel is. False: there is nothing to go on with. */
static bool adopt(struct daemon *daemon, struct state *state)
{
	const struct engine_options options = engine_options_of(daemon);
	struct failure failure = {0};
	int error;

	if (strcmp(state->boot, daemon->boot) != 0 || !state->next_id)
		error = access(daemon->pins, F_OK) < 0
			    ? -ENOENT
			    : failure_set(&failure, ENODATA, "nothing tells what they are");
	else
		error = engine_adopt(&options, &daemon->engine, &failure);
	if (!error) {
		daemon->restarts = state->restarts + 1;
		error = init_probes(daemon, state, &failure);
	}
	if (!error) {
		engine_activate(daemon->engine);
		error = state_adopt(state, &daemon->probes, &failure);
	}
	if (!error)
		return true;
	if (error != -ENOENT)
		log_warning(
		    "what is pinned in %s cannot be gone on with: %s", daemon->pins, failure.text);
	probes_fini(&daemon->probes);
	sampling_free(TAKE(daemon->sampling));
	budget_fini(&daemon->budget);
	engine_free(TAKE(daemon->engine));
	return false;
}

/* What another version counted and pinned is kept, once its probes are gone and count no more. */
static int replace_pins(struct daemon *daemon, struct failure *failure)
{
	CLEANUP(old_counters_free_p) struct old_counters *old = old_counters_open(daemon->pins);

	int error;

	engine_purge(daemon->pins);
	error = old ? daemon_save_old(daemon, old, failure) : 0;
	if (error)
		old_counters_pin(old, daemon->pins);
	return error;
}

static int load(struct daemon *daemon, struct state *state, struct failure *failure)
{
	const struct engine_options options = engine_options_of(daemon);
	int error = replace_pins(daemon, failure);

	if (!error)
		error = engine_open(NULL, &options, &daemon->engine, failure);
	if (!error)
		error = lock_pins(daemon, failure);
	if (error)
		return error;
	daemon_remove_plans(daemon);
	error = init_probes(daemon, state, failure);
	if (error)
		return error;
	engine_activate(daemon->engine);
	state_renew(state, &daemon->probes);
	return 0;
}

static int open_engine(struct daemon *daemon, struct failure *failure)
{
	struct state state CLEANUP(state_fini) = {0};
	int error = lock_pins(daemon, failure);

	if (!error)
		error = read_state(daemon, &state, failure);
	if (!error && !adopt(daemon, &state)) {
		/* Adopting used the requests up. */
		state_fini(&state);
		error = read_state(daemon, &state, failure);
		if (!error)
			error = load(daemon, &state, failure);
	}
	return error ? error : save_state(daemon, failure);
}

/* ---- The loop ---- */

static int on_tick(sd_event_source *source, uint64_t now, void *context)
{
	struct daemon *daemon = context;
	struct timespec wall;

	(void)now;
	clock_gettime(CLOCK_REALTIME, &wall);
	(void)probes_tick(&daemon->probes, (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec);
	sampling_tick(daemon->sampling);
	daemon_snapshot_if_due(daemon);
	malloc_trim(0); /* what scrapes and plans took for a moment goes back */
	engine_rest(daemon->engine);
	sd_event_source_set_time_relative(source, TICK_US);
	sd_event_source_set_enabled(source, SD_EVENT_ON);
	return 0;
}

/* Does what budgets are due, and comes again when they are. */
static void tick_budget(struct daemon *daemon)
{
	struct failure failure = {0};
	uint64_t next_ns;
	bool changed;

	if (budget_tick(&daemon->budget, &next_ns, &changed, &failure))
		log_warning("%s: probes that a budget took away do not come back", failure.text);
	failure_clear(&failure);
	if (changed && save_state(daemon, &failure))
		log_error("%s", failure.text);
	if (next_ns != UINT64_MAX)
		(void)sd_event_source_set_time(daemon->slices, next_ns / 1000 + 1);
	(void)sd_event_source_set_enabled(
	    daemon->slices, next_ns == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_alarm(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)source;
	(void)fd;
	(void)events;
	tick_budget(context);
	return 0;
}

static int on_slice(sd_event_source *source, uint64_t now, void *context)
{
	(void)source;
	(void)now;
	tick_budget(context);
	return 0;
}

static int follow_budget(struct daemon *daemon, struct failure *failure)
{
	int error = sd_event_add_io(daemon->event, &daemon->alarm, engine_alarm_fd(daemon->engine),
	    EPOLLIN, on_alarm, daemon);

	if (error >= 0)
		error = sd_event_add_time(daemon->event, &daemon->slices, CLOCK_MONOTONIC, 0,
		    SLICE_ACCURACY_US, on_slice, daemon);
	if (error >= 0)
		error = sd_event_source_set_priority(daemon->alarm, SD_EVENT_PRIORITY_IMPORTANT);
	if (error < 0)
		return failure_set(failure, -error, "cannot wait for events: %s", strerror(-error));
	return 0;
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	(void)info;
	(void)context;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemon *daemon = context;
	struct failure failure = {0};

	(void)source;
	(void)info;
	(void)sd_notify(0, "RELOADING=1");
	if (daemon_read_probes(daemon, false, &failure))
		log_error("%s", failure.text);
	(void)sd_notify(0, "READY=1");
	return 0;
}

static int open_events(struct daemon *daemon, struct failure *failure)
{
	sigset_t mask;
	int error = sd_event_new(&daemon->event);

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (error >= 0)
		error = sd_event_add_signal(daemon->event, NULL, SIGTERM, on_end, daemon);
	if (error >= 0)
		error = sd_event_add_signal(daemon->event, NULL, SIGINT, on_end, daemon);
	if (error >= 0)
		error = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_reload, daemon);
	if (error >= 0)
		error = sd_event_add_time_relative(daemon->event, &daemon->tick, CLOCK_MONOTONIC,
		    TICK_US, EXIT_WAIT_US, on_tick, daemon);
	if (error >= 0)
		error = sd_event_set_watchdog(daemon->event, true);
	if (error < 0)
		return failure_set(failure, -error, "cannot wait for events: %s", strerror(-error));
	return 0;
}

/* The socket that systemd listens at for us, named "control" or alone; -1: none. */
static int inherited_socket(const char *name)
{
	CLEANUP_FREE char **names = NULL;
	int count = sd_listen_fds_with_names(0, &names), found = -1;

	for (int at = 0; at < count; at++) {
		if (!strcmp(names[at], name))
			found = SD_LISTEN_FDS_START + at;
		free(names[at]);
	}
	return found;
}

static int open_server(struct daemon *daemon, struct failure *failure)
{
	const struct config *config = &daemon->config;
	const char *path =
	    daemon->options.socket ? daemon->options.socket : config->texts[CONFIG_socket];
	const struct group *group = getgrnam(config->texts[CONFIG_group]);
	struct server_options options = {
	    .event = daemon->event,
	    .socket = inherited_socket("control"),
	    .clients_max = (unsigned)config->numbers[CONFIG_clients],
	    .user_clients_max = (unsigned)config->numbers[CONFIG_user_clients],
	    .calls_per_second = (unsigned)config->numbers[CONFIG_calls_per_second],
	    .handle = methods_handle,
	    .gone = methods_gone,
	    .context = daemon,
	};
	int error = 0;

	daemon->group = group ? group->gr_gid : (gid_t)-1;
	if (options.socket < 0)
		error = server_listen(path, config->texts[CONFIG_group], &options.socket, failure);
	return error ? error : server_open(&options, &daemon->server, failure);
}

static int open_http(struct daemon *daemon, struct failure *failure)
{
	struct http_options options = {
	    .daemon = daemon,
	    .socket = inherited_socket("metrics"),
	    .address = daemon->config.texts[CONFIG_metrics_address],
	    .port = (uint16_t)(daemon->options.metrics_port >= 0
				   ? daemon->options.metrics_port
				   : (int)daemon->config.numbers[CONFIG_metrics_port]),
	};

	return options.port || options.socket >= 0 ? http_open(&options, &daemon->http, failure)
						   : 0;
}

static int drain_all(void *context, struct profile **ret_profile, struct failure *failure)
{
	struct daemon *daemon = context;

	return sampling_drain(&daemon->probes, NULL, ret_profile, failure);
}

static int open_push(struct daemon *daemon, struct failure *failure)
{
	const struct push_options options = {
	    .event = daemon->event,
	    .config = &daemon->config,
	    .state_directory = daemon->state_directory,
	    .boot = daemon->boot,
	    .started_ns = engine_started(daemon->engine),
	    .drain = drain_all,
	    .context = daemon,
	};

	return push_open(&options, &daemon->push, failure);
}

static int start(struct daemon *daemon, struct failure *failure)
{
	int error = configure(daemon, failure);

	raise_descriptor_limit();
	if (!error)
		error = lock_state(daemon, failure);
	if (!error)
		daemon_remove_leftovers(daemon);
	if (!error)
		error = read_boot_id(daemon, failure);
	if (!error)
		error = open_events(daemon, failure);
	if (!error)
		error = open_engine(daemon, failure);
	if (!error)
		error = open_push(daemon, failure);
	if (!error)
		error = follow_budget(daemon, failure);
	if (!error)
		error = daemon_read_probes(daemon, daemon->restarts, failure);
	if (!error)
		error = open_server(daemon, failure);
	return error ? error : open_http(daemon, failure);
}

/*
 * The end that was asked for: probes first, then the profiles, then what is pinned. If a profile
 * cannot be written, the counters stay pinned for the next start.
 */
static int finish(struct daemon *daemon)
{
	struct failure failure = {0};
	int error;

	(void)sd_notify(0, "STOPPING=1");
	sampling_stop(daemon->sampling);
	engine_stop(daemon->engine);
	error = push_finish(daemon->push, &failure);
	if (!error)
		error = daemon_write_profile(daemon, &failure);
	if (error) {
		log_error("%s; the counters stay pinned in %s for the next start", failure.text,
		    daemon->pins);
		return 1;
	}
	ARRAY_FOREACH (probe, &daemon->probes.all)
		if ((*probe)->active)
			daemon_write_outputs(daemon, *probe);
	engine_purge(daemon->pins);
	return 0;
}

static void daemon_fini(struct daemon *daemon)
{
	server_free(daemon->server);
	http_free(daemon->http);
	push_free(daemon->push);
	metrics_marks_fini(&daemon->marks);
	probes_fini(&daemon->probes);
	sampling_free(daemon->sampling);
	budget_fini(&daemon->budget);
	sd_event_source_disable_unref(daemon->tick);
	sd_event_source_disable_unref(daemon->alarm);
	sd_event_source_disable_unref(daemon->slices);
	engine_free(daemon->engine);
	sd_event_unref(daemon->event);
	config_fini(&daemon->config);
	cleanup_close(&daemon->lock);
	cleanup_close(&daemon->pins_lock);
	free(daemon->state_directory);
	free(daemon->state_path);
	free(daemon->pins);
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon daemon CLEANUP(daemon_fini) = {
	    .options = *options, .lock = -1, .pins_lock = -1};
	struct failure failure = {0};
	int error = start(&daemon, &failure);

	if (!error) {
		(void)sd_notify(0, "READY=1");
		log_note("ready");
		error = sd_event_loop(daemon.event);
		if (error < 0)
			failure_set(
			    &failure, -error, "cannot wait for events: %s", strerror(-error));
		else
			return finish(&daemon);
	}
	(void)sd_notifyf(0, "STATUS=%s", failure.text);
	log_error("%s", failure.text);
	return 1;
}

int daemon_purge(const struct daemon_options *options)
{
	struct daemon daemon CLEANUP(daemon_fini) = {
	    .options = *options, .lock = -1, .pins_lock = -1};
	struct failure failure = {0};
	int error = configure(&daemon, &failure);

	if (!error)
		error = lock_state(&daemon, &failure);
	if (!error)
		error = lock_pins(&daemon, &failure);
	if (error) {
		log_error("%s", failure.text);
		return 1;
	}
	engine_purge(daemon.pins);
	daemon_remove_files(&daemon);
	push_purge(daemon.state_directory);
	return 0;
}
