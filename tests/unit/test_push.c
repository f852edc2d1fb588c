// SPDX-License-Identifier: GPL-2.0-or-later
// What is pushed when something goes wrong around a reset.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/push.h"
#include "control/push_spool.h"
#include "input/input.h"

#define BOOT "0123-abcd"

/* Counters that can be read, or not. */
struct counted {
	uint64_t calls;
	bool fails;
};

static int drain(void *context, struct profile **ret_profile, struct failure *failure)
{
	const struct counted *counted = context;
	struct profile *profile;
	struct profile_function *function;

	if (counted->fails)
		return failure_set(failure, EMFILE, "no descriptor is left");
	profile = profile_new();
	profile->started_ns = 1000;
	profile->duration_ns = 1000;
	function = profile_add_function(profile);
	function->name = function->linkage_name = profile_intern(profile, "add");
	function->image = PROFILE_NO_IMAGE;
	function->calls = function->timed_calls = counted->calls;
	*ret_profile = profile;
	return 0;
}

/* The calls in all profiles that wait in a spool. */
static uint64_t calls_waiting(const char *state_directory)
{
	const struct spool_identity identity = {.boot = BOOT, .started_ns = 1};
	CLEANUP_FREE char *directory = NULL;
	CLEANUP(profile_free_p) struct profile *told = NULL;
	struct push_spool spool;
	uint64_t calls = 0;

	assert_true(asprintf(&directory, "%s/push", state_directory) > 0);
	assert_int_equal(push_spool_open(directory, 1 << 20, &identity, &spool, &told, NULL), 0);
	ARRAY_FOREACH (item, &spool.items) {
		CLEANUP(profile_free_p) struct profile *profile = NULL;
		CLEANUP_FREE char *data = NULL;
		size_t size;

		assert_int_equal(push_spool_read(&spool, item, &data, &size, NULL), 0);
		assert_int_equal(input_read_bytes("waiting.pb.gz", data, size, &profile, NULL), 0);
		ARRAY_FOREACH (function, &profile->functions)
			calls += function->calls;
	}
	push_spool_fini(&spool);
	return calls;
}

/* Counters that could not be read before a reset: what they count after it is pushed all the same.
 */
static void test_reset_unread(void **state)
{
	char directory[] = "/tmp/lprof-push-XXXXXX";
	struct counted counted = {.calls = 100};
	struct config config;
	struct push_options options = {.config = &config,
	    .state_directory = directory,
	    .boot = BOOT,
	    .started_ns = 1,
	    .drain = drain,
	    .context = &counted};
	struct push *push = NULL;

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_true(sd_event_new(&options.event) >= 0);
	assert_int_equal(config_init(&config), 0);
	assert_int_equal(config_read_text(&config, "x",
			     "[lprofd]\npush_url = http://127.0.0.1:1/ingest\n", NULL),
	    0);
	assert_int_equal(push_open(&options, &push, NULL), 0);
	assert_int_equal(push_finish(push, NULL), 0);
	assert_int_equal(calls_waiting(directory), 100);
	counted.fails = true;
	push_before_reset(push);
	counted = (struct counted){0};
	push_after_reset(push);
	counted.calls = 50;
	assert_int_equal(push_finish(push, NULL), 0);
	assert_int_equal(calls_waiting(directory), 150);
	push_free(push);
	push_purge(directory);
	config_fini(&config);
	sd_event_unref(options.event);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reset_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
