// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps profiles on disk until they are accepted.
#include "control/push_spool.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/log.h"
#include "control/json_document.h"
#include "input/input.h"
#include "model/profile_delta.h"
#include "output/output.h"

#define TOLD           "told"
#define TOLD_HEAD      "lprof-told 1"
#define DAMAGED        TOLD ".damaged"
#define SUFFIX         ".pb.gz"
#define ITEM_BYTES     (256u << 20) /* of a file that is read back */
#define DIRECTORY_MODE 0700

static char *path_in(const struct push_spool *spool, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", spool->directory, name) < 0 ? NULL : path;
}

static char *item_path(const struct push_spool *spool, const struct spool_item *item)
{
	char *path;

	if (asprintf(&path, "%s/%020" PRIu64 "-%" PRId64 "-%" PRId64 SUFFIX, spool->directory,
		item->number, item->from_ns, item->until_ns) < 0)
		return NULL;
	return path;
}

/* Whether it is the name of a profile; what it says of it. */
static bool read_name(const char *name, struct spool_item *ret_item)
{
	int end = 0;

	return sscanf(name, "%20" SCNu64 "-%" SCNd64 "-%" SCNd64 "%n", &ret_item->number,
		   &ret_item->from_ns, &ret_item->until_ns, &end) == 3 &&
	       !strcmp(name + end, SUFFIX);
}

/* Whether a write that was killed left it behind: their names have more at the end. */
static bool is_leftover(const char *name)
{
	const char *suffix = strstr(name, SUFFIX ".");

	return suffix ? isdigit((unsigned char)*name)
		      : string_starts(name, TOLD ".") && strcmp(name, DAMAGED) != 0;
}

static void remove_file(const struct push_spool *spool, const struct spool_item *item)
{
	CLEANUP_FREE char *path = item_path(spool, item);

	if (path && unlink(path) < 0 && errno != ENOENT)
		log_warning("cannot remove %s: %s", path, strerror(errno));
}

/* ---- What was told ---- */

/* Reads the first line: which profile was the last, and of which counters. Its length; 0: damaged.
 */
static int read_head(const char *text, uint64_t *ret_number, struct spool_identity *ret_identity)
{
	int end = 0;

	if (sscanf(text, TOLD_HEAD " %20" SCNu64 " %" SCNd64 " %63[0-9a-f-]%n", ret_number,
		&ret_identity->started_ns, ret_identity->boot, &end) != 3 ||
	    text[end] != '\n')
		return 0;
	return end + 1;
}

/* One that deltas can be made of. */
static int read_profile(const char *path, const char *text, size_t size, struct profile **ret_told,
    struct failure *failure)
{
	CLEANUP(profile_free_p) struct profile *told = NULL;
	CLEANUP(profile_free_p) struct profile *nothing = NULL;
	int error = input_read_json(path, text, size, &told, failure);

	if (error)
		return error;
	error = profile_delta(told, told, &nothing);
	if (error)
		return failure_set(failure, -error, "%s: %s", path,
		    error == -ENOMEM ? "out of memory" : "has something twice");
	*ret_told = TAKE(told);
	return 0;
}

static int parse_told(struct push_spool *spool, const char *path, const char *text, size_t size,
    const struct spool_identity *identity, struct profile **ret_told, struct failure *failure)
{
	struct spool_identity stored = {0};
	uint64_t number = 0;
	const int head = read_head(text, &number, &stored);

	if (!head)
		return failure_set(failure, EBADMSG, "%s: has a damaged first line", path);
	spool->number = number;
	if (strcmp(stored.boot, identity->boot) != 0 || stored.started_ns != identity->started_ns) {
		*ret_told = profile_new();
		return *ret_told ? 0 : failure_set(failure, ENOMEM, "out of memory");
	}
	return read_profile(path, text + head, size - (size_t)head, ret_told, failure);
}

/* True: there was no `told`, or it could be read. */
static bool read_told(struct push_spool *spool, const struct spool_identity *identity,
    struct profile **ret_told, struct failure *failure)
{
	CLEANUP_FREE char *path = path_in(spool, TOLD);
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int error;

	if (!path)
		return !failure_set(failure, ENOMEM, "out of memory");
	error = file_read(path, INPUT_SIZE_MAX, &text, &size, failure);
	if (error == -ENOENT) {
		failure_clear(failure);
		*ret_told = profile_new();
		return *ret_told;
	}
	return !error && !parse_told(spool, path, text, size, identity, ret_told, failure);
}

/*
 * Under another name as well: without any, profiles that wait would look like those of a spool that
 * was never begun, so it stays until the next one replaces it.
 */
static void put_aside(struct push_spool *spool, const struct failure *why)
{
	CLEANUP_FREE char *path = path_in(spool, TOLD);
	CLEANUP_FREE char *aside = path_in(spool, DAMAGED);
	bool kept = false;

	if (path && aside) {
		(void)unlink(aside);
		kept = link(path, aside) == 0;
	}
	log_warning("%s; %sonly what is counted from now on is pushed", why->text,
	    kept ? "it is kept as " DAMAGED ", and " : "");
}

static int write_told(const struct push_spool *spool, uint64_t number, const struct profile *told,
    const struct spool_identity *identity, struct failure *failure)
{
	static const struct output_options plain;
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	CLEANUP_FREE char *path = path_in(spool, TOLD);
	int error = path ? memory_text_init(&text) : -ENOMEM;

	if (!error) {
		fprintf(text.file, TOLD_HEAD " %" PRIu64 " %" PRId64 " %s\n", number,
		    identity->started_ns, identity->boot);
		error = output_write_json(told, text.file, &plain, failure);
	}
	if (!error)
		error = memory_text_end(&text);
	return error ? failure_set(failure, -error, "cannot write %s/" TOLD ": %s",
			   spool->directory, strerror(-error))
		     : file_write_atomically(path, text.text, text.size, failure);
}

int push_spool_tell(struct push_spool *spool, const struct profile *told,
    const struct spool_identity *identity, struct failure *failure)
{
	return write_told(spool, spool->number, told, identity, failure);
}

/* ---- The directory ---- */

static int compare_items(const void *left, const void *right)
{
	const struct spool_item *a = left, *b = right;

	return (a->number > b->number) - (a->number < b->number);
}

/* Takes up what is there. `known`: a higher number than that of `told` does not count. */
static int list_items(struct push_spool *spool, bool known, struct failure *failure)
{
	DIR *directory = opendir(spool->directory);
	const struct dirent *entry;
	int error = 0;

	if (!directory)
		return failure_set(
		    failure, errno, "cannot read %s: %s", spool->directory, strerror(errno));
	while (!error && (entry = readdir(directory))) {
		struct spool_item item;
		struct stat status;

		if (is_leftover(entry->d_name))
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
		if (!read_name(entry->d_name, &item) ||
		    fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		item.size = (uint64_t)status.st_size;
		if (known && item.number > spool->number) {
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
			continue;
		}
		if (item.number > spool->number)
			spool->number = item.number;
		spool->bytes += item.size;
		error = ARRAY_APPEND(&spool->items, item);
	}
	closedir(directory);
	ARRAY_SORT(&spool->items, compare_items);
	return error ? failure_set(failure, ENOMEM, "out of memory") : 0;
}

int push_spool_open(const char *directory, uint64_t limit, const struct spool_identity *identity,
    struct push_spool *ret_spool, struct profile **ret_told, struct failure *failure)
{
	struct push_spool spool CLEANUP(push_spool_fini) = {.limit = limit};
	struct profile *told = NULL;
	struct failure damage = {0};
	bool known;
	int error;

	spool.directory = strdup(directory);
	if (!spool.directory)
		return failure_set(failure, ENOMEM, "out of memory");
	if (mkdir(directory, DIRECTORY_MODE) < 0 && errno != EEXIST)
		return failure_set(
		    failure, errno, "cannot make %s: %s", directory, strerror(errno));
	known = read_told(&spool, identity, &told, &damage);
	if (!known && damage.code == ENOMEM)
		return failure_set(failure, ENOMEM, "out of memory");
	if (!known)
		put_aside(&spool, &damage);
	error = list_items(&spool, known, failure);
	if (error) {
		profile_free(told);
		return error;
	}
	*ret_told = told;
	*ret_spool = spool;
	spool = (struct push_spool){0};
	return 0;
}

void push_spool_fini(struct push_spool *spool)
{
	free(spool->directory);
	ARRAY_FREE(&spool->items);
	*spool = (struct push_spool){0};
}

bool push_spool_has(const struct push_spool *spool, uint64_t number)
{
	ARRAY_FOREACH (item, &spool->items)
		if (item->number == number)
			return true;
	return false;
}

void push_spool_remove(struct push_spool *spool, uint64_t number)
{
	ARRAY_FOREACH (item, &spool->items) {
		if (item->number != number)
			continue;
		remove_file(spool, item);
		spool->bytes -= item->size;
		memmove(item, item + 1,
		    (size_t)(spool->items.items + spool->items.count - item - 1) * sizeof(*item));
		spool->items.count--;
		return;
	}
}

/* Once the newest, which fits alone, is there to stay: until then it may go wrong. */
static void make_room(struct push_spool *spool)
{
	const uint64_t dropped = spool->dropped;

	while (spool->items.count > 1 && spool->bytes > spool->limit) {
		push_spool_remove(spool, spool->items.items[0].number);
		spool->dropped++;
	}
	if (spool->dropped != dropped)
		log_warning("%s may hold %" PRIu64 " bytes: dropped the oldest %" PRIu64
			    " profiles that were not pushed yet",
		    spool->directory, spool->limit, spool->dropped - dropped);
}

int push_spool_add(struct push_spool *spool, const struct spool_item *item, const void *data,
    const struct profile *told, const struct spool_identity *identity, struct failure *failure)
{
	struct spool_item copy = *item;
	CLEANUP_FREE char *path = NULL;
	const bool fits = item->size <= spool->limit;
	int error = 0;

	copy.number = spool->number + 1;
	path = item_path(spool, &copy);
	if (!path || ARRAY_RESERVE(&spool->items, 1))
		return failure_set(failure, ENOMEM, "out of memory");
	if (fits)
		error = file_write_atomically(path, data, copy.size, failure);
	if (!error)
		error = write_told(spool, copy.number, told, identity, failure);
	if (error) {
		(void)unlink(path);
		return error;
	}
	spool->number = copy.number;
	if (fits) {
		spool->items.items[spool->items.count++] = copy;
		spool->bytes += copy.size;
		make_room(spool);
		return 0;
	}
	spool->dropped++;
	log_warning("%s may hold %" PRIu64 " bytes: dropped a profile of %" PRIu64,
	    spool->directory, spool->limit, copy.size);
	return 0;
}

int push_spool_read(const struct push_spool *spool, const struct spool_item *item, char **ret_data,
    size_t *ret_size, struct failure *failure)
{
	CLEANUP_FREE char *path = item_path(spool, item);

	if (!path)
		return failure_set(failure, ENOMEM, "out of memory");
	return file_read(path, ITEM_BYTES, ret_data, ret_size, failure);
}

void push_spool_purge(const char *directory)
{
	DIR *stream = opendir(directory);
	const struct dirent *entry;
	struct spool_item item;

	while (stream && (entry = readdir(stream)))
		if (read_name(entry->d_name, &item) || is_leftover(entry->d_name) ||
		    !strcmp(entry->d_name, TOLD) || !strcmp(entry->d_name, DAMAGED))
			(void)unlinkat(dirfd(stream), entry->d_name, 0);
	if (stream)
		closedir(stream);
	(void)rmdir(directory);
}
