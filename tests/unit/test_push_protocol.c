// SPDX-License-Identifier: GPL-2.0-or-later
// What is said to profile stores: URLs, labels, and bodies.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "control/push_protocol.h"

static void assert_refused(const char *url, const char *part)
{
	struct failure failure = {0};

	assert_null(push_protocol_of(url, &failure));
	assert_non_null(strstr(failure.text, part));
}

static void test_urls(void **state)
{
	static const struct {
		const char *url, *name;
	} good[] = {
	    {"http://a/ingest", "Pyroscope"},
	    {"HTTPS://a:4040/pyroscope/ingest?x=y", "Pyroscope"},
	    {"https://[::1]:4040/push.v1.PusherService/Push", "Pyroscope"},
	    {"http://a/profiles/writeraw", "Parca"},
	};

	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(good); at++)
		assert_string_equal(
		    push_protocol_name(push_protocol_of(good[at].url, NULL)), good[at].name);
	assert_refused("", "not a URL");
	assert_refused("ftp://a/ingest", "not a URL");
	assert_refused("http:///ingest", "not a URL");
	assert_refused("http://a b/ingest", "not a URL");
	assert_refused("http://a/ingest#x", "not a URL");
	assert_refused("http://a/ingest\r\nX: y", "not a URL");
	assert_refused("http://user:secret@a/ingest", "credentials");
	assert_refused("http://ingest", "ends in none of");
	assert_refused("http://a/x?/ingest", "ends in none of");
	assert_refused("http://a/ingest/", "ends in none of");
	assert_true(push_url_is_plain("http://a/ingest"));
	assert_false(push_url_is_plain("https://a/ingest"));
}

static const char *label_of(const push_labels *labels, const char *name)
{
	const char *found = NULL;

	ARRAY_FOREACH (label, labels)
		if (!strcmp(label->name, name)) {
			assert_null(found);
			found = label->value;
		}
	return found;
}

static void test_labels(void **state)
{
	static const char *const bad[] = {"a", "a=", "=b", "a=b,", "1a=b", "a-b=c", "__name__=x",
	    "a={b}", "a=b=c", "a=b\x01", "a=\xff", "a=\"b\""};
	char host[256];

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	for (int given = 0; given < 2; given++) {
		push_labels labels CLEANUP(push_labels_fini) = {0};

		assert_int_equal(
		    push_labels_read(
			given ? " service_name = web shop ,a=x; y, _b=é" : "", &labels, NULL),
		    0);
		assert_string_equal(
		    label_of(&labels, "service_name"), given ? "web shop" : "lprofd");
		assert_string_equal(label_of(&labels, "instance"), host);
		assert_int_equal(labels.count, given ? 4 : 2);
		if (given)
			assert_string_equal(label_of(&labels, "a"), "x; y");
	}
	for (size_t at = 0; at < ARRAY_SIZE(bad); at++) {
		push_labels labels CLEANUP(push_labels_fini) = {0};
		struct failure failure = {0};

		if (!push_labels_read(bad[at], &labels, &failure))
			fail_msg("taken: %s", bad[at]);
		assert_non_null(strstr(failure.text, "push_labels"));
	}
}

static void make(const char *url, const char *profile, struct push_message *ret_message)
{
	push_labels labels CLEANUP(push_labels_fini) = {0};

	assert_int_equal(
	    push_labels_read("service_name=a b,instance=h,region=n&1", &labels, NULL), 0);
	assert_int_equal(
	    push_message_make(push_protocol_of(url, NULL), url, &labels, 1700000000999999999,
		1700000060000000000, strdup(profile), strlen(profile), ret_message),
	    0);
}

static void test_ingest(void **state)
{
	struct push_message message CLEANUP(push_message_fini) = {0};

	(void)state;
	make("http://a/ingest?tenant=1", "pprof", &message);
	assert_string_equal(message.url,
	    "http://a/ingest?tenant=1&name=a%20b%7Binstance%3Dh%2Cregion%3Dn%261%7D"
	    "&from=1700000000&until=1700000060&format=pprof&spyName=lprof");
	assert_int_equal(message.size, 5);
	assert_memory_equal(message.body, "pprof", 5);
}

/* Of each length that base64 ends in differently; the texts are RFC 4648's. */
static void test_write_raw(void **state)
{
	static const char *const texts[][2] = {
	    {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};

	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(texts); at++) {
		struct push_message message CLEANUP(push_message_fini) = {0};
		CLEANUP_FREE char *wanted = NULL;

		make("http://a/profiles/writeraw", texts[at][0], &message);
		assert_true(asprintf(&wanted,
				"{\"series\": [{\"labels\": {\"labels\": ["
				"{\"name\": \"__name__\", \"value\": \"lprof\"}, "
				"{\"name\": \"service_name\", \"value\": \"a b\"}, "
				"{\"name\": \"instance\", \"value\": \"h\"}, "
				"{\"name\": \"region\", \"value\": \"n&1\"}]}, "
				"\"samples\": [{\"rawProfile\": \"%s\"}]}]}\n",
				texts[at][1]) > 0);
		assert_string_equal(message.body, wanted);
		assert_int_equal(message.size, strlen(wanted));
		assert_string_equal(message.url, "http://a/profiles/writeraw");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_urls),
	    cmocka_unit_test(test_labels),
	    cmocka_unit_test(test_ingest),
	    cmocka_unit_test(test_write_raw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
