/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hand-made plans over tests/workloads/counted.c, and a run of it under the engine. */
#ifndef TESTS_KERNEL_MEASURED_H
#define TESTS_KERNEL_MEASURED_H

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "collect/attach.h"
#include "collect/engine.h"
#include "collect/features.h"
#include "collect/spawn.h"

/* The workload compiled by GCC at -O2, beside this very program: build/tests/kernel/test_X. */
static inline const char *counted_path(void)
{
	static char path[4096];
	const char *given = getenv("LPROF_COUNTED");
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *end;

	if (given)
		return given;
	assert_true(length > 0);
	path[length] = '\0';
	end = strstr(path, "/tests/kernel/");
	assert_non_null(end);
	strcpy(end, "/workloads/gcc-O2/counted");
	return path;
}

/* The file offset of a symbol of the image at fd. */
static inline uint64_t symbol_offset(int fd, const char *name)
{
	Elf *elf = (elf_version(EV_CURRENT), elf_begin(fd, ELF_C_READ, NULL));
	Elf_Scn *section = NULL;
	uint64_t address = 0, offset = 0;
	GElf_Shdr header;
	size_t segments;

	assert_non_null(elf);
	while (!address && (section = elf_nextscn(elf, section))) {
		Elf_Data *data = elf_getdata(section, NULL);
		GElf_Sym symbol;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB)
			continue;
		for (int i = 0; gelf_getsym(data, i, &symbol) && !address; i++)
			if (!strcmp(elf_strptr(elf, header.sh_link, symbol.st_name), name))
				address = symbol.st_value;
	}
	assert_int_not_equal(address, 0);
	elf_getphdrnum(elf, &segments);
	for (size_t i = 0; i < segments; i++) {
		GElf_Phdr segment;

		gelf_getphdr(elf, (int)i, &segment);
		if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
		    address - segment.p_vaddr < segment.p_filesz)
			offset = address - segment.p_vaddr + segment.p_offset;
	}
	elf_end(elf);
	return offset;
}

static inline void plan_init(struct plan *plan, const char *path)
{
	struct plan_image image = {
	    .path = path, .build_id = "", .fd = open(path, O_RDONLY | O_CLOEXEC)};

	memset(plan, 0, sizeof(*plan));
	assert_return_code(image.fd, errno);
	assert_int_equal(ARRAY_APPEND(&plan->images, image), 0);
}

static inline void plan_fini(struct plan *plan)
{
	close(plan->images.items[0].fd);
	ARRAY_FREE(&plan->images);
	ARRAY_FREE(&plan->sites);
	ARRAY_FREE(&plan->functions);
	ARRAY_FREE(&plan->lines);
	ARRAY_FREE(&plan->counts);
}

/* push %reg and nop are emulated, everything else is taken for stepped. */
static inline bool is_emulated(const struct plan *plan, uint64_t offset)
{
	uint8_t bytes[2] = {0};

	assert_int_equal(pread(plan->images.items[0].fd, bytes, 2, (off_t)offset), 2);
	if (bytes[0] == 0x41) /* REX.B, of the upper registers */
		bytes[0] = bytes[1];
	return (bytes[0] >= 0x50 && bytes[0] <= 0x57) || bytes[0] == 0x90;
}

/* Adds a function that is seen by its entry and a return probe; gives its id. */
static inline uint32_t plan_add_function(struct plan *plan, const char *name)
{
	uint32_t id = (uint32_t)plan->functions.count;
	struct plan_site site = {
	    .offset = symbol_offset(plan->images.items[0].fd, name),
	    .function = id,
	    .host = id,
	    .roles = SITE_ENTRY | SITE_RETURN,
	};
	struct plan_function function = {
	    .name = name,
	    .linkage_name = name,
	    .file = "counted.c",
	    .rate = 1.0,
	    .exit = PLAN_EXIT_RETURN,
	    .entry_line = INDEX_NONE,
	};

	site.cost = is_emulated(plan, site.offset) ? COST_ENTRY_EMULATED : COST_ENTRY_STEPPED;
	assert_int_equal(ARRAY_APPEND(&plan->functions, function), 0);
	assert_int_equal(ARRAY_APPEND(&plan->sites, site), 0);
	return id;
}

/* Adds a line with one site at a label; gives the line's id. */
static inline uint32_t plan_add_line(struct plan *plan, uint32_t function, const char *label)
{
	uint32_t id = (uint32_t)plan->lines.count;
	struct plan_site site = {
	    .offset = symbol_offset(plan->images.items[0].fd, label),
	    .function = function,
	    .host = function,
	    .roles = SITE_LINE,
	    .charge_count = 1,
	    .charges = {{.line = id, .function = function}},
	};
	struct plan_line line = {
	    .function = function, .file = "counted.c", .line = id + 1, .sites = 1};
	struct plan_count count = {
	    .line = id, .column = 1, .site = (uint32_t)plan->sites.count, .sign = 1};

	site.cost = is_emulated(plan, site.offset) ? COST_EMULATED : COST_STEPPED;
	plan->functions.items[function].lines = true;
	plan->functions.items[function].entry_line = 0;
	plan->functions.items[function].line_count++;
	plan->has_lines = true;
	assert_int_equal(ARRAY_APPEND(&plan->lines, line), 0);
	assert_int_equal(ARRAY_APPEND(&plan->sites, site), 0);
	assert_int_equal(ARRAY_APPEND(&plan->counts, count), 0);
	return id;
}

/* Skips the test where the kernel has not the way to attach: old kernels lack some. */
static inline enum attach_method need_method(const struct engine_options *options)
{
	static struct features features;
	static bool known;
	struct failure failure = {0};
	enum attach_method method = ATTACH_BEST;

	if (!known)
		features_detect(&features);
	known = true;
	if (attach_choose(&features, options->method, &method, &failure)) {
		print_message("skipped: %s\n", failure.text);
		skip();
	}
	return method;
}

/* Runs `counted WHAT [ARGUMENT]` to its end under the plan. */
static inline struct profile *measure(const struct plan *plan, const struct engine_options *options,
    const char *what, const char *argument)
{
	CLEANUP(spawn_free_p) struct spawn *spawn = NULL;
	CLEANUP(engine_free_p) struct engine *engine = NULL;
	const struct spawn_options command = {
	    .arguments = (const char *const[]){counted_path(), what, argument, NULL}};
	struct failure failure = {0};
	struct profile *profile = NULL;
	int status = -1;

	need_method(options);
	if (spawn_open(&command, &spawn, &status, &failure) ||
	    engine_open(plan, options, &engine, &failure) ||
	    engine_add_target(engine, spawn_pid(spawn), &failure) ||
	    engine_attach(engine, &failure))
		fail_msg("%s", failure.text);
	engine_activate(engine);
	assert_int_equal(spawn_release(spawn, &failure), 0);
	assert_int_equal(spawn_wait(spawn, NULL, &status, &failure), 0);
	assert_int_equal(status, 0);
	engine_stop(engine);
	if (engine_drain(engine, &profile, &failure))
		fail_msg("%s", failure.text);
	ARRAY_FOREACH (function, &profile->functions)
		assert_true(profile_identity_holds(&function->accounting));
	assert_int_equal(profile->losses[LOSS_MISSED], 0);
	return profile;
}

#endif
