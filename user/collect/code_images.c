// SPDX-License-Identifier: GPL-2.0-or-later
// Opens the files that targets map code from, and gives the kernel their unwinding tables.
#include "collect/code_images.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
static void image_read(struct code_image *image)
{
	struct elf_file file;

	if (image->fd < 0 || elf_file_open(image->path, image->fd, &file, NULL))
		return;
	(void)read_segments(image, &file);
	elf_file_close(&file);
}

static void image_fini(struct code_image *image)
{
	free(image->path);
	cleanup_close(&image->fd);
	ARRAY_FREE(&image->segments);
}

static void describe(const struct code_image *image, struct sampled_file *ret_file)
{
	struct stat status;

	*ret_file = (struct sampled_file){.device = image->device, .inode = image->inode};
	snprintf(ret_file->path, sizeof(ret_file->path), "%s", image->path);
	if (image->fd < 0 || fstat(image->fd, &status) < 0)
		return;
	ret_file->file_device = status.st_dev;
	ret_file->file_inode = status.st_ino;
	ret_file->size = (uint64_t)status.st_size;
	ret_file->changed_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

/* Without its word in the kernel's map nobody would know later what a number stood for. */
static int note_image(
    const struct code_images *images, uint32_t number, const struct code_image *image)
{
	struct sampled_file file;

	describe(image, &file);
	return bpf_map_update_elem(images->files, &number, &file, BPF_ANY) < 0 ? -errno : 0;
}

static int find_known(
    const struct code_images *images, pid_t pid, const struct process_mapping *mapping)
{
	ARRAY_FOREACH (known, &images->items) {
		int number = (int)(known - images->items.items);

		if (known->is_map || known->inode != mapping->inode ||
		    known->device != mapping->device)
			continue;
		if (known->fd < 0) {
			known->fd = open_mapped(pid, mapping);
			image_read(known);
			(void)note_image(images, (uint32_t)number, known);
		}
		return number;
	}
	return -ENOENT;
}

int code_images_find(struct code_images *images, pid_t pid, const struct process_mapping *mapping)
{
	struct code_image image = {.device = mapping->device, .inode = mapping->inode, .fd = -1};
	int number = find_known(images, pid, mapping), error;

	if (number >= 0)
		return number;
	number = (int)images->items.count;
	if (number >= SAMPLED_IMAGES)
		return -ENOSPC;
	if (ARRAY_RESERVE(&images->items, 1) || !(image.path = strdup(mapping->path)))
		return -ENOMEM;
	image.fd = open_mapped(pid, mapping);
	image_read(&image);
	error = note_image(images, (uint32_t)number, &image);
	if (error) {
		image_fini(&image);
		return error;
	}
	images->items.items[images->items.count++] = image;
	return number;
}

/* ---- Of a sampler before ---- */

/* The file that was meant, by its path; what other processes see there may be another one. */
static void adopt_file(struct code_image *image, const struct sampled_file *file)
{
	struct sampled_file found;

	image->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	describe(image, &found);
	if (image->fd >= 0 && !memcmp(&found, file, sizeof(found))) {
		image_read(image);
		return;
	}
	cleanup_close(&image->fd);
	image->fd = -1;
	image->inode = 0; /* another file may have the number by now */
}

int code_images_adopt(struct code_images *images)
{
	struct sampled_file file;
	uint32_t number;

	for (number = 0; number < SAMPLED_IMAGES; number++) {
		struct code_image image = {.fd = -1};

		if (bpf_map_lookup_elem(images->files, &number, &file) < 0)
			return 0;
		file.path[sizeof(file.path) - 1] = '\0';
		image.device = file.device;
		image.inode = file.inode;
		image.path = strdup(file.path);
		if (!image.path || ARRAY_RESERVE(&images->items, 1)) {
			free(image.path);
			return -ENOMEM;
		}
		adopt_file(&image, &file);
		images->items.items[images->items.count++] = image;
	}
	return 0;
}

/* ---- Indexes ---- */

static int64_t size_of(int fd)
{
	struct stat status;

	return fd >= 0 && !fstat(fd, &status) ? (int64_t)status.st_size : 0;
}

void code_images_look_again(struct code_images *images)
{
	ARRAY_FOREACH (image, &images->items) {
		if (!image->is_map || !image->indexed || image->names_size == size_of(image->fd))
			continue;
		perf_map_fini(&image->names);
		image->indexed = false;
	}
}

const char *code_image_name(struct code_image *image, uint64_t address)
{
	if (!image->indexed && image->is_map) {
		image->names_size = size_of(image->fd);
		(void)perf_map_read(image->fd, &image->names);
	}
	image->indexed = true;
	return perf_map_find(&image->names, address);
}

const struct image_index *code_image_index(struct code_image *image)
{
	const struct image_index_options options = {.root = ""};
	CLEANUP_CLOSE int fd = -1;

	if (image->indexed)
		return image->index;
	image->indexed = true;
	if (image->fd >= 0)
		fd = fcntl(image->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || image_index_open(image->path, fd, &options, &image->index, NULL))
		return NULL;
	(void)TAKE_FD(fd);
	return image->index;
}

void code_images_rest(struct code_images *images)
{
	ARRAY_FOREACH (image, &images->items) {
		image_index_free(TAKE(image->index));
		perf_map_fini(&image->names);
		image->indexed = false;
	}
}

/* ---- Unwinding ---- */

void code_images_renew(struct code_images *images, int images_map, int unwind_tables_map)
{
	images->images = images_map;
	images->unwind_tables = unwind_tables_map;
	ARRAY_FOREACH (image, &images->items)
		image->unwound = false;
}

int code_images_find_map(struct code_images *images, pid_t pid)
{
	struct code_image image = {.is_map = true, .fd = perf_map_open("/proc", pid)};
	struct stat file;
	int number = 0, error;

	if (image.fd < 0 || fstat(image.fd, &file)) {
		error = image.fd < 0 ? image.fd : -errno;
		image.fd = image.fd < 0 ? -1 : image.fd;
		image_fini(&image);
		return error;
	}
	image.device = file.st_dev;
	image.inode = file.st_ino;
	for (; number < (int)images->items.count; number++) {
		const struct code_image *known = &images->items.items[number];

		if (known->is_map && known->inode == image.inode && known->device == image.device) {
			image_fini(&image);
			return number;
		}
	}
	error = number >= SAMPLED_IMAGES                                  ? -ENOSPC
		: asprintf(&image.path, "/tmp/perf-%d.map", (int)pid) < 0 ? -ENOMEM
									  : 0;
	if (!error)
		error = ARRAY_RESERVE(&images->items, 1);
	if (!error)
		error = note_image(images, (uint32_t)number, &image);
	if (error) {
		image_fini(&image);
		return error;
	}
	images->items.items[images->items.count++] = image;
	return number;
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
	code_images_rest(images);
	ARRAY_FOREACH (image, &images->items)
		image_fini(image);
	ARRAY_FREE(&images->items);
}
