// SPDX-License-Identifier: GPL-2.0-or-later
// The event that takes samples: the processor's cycles where every CPU has them, else the clock.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "collect/sample_event.h"

#define CPUS 4

/* A machine that has cycles on some CPUs. */
struct machine {
	int answers[CPUS];
	int counts; /* what counting them gives */
	uint64_t rate;
	int tried;
};

static int try_event(void *context, const struct perf_event_attr *attributes, int cpu)
{
	struct machine *machine = context;

	assert_int_equal(attributes->type, PERF_TYPE_HARDWARE);
	assert_int_equal(attributes->config, PERF_COUNT_HW_CPU_CYCLES);
	machine->tried++;
	return machine->answers[cpu];
}

static int count_cycles(void *context, uint64_t *ret_rate)
{
	const struct machine *machine = context;

	*ret_rate = machine->rate;
	return machine->counts;
}

static struct sample_event choose(struct machine *machine)
{
	const struct sample_event_machine has = {try_event, count_cycles, CPUS, machine};

	return sample_event_choose(999, &has);
}

static void expect_clock(struct machine machine)
{
	struct sample_event event = choose(&machine);

	assert_string_equal(event.name, SAMPLE_EVENT_CLOCK);
	assert_true(event.is_timer);
	assert_int_equal(event.attributes.type, PERF_TYPE_SOFTWARE);
	assert_int_equal(event.attributes.config, PERF_COUNT_SW_CPU_CLOCK);
	assert_int_equal(event.attributes.sample_period, 1001001);
	assert_int_equal(event.attributes.freq, 0);
}

static void expect_cycles(struct machine machine)
{
	struct sample_event event = choose(&machine);

	assert_string_equal(event.name, SAMPLE_EVENT_CYCLES);
	assert_false(event.is_timer);
	assert_int_equal(event.attributes.type, PERF_TYPE_HARDWARE);
	assert_int_equal(event.attributes.sample_period, machine.rate / 999);
	assert_int_equal(event.attributes.freq, 0);
	assert_int_equal(event.attributes.size, sizeof(struct perf_event_attr));
	assert_int_equal(machine.tried, CPUS);
}

static void test_cycles(void **state)
{
	(void)state;
	expect_cycles((struct machine){.rate = 2600000000});
	expect_cycles((struct machine){.rate = 2600000000, .answers = {0, -ENODEV, -ENODEV, 0}});
}

static void test_none(void **state)
{
	(void)state;
	expect_clock((struct machine){.counts = -ENOENT, .rate = 2600000000}); /* no counters */
	expect_clock((struct machine){.rate = 0});          /* that stand still */
	expect_clock((struct machine){.rate = 1ull << 40}); /* or make no sense */
	expect_clock((struct machine){.rate = 2600000000, .answers = {0, 0, -ENOENT, 0}});
	expect_clock((struct machine){.rate = 2600000000, .answers = {-EBUSY}}); /* taken */
	expect_clock(
	    (struct machine){.rate = 2600000000, .answers = {-ENODEV, -ENODEV, -ENODEV, -ENODEV}});
}

/* This machine, whatever it has: an event that has a name and a period. */
static void test_this_machine(void **state)
{
	struct sample_event event = sample_event_choose(100, NULL);

	(void)state;
	if (event.is_timer) {
		assert_string_equal(event.name, SAMPLE_EVENT_CLOCK);
		assert_int_equal(event.attributes.sample_period, 10000000);
	} else {
		assert_string_equal(event.name, SAMPLE_EVENT_CYCLES);
		assert_in_range(event.attributes.sample_period, 1000000, 200000000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cycles),
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
