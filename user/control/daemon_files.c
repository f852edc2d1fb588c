// SPDX-License-Identifier: GPL-2.0-or-later
// Writes profiles where they were asked for, and reads the probes of the configuration.
#include "control/daemon_files.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/files.h"
#include "base/log.h"
#include "output/output.h"

#define PROBE_SIZE_MAX (1u << 20)
#define SNAPSHOT_STEM  "snapshot-"

static char *path_in(const char *directory, const char *name)
{
	char *path;

	if (*name == '/')
		return strdup(name);
	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static int write_all(struct daemon *daemon, const char *path, struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *profile = NULL;
	int error = path ? engine_drain(daemon->engine, &profile, failure) : -ENOMEM;

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
		error = engine_drain_parts(daemon->engine, wanted, &profile, &failure);
	ARRAY_FOREACH (output, &probe->request.outputs) {
		if (!error && !output_write(profile, *output, NULL, &failure)) {
			log_note("wrote %s", *output);
			continue;
		}
		log_error("probe %llu: %s", (unsigned long long)probe->id, failure.text);
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

static int is_snapshot(const struct dirent *entry)
{
	return !strncmp(entry->d_name, SNAPSHOT_STEM, strlen(SNAPSHOT_STEM)) &&
	       string_ends(entry->d_name, ".lprof");
}

/* Their names sort by age. */
static void remove_old_snapshots(const struct daemon *daemon)
{
	struct dirent **entries;
	int count = scandir(daemon->state_directory, &entries, is_snapshot, alphasort);

	for (int at = 0; at < count; at++) {
		CLEANUP_FREE char *path = path_in(daemon->state_directory, entries[at]->d_name);

		if (path && at + (int)daemon->config.numbers[CONFIG_snapshots] < count)
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
	time_t now = time(NULL);
	struct tm calendar;
	char name[64];

	gmtime_r(&now, &calendar);
	strftime(name, sizeof(name), SNAPSHOT_STEM "%Y%m%dT%H%M%SZ.lprof", &calendar);
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

static int read_probe(struct daemon *daemon, const char *path, struct failure *failure)
{
	struct probe_request request CLEANUP(request_fini) = {0};
	CLEANUP_FREE char *text = NULL;
	struct probe *probe;
	bool created;
	size_t size;
	int error = file_read(path, PROBE_SIZE_MAX, &text, &size, failure);

	if (!error)
		error = config_read_probe_text(path, text, &request, failure);
	if (error)
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

int daemon_read_probes(struct daemon *daemon, struct failure *failure)
{
	const char *directory = daemon->options.probes ? daemon->options.probes : CONFIG_PROBES;
	struct dirent **entries;
	int count = scandir(directory, &entries, is_probe_file, alphasort), error = 0;

	for (int at = 0; at < count; at++) {
		CLEANUP_FREE char *path = path_in(directory, entries[at]->d_name);

		if (!error)
			error = path ? read_probe(daemon, path, failure)
				     : failure_set(failure, ENOMEM, "out of memory");
		free(entries[at]);
	}
	if (count >= 0)
		free(entries);
	return error;
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

static bool is_plan(const char *name)
{
	return !strncmp(name, "plan-", 5) && string_ends(name, ".json");
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
}
