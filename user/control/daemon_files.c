// SPDX-License-Identifier: GPL-2.0-or-later
// Writes profiles where they were asked for, and reads the probes of the configuration.
#include "control/daemon_files.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "control/json_document.h"
#include "control/sampling.h"
#include "output/output.h"

#define PROBE_SIZE_MAX (1u << 20)
#define SNAPSHOT_STEM  "snapshot-"

#define LEFTOVER_SUFFIX (sizeof(".XXXXXX") - 1)

static char *path_in(const char *directory, const char *name)
{
	char *path;

	if (*name == '/')
		return strdup(name);
	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

/* As names have it: they sort by age. */
static void format_time(char *text, size_t size)
{
	time_t now = time(NULL);
	struct tm calendar;

	gmtime_r(&now, &calendar);
	strftime(text, size, "%Y%m%dT%H%M%SZ", &calendar);
}

static int write_all(struct daemon *daemon, const char *path, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	int error = path ? sampling_drain(&daemon->probes, NULL, &profile, failure) : -ENOMEM;

	return error ? failure_set(failure, -error, "out of memory")
		     : output_write(profile, path, NULL, failure);
}

int daemon_write_profile(struct daemon *daemon, struct failure *failure)
{
	CLEANUP_FREE char *path =
	    path_in(daemon->state_directory, daemon->config.texts[CONFIG_file]);
	int error = write_all(daemon, path, failure);

	if (!error)
		log_note("wrote %s", path);
	return error;
}

void daemon_write_outputs(struct daemon *daemon, const struct probe *probe)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	CLEANUP_FREE bool *wanted = NULL;
	struct failure failure = {0};
	int error;

	if (!probe->request.outputs.count)
		return;
	error = probes_select(&daemon->probes, 0, probe, &wanted, &failure);
	if (!error)
		error = sampling_drain(&daemon->probes, wanted, &profile, &failure);
	ARRAY_FOREACH (output, &probe->request.outputs) {
		if (!error && !output_write(profile, *output, NULL, &failure)) {
			log_probe(LOG_LEVEL_NOTE, probe->id, "wrote %s", *output);
			continue;
		}
		log_probe(LOG_LEVEL_ERROR, probe->id, "%s", failure.text);
		failure_clear(&failure);
	}
}

/* ---- Snapshots ---- */

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool is_snapshot_name(const char *name)
{
	return !strncmp(name, SNAPSHOT_STEM, strlen(SNAPSHOT_STEM)) && string_ends(name, ".lprof");
}

static int is_snapshot(const struct dirent *entry)
{
	return is_snapshot_name(entry->d_name);
}

static uint64_t size_of(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* Their names sort by age: from the newest on, those that fit both bounds stay. */
static void remove_old_snapshots(const struct daemon *daemon)
{
	const uint64_t *numbers = daemon->config.numbers;
	uint64_t kept = 0, bytes = 0;
	struct dirent **entries;
	int count = scandir(daemon->state_directory, &entries, is_snapshot, alphasort);

	for (int at = count - 1; at >= 0; at--) {
		CLEANUP_FREE char *path = path_in(daemon->state_directory, entries[at]->d_name);

		bytes += path ? size_of(path) : 0;
		if (kept < numbers[CONFIG_snapshots] &&
		    (!kept || bytes <= numbers[CONFIG_snapshot_bytes]))
			kept++;
		else if (path)
			(void)unlink(path);
		free(entries[at]);
	}
	if (count >= 0)
		free(entries);
}

static void write_snapshot(struct daemon *daemon)
{
	CLEANUP_FREE char *path = NULL;
	struct failure failure = {0};
	char when[32], name[64];

	format_time(when, sizeof(when));
	snprintf(name, sizeof(name), SNAPSHOT_STEM "%s.lprof", when);
	path = path_in(daemon->state_directory, name);
	if (write_all(daemon, path, &failure))
		log_warning("%s", failure.text);
	remove_old_snapshots(daemon);
}

void daemon_snapshot_if_due(struct daemon *daemon)
{
	uint64_t interval = daemon->config.numbers[CONFIG_snapshot_interval];
	uint64_t now = monotonic_ns();

	if (!interval)
		return;
	if (daemon->snapshot_ns && now >= daemon->snapshot_ns)
		write_snapshot(daemon);
	if (!daemon->snapshot_ns || now >= daemon->snapshot_ns)
		daemon->snapshot_ns = now + interval;
}

/* ---- Probes of the configuration ---- */

static int read_probe(
    struct daemon *daemon, const char *path, bool adopted, struct failure *failure)
{
	struct probe_request request CLEANUP(request_fini) = {0};
	CLEANUP_FREE char *text = NULL;
	struct probe *probe;
	bool created;
	size_t size;
	int error = file_read(path, PROBE_SIZE_MAX, &text, &size, failure);

	if (!error)
		error = config_read_probe_text(path, text, &request, failure);
	if (error || (adopted && probes_have(&daemon->probes, &request, 0)))
		return error;
	/* An image that is not installed yet is no reason not to start. */
	struct failure why = {0};

	if (probes_add(&daemon->probes, &request, 0, &probe, &created, &why))
		log_warning("%s: %s", path, why.text);
	return 0;
}

static int is_probe_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && string_ends(entry->d_name, ".conf");
}

int daemon_read_probes(struct daemon *daemon, bool adopted, struct failure *failure)
{
	const char *directory = daemon->options.probes ? daemon->options.probes : CONFIG_PROBES;
	struct dirent **entries;
	int count = scandir(directory, &entries, is_probe_file, alphasort), error = 0;

	for (int at = 0; at < count; at++) {
		CLEANUP_FREE char *path = path_in(directory, entries[at]->d_name);

		if (!error)
			error = path ? read_probe(daemon, path, adopted, failure)
				     : failure_set(failure, ENOMEM, "out of memory");
		free(entries[at]);
	}
	if (count >= 0)
		free(entries);
	return error;
}

/* ---- Counters of another version ---- */

static bool is_plan(const char *name)
{
	return !strncmp(name, "plan-", 5) && string_ends(name, ".json");
}

static int is_plan_file(const struct dirent *entry)
{
	return is_plan(entry->d_name);
}

static const char old_counters_head[] =
    "# Counters that another version of lprof left in the kernel. state.json tells which places a "
    "part's\n"
    "# functions, sites and lines have in the tables, and plan-FILE.json what they are, in this "
    "order.\n"
    "# An index is SHARD * (elements / shards) + PLACE; what was counted is the sum over the "
    "shards, of\n"
    "# which there are as many as elements of shard_counters. All that is not here is zero.\n";

static int write_old_counters(
    const struct old_counters *old, const char *directory, struct failure *failure)
{
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	CLEANUP_FREE char *path = path_in(directory, "counters.txt");
	int error = path ? memory_text_init(&text) : -ENOMEM;

	if (!error) {
		fputs(old_counters_head, text.file);
		error = old_counters_write(old, text.file);
	}
	if (!error)
		error = memory_text_end(&text);
	return error ? failure_set(failure, ENOMEM, "out of memory")
		     : file_write_atomically(path, text.text, text.size, failure);
}

/* The plans go, the state is linked: it is written anew, and the link keeps what it was. */
static void keep_with(const struct daemon *daemon, const char *directory, const char *name)
{
	CLEANUP_FREE char *from = path_in(daemon->state_directory, name);
	CLEANUP_FREE char *to = path_in(directory, name);

	if (from && to && link(from, to) < 0)
		log_warning("%s cannot be kept in %s: %s", name, directory, strerror(errno));
}

/* A directory of that name; with a number behind it, if it was made within the same second. */
static int make_directory(const char *name, char **ret_directory, struct failure *failure)
{
	for (int at = 1;; at++) {
		CLEANUP_FREE char *directory = NULL;
		const int length = at == 1 ? asprintf(&directory, "%s", name)
					   : asprintf(&directory, "%s-%d", name, at);

		if (length < 0) {
			directory = NULL;
			return failure_set(failure, ENOMEM, "out of memory");
		}
		if (mkdir(directory, 0700) == 0) {
			*ret_directory = TAKE(directory);
			return 0;
		}
		if (errno != EEXIST)
			return failure_set(
			    failure, errno, "cannot make %s: %s", directory, strerror(errno));
	}
}

int daemon_save_old(
    const struct daemon *daemon, const struct old_counters *old, struct failure *failure)
{
	CLEANUP_FREE char *path = path_in(daemon->state_directory, "old-counters-");
	CLEANUP_FREE char *name = NULL;
	CLEANUP_FREE char *directory = NULL;
	struct dirent **entries;
	char when[32];
	int error, count;

	format_time(when, sizeof(when));
	if (!path || asprintf(&name, "%s%s", path, when) < 0) {
		name = NULL;
		return failure_set(failure, ENOMEM, "out of memory");
	}
	error = make_directory(name, &directory, failure);
	if (!error)
		error = write_old_counters(old, directory, failure);
	if (error)
		return error;
	keep_with(daemon, directory, "state.json");
	count = scandir(daemon->state_directory, &entries, is_plan_file, alphasort);
	for (int at = 0; at < count; at++) {
		keep_with(daemon, directory, entries[at]->d_name);
		free(entries[at]);
	}
	if (count >= 0)
		free(entries);
	log_note("what it counted is kept in %s", directory);
	return 0;
}

/* ---- Removing ---- */

static void remove_matching(const struct daemon *daemon, bool (*matches)(const char *name))
{
	DIR *directory = opendir(daemon->state_directory);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (matches(entry->d_name))
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
}

/* What is left of a file by a write that was killed: its name, and that of mkostemp() behind. */
static bool is_leftover(const char *name)
{
	CLEANUP_FREE char *stem = strdup(name);
	char *end = stem ? strrchr(stem, '.') : NULL;

	if (!end || strlen(end) != LEFTOVER_SUFFIX)
		return false;
	*end = '\0';
	return is_plan(stem) || !strcmp(stem, "state.json") || is_snapshot_name(stem);
}

void daemon_remove_leftovers(const struct daemon *daemon)
{
	remove_matching(daemon, is_leftover);
}

static bool is_internal(const char *name)
{
	return is_plan(name) || !strncmp(name, "state.json", 10) || !strcmp(name, "lock");
}

void daemon_remove_plans(const struct daemon *daemon)
{
	remove_matching(daemon, is_plan);
}

void daemon_remove_files(const struct daemon *daemon)
{
	remove_matching(daemon, is_internal);
	daemon_remove_leftovers(daemon);
}
