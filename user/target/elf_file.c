// SPDX-License-Identifier: GPL-2.0-or-later
// Opens ELF files of foreign origin: what passes here, libelf and libdw may read.
#include "target/elf_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define BUILD_ID_BYTES_MAX 64
#define DEBUG_BYTES_MAX    ((uint64_t)64 << 30)

static int file_map(const char *path, int fd, struct elf_file *file, struct failure *failure)
{
	struct stat status;

	if (fstat(fd, &status))
		return failure_set(failure, errno, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(Elf64_Ehdr))
		return failure_set(failure, ENOEXEC,
		    "%s is not an ELF executable or library; name a native program", path);
	file->size = (size_t)status.st_size;
	/* Shared: into private mappings the kernel writes the breakpoints of all who probe. */
	file->map = mmap(NULL, file->size, PROT_READ, MAP_SHARED, fd, 0);
	if (file->map == MAP_FAILED) {
		file->map = NULL;
		return failure_set(failure, errno, "cannot map %s: %s", path, strerror(errno));
	}
	return 0;
}

static int header_check(
    const char *path, const struct elf_file *file, bool dwz, struct failure *failure)
{
	const Elf64_Ehdr *header = (const void *)file->map;

	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return failure_set(failure, ENOEXEC,
		    "%s is not an ELF file; scripts are measured through their interpreter", path);
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		return failure_set(failure, ENOEXEC,
		    "%s is not a 64-bit x86 program; lprof measures only those", path);
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN &&
	    !(dwz && header->e_type == ET_REL))
		return failure_set(failure, ENOEXEC,
		    "%s is an object or core file; name the linked program or library", path);
	return 0;
}

/*
 * Sections may be compressed, and a hostile file can claim any size: what would have to be
 * unpacked must stay in a sane proportion to the file.
 */
static bool sizes_are_sane(struct elf_file *file)
{
	uint64_t unpacked = 0, limit = (uint64_t)file->size * 100 + (64 << 20);
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(file->elf, section))) {
		GElf_Shdr header;
		GElf_Chdr compressed;
		ssize_t size;

		if (!gelf_getshdr(section, &header))
			return false;
		if (header.sh_type == SHT_NOBITS)
			continue;
		if (header.sh_flags & SHF_COMPRESSED) {
			if (!gelf_getchdr(section, &compressed))
				return false;
			unpacked += compressed.ch_size < DEBUG_BYTES_MAX ? compressed.ch_size
									 : DEBUG_BYTES_MAX;
		} else if ((size = dwelf_scn_gnu_compressed_size(section)) > 0) {
			unpacked +=
			    (uint64_t)size < DEBUG_BYTES_MAX ? (uint64_t)size : DEBUG_BYTES_MAX;
		}
		if (unpacked > limit)
			return false;
	}
	file->unpacked_size = file->size + unpacked;
	return true;
}

/* libelf notes in the headers, as it has them in memory, what it unpacked. */
static bool make_writable(struct elf_file *file, int fd)
{
	void *scratch = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	if (scratch == MAP_FAILED)
		return false;
	elf_end(file->elf);
	file->scratch = scratch;
	file->elf = elf_memory((char *)file->scratch, file->size);
	return file->elf;
}

static int file_open(
    const char *path, int fd, bool dwz, struct elf_file *ret_file, struct failure *failure)
{
	struct elf_file file = {0};
	int result;

	elf_version(EV_CURRENT);
	result = file_map(path, fd, &file, failure);
	if (!result)
		result = header_check(path, &file, dwz, failure);
	if (!result) {
		file.elf = elf_memory((char *)file.map, file.size);
		if (!file.elf || elf_kind(file.elf) != ELF_K_ELF || !sizes_are_sane(&file) ||
		    (file.unpacked_size > file.size && !make_writable(&file, fd)))
			result = failure_set(failure, EBADMSG,
			    "%s is damaged: its ELF headers contradict its size; install it anew",
			    path);
	}
	if (result)
		elf_file_close(&file);
	else
		*ret_file = file;
	return result;
}

int elf_file_open(const char *path, int fd, struct elf_file *ret_file, struct failure *failure)
{
	return file_open(path, fd, false, ret_file, failure);
}

int elf_file_open_dwz(const char *path, int fd, struct elf_file *ret_file, struct failure *failure)
{
	return file_open(path, fd, true, ret_file, failure);
}

void elf_file_forget_pages(const struct elf_file *file)
{
	if (file->map && !file->scratch)
		madvise(file->map, file->size, MADV_DONTNEED);
}

void elf_file_close(struct elf_file *file)
{
	if (file->elf)
		elf_end(file->elf);
	if (file->scratch)
		munmap(file->scratch, file->size);
	if (file->map)
		munmap(file->map, file->size);
	*file = (struct elf_file){0};
}

Elf_Scn *elf_file_section(const struct elf_file *file, const char *name, GElf_Shdr *ret_header)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(file->elf, &names))
		return NULL;
	while ((section = elf_nextscn(file->elf, section))) {
		const char *found;

		if (!gelf_getshdr(section, ret_header))
			return NULL;
		found = elf_strptr(file->elf, names, ret_header->sh_name);
		if (found && !strcmp(found, name))
			return section;
	}
	return NULL;
}

void elf_file_build_id(const struct elf_file *file, char *ret_text, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const void *bits = NULL;
	ssize_t length = dwelf_elf_gnu_build_id(file->elf, &bits);
	size_t used = 0;

	for (ssize_t i = 0; i < length && i < BUILD_ID_BYTES_MAX && used + 3 <= size; i++) {
		ret_text[used++] = digits[((const uint8_t *)bits)[i] >> 4];
		ret_text[used++] = digits[((const uint8_t *)bits)[i] & 15];
	}
	ret_text[used] = '\0';
}
