// SPDX-License-Identifier: GPL-2.0-or-later
// Makes, pins, adopts, reads and clears the tables of samples.
#include "collect/sample_tables.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "collect/sample_profile.h"
#include "cpu_wire.h"
#include "cpu_sampling.skel.h"

#define TEXT(word)  #word
#define VALUE(word) TEXT(word)
#define PIN_PREFIX  "samples" VALUE(SAMPLES_VERSION) "_"

static const char *const names[SAMPLE_TABLES] = {
    [TABLE_STACKS] = "stacks",
    [TABLE_LEAVES] = "leaves",
    [TABLE_COUNTS] = "counts",
    [TABLE_FILES] = "files",
};

DEFINE_CLEANUP(struct cpu_sampling_bpf *, cpu_sampling_bpf__destroy)

static void pin_path(char *path, size_t size, const char *pins, enum sample_table table)
{
	snprintf(path, size, "%s/" PIN_PREFIX "%s", pins, names[table]);
}

/* As the program wants it. */
static int make_map(const struct bpf_map *wanted, enum sample_table table)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = bpf_map__map_flags(wanted));

	return bpf_map_create(bpf_map__type(wanted), names[table], bpf_map__key_size(wanted),
	    bpf_map__value_size(wanted), bpf_map__max_entries(wanted), &options);
}

static int open_map(const struct bpf_map *wanted, const char *pins, enum sample_table table,
    int *ret_map, struct failure *failure)
{
	char path[4096];

	if (pins)
		pin_path(path, sizeof(path), pins, table);
	*ret_map = pins ? bpf_obj_get(path) : -1;
	if (*ret_map >= 0)
		return 0;
	*ret_map = make_map(wanted, table);
	if (*ret_map < 0)
		return failure_set(
		    failure, errno, "cannot make the tables of samples: %s", strerror(errno));
	if (pins && bpf_obj_pin(*ret_map, path) < 0)
		return failure_set(failure, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

static int open_maps(const struct cpu_sampling_bpf *skeleton, const char *pins,
    struct sample_tables *tables, struct failure *failure)
{
	const struct bpf_map *const wanted[SAMPLE_TABLES] = {
	    [TABLE_STACKS] = skeleton->maps.stacks,
	    [TABLE_LEAVES] = skeleton->maps.leaves,
	    [TABLE_COUNTS] = skeleton->maps.sampling_counts,
	    [TABLE_FILES] = skeleton->maps.files,
	};
	int error = 0;

	for (int table = 0; table < SAMPLE_TABLES && !error; table++)
		error = open_map(wanted[table], pins, table, &tables->maps[table], failure);
	return error;
}

int sample_tables_open(const char *pins, struct sample_tables **ret_tables, struct failure *failure)
{
	CLEANUP(cpu_sampling_bpf__destroy_p)
	struct cpu_sampling_bpf *skeleton = cpu_sampling_bpf__open();
	CLEANUP(sample_tables_free_p) struct sample_tables *tables = calloc(1, sizeof(*tables));
	int error;

	if (!tables)
		return failure_set(failure, ENOMEM, "out of memory");
	for (int table = 0; table < SAMPLE_TABLES; table++)
		tables->maps[table] = -1;
	if (!skeleton)
		return failure_set(failure, errno, "cannot read lprof's own BPF programs");
	error = open_maps(skeleton, pins, tables, failure);
	tables->images.files = tables->maps[TABLE_FILES];
	if (!error && code_images_adopt(&tables->images))
		error = failure_set(failure, ENOMEM, "out of memory");
	if (error)
		return error;
	*ret_tables = TAKE(tables);
	return 0;
}

void sample_tables_free(struct sample_tables *tables)
{
	if (!tables)
		return;
	for (int table = 0; table < SAMPLE_TABLES; table++)
		cleanup_close(&tables->maps[table]);
	code_images_fini(&tables->images);
	free(tables);
}

bool sample_tables_are_pinned(const char *pins)
{
	char path[4096];

	pin_path(path, sizeof(path), pins, TABLE_STACKS);
	return access(path, F_OK) == 0;
}

void sample_tables_unpin(const char *pins)
{
	char path[4096];

	for (int table = 0; table < SAMPLE_TABLES; table++) {
		pin_path(path, sizeof(path), pins, table);
		(void)unlink(path);
	}
}

int sample_tables_drain(struct sample_tables *tables, uint64_t slots, uint64_t period_ns,
    struct profile *profile, struct failure *failure)
{
	const struct sample_profile_input input = {
	    .images = &tables->images,
	    .stacks = tables->maps[TABLE_STACKS],
	    .leaves = tables->maps[TABLE_LEAVES],
	    .counts = tables->maps[TABLE_COUNTS],
	    .slots = slots,
	    .period_ns = period_ns,
	    .missed = tables->missed,
	};
	int error;

	code_images_look_again(&tables->images);
	error = sample_profile(&input, profile);
	return error ? failure_set(failure, -error, "cannot read the samples: %s", strerror(-error))
		     : 0;
}

/* ---- Reset ---- */

/* Adds `more` samples to the element of a key, whose counter stands first in the value. */
static int add_samples(int map, const struct sample_key *key, void *value, uint64_t more)
{
	uint64_t before = 0;
	CLEANUP_FREE struct sampled_stack *known = malloc(sizeof(*known));

	if (!known)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map, key, known) == 0)
		before = known->samples;
	*(uint64_t *)value = before + more;
	return bpf_map_update_elem(map, key, value, BPF_ANY) < 0 ? -errno : 0;
}

/* What only these slots wanted goes; what others wanted too is theirs alone from now on. */
static int reset_key(int map, const struct sample_key *key, uint64_t slots)
{
	CLEANUP_FREE struct sampled_stack *value = calloc(1, sizeof(*value));
	struct sample_key rest = {.slots = key->slots & ~slots, .what = key->what};

	if (!value)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map, key, value) < 0)
		return 0;
	(void)bpf_map_delete_elem(map, key);
	return rest.slots ? add_samples(map, &rest, value, value->samples) : 0;
}

static int reset_table(int map, uint64_t slots)
{
	ARRAY(struct sample_key) found = {0};
	struct sample_key key, *previous = NULL;
	int error = 0;

	/* Who deletes while walking begins anew each time. */
	while (!error && !bpf_map_get_next_key(map, previous, &key)) {
		previous = &key;
		if (key.slots & slots)
			error = ARRAY_APPEND(&found, key);
	}
	ARRAY_FOREACH (each, &found)
		if (!error)
			error = reset_key(map, each, slots);
	ARRAY_FREE(&found);
	return error;
}

static int reset_counts(struct sample_tables *tables)
{
	const int cpus = libbpf_num_possible_cpus();
	CLEANUP_FREE uint64_t *none = calloc((size_t)(cpus > 0 ? cpus : 1), sizeof(*none));

	if (!none)
		return -ENOMEM;
	for (uint32_t what = 0; what < SAMPLING_COUNTS; what++)
		(void)bpf_map_update_elem(tables->maps[TABLE_COUNTS], &what, none, BPF_ANY);
	tables->missed = 0;
	return 0;
}

int sample_tables_reset(
    struct sample_tables *tables, uint64_t slots, bool all, struct failure *failure)
{
	int error = reset_table(tables->maps[TABLE_STACKS], slots);

	if (!error)
		error = reset_table(tables->maps[TABLE_LEAVES], slots);
	if (!error && all)
		error = reset_counts(tables);
	return error ? failure_set(failure, -error, "cannot forget samples: %s", strerror(-error))
		     : 0;
}
