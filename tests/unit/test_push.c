// SPDX-License-Identifier: GPL-2.0-or-later
// Each count is put on disk once, whatever goes wrong around a reset, and whatever names are like.
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
	const char *name;
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
	function->name = function->linkage_name = profile_intern(profile, counted->name);
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

/* A pusher with a state directory of its own, whose store is not there. */
struct pushing {
	char directory[32];
	struct config config;
	struct push_options options;
	struct push *push;
};

static void begin(struct pushing *pushing, struct counted *counted)
{
	static const char config[] = "[lprofd]\npush_url = http://127.0.0.1:1/ingest\n";

	*pushing = (struct pushing){.directory = "/tmp/lprof-push-XXXXXX"};
	assert_non_null(mkdtemp(pushing->directory));
	assert_int_equal(config_init(&pushing->config), 0);
	assert_int_equal(config_read_text(&pushing->config, "x", config, NULL), 0);
	pushing->options = (struct push_options){.config = &pushing->config,
	    .state_directory = pushing->directory,
	    .boot = BOOT,
	    .started_ns = 1,
	    .drain = drain,
	    .context = counted};
	assert_true(sd_event_new(&pushing->options.event) >= 0);
	assert_int_equal(push_open(&pushing->options, &pushing->push, NULL), 0);
}

static void end(struct pushing *pushing)
{
	push_free(pushing->push);
	push_purge(pushing->directory);
	config_fini(&pushing->config);
	sd_event_unref(pushing->options.event);
	assert_int_equal(rmdir(pushing->directory), 0);
}

/* Counters that could not be read before a reset: what they count after it is pushed all the same.
 */
static void test_reset_unread(void **state)
{
	struct counted counted = {.name = "add", .calls = 100};
	struct pushing pushing;

	(void)state;
	begin(&pushing, &counted);
	assert_int_equal(push_finish(pushing.push, NULL), 0);
	assert_int_equal(calls_waiting(pushing.directory), 100);
	counted.fails = true;
	push_before_reset(pushing.push);
	counted = (struct counted){.name = "add"};
	push_after_reset(pushing.push);
	counted.calls = 50;
	assert_int_equal(push_finish(pushing.push, NULL), 0);
	assert_int_equal(calls_waiting(pushing.directory), 150);
	end(&pushing);
}

/* A name that no file keeps as it is: after a restart it is the same function all the same. */
static void test_odd_names(void **state)
{
	struct counted counted = {.name = "m\xfcller\x1b\t\"\n", .calls = 100};
	struct pushing pushing;

	(void)state;
	begin(&pushing, &counted);
	for (int start = 0; start < 3; start++) {
		assert_int_equal(push_finish(pushing.push, NULL), 0);
		assert_int_equal(calls_waiting(pushing.directory), counted.calls);
		counted.calls += 10;
		push_free(pushing.push);
		assert_int_equal(push_open(&pushing.options, &pushing.push, NULL), 0);
	}
	end(&pushing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reset_unread),
	    cmocka_unit_test(test_odd_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
