// SPDX-License-Identifier: GPL-2.0-or-later
// The program on CPU samples: counts each different stack of the targets' threads.
//
// It runs on every CPU at the sampling frequency, whoever is there; for a thread of no target it
// ends at the first look-up. Samples in the kernel stand for the user code that is there: its stack
// goes on from the thread's saved registers. Samples in the handling of a probe are nobody's.
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "thread.bpf.h"
#include "unwind.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define BREAKPOINT      0xcc
#define INSTRUCTION_MAX 15
#define LATE_NS         1200 /* that the kernel takes to leave a probe, beyond what was calibrated */
#define NO_HIT          0x7fffffffffffffffll
#define USER_MODE       3 /* privilege level in the code segment's selector */

volatile __u32 gate SEC(".data.sampling");           /* 0: samples are ignored */
volatile __u32 by_counter SEC(".data.sampling");     /* samples come at once: no timer is late */
volatile __u64 followed_slots SEC(".data.sampling"); /* a child that is forked is sampled too */

/* Process id to the slots that it is sampled for. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TARGETS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} sampled SEC(".maps");

/* Process id to its address space; 0: to be read anew. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SPACES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} spaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SAMPLED_STACKS);
	__type(key, struct sample_key);
	__type(value, struct sampled_stack);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SAMPLED_LEAVES);
	__type(key, struct sample_key);
	__type(value, __u64);
} leaves SEC(".maps");

/* Of the images in places: user space's own, here because the samples mean nothing without it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SAMPLED_IMAGES);
	__type(key, __u32);
	__type(value, struct sampled_file);
} files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SAMPLING_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} sampling_counts SEC(".maps");

static __always_inline void count(enum sampling_count what)
{
	__u32 key = what;
	__u64 *counter = bpf_map_lookup_elem(&sampling_counts, &key);

	if (counter)
		*counter += 1;
}

static __always_inline void add_sample(__u64 *samples)
{
	__sync_fetch_and_add(samples, 1);
}

static __always_inline void count_leaf(__u64 slots, __u64 place)
{
	const struct sample_key key = {.slots = slots, .what = place};
	__u64 *samples = bpf_map_lookup_elem(&leaves, &key), one = 1;

	if (samples)
		add_sample(samples);
	else if (bpf_map_update_elem(&leaves, &key, &one, BPF_NOEXIST))
		count(SAMPLING_LOST);
	count(SAMPLING_LEAF_ONLY);
}

static __always_inline void count_stack(struct walk *walk)
{
	const struct sample_key key = {.slots = walk->slots, .what = walk->hash};
	struct sampled_stack *known;

	known = bpf_map_lookup_elem(&stacks, &key);
	if (!known) {
		walk->stack.samples = 0;
		bpf_map_update_elem(&stacks, &key, &walk->stack, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&stacks, &key);
	}
	if (known)
		add_sample(&known->samples);
	else
		count_leaf(walk->slots, walk->stack.places[0]);
}

static __always_inline void find_probes(struct walk *walk, struct task_struct *task)
{
	struct xol_area *area = BPF_CORE_READ(task, mm, uprobes_state.xol_area);

	walk->trampoline = area ? BPF_CORE_READ(area, vaddr) : 0;
	walk->return_instance = 0;
	if (walk->trampoline)
		walk->return_instance = (__u64)BPF_CORE_READ(task, utask, return_instances);
}

static __always_inline bool is_breakpoint(__u64 address)
{
	__u8 byte = 0;

	bpf_probe_read_user(&byte, sizeof(byte), (void *)address);
	return byte == BREAKPOINT;
}

/* Whether one of the instructions that could have ended right before the address is probed. */
static __always_inline bool is_behind_breakpoint(__u64 address)
{
	__u8 bytes[INSTRUCTION_MAX];
	bool found = false;

	if (bpf_probe_read_user(bytes, sizeof(bytes), (void *)(address - sizeof(bytes))))
		return is_breakpoint(address - 1);
	for (int at = 0; at < INSTRUCTION_MAX; at++)
		found = found || bytes[at] == BREAKPOINT;
	return found;
}

/* When the sample was due: it can be taken long after, with the interrupt kept waiting. */
static __always_inline __u64 due_time(const void *context)
{
	struct bpf_perf_event_data_kern kernel = {};
	__s64 due = 0;

	if (by_counter || !bpf_core_field_exists(((struct hrtimer *)0)->node.expires) ||
	    bpf_probe_read_kernel(&kernel, sizeof(kernel), context))
		return bpf_ktime_get_ns();
	due = BPF_CORE_READ(kernel.event, hw.hrtimer.node.expires);
	return due > 0 ? (__u64)due : bpf_ktime_get_ns();
}

/*
 * What the thread did from its last hit to a time, in virtual time (wire.h): negative while the
 * hit's own cost still lasts.
 */
static __always_inline __s64 since_hit(struct task_struct *task, __u64 until)
{
	const struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);

	if (!thread || !thread->cost)
		return NO_HIT;
	return (__s64)(until - thread->cost - thread->now);
}

/*
 * Whether a sample is of the handling of a probe. The thread came into the kernel by a breakpoint
 * (no system call) and stands at it or behind it; or it has just handled one: the kernel leaves
 * with interrupts off, so that the sample comes late, at the first instruction behind the probe.
 */
static __always_inline bool in_probe(const struct walk *walk, struct task_struct *task,
    bool in_kernel, __s64 system_call, const void *context)
{
	__s64 since;

	if (!walk->trampoline)
		return false;
	if (walk->ip - walk->trampoline < 4096)
		return true;
	if (in_kernel && system_call >= 0)
		return false;
	if (in_kernel && (is_breakpoint(walk->ip) || is_breakpoint(walk->ip - 1)))
		return true;
	since = since_hit(task, due_time(context));
	return since < 0 || (since < LATE_NS && (in_kernel || is_behind_breakpoint(walk->ip)));
}

/* What a program on perf events is given: struct bpf_perf_event_data. */
struct sample {
	struct registers registers;
	__u64 period, address;
};

static __always_inline void walk_begin(struct walk *walk, struct task_struct *task, __u32 process)
{
	const __u32 *space = bpf_map_lookup_elem(&spaces, &process);

	walk->space = space ? *space : 0;
	walk->called = walk->ended = false;
	walk->stack.depth = 0;
	walk->hash = 0;
	find_probes(walk, task);
}

SEC("perf_event")
int sample_cpu(struct sample *sample)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	__u32 process = bpf_get_current_pid_tgid() >> 32;
	const __u64 *slots = bpf_map_lookup_elem(&sampled, &process);
	bool in_kernel = (sample->registers.cs & USER_MODE) != USER_MODE;
	const struct pt_regs *registers;
	struct walk *walk = walk_now();
	__s64 system_call = -1;

	if (!walk || !gate || !slots || !*slots)
		return 0;
	count(SAMPLING_TAKEN);
	walk->slots = *slots;
	walk_begin(walk, task, process);
	if (in_kernel) {
		registers = (const struct pt_regs *)bpf_task_pt_regs(task);
		walk->ip = BPF_CORE_READ(registers, ip);
		walk->sp = BPF_CORE_READ(registers, sp);
		walk->bp = BPF_CORE_READ(registers, bp);
		system_call = BPF_CORE_READ(registers, orig_ax);
		walk->called = system_call >= 0;
		walk->stack.places[0] = PLACE_OF_KIND(PLACE_KERNEL);
		walk->stack.depth = 1;
		walk->hash = mix(0, PLACE_OF_KIND(PLACE_KERNEL));
	} else {
		walk->ip = sample->registers.rip;
		walk->sp = sample->registers.rsp;
		walk->bp = sample->registers.rbp;
	}
	if (in_probe(walk, task, in_kernel, system_call, sample)) {
		walk->stack.places[0] = PLACE_OF_KIND(PLACE_PROBE);
		walk->stack.depth = 1;
		walk->hash = mix(0, PLACE_OF_KIND(PLACE_PROBE));
	} else {
		walk_stack(walk);
		if (!walk->ended)
			count(SAMPLING_CUT);
	}
	count_stack(walk);
	return 0;
}

/* A forked child runs the same code at the same addresses. */
SEC("raw_tp/sched_process_fork")
int sample_fork(struct bpf_raw_tracepoint_args *context)
{
	const struct task_struct *parent = (const void *)context->args[0];
	const struct task_struct *child = (const void *)context->args[1];
	__u32 from = BPF_CORE_READ(parent, tgid), to = BPF_CORE_READ(child, tgid), space;
	const __u64 *slots = from == to ? NULL : bpf_map_lookup_elem(&sampled, &from);
	const __u32 *known = from == to ? NULL : bpf_map_lookup_elem(&spaces, &from);
	__u64 followed = slots ? *slots & followed_slots : 0;

	if (followed)
		bpf_map_update_elem(&sampled, &to, &followed, BPF_ANY);
	space = followed && known ? *known : 0;
	if (space)
		bpf_map_update_elem(&spaces, &to, &space, BPF_ANY);
	return 0;
}

/* Another program: what was known of the addresses is void. */
SEC("raw_tp/sched_process_exec")
int sample_exec(void *context)
{
	__u32 process = bpf_get_current_pid_tgid() >> 32;

	bpf_map_delete_elem(&spaces, &process);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int sample_exit(void *context)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	__u32 process = bpf_get_current_pid_tgid() >> 32;

	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	bpf_map_delete_elem(&sampled, &process);
	bpf_map_delete_elem(&spaces, &process);
	return 0;
}
