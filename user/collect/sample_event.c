// SPDX-License-Identifier: GPL-2.0-or-later
// Chooses the event that takes the samples.
#include "collect/sample_event.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SECOND_NS  1000000000u
#define BUSY_NS    10000000 /* long enough to leave a sleeping CPU's frequency behind */
#define RATE_LEAST 100000000ull
#define RATE_MOST  20000000000ull
#define NOT_ONLINE (-ENODEV)

/* ---- This machine ---- */

static int open_event(const struct perf_event_attr *attributes, pid_t pid, int cpu)
{
	int event =
	    (int)syscall(__NR_perf_event_open, attributes, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return event < 0 ? -errno : event;
}

static int try_event(void *context, const struct perf_event_attr *attributes, int cpu)
{
	int event = open_event(attributes, -1, cpu);

	(void)context;
	if (event < 0)
		return event;
	close(event);
	return 0;
}

static uint64_t busy_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static int count_cycles(void *context, uint64_t *ret_rate)
{
	const struct perf_event_attr attributes = {
	    .type = PERF_TYPE_HARDWARE,
	    .size = sizeof(attributes),
	    .config = PERF_COUNT_HW_CPU_CYCLES,
	};
	CLEANUP_CLOSE int event = open_event(&attributes, 0, -1);
	uint64_t begun = busy_ns(), first, last, ns;

	(void)context;
	if (event < 0)
		return event;
	do { /* the first half only wakes the CPU up */
		ns = busy_ns() - begun;
	} while (ns < BUSY_NS / 2);
	begun += ns;
	if (read(event, &first, sizeof(first)) != sizeof(first))
		return -EIO;
	do {
		ns = busy_ns() - begun;
	} while (ns < BUSY_NS / 2);
	if (read(event, &last, sizeof(last)) != sizeof(last))
		return -EIO;
	*ret_rate = (last - first) * SECOND_NS / ns;
	return 0;
}

/* ---- The choice ---- */

static struct sample_event clock_event(uint32_t hz)
{
	return (struct sample_event){
	    .name = SAMPLE_EVENT_CLOCK,
	    .is_timer = true,
	    .attributes =
		{
		    .type = PERF_TYPE_SOFTWARE,
		    .size = sizeof(struct perf_event_attr),
		    .config = PERF_COUNT_SW_CPU_CLOCK,
		    .sample_period = SECOND_NS / hz,
		},
	};
}

static struct sample_event cycles_event(uint32_t hz, uint64_t rate)
{
	return (struct sample_event){
	    .name = SAMPLE_EVENT_CYCLES,
	    .attributes =
		{
		    .type = PERF_TYPE_HARDWARE,
		    .size = sizeof(struct perf_event_attr),
		    .config = PERF_COUNT_HW_CPU_CYCLES,
		    .sample_period = rate / hz,
		},
	};
}

/* Every CPU must have it: some have cores of two kinds. */
static bool is_offered(
    const struct sample_event_machine *machine, const struct perf_event_attr *attributes)
{
	int found = 0;

	for (int cpu = 0; cpu < machine->cpus; cpu++) {
		int error = machine->try_event(machine->context, attributes, cpu);

		if (error && error != NOT_ONLINE)
			return false;
		found += !error;
	}
	return found > 0;
}

struct sample_event sample_event_choose(uint32_t hz, const struct sample_event_machine *machine)
{
	const struct sample_event_machine own = {.try_event = try_event,
	    .count_cycles = count_cycles,
	    .cpus = libbpf_num_possible_cpus()};
	struct sample_event event;
	uint64_t rate = 0;

	machine = machine ? machine : &own;
	if (machine->count_cycles(machine->context, &rate) || rate < RATE_LEAST || rate > RATE_MOST)
		return clock_event(hz);
	event = cycles_event(hz, rate);
	return is_offered(machine, &event.attributes) ? event : clock_event(hz);
}
