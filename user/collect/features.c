// SPDX-License-Identifier: GPL-2.0-or-later
// Finds out what this kernel and these privileges allow, by trying each thing once.
#include "collect/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "collect/child_probe.h"
#include "collect/sample_event.h"
#include "collect/uprobe_link.h"

#define PROC_PID_INIT_INO 0xEFFFFFFCu /* include/linux/proc_ns.h: the initial pid namespace */

static void feature_store(struct features *features, enum feature feature, int result)
{
	features->has[feature] = result >= 0;
	features->error[feature] = result < 0 ? -result : 0;
}

static void detect_capabilities(struct features *features)
{
	static const struct {
		enum feature feature;
		unsigned int capability;
	} wanted[] = {
	    {FEATURE_CAP_BPF, CAP_BPF},
	    {FEATURE_CAP_PERFMON, CAP_PERFMON},
	    {FEATURE_CAP_SYS_ADMIN, CAP_SYS_ADMIN},
	    {FEATURE_CAP_SYS_PTRACE, CAP_SYS_PTRACE},
	};
	CLEANUP(cleanup_fclose) FILE *file = fopen("/proc/self/status", "re");
	unsigned long long effective = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			break;
	/* CAP_SYS_ADMIN implies CAP_BPF and CAP_PERFMON (bpf_capable(), perfmon_capable()). */
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		bool implied =
		    wanted[i].capability == CAP_BPF || wanted[i].capability == CAP_PERFMON;
		uint64_t mask =
		    1ull << wanted[i].capability | (implied ? 1ull << CAP_SYS_ADMIN : 0);

		feature_store(features, wanted[i].feature, effective & mask ? 0 : -EPERM);
	}
}

static int try_btf(bool *ret_has_trampoline)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int error = (int)libbpf_get_error(btf);

	if (error)
		return error;
	*ret_has_trampoline = btf__find_by_name_kind(btf, "uprobe_trampoline", BTF_KIND_STRUCT) > 0;
	btf__free(btf);
	return 0;
}

static int try_mmapable_array(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	CLEANUP_CLOSE int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lprof_try", 4, 8, 1, &options);
	long page = sysconf(_SC_PAGESIZE);
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	munmap(memory, page);
	return 0;
}

int feature_load_empty(uint32_t attach_type)
{
	/* r0 = 0; exit */
	const struct bpf_insn code[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach_type);

	return bpf_prog_load(
	    BPF_PROG_TYPE_KPROBE, "lprof_try", "GPL", code, ARRAY_SIZE(code), &options);
}

/* libbpf takes every failure but "unknown function" for a yes: try the privilege first. */
static int try_helper(enum bpf_func_id helper)
{
	CLEANUP_CLOSE int program = feature_load_empty(0);
	int result;

	if (program < 0)
		return program;
	result = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, helper, NULL);
	return result > 0 ? 0 : result < 0 ? result : -ENOSYS;
}

/*
 * A link to "/" is refused for not being a file (EBADF), after the kernel has understood all else;
 * a kernel without multi links says EINVAL. With pid -1 it is EINVAL where the filter by process
 * has been repaired (46ba0e49b642, Linux 6.10), since the pid is then looked at first. libbpf
 * probes the same way (src/features.c).
 */
static int try_multi(uint32_t attach_type, int32_t pid, int expected)
{
	CLEANUP_CLOSE int program = feature_load_empty(attach_type);
	CLEANUP_CLOSE int link = -1;
	const uint64_t offset = 0;

	if (program < 0)
		return program;
	link = uprobe_link_multi(&(struct uprobe_multi_options){
	    .program = program,
	    .attach_type = attach_type,
	    .path = "/",
	    .offsets = &offset,
	    .count = 1,
	    .pid = pid,
	});
	if (link == expected)
		return 0;
	return link < 0 && link != -EINVAL && link != -EBADF ? link : -ENOSYS;
}

int feature_try_multi(void)
{
	return try_multi(UPROBE_ATTACH_MULTI, 0, -EBADF);
}

int feature_try_process_filter(void)
{
	return try_multi(UPROBE_ATTACH_MULTI, -1, -EINVAL);
}

static int try_cpu_cycles(void)
{
	return sample_event_choose(999, NULL).is_timer ? -ENOENT : 0;
}

static int try_host_pids(void)
{
	struct stat status;

	if (stat("/proc/self/ns/pid", &status) < 0)
		return -errno;
	return status.st_ino == PROC_PID_INIT_INO ? 0 : -EXDEV;
}

void features_detect(struct features *ret_features)
{
	libbpf_print_fn_t printer = libbpf_set_print(NULL);
	bool has_trampoline = true;

	memset(ret_features, 0, sizeof(*ret_features));
	detect_capabilities(ret_features);
	feature_store(ret_features, FEATURE_BTF, try_btf(&has_trampoline));
	feature_store(ret_features, FEATURE_MMAPABLE_ARRAYS, try_mmapable_array());
	feature_store(ret_features, FEATURE_TASK_STORAGE, try_helper(BPF_FUNC_task_storage_get));
	feature_store(ret_features, FEATURE_ATTACH_COOKIE, try_helper(BPF_FUNC_get_attach_cookie));
	feature_store(ret_features, FEATURE_PERF_UPROBE, uprobe_perf_type());
	feature_store(ret_features, FEATURE_UPROBE_MULTI, feature_try_multi());
	feature_store(
	    ret_features, FEATURE_UPROBE_SESSION, try_multi(UPROBE_ATTACH_SESSION, 0, -EBADF));
	if (ret_features->has[FEATURE_UPROBE_MULTI] || !ret_features->has[FEATURE_CAP_BPF])
		feature_store(ret_features, FEATURE_PROCESS_FILTER, feature_try_process_filter());
	/* Later kernels have the type too, repaired, but nothing tells them apart: stay careful. */
	feature_store(ret_features, FEATURE_KEEPS_NOP5, has_trampoline ? -ENOTSUP : 0);
	feature_store(ret_features, FEATURE_EMULATES_NOPS, child_probe_nops());
	feature_store(ret_features, FEATURE_SECCOMP_RETURNS, child_probe_seccomp());
	feature_store(ret_features, FEATURE_CPU_CYCLES, try_cpu_cycles());
	feature_store(ret_features, FEATURE_HOST_PIDS, try_host_pids());
	libbpf_set_print(printer);
}

const char *feature_key(enum feature feature)
{
	static const char *const keys[FEATURE_COUNT] = {
#define FEATURE(id, key, there, missing) key,
	    LPROF_FEATURES(FEATURE)
#undef FEATURE
	};

	return keys[feature];
}

/* A kernel that may not be asked must not be said to lack a thing. */
static bool not_tried(const struct features *features, enum feature feature)
{
	return feature > FEATURE_CAP_SYS_PTRACE && !features->has[feature] &&
	       !features->has[FEATURE_CAP_BPF] && features->error[feature] == EPERM;
}

const char *feature_reason(const struct features *features, enum feature feature)
{
	static const char *const reasons[FEATURE_COUNT][2] = {
#define FEATURE(id, key, there, missing) {missing, there},
	    LPROF_FEATURES(FEATURE)
#undef FEATURE
	};

	if (not_tried(features, feature))
		return "cannot be tried without CAP_BPF";
	return reasons[feature][features->has[feature]];
}

int features_check(const struct features *features, struct failure *failure)
{
	static const enum feature needed[] = {FEATURE_CAP_BPF, FEATURE_CAP_PERFMON, FEATURE_BTF,
	    FEATURE_MMAPABLE_ARRAYS, FEATURE_TASK_STORAGE, FEATURE_ATTACH_COOKIE};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!features->has[needed[i]])
			return failure_set(failure,
			    needed[i] <= FEATURE_CAP_PERFMON ? EPERM : ENOSYS, "%s",
			    feature_reason(features, needed[i]));
	if (!features->has[FEATURE_UPROBE_MULTI] && !features->has[FEATURE_PERF_UPROBE])
		return failure_set(
		    failure, ENOSYS, "%s", feature_reason(features, FEATURE_PERF_UPROBE));
	return 0;
}

struct plan_kernel features_plan_kernel(const struct features *features)
{
	return (struct plan_kernel){
	    .rewrites_nop5 = !features->has[FEATURE_KEEPS_NOP5],
	    .emulates_all_nops = features->has[FEATURE_EMULATES_NOPS],
	    .hijacks_bystanders = !features->has[FEATURE_UPROBE_SESSION],
	    .kills_seccomp_returns = !features->has[FEATURE_SECCOMP_RETURNS],
	};
}
