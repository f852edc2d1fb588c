// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds debug information where GDB does: in the image; by build id below /usr/lib/debug; by the
 * name in .gnu_debuglink beside the image, in .debug/, and below /usr/lib/debug. Each place is
 * tried in the target's root first, then on the host. What debug files share may be in a dwz file.
 */
#include "target/debug_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <zlib.h>

#define BUILD_ID_TEXT 129

struct search {
	const struct elf_file *image;
	char build_id[BUILD_ID_TEXT];
	const char *root, *directory;
	struct debug_file *found;
};

static bool has_dwarf(const struct elf_file *file)
{
	GElf_Shdr header;

	if (elf_file_section(file, ".debug_info", &header))
		return header.sh_type != SHT_NOBITS;
	return elf_file_section(file, ".zdebug_info", &header) != NULL;
}

/* Opens a candidate; false if it is not there or no ELF file of ours. */
static bool candidate_open(const char *path, struct elf_file *ret_file)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && elf_file_open(path, fd, ret_file, NULL) == 0;
}

static bool checksum_is(const struct elf_file *file, uint32_t wanted)
{
	uLong sum = crc32(0, NULL, 0);

	for (size_t at = 0; at < file->size;) {
		size_t left = file->size - at, part = left < (1 << 30) ? left : 1 << 30;

		sum = crc32(sum, file->map + at, (uInt)part);
		at += part;
	}
	return sum == wanted;
}

/* Whether the file at `path` is the debug file of the image; then it is kept. */
static bool try_file(struct search *search, const char *path, const uint32_t *checksum)
{
	struct elf_file file = {0};
	char build_id[BUILD_ID_TEXT];
	bool fits;

	if (!candidate_open(path, &file))
		return false;
	elf_file_build_id(&file, build_id, sizeof(build_id));
	if (search->build_id[0] && build_id[0])
		fits = !strcmp(search->build_id, build_id);
	else
		fits = checksum && checksum_is(&file, *checksum);
	if (fits && has_dwarf(&file)) {
		search->found->path = strdup(path);
		search->found->separate = file;
		return search->found->path != NULL;
	}
	elf_file_close(&file);
	return false;
}

static bool try_format(struct search *search, const uint32_t *checksum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool try_format(struct search *search, const uint32_t *checksum, const char *format, ...)
{
	CLEANUP_FREE char *path = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&path, format, arguments);
	va_end(arguments);
	if (length < 0) {
		path = NULL;
		return false;
	}
	return try_file(search, path, checksum);
}

static bool find_by_build_id(struct search *search, const char *root)
{
	const char *id = search->build_id;

	return strlen(id) > 2 && try_format(search, NULL, "%s%s/.build-id/%.2s/%s.debug", root,
				     search->directory, id, id + 2);
}

static bool find_by_link(struct search *search, const char *path, const char *root)
{
	const char *slash = strrchr(path, '/');
	int length = slash ? (int)(slash - path) : 0;
	GElf_Word word;
	const char *name = dwelf_elf_gnu_debuglink(search->image->elf, &word);
	uint32_t checksum;

	if (!name || !*name || strchr(name, '/') || !slash)
		return false;
	checksum = word;
	return try_format(search, &checksum, "%s%.*s/%s", root, length, path, name) ||
	       try_format(search, &checksum, "%s%.*s/.debug/%s", root, length, path, name) ||
	       try_format(
		   search, &checksum, "%s%s%.*s/%s", root, search->directory, length, path, name);
}

static bool find_separate(struct search *search, const char *path)
{
	if (find_by_build_id(search, search->root) || find_by_link(search, path, search->root))
		return true;
	return *search->root && (find_by_build_id(search, "") || find_by_link(search, path, ""));
}

/* Opens the dwz file of that path if it carries the wanted build id. */
static bool try_alternate(
    struct debug_file *file, const char *path, const uint8_t *id, size_t length)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const void *found;

	if (fd < 0 || elf_file_open_dwz(path, fd, &file->dwz, NULL))
		return false;
	if (dwelf_elf_gnu_build_id(file->dwz.elf, &found) == (ssize_t)length &&
	    !memcmp(found, id, length)) {
		file->alternate = dwarf_begin_elf(file->dwz.elf, DWARF_C_READ, NULL);
		if (file->alternate)
			return true;
	}
	elf_file_close(&file->dwz);
	return false;
}

/* The dwz file's name in .gnu_debugaltlink is absolute, or relative to the file that names it. */
static bool find_alternate(struct search *search, const char *path, const char *root,
    const char *name, const uint8_t *id, size_t length)
{
	const char *slash = strrchr(path, '/');
	char text[4096];
	int used;

	if (name[0] == '/')
		used = snprintf(text, sizeof(text), "%s%s", root, name);
	else
		used = snprintf(
		    text, sizeof(text), "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name);
	if (used > 0 && (size_t)used < sizeof(text) &&
	    try_alternate(search->found, text, id, length))
		return true;
	if (length < 2)
		return false;
	used = snprintf(text, sizeof(text), "%s%s/.build-id/%02x/", root, search->directory, id[0]);
	if (used < 0 || (size_t)used + length * 2 + sizeof(".debug") > sizeof(text))
		return false;
	for (size_t i = 1; i < length; i++)
		used += sprintf(text + used, "%02x", id[i]);
	strcpy(text + used, ".debug");
	return try_alternate(search->found, text, id, length);
}

static void attach_alternate(struct search *search, const char *path)
{
	const char *name;
	const void *id;
	ssize_t length = dwelf_dwarf_gnu_debugaltlink(search->found->dwarf, &name, &id);

	if (length <= 0 || length > 64)
		return;
	if (find_alternate(search, path, search->root, name, id, (size_t)length) ||
	    (*search->root && find_alternate(search, path, "", name, id, (size_t)length)))
		dwarf_setalt(search->found->dwarf, search->found->alternate);
}

int debug_file_open(const char *path, const struct elf_file *image,
    const struct image_index_options *options, struct debug_file *ret_file, struct failure *failure)
{
	struct search search = {
	    .image = image,
	    .root = options->root ? options->root : "",
	    .directory = options->debug_directory ? options->debug_directory : "/usr/lib/debug",
	    .found = ret_file,
	};
	const struct elf_file *file = image;
	const char *name = path;

	*ret_file = (struct debug_file){0};
	elf_file_build_id(image, search.build_id, sizeof(search.build_id));
	if (!has_dwarf(image)) {
		if (!find_separate(&search, path))
			return 0;
		file = &ret_file->separate;
		name = ret_file->path;
	}
	ret_file->elf = file->elf;
	ret_file->dwarf = dwarf_begin_elf(file->elf, DWARF_C_READ, NULL);
	if (!ret_file->dwarf)
		return failure_set(failure, EBADMSG,
		    "the debug information in %s is damaged (%s); install it anew", name,
		    dwarf_errmsg(-1));
	attach_alternate(&search, name);
	return 0;
}

int debug_file_reopen(struct debug_file *file)
{
	dwarf_end(file->dwarf);
	file->dwarf = dwarf_begin_elf(file->elf, DWARF_C_READ, NULL);
	if (!file->dwarf)
		return -ENOMEM;
	if (file->alternate)
		dwarf_setalt(file->dwarf, file->alternate);
	return 0;
}

void debug_file_close(struct debug_file *file)
{
	if (file->dwarf)
		dwarf_end(file->dwarf);
	if (file->alternate)
		dwarf_end(file->alternate);
	elf_file_close(&file->separate);
	elf_file_close(&file->dwz);
	free(file->path);
	*file = (struct debug_file){0};
}
