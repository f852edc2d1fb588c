// SPDX-License-Identifier: GPL-2.0-or-later
// Metrics in each format, as a scraper reads them; which format it gets; times that must not sink.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "output/metrics.h"
#include "output/metrics.pb-c.h"
#include "profile_example.h"

static struct metrics_marks marks;
static uint64_t took_ns;

/* A scrape, ended by a NUL; pieces of all sizes are read. */
static char *scrape(
    struct profile *profile, enum metrics_format format, size_t lines_max, size_t *ret_size)
{
	const struct metrics_health health = {
	    .probes = 3, .drain_ns = 1500000, .tables = {{"functions", 1, 2}, {"b", 3, 4}, {"c"}}};
	const struct metrics_options options = {format, lines_max, 2, &marks, &took_ns};
	struct metrics_stream *stream = metrics_open(profile, &health, &options);
	size_t size = 0, room = 1;
	char *text = NULL;
	ssize_t got;

	assert_non_null(stream);
	do {
		text = realloc(text, size + room + 1);
		got = metrics_read(stream, text + size, room);
		assert_true(got >= 0 && (size_t)got <= room);
		size += (size_t)got;
		room = room % 1000 + 7;
	} while (got);
	text[size] = '\0';
	metrics_close(stream);
	*ret_size = size;
	return text;
}

static void check_line(const char *text, const char *line)
{
	const char *found = strstr(text, line);

	if (!found || (found != text && found[-1] != '\n') || found[strlen(line)] != '\n')
		fail_msg("no line '%s' in:\n%s", line, text);
}

#define ADD  "function=\"add\",file=\"x.c\",declared=\"3\",image=\"/bin/lua\",build_id=\"abcd\""
#define MAIN "function=\"main\",file=\"x.c\",declared=\"11\",image=\"/bin/lua\",build_id=\"\""

static void test_text(void **state)
{
	size_t size;
	CLEANUP_FREE char *text = scrape(profile_example("x.c"), METRICS_TEXT, 2, &size);

	(void)state;
	check_line(text, "# TYPE lprof_function_calls_total counter");
	check_line(text, "lprof_function_calls_total{" ADD "} 1000");
	check_line(text, "lprof_function_seconds_total{" ADD "} 0.005");
	check_line(text, "lprof_function_self_seconds_total{" MAIN "} 0.0011");
	check_line(text, "lprof_function_cpu_samples_total{" ADD "} 3");
	check_line(text, "lprof_function_blocked_seconds_total{" ADD "} 0.0003");
	check_line(text, "lprof_function_waiting_seconds_total{" ADD "} 0.00002");
	assert_null(strstr(text, "lprof_function_blocked_seconds_total{" MAIN));
	check_line(
	    text, "lprof_line_blocked_seconds_total{" ADD ",line_file=\"x.c\",line=\"6\"} 0.0003");
	check_line(
	    text, "lprof_line_waiting_seconds_total{" ADD ",line_file=\"x.c\",line=\"6\"} 0.00002");
	check_line(
	    text, "lprof_line_blocked_seconds_total{" ADD ",line_file=\"x.c\",line=\"5\"} 0");
	check_line(
	    text, "lprof_line_waiting_seconds_total{" ADD ",line_file=\"\",line=\"other\"} 0");
	assert_null(strstr(text, "lprof_line_blocked_seconds_total{" MAIN));
	check_line(text, "lprof_function_budget_state{" MAIN "} 2");
	check_line(text, "lprof_function_stood_seconds_total{" MAIN "} 0.9");
	check_line(text, "lprof_function_duration_seconds_bucket{" ADD ",le=\"4.096e-06\"} 0");
	check_line(text, "lprof_function_duration_seconds_bucket{" ADD ",le=\"1.6384e-05\"} 1000");
	check_line(text, "lprof_function_duration_seconds_bucket{" ADD ",le=\"+Inf\"} 1000");
	check_line(text, "lprof_function_duration_seconds_sum{" ADD "} 0.005");
	check_line(text, "lprof_line_hits_total{" ADD ",line_file=\"x.c\",line=\"6\"} 4000");
	check_line(text, "lprof_line_hits_total{" ADD ",line_file=\"\",line=\"other\"} 0");
	check_line(text, "lprofd_probes 3");
	check_line(text, "lprofd_drain_seconds 0.0015");
	check_line(text, "lprofd_table_size{table=\"functions\"} 2");
	assert_null(strstr(text, "# EOF"));
	assert_true(took_ns > 0);
}

/* A function that only samples know, with lines of its own. */
static void add_sampled(struct profile *profile, const char *name, uint64_t samples)
{
	struct profile_function *function = profile_add_function(profile);

	assert_non_null(function);
	function->name = function->linkage_name = profile_intern(profile, name);
	function->file = profile_intern(profile, "y.c");
	function->image = PROFILE_NO_IMAGE;
	function->cpu_samples = samples;
	function->cpu_total_samples = samples + 1;
	assert_int_equal(
	    ARRAY_APPEND(&function->lines,
		(struct profile_line){
		    .file = function->file, .line = 2, .cpu_samples = samples, .sampled = true}),
	    0);
}

/* Of functions that were only sampled the most sampled have one series, and no lines. */
static void test_sampled(void **state)
{
	struct profile *profile = profile_example("x.c");
	uint64_t samples = 0;
	char line[100];
	CLEANUP_FREE char *text = NULL;
	size_t size;

	(void)state;
	profile->sampling_period_ns = 1001001;
	add_sampled(profile, "few", 5);
	add_sampled(profile, "most", 70);
	add_sampled(profile, "more", 60);
	add_sampled(profile, "callers_alone", 0);
	profile->functions.items[0].lines.items[1].cpu_samples = 2;
	assert_int_equal(ARRAY_APPEND(&profile->functions.items[0].lines,
			     (struct profile_line){.file = "x.c", .line = 1, .sampled = true}),
	    0);
	ARRAY_FOREACH (function, &profile->functions)
		samples += function->cpu_samples;
	text = scrape(profile, METRICS_TEXT, 20, &size);
	snprintf(line, sizeof(line), "lprof_cpu_samples_total %llu", (unsigned long long)samples);
	check_line(text, line);
	check_line(text, "lprof_cpu_sampling_period_seconds 0.001001001");
	check_line(text, "lprof_function_cpu_samples_total{" ADD "} 3");
	check_line(text, "lprof_line_cpu_samples_total{" ADD ",line_file=\"x.c\",line=\"6\"} 2");
	assert_non_null(strstr(text, "lprof_function_cpu_samples_total{function=\"most\""));
	assert_non_null(strstr(text, "lprof_function_cpu_samples_total{function=\"more\""));
	assert_null(strstr(text, "calls_total{function=\"most\""));
	assert_null(strstr(text, "bucket{function=\"most\""));
	assert_null(strstr(text, "line_file=\"y.c\""));
	assert_null(strstr(text, ",line=\"1\"}"));
	assert_null(strstr(text, "function=\"few\""));
	assert_null(strstr(text, "callers_alone"));
}

static void test_open_metrics(void **state)
{
	size_t size;
	CLEANUP_FREE char *text = scrape(profile_example("x.c"), METRICS_OPEN, 20, &size);

	(void)state;
	check_line(text, "# TYPE lprof_function_calls counter");
	check_line(text, "lprof_function_calls_total{" ADD "} 1000");
	assert_string_equal(text + size - 6, "# EOF\n");
}

/* ---- Protocol buffers ---- */

/* The family of that name in a scrape, to be freed. */
static Prometheus__MetricFamily *family_of(const char *bytes, size_t size, const char *name)
{
	Prometheus__MetricFamily *found = NULL;
	size_t at = 0;

	while (at < size) {
		Prometheus__MetricFamily *family;
		uint64_t length = 0;
		int shift = 0;

		do
			length |= (uint64_t)(bytes[at] & 0x7f) << 7 * shift++;
		while (bytes[at++] & 0x80);
		assert_true(length <= size - at);
		family =
		    prometheus__metric_family__unpack(NULL, length, (const uint8_t *)bytes + at);
		assert_non_null(family);
		at += length;
		if (!strcmp(family->name, name))
			found = family;
		else
			prometheus__metric_family__free_unpacked(family, NULL);
	}
	assert_int_equal(at, size);
	assert_non_null(found);
	return found;
}

static void test_hostile_names(void **state)
{
	struct profile *profile = profile_example("x.c");
	Prometheus__MetricFamily *family;
	CLEANUP_FREE char *text = NULL;
	size_t size;

	(void)state;
	profile->functions.items[0].name = profile_intern(profile, "a\"b\\c\nd\xff\xc3\xa9}");
	text = scrape(profile, METRICS_TEXT, 0, &size);
	assert_non_null(strstr(text, "{function=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\xc3\xa9}\",file="));
	free(text);
	profile = profile_example("x.c");
	profile->functions.items[0].name = profile_intern(profile, "a\"b\nd\xff\xc3\xa9}");
	text = scrape(profile, METRICS_PROTOBUF, 0, &size);
	family = family_of(text, size, "lprof_function_calls_total");
	assert_string_equal(family->metric[0]->label[0]->value, "a\"b\nd\xef\xbf\xbd\xc3\xa9}");
	prometheus__metric_family__free_unpacked(family, NULL);
}

static void test_protobuf(void **state)
{
	static const char *const labels[] = {"function", "add", "file", "x.c", "declared", "3",
	    "image", "/bin/lua", "build_id", "abcd"};
	size_t size;
	CLEANUP_FREE char *bytes = scrape(profile_example("x.c"), METRICS_PROTOBUF, 20, &size);
	Prometheus__MetricFamily *calls = family_of(bytes, size, "lprof_function_calls_total");
	Prometheus__MetricFamily *seconds = family_of(bytes, size, "lprof_line_seconds_total");
	Prometheus__MetricFamily *probes = family_of(bytes, size, "lprofd_probes");

	(void)state;
	assert_int_equal(calls->type, PROMETHEUS__METRIC_TYPE__COUNTER);
	assert_int_equal(calls->n_metric, 2);
	assert_true(calls->metric[0]->counter->value == 1000);
	assert_int_equal(calls->metric[0]->n_label, 5);
	for (size_t at = 0; at < 5; at++) {
		assert_string_equal(calls->metric[0]->label[at]->name, labels[2 * at]);
		assert_string_equal(calls->metric[0]->label[at]->value, labels[2 * at + 1]);
	}
	assert_true(seconds->metric[1]->counter->value == 0.004);
	assert_string_equal(seconds->metric[1]->label[6]->value, "6");
	assert_int_equal(probes->type, PROMETHEUS__METRIC_TYPE__GAUGE);
	assert_true(probes->metric[0]->gauge->value == 3);
	prometheus__metric_family__free_unpacked(calls, NULL);
	prometheus__metric_family__free_unpacked(seconds, NULL);
	prometheus__metric_family__free_unpacked(probes, NULL);
}

/* 900 calls took 4,096 to 5,119 ns, 100 took 8,192 to 10,239: buckets of 2^(i/16) s hold their
 * middle. */
static void test_native_histogram(void **state)
{
	size_t size;
	CLEANUP_FREE char *bytes = scrape(profile_example("x.c"), METRICS_PROTOBUF, 20, &size);
	Prometheus__MetricFamily *family =
	    family_of(bytes, size, "lprof_function_duration_seconds");
	const Prometheus__Histogram *histogram = family->metric[0]->histogram;

	(void)state;
	assert_int_equal(family->type, PROMETHEUS__METRIC_TYPE__HISTOGRAM);
	assert_int_equal(histogram->sample_count, 1000);
	assert_true(histogram->sample_sum == 0.005);
	assert_int_equal(histogram->schema, 4);
	assert_int_equal(histogram->zero_count, 0);
	assert_true(histogram->zero_threshold > 0);
	assert_int_equal(histogram->n_positive_span, 2);
	/* log2(4607.5e-9) * 16 = -283.6, log2(9215.5e-9) * 16 = -267.6 */
	assert_int_equal(histogram->positive_span[0]->offset, -283);
	assert_int_equal(histogram->positive_span[0]->length, 1);
	assert_int_equal(histogram->positive_span[1]->offset, -267 - -282);
	assert_int_equal(histogram->n_positive_delta, 2);
	assert_int_equal(histogram->positive_delta[0], 900);
	assert_int_equal(histogram->positive_delta[1], -800);
	assert_int_equal(histogram->n_bucket, 15);
	assert_true(histogram->bucket[3]->upper_bound == 1.6384e-05);
	assert_int_equal(histogram->bucket[3]->cumulative_count, 1000);
	prometheus__metric_family__free_unpacked(family, NULL);
}

/* ---- Times that sank ---- */

static char *scrape_times(uint64_t calls, int64_t ns, uint64_t hits, int64_t line_ns)
{
	struct profile *profile = profile_example("x.c");
	struct profile_function *add = &profile->functions.items[0];
	size_t size;

	add->calls = calls;
	add->total_ns = ns;
	add->lines.items[0].hits = hits;
	add->lines.items[0].total_ns = line_ns;
	return scrape(profile, METRICS_TEXT, 20, &size);
}

static void check_times(char *text, const char *function, const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "lprof_function_seconds_total{" ADD "} %s", function);
	check_line(text, wanted);
	snprintf(wanted, sizeof(wanted),
	    "lprof_line_seconds_total{" ADD ",line_file=\"x.c\",line=\"5\"} %s", line);
	check_line(text, wanted);
	free(text);
}

static void test_times_do_not_sink(void **state)
{
	(void)state;
	metrics_marks_fini(&marks);
	check_times(scrape_times(10, 3000000000, 10, 2000000000), "3", "2");
	check_times(scrape_times(11, 2900000000, 11, -5), "3", "2");
	check_times(scrape_times(11, 2950000000, 12, 1000000000), "3", "2");
	check_times(scrape_times(12, 3500000000, 13, 2500000000), "3.5", "2.5");
	/* begun anew, the function first */
	check_times(scrape_times(1, 1000000000, 13, 2400000000), "1", "2.5");
	check_times(scrape_times(2, 1500000000, 1, 100000000), "1.5", "0.1");
}

static void test_many_marks(void **state)
{
	(void)state;
	metrics_marks_fini(&marks);
	for (int round = 0; round < 3; round++) {
		struct profile *profile = profile_example("x.c");
		struct profile_function *add = &profile->functions.items[0];
		CLEANUP_FREE char *text = NULL;
		size_t size;

		for (uint32_t line = 100; line < 5000; line++)
			ARRAY_APPEND(&add->lines, (struct profile_line){.file = add->file,
						      .line = line,
						      .hits = 1,
						      .total_ns = 1000000000 - round});
		text = scrape(profile, METRICS_TEXT, 10000, &size);
		check_line(
		    text, "lprof_line_seconds_total{" ADD ",line_file=\"x.c\",line=\"100\"} 1");
		check_line(
		    text, "lprof_line_seconds_total{" ADD ",line_file=\"x.c\",line=\"4999\"} 1");
	}
}

/* ---- Which format ---- */

static void test_negotiation(void **state)
{
#define OURS           \
	"application/" \
	"vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	static const struct {
		const char *accept;
		enum metrics_format format;
	} cases[] = {
	    {NULL, METRICS_TEXT},
	    {"", METRICS_TEXT},
	    {"*/*", METRICS_TEXT},
	    {"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", METRICS_TEXT},
	    /* what Prometheus sends */
	    {"application/openmetrics-text;version=1.0.0,"
	     "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/"
	     "*;q=0.1",
		METRICS_OPEN},
	    {OURS ",application/openmetrics-text;version=1.0.0;q=0.8,"
		  "application/openmetrics-text;version=0.0.1;q=0.75,text/"
		  "plain;version=0.0.4;q=0.5,*/*;q=0.1",
		METRICS_PROTOBUF},
	    {OURS ";q=0.3 , text/plain ; q=0.4", METRICS_TEXT},
	    {"text/plain;q=0.2, " OURS ";q=0.3", METRICS_PROTOBUF},
	    {"application/vnd.google.protobuf", METRICS_TEXT},
	    {"application/vnd.google.protobuf;proto=other;encoding=delimited", METRICS_TEXT},
	    {"APPLICATION/OpenMetrics-Text", METRICS_OPEN},
	    {"text/html,application/xhtml+xml,application/openmetrics-text;q=0.9,*/*;q=0.8",
		METRICS_OPEN},
	    {"application/openmetrics-text;q=0", METRICS_TEXT},
	    {"application/openmetrics-text;q=-1,text/plain;q=0.1", METRICS_TEXT},
	    {";;,,;=,q=1;", METRICS_TEXT},
	};

	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(cases); at++)
		if (metrics_negotiate(cases[at].accept) != cases[at].format)
			fail_msg("%s: %s", cases[at].accept,
			    metrics_content_type(metrics_negotiate(cases[at].accept)));
}

static int forget_marks(void **state)
{
	(void)state;
	metrics_marks_fini(&marks);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_sampled),
	    cmocka_unit_test(test_open_metrics),
	    cmocka_unit_test(test_hostile_names),
	    cmocka_unit_test(test_protobuf),
	    cmocka_unit_test(test_native_histogram),
	    cmocka_unit_test(test_times_do_not_sink),
	    cmocka_unit_test(test_many_marks),
	    cmocka_unit_test(test_negotiation),
	};

	return cmocka_run_group_tests(tests, NULL, forget_marks);
}
