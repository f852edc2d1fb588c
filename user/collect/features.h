/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel and these privileges allow, found by trying, never by version number: vendors
 * carry fixes and features back.
 */
#ifndef LPROF_COLLECT_FEATURES_H
#define LPROF_COLLECT_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "target/plan.h"

/* FEATURE(id, key, sentence when there, sentence when missing) */
#define LPROF_FEATURES(FEATURE)                                                                  \
	FEATURE(CAP_BPF, "cap_bpf", "BPF programs may be loaded",                                \
	    "CAP_BPF is missing: run lprof as root, or with CAP_BPF and CAP_PERFMON")            \
	FEATURE(CAP_PERFMON, "cap_perfmon", "BPF programs may read a process's state",           \
	    "CAP_PERFMON is missing: run lprof as root, or with CAP_BPF and CAP_PERFMON")        \
	FEATURE(CAP_SYS_ADMIN, "cap_sys_admin", "probes may be attached one by one as well",     \
	    "CAP_SYS_ADMIN is missing: many kernels attach single probes only with it")          \
	FEATURE(CAP_SYS_PTRACE, "cap_sys_ptrace", "processes of other users can be measured",    \
	    "CAP_SYS_PTRACE is missing: only processes of the same user can be measured")        \
	FEATURE(BTF, "btf", "the kernel describes its types",                                    \
	    "the kernel has no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)")                 \
	FEATURE(MMAPABLE_ARRAYS, "mmapable_arrays", "counters are read through shared memory",   \
	    "BPF arrays cannot be mapped (Linux 5.5)")                                           \
	FEATURE(TASK_STORAGE, "task_storage", "threads can carry a frame stack",                 \
	    "BPF programs on uprobes have no task storage (Linux 5.13)")                         \
	FEATURE(ATTACH_COOKIE, "attach_cookie", "one program serves all sites",                  \
	    "probes cannot carry a cookie (Linux 5.15)")                                         \
	FEATURE(PERF_UPROBE, "perf_uprobe", "probes can be attached one by one",                 \
	    "the kernel has no perf uprobes (CONFIG_UPROBE_EVENTS)")                             \
	FEATURE(UPROBE_MULTI, "uprobe_multi", "one link attaches all sites of an image",         \
	    "the kernel has no multi links (Linux 6.6): sites are attached one by one")          \
	FEATURE(UPROBE_SESSION, "uprobe_session", "one program sees entry and return of a call", \
	    "the kernel has no sessions (Linux 6.13): entries and returns take two programs")    \
	FEATURE(PROCESS_FILTER, "process_filter", "a multi link can be limited to a process",    \
	    "multi links filter by thread, not process (fixed in Linux 6.10): lprof filters")    \
	FEATURE(KEEPS_NOP5, "keeps_nop5", "probes on 5-byte NOPs are safe",                      \
	    "the kernel may rewrite probed 5-byte NOPs into calls, which corrupts leaf "         \
	    "functions: lprof never probes them")                                                \
	FEATURE(EMULATES_NOPS, "emulates_nops", "probes on NOPs of any length are cheap",        \
	    "only 1-byte NOPs are emulated (others since Linux 6.18)")                           \
	FEATURE(SECCOMP_RETURNS, "seccomp_returns", "return probes are safe under seccomp",      \
	    "the kernel kills processes under seccomp at a return probe (Linux 6.11 to 6.13): "  \
	    "lprof probes the exits instead")                                                    \
	FEATURE(CPU_CYCLES, "cpu_cycles", "CPU time is sampled by the processor's cycles",       \
	    "the processor's cycles cannot be counted here: CPU time is sampled by the clock")   \
	FEATURE(HOST_PIDS, "host_pids", "process ids are the kernel's own",                      \
	    "lprof runs in a pid namespace of its own: start it with the host's (--pid=host)")

enum feature {
#define FEATURE(id, key, there, missing) FEATURE_##id,
	LPROF_FEATURES(FEATURE)
#undef FEATURE
	    FEATURE_COUNT
};

struct features {
	bool has[FEATURE_COUNT];
	int error[FEATURE_COUNT]; /* errno of the attempt that failed, 0: none */
};

/* Finds everything out; takes some milliseconds. Never fails: what cannot be tried is missing. */
void features_detect(struct features *ret_features);

/* The feature's key in JSON ("uprobe_multi") and why it matters, there or missing. */
const char *feature_key(enum feature feature);
const char *feature_reason(const struct features *features, enum feature feature);

/* Can anything be measured? 0, or -EPERM or -ENOSYS with what is missing. */
int features_check(const struct features *features, struct failure *failure);

/* Has the kernel multi links, and do their pid filters work? 0 or -errno. */
int feature_try_multi(void);
int feature_try_process_filter(void);

/* A program on uprobes that does nothing, to try links with; a descriptor or -errno. */
int feature_load_empty(uint32_t attach_type);

/* What the plan must know. */
struct plan_kernel features_plan_kernel(const struct features *features);

#endif
