// SPDX-License-Identifier: GPL-2.0-or-later
// Profiles that wait on disk: none is lost by what goes wrong beside it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/push_spool.h"
#include "profile_example.h"

#define LIMIT 1000

static const struct spool_identity identity = {.boot = "0123-abcd", .started_ns = 1};

struct place {
	char directory[32];
	char told[64];
};

static struct place make_place(void)
{
	struct place place = {.directory = "/tmp/lprof-spool-XXXXXX"};

	assert_non_null(mkdtemp(place.directory));
	snprintf(place.told, sizeof(place.told), "%s/told", place.directory);
	return place;
}

/* False: what was told is not known. */
static bool open_spool(const struct place *place, struct push_spool *spool)
{
	CLEANUP(profile_free_p) struct profile *told = NULL;

	assert_int_equal(
	    push_spool_open(place->directory, LIMIT, &identity, spool, &told, NULL), 0);
	return told;
}

static int add(struct push_spool *spool, uint64_t size)
{
	CLEANUP(profile_free_p) struct profile *told = profile_example("/a.c");
	const struct spool_item item = {.from_ns = 1, .until_ns = 2, .size = size};
	char data[LIMIT] = "";

	return push_spool_add(spool, &item, data, told, &identity, NULL);
}

static void assert_holds(const struct push_spool *spool, size_t count, uint64_t size)
{
	assert_int_equal(spool->items.count, count);
	assert_int_equal(spool->bytes, count * size);
	ARRAY_FOREACH (item, &spool->items) {
		CLEANUP_FREE char *data = NULL;
		size_t got;

		assert_int_equal(push_spool_read(spool, item, &data, &got, NULL), 0);
		assert_int_equal(got, size);
	}
}

static void test_the_oldest_go(void **state)
{
	const struct place place = make_place();
	struct push_spool spool;

	(void)state;
	assert_true(open_spool(&place, &spool));
	for (int i = 0; i < 5; i++)
		assert_int_equal(add(&spool, 400), 0);
	assert_holds(&spool, 2, 400);
	assert_int_equal(spool.items.items[0].number, 4);
	assert_int_equal(spool.dropped, 3);
	push_spool_fini(&spool);
	push_spool_purge(place.directory);
}

/* Nothing goes for one that cannot come: neither its file can be written, nor what was told. */
static void test_room_for_none(void **state)
{
	const struct place place = make_place();
	struct push_spool spool;
	char file[128];

	(void)state;
	assert_true(open_spool(&place, &spool));
	assert_int_equal(add(&spool, 400), 0);
	assert_int_equal(add(&spool, 400), 0);
	snprintf(file, sizeof(file), "%s/%020d-1-2.pb.gz", place.directory, 3);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_not_equal(add(&spool, 400), 0);
	assert_holds(&spool, 2, 400);
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(unlink(place.told), 0);
	assert_int_equal(mkdir(place.told, 0700), 0);
	assert_int_not_equal(add(&spool, 400), 0);
	assert_holds(&spool, 2, 400);
	assert_int_equal(spool.dropped, 0);
	assert_int_equal(rmdir(place.told), 0);
	assert_int_equal(add(&spool, 400), 0);
	assert_holds(&spool, 2, 400);
	assert_int_equal(spool.dropped, 1);
	push_spool_fini(&spool);
	push_spool_purge(place.directory);
}

/* A start that ends before it has begun anew loses no profile that waits, nor does the next. */
static void test_damage_is_found_twice(void **state)
{
	const struct place place = make_place();
	struct push_spool spool;

	(void)state;
	assert_true(open_spool(&place, &spool));
	assert_int_equal(add(&spool, 400), 0);
	push_spool_fini(&spool);
	assert_int_equal(truncate(place.told, 100), 0);
	for (int start = 0; start < 2; start++) {
		assert_false(open_spool(&place, &spool));
		assert_holds(&spool, 1, 400);
		push_spool_fini(&spool);
	}
	push_spool_purge(place.directory);
}

/* What no delta can be made of is damaged, too: it would never be pushed on. */
static void test_told_twice(void **state)
{
	CLEANUP(profile_free_p) struct profile *told = profile_example("/a.c");
	const struct place place = make_place();
	struct push_spool spool;

	(void)state;
	assert_true(open_spool(&place, &spool));
	ARRAY_APPEND(&told->functions.items[0].lines, told->functions.items[0].lines.items[2]);
	assert_int_equal(push_spool_tell(&spool, told, &identity, NULL), 0);
	push_spool_fini(&spool);
	assert_false(open_spool(&place, &spool));
	push_spool_fini(&spool);
	push_spool_purge(place.directory);
	assert_int_not_equal(access(place.directory, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_oldest_go),
	    cmocka_unit_test(test_room_for_none),
	    cmocka_unit_test(test_damage_is_found_twice),
	    cmocka_unit_test(test_told_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
