// SPDX-License-Identifier: GPL-2.0-or-later
// Writes out counters of another layout.
#include "collect/old_counters.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"

/* Those that counted; later versions may have others, which are left out. */
static const char *const names[] = {"functions", "site_hits", "function_counters", "histograms",
    "line_counters", "shard_counters", "edges"};

struct old_counters {
	int maps[ARRAY_SIZE(names)]; /* -1: not there */
};

struct old_counters *old_counters_open(const char *pins)
{
	struct old_counters *old = calloc(1, sizeof(*old));
	size_t found = 0;

	if (!old)
		return NULL;
	for (size_t at = 0; at < ARRAY_SIZE(names); at++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", pins, names[at]);
		old->maps[at] = bpf_obj_get(path);
		found += old->maps[at] >= 0;
	}
	if (found)
		return old;
	old_counters_free(old);
	return NULL;
}

void old_counters_free(struct old_counters *old)
{
	if (!old)
		return;
	for (size_t at = 0; at < ARRAY_SIZE(names); at++)
		cleanup_close(&old->maps[at]);
	free(old);
}

void old_counters_pin(const struct old_counters *old, const char *pins)
{
	(void)mkdir(pins, 0700);
	for (size_t at = 0; at < ARRAY_SIZE(names); at++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", pins, names[at]);
		if (old->maps[at] >= 0)
			(void)bpf_obj_pin(old->maps[at], path);
	}
}

/* A map being written. */
struct writing {
	FILE *stream;
	const char *name;
	int map;
	struct bpf_map_info info;
	struct btf *btf; /* NULL: its types are not known */
	struct btf_dump *dump;
	unsigned char *key, *value;
};

static void print_typed(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void print_typed(void *context, const char *format, va_list arguments)
{
	vfprintf(context, format, arguments);
}

static void write_words(FILE *stream, const unsigned char *bytes, size_t size)
{
	for (size_t at = 0; at < size; at++)
		fprintf(stream, "%s%02x", at % 8 ? "" : at ? " " : "", bytes[at]);
}

static void write_data(const struct writing *writing, __u32 type, const void *data, size_t size)
{
	const struct btf_dump_type_data_opts options = {.sz = sizeof(options), .compact = true};

	if (!writing->dump ||
	    btf_dump__dump_type_data(writing->dump, type, data, size, &options) < 0)
		write_words(writing->stream, data, size);
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
	return size && !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

static void write_element(const struct writing *writing, bool named)
{
	fprintf(writing->stream, "%s[", writing->name);
	if (named)
		write_data(
		    writing, writing->info.btf_key_type_id, writing->key, writing->info.key_size);
	else
		fprintf(writing->stream, "%u", *(__u32 *)(void *)writing->key);
	fputs("] = ", writing->stream);
	write_data(
	    writing, writing->info.btf_value_type_id, writing->value, writing->info.value_size);
	fputc('\n', writing->stream);
}

static void write_array(const struct writing *writing)
{
	for (__u32 at = 0; at < writing->info.max_entries; at++) {
		memcpy(writing->key, &at, sizeof(at));
		if (bpf_map_lookup_elem(writing->map, writing->key, writing->value) == 0 &&
		    !is_zero(writing->value, writing->info.value_size))
			write_element(writing, false);
	}
}

static void write_hash(const struct writing *writing)
{
	void *before = NULL;

	while (bpf_map_get_next_key(writing->map, before, writing->key) == 0) {
		before = writing->key;
		if (bpf_map_lookup_elem(writing->map, writing->key, writing->value) == 0)
			write_element(writing, true);
	}
}

static int write_map(int map, const char *name, FILE *stream)
{
	struct writing writing = {.stream = stream, .name = name, .map = map};
	__u32 size = sizeof(writing.info);
	int error = 0;

	if (bpf_obj_get_info_by_fd(map, &writing.info, &size) < 0)
		return 0;
	/* Keys of arrays are four bytes, whoever pinned this. */
	writing.key = calloc(1, writing.info.key_size + sizeof(__u32));
	writing.value = calloc(1, writing.info.value_size + sizeof(__u64));
	writing.btf = writing.info.btf_id ? btf__load_from_kernel_by_id(writing.info.btf_id) : NULL;
	if (writing.btf)
		writing.dump = btf_dump__new(writing.btf, print_typed, stream, NULL);
	fprintf(stream, "# %s: %u elements\n", name, writing.info.max_entries);
	if (writing.key && writing.value && writing.info.type == BPF_MAP_TYPE_ARRAY)
		write_array(&writing);
	else if (writing.key && writing.value && writing.info.type == BPF_MAP_TYPE_HASH)
		write_hash(&writing);
	else if (!writing.key || !writing.value)
		error = -ENOMEM;
	btf_dump__free(writing.dump);
	btf__free(writing.btf);
	free(writing.key);
	free(writing.value);
	return error;
}

int old_counters_write(const struct old_counters *old, FILE *stream)
{
	int error = 0;

	for (size_t at = 0; at < ARRAY_SIZE(names) && !error; at++)
		if (old->maps[at] >= 0)
			error = write_map(old->maps[at], names[at], stream);
	return error;
}
