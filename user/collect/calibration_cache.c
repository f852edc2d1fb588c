// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps calibrated costs in a small JSON file for each way to attach.
#include "collect/calibration_cache.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/files.h"
#include "collect/attach.h"

#define CACHE_FILE_MAX    4096
#define CACHE_PATH_MAX    4096
#define CACHE_MAX_SECONDS 3600
#define BOOT_ID_PATH      "/proc/sys/kernel/random/boot_id"

static int cache_directory(char *path, size_t size)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int length;

	if (geteuid() == 0)
		length = snprintf(path, size, "/var/cache/lprof");
	else if (cache && *cache == '/')
		length = snprintf(path, size, "%s/lprof", cache);
	else if (home && *home == '/')
		length = snprintf(path, size, "%s/.cache/lprof", home);
	else
		return -ENOENT;
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

static int cache_path(enum attach_method method, char *path, size_t size)
{
	char directory[CACHE_PATH_MAX];
	int error = cache_directory(directory, sizeof(directory)), length;

	if (error)
		return error;
	length = snprintf(path, size, "%s/costs-%s.json", directory, attach_method_name(method));
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* What costs depend on: this boot of this kernel, and these programs. */
static void cache_key(char *key, size_t size)
{
	char *boot = NULL;
	size_t length = 0;

	if (file_read(BOOT_ID_PATH, 256, &boot, &length, NULL))
		boot = NULL;
	snprintf(key, size, "%s wire %d lprof %s", boot ? strtok(boot, "\n") : "", WIRE_VERSION,
	    LPROF_VERSION);
	free(boot);
}

static void object_put(json_object **object)
{
	json_object_put(*object);
}

static int load_array(json_object *object, const char *name, uint64_t values[COST_CLASSES])
{
	json_object *array;

	if (!json_object_object_get_ex(object, name, &array) ||
	    !json_object_is_type(array, json_type_array) ||
	    json_object_array_length(array) != COST_CLASSES)
		return -EBADMSG;
	for (size_t i = 0; i < COST_CLASSES; i++) {
		int64_t value = json_object_get_int64(json_object_array_get_idx(array, i));

		if (value < 0)
			return -EBADMSG;
		values[i] = (uint64_t)value;
	}
	return 0;
}

static int load_number(json_object *object, const char *name, uint64_t *ret_value)
{
	json_object *number;

	if (!json_object_object_get_ex(object, name, &number) || json_object_get_int64(number) < 0)
		return -EBADMSG;
	*ret_value = (uint64_t)json_object_get_int64(number);
	return 0;
}

static bool holds(json_object *object)
{
	json_object *key, *measured;
	int64_t age;
	char wanted[512];

	cache_key(wanted, sizeof(wanted));
	if (!json_object_object_get_ex(object, "key", &key) ||
	    !json_object_object_get_ex(object, "measured", &measured) ||
	    !json_object_get_string(key) || strcmp(json_object_get_string(key), wanted) != 0)
		return false;
	age = time(NULL) - json_object_get_int64(measured);
	return age >= 0 && age <= CACHE_MAX_SECONDS;
}

int calibration_cache_load(enum attach_method method, struct costs *ret_costs)
{
	json_object *object CLEANUP(object_put) = NULL;
	CLEANUP_FREE char *text = NULL;
	char path[CACHE_PATH_MAX];
	struct costs costs = {.known = true};
	size_t size;
	int error = cache_path(method, path, sizeof(path));

	if (!error)
		error = file_read(path, CACHE_FILE_MAX, &text, &size, NULL);
	if (error)
		return error;
	object = json_tokener_parse(text);
	if (!json_object_is_type(object, json_type_object) || !holds(object))
		return -ESTALE;
	error = load_array(object, "before_ns", costs.before_ns);
	if (!error)
		error = load_array(object, "after_ns", costs.after_ns);
	if (!error)
		error = load_array(object, "spread_ns", costs.spread_ns);
	if (!error)
		error = load_number(object, "skipped_ns", &costs.skipped_ns);
	if (!error)
		error = load_number(object, "skipped_spread_ns", &costs.skipped_spread_ns);
	if (!error)
		*ret_costs = costs;
	return error;
}

static json_object *store_array(const uint64_t values[COST_CLASSES])
{
	json_object *array = json_object_new_array_ext(COST_CLASSES);

	for (size_t i = 0; i < COST_CLASSES; i++)
		json_object_array_add(array, json_object_new_int64((int64_t)values[i]));
	return array;
}

void calibration_cache_store(enum attach_method method, const struct costs *costs)
{
	json_object *object CLEANUP(object_put) = json_object_new_object();
	char path[CACHE_PATH_MAX], key[512];
	const char *text;

	if (cache_directory(path, sizeof(path)) || (mkdir(path, 0755) < 0 && errno != EEXIST) ||
	    cache_path(method, path, sizeof(path)))
		return;
	cache_key(key, sizeof(key));
	json_object_object_add(object, "key", json_object_new_string(key));
	json_object_object_add(object, "measured", json_object_new_int64(time(NULL)));
	json_object_object_add(object, "before_ns", store_array(costs->before_ns));
	json_object_object_add(object, "after_ns", store_array(costs->after_ns));
	json_object_object_add(object, "spread_ns", store_array(costs->spread_ns));
	json_object_object_add(
	    object, "skipped_ns", json_object_new_int64((int64_t)costs->skipped_ns));
	json_object_object_add(
	    object, "skipped_spread_ns", json_object_new_int64((int64_t)costs->skipped_spread_ns));
	text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	if (text)
		(void)file_write_atomically(path, text, strlen(text), NULL);
}
