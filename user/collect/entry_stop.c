// SPDX-License-Identifier: GPL-2.0-or-later
// Sets the probe that stops a command at its entry point.
#include "collect/entry_stop.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>

#include "collect/features.h"
#include "collect/libbpf_log.h"
#include "collect/shelter.h"
#include "collect/uprobe_link.h"
#include "entry_stop.skel.h"

struct entry_stop {
	struct entry_stop_bpf *skeleton;
	int exe, link;
};

static void elf_end_p(Elf **elf)
{
	elf_end(*elf);
}

/* The file offset of the image's entry point; 0 if it has none that can be found. */
static uint64_t entry_offset(int fd)
{
	Elf *elf CLEANUP(elf_end_p) = NULL;
	GElf_Ehdr header;
	size_t count;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || !gelf_getehdr(elf, &header) || elf_getphdrnum(elf, &count))
		return 0;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr segment;

		if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_LOAD)
			continue;
		if (header.e_entry >= segment.p_vaddr &&
		    header.e_entry - segment.p_vaddr < segment.p_filesz)
			return header.e_entry - segment.p_vaddr + segment.p_offset;
	}
	return 0;
}

/* Which of the ways to attach the program is loaded for. */
struct way {
	bool multi, filtered;
};

static struct way choose_way(void)
{
	struct way way = {.multi = feature_try_multi() == 0};

	way.filtered = !way.multi || feature_try_process_filter() == 0;
	return way;
}

static int load(struct entry_stop *stop, pid_t pid, const struct way *way, struct failure *failure)
{
	int error;

	stop->skeleton = entry_stop_bpf__open();
	if (!stop->skeleton)
		return failure_set(failure, errno, "cannot read lprof's own BPF program");
	stop->skeleton->bss->process = way->filtered ? 0 : (uint32_t)pid;
	if (way->multi)
		bpf_program__set_expected_attach_type(
		    stop->skeleton->progs.entry_stop, (enum bpf_attach_type)UPROBE_ATTACH_MULTI);
	error = -entry_stop_bpf__load(stop->skeleton);
	if (error == EPERM || error == EACCES)
		return failure_set(failure, error,
		    "may not load BPF programs: run lprof as root, or with CAP_BPF and "
		    "CAP_PERFMON");
	if (error)
		return failure_set(failure, error,
		    "cannot load the program that stops commands at their entry point: %s (see "
		    "lprof doctor)",
		    strerror(error));
	return 0;
}

struct attaching {
	const struct entry_stop *stop;
	const struct way *way;
	uint64_t offset;
	pid_t pid;
};

/* Gives the link, or -errno. */
static int attach(void *given)
{
	const struct attaching *attaching = given;
	const struct entry_stop *stop = attaching->stop;
	const struct way *way = attaching->way;
	const uint64_t offset = attaching->offset;
	const pid_t pid = attaching->pid;
	int program = bpf_program__fd(stop->skeleton->progs.entry_stop);
	char path[UPROBE_PATH_MAX];

	uprobe_path(stop->exe, path);
	if (way->multi)
		return uprobe_link_multi(&(struct uprobe_multi_options){
		    .program = program,
		    .attach_type = UPROBE_ATTACH_MULTI,
		    .path = path,
		    .offsets = &offset,
		    .count = 1,
		    .pid = way->filtered ? pid : 0,
		});
	return uprobe_link_perf(&(struct uprobe_perf_options){
	    .program = program, .path = path, .offset = offset, .pid = pid});
}

int entry_stop_open(pid_t pid, struct entry_stop **ret_stop, struct failure *failure)
{
	CLEANUP(entry_stop_free_p) struct entry_stop *stop = calloc(1, sizeof(*stop));
	struct way way;
	char path[64];
	uint64_t offset;
	int error;

	if (!stop)
		return failure_set(failure, ENOMEM, "out of memory");
	stop->exe = stop->link = -1;
	libbpf_log_init();
	way = choose_way();
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	stop->exe = open(path, O_RDONLY | O_CLOEXEC);
	if (stop->exe < 0)
		return failure_set(failure, errno, "cannot read the executable of process %d: %s",
		    (int)pid, strerror(errno));
	offset = entry_offset(stop->exe);
	if (!offset)
		return failure_set(failure, ENOEXEC,
		    "the command's executable has no entry point that can be probed");
	error = load(stop, pid, &way, failure);
	if (error)
		return error;
	uprobe_touch(stop->exe, offset);
	stop->link = shelter_call(attach, &(struct attaching){stop, &way, offset, pid});
	if (stop->link < 0)
		return failure_set(failure, -stop->link,
		    "cannot set a probe on the command's entry point: %s (see lprof doctor)",
		    strerror(-stop->link));
	*ret_stop = TAKE(stop);
	return 0;
}

bool entry_stop_reached(const struct entry_stop *stop)
{
	return *(volatile const uint32_t *)&stop->skeleton->bss->reached;
}

void entry_stop_free(struct entry_stop *stop)
{
	if (!stop)
		return;
	if (stop->link >= 0)
		shelter_close(&stop->link, 1);
	cleanup_close(&stop->exe);
	entry_stop_bpf__destroy(stop->skeleton);
	free(stop);
}
