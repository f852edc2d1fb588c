// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the notes of LPROF_PROFILE and finds the function that each stands before.
#include "target/marks.h"

#include <errno.h>
#include <lprof.h>
#include <string.h>

#include "target/source_path.h"

#define MARKS_MAX 100000

/* The function declared first from `line` on, in a file of that name. */
static uint32_t mark_resolve(const struct image_index *index, const char *file, uint32_t line)
{
	uint32_t best = INDEX_NONE, best_line = line + LPROF_NOTE_REACH;

	while (file[0] == '.' && file[1] == '/')
		file += 2;
	for (uint32_t i = 0; i < index->functions.count; i++) {
		const struct source_function *function = &index->functions.items[i];

		if (function->file == INDEX_NONE || function->line < line ||
		    function->line > best_line ||
		    (best != INDEX_NONE && function->line == best_line) ||
		    !source_path_matches(index->files.items[function->file], file))
			continue;
		best = i;
		best_line = function->line;
	}
	return best;
}

static int mark_add(struct image_index *index, const uint8_t *note, size_t size)
{
	uint32_t line, found;

	if (size < sizeof(line) + 1 || note[size - 1] != '\0')
		return 0;
	memcpy(&line, note, sizeof(line));
	if (line > UINT32_MAX - LPROF_NOTE_REACH)
		return 0;
	found = mark_resolve(index, (const char *)note + sizeof(line), line);
	if (found == INDEX_NONE)
		return 0;
	ARRAY_FOREACH (mark, &index->marks)
		if (*mark == found)
			return 0;
	return ARRAY_APPEND(&index->marks, found);
}

int marks_read(struct image_index *index, const struct elf_file *file)
{
	GElf_Shdr header;
	Elf_Scn *section = elf_file_section(file, LPROF_NOTE_SECTION, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	size_t at = 0, marks = 0;

	if (!data || !data->d_buf || header.sh_type != SHT_NOTE)
		return 0;
	while (at < data->d_size && marks++ < MARKS_MAX) {
		const uint8_t *bytes = data->d_buf;
		size_t name, text;
		GElf_Nhdr note;

		at = gelf_getnote(data, at, &note, &name, &text);
		if (at == 0)
			break;
		if (note.n_type == LPROF_NOTE_MARK && note.n_namesz == sizeof(LPROF_NOTE_OWNER) &&
		    !memcmp(bytes + name, LPROF_NOTE_OWNER, sizeof(LPROF_NOTE_OWNER)) &&
		    mark_add(index, bytes + text, note.n_descsz))
			return -ENOMEM;
	}
	return 0;
}
