// SPDX-License-Identifier: GPL-2.0-or-later
// Opens the files that targets map code from, and gives the kernel their unwinding tables.
#include "collect/code_images.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cpu_wire.h"
#include "target/elf_file.h"
#include "target/process_images.h"
#include "target/unwind_table.h"

static int open_mapped(pid_t pid, const struct process_mapping *mapping)
{
	const struct process_image image = {
	    .device = mapping->device,
	    .inode = mapping->inode,
	    .path = mapping->path,
	    .pid = pid,
	    .start = mapping->start,
	    .end = mapping->end,
	    .offset = mapping->offset,
	};

	return process_image_open("/proc", &image, NULL);
}

static int read_segments(struct code_image *image, const struct elf_file *file)
{
	size_t count = 0;

	if (elf_getphdrnum(file->elf, &count))
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(file->elf, (int)i, &header) || header.p_type != PT_LOAD ||
		    !(header.p_flags & PF_X))
			continue;
		if (ARRAY_APPEND(&image->segments,
			(struct code_segment){header.p_offset, header.p_filesz, header.p_vaddr}))
			return -ENOMEM;
	}
	return 0;
}

/* What is no ELF file has places by offset in the file, and no names. */
static void image_read(struct code_image *image, pid_t pid, const struct process_mapping *mapping)
{
	struct elf_file file;

	image->fd = open_mapped(pid, mapping);
	if (image->fd < 0 || elf_file_open(image->path, image->fd, &file, NULL))
		return;
	(void)read_segments(image, &file);
	elf_file_close(&file);
}

int code_images_find(struct code_images *images, pid_t pid, const struct process_mapping *mapping)
{
	struct code_image image = {.device = mapping->device, .inode = mapping->inode, .fd = -1};

	ARRAY_FOREACH (known, &images->items)
		if (known->inode == mapping->inode && known->device == mapping->device) {
			if (known->fd < 0)
				image_read(known, pid, mapping);
			return (int)(known - images->items.items);
		}
	if (images->items.count >= SAMPLED_IMAGES)
		return -ENOSPC;
	if (ARRAY_RESERVE(&images->items, 1) || !(image.path = strdup(mapping->path)))
		return -ENOMEM;
	image_read(&image, pid, mapping);
	images->items.items[images->items.count++] = image;
	return (int)images->items.count - 1;
}

/* Puts the rows into a table of their own, then the table where the program looks for it. */
static void unwind_store(const struct code_images *images, uint32_t image, const unwind_rows *rows)
{
	const struct sampled_image known = {.rows = (uint32_t)rows->count};
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP);
	CLEANUP_FREE uint32_t *keys = malloc(rows->count * sizeof(*keys));
	CLEANUP_CLOSE int table = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_rows",
	    sizeof(uint32_t), sizeof(struct unwind_row), (uint32_t)rows->count, &options);
	uint32_t count = (uint32_t)rows->count;

	if (!keys || table < 0)
		return;
	for (uint32_t i = 0; i < count; i++)
		keys[i] = i;
	if (!bpf_map_update_batch(table, keys, rows->items, &count, NULL) &&
	    !bpf_map_update_elem(images->unwind_tables, &image, &table, BPF_ANY))
		(void)bpf_map_update_elem(images->images, &image, &known, BPF_ANY);
}

void code_images_unwind(struct code_images *images)
{
	ARRAY_FOREACH (image, &images->items) {
		struct elf_file file;
		unwind_rows rows = {0};

		if (image->unwound || image->fd < 0)
			continue;
		image->unwound = true;
		if (elf_file_open(image->path, image->fd, &file, NULL))
			continue;
		if (!unwind_table_read(&file, &rows) && rows.count)
			unwind_store(images, (uint32_t)(image - images->items.items), &rows);
		ARRAY_FREE(&rows);
		elf_file_close(&file);
	}
}

uint64_t code_image_bias(const struct code_image *image, const struct process_mapping *mapping)
{
	uint64_t first = mapping->start - mapping->offset;
	uint64_t length = mapping->end - mapping->start;

	ARRAY_FOREACH (segment, &image->segments)
		if (segment->offset < mapping->offset + length &&
		    mapping->offset < segment->offset + segment->size)
			return first - (segment->address - segment->offset);
	return first;
}

void code_images_fini(struct code_images *images)
{
	ARRAY_FOREACH (image, &images->items) {
		free(image->path);
		cleanup_close(&image->fd);
		ARRAY_FREE(&image->segments);
	}
	ARRAY_FREE(&images->items);
}
