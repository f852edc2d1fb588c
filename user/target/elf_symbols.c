// SPDX-License-Identifier: GPL-2.0-or-later
// Reads symbol tables: which functions have which names, and which runtimes an image brings.
#include "target/elf_symbols.h"

#include <errno.h>
#include <string.h>

/* Smaller is better: a global name before a weak and a local one, then few underscores in front. */
static uint8_t symbol_rank(const char *name, unsigned int binding)
{
	unsigned int rank = binding == STB_GLOBAL ? 0 : binding == STB_WEAK ? 1 : 2;
	unsigned int underscores = (unsigned int)strspn(name, "_");

	if (name[0] == '_' && (name[1] == 'Z' || name[1] == 'R'))
		underscores = 0;
	return (uint8_t)(rank * 16 + (underscores < 15 ? underscores : 15));
}

static bool symbol_is_function(
    const struct index_builder *builder, const struct elf_file *file, const GElf_Sym *symbol)
{
	GElf_Shdr header;
	Elf_Scn *section;
	const char *name;
	size_t names;

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF ||
	    symbol->st_shndx == SHN_ABS ||
	    !builder_is_code(builder, symbol->st_value, symbol->st_value + 1))
		return false;
	section = symbol->st_shndx < SHN_LORESERVE ? elf_getscn(file->elf, symbol->st_shndx) : NULL;
	if (!section || !gelf_getshdr(section, &header) || elf_getshdrstrndx(file->elf, &names))
		return true; /* of more than 65,279 sections, or stripped of them */
	name = elf_strptr(file->elf, names, header.sh_name);
	return !name || !string_starts(name, ".plt");
}

/* A symbol without a size ends with its section: what stands behind (.init, .plt) is not its. */
static uint64_t size_of(const struct elf_file *file, const GElf_Sym *symbol)
{
	Elf_Scn *section =
	    symbol->st_shndx < SHN_LORESERVE ? elf_getscn(file->elf, symbol->st_shndx) : NULL;
	GElf_Shdr header;

	if (symbol->st_size || !section || !gelf_getshdr(section, &header) ||
	    symbol->st_value < header.sh_addr ||
	    symbol->st_value - header.sh_addr >= header.sh_size)
		return symbol->st_size;
	return header.sh_size - (symbol->st_value - header.sh_addr);
}

static int symbol_add(struct index_builder *builder, const GElf_Sym *symbol, const char *name,
    size_t length, uint32_t group)
{
	struct building_symbol added = {
	    .address = symbol->st_value,
	    .size = symbol->st_size,
	    .name = strings_intern_length(builder->index->strings, name, length),
	};
	unsigned int binding = GELF_ST_BIND(symbol->st_info);

	if (!added.name)
		return -ENOMEM;
	added.group = binding == STB_LOCAL ? group : 0;
	added.rank = symbol_rank(added.name, binding);
	return ARRAY_APPEND(&builder->symbols, added);
}

static int table_read(struct index_builder *builder, const struct elf_file *file, Elf_Scn *section,
    const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	uint32_t group = 0;
	size_t count = data ? data->d_size / sizeof(Elf64_Sym) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *name;
		GElf_Sym symbol;
		size_t length;

		if (!gelf_getsym(data, (int)i, &symbol))
			break;
		if (GELF_ST_TYPE(symbol.st_info) == STT_FILE)
			group++;
		if (!symbol_is_function(builder, file, &symbol))
			continue;
		name = elf_strptr(file->elf, header->sh_link, symbol.st_name);
		length = name ? strcspn(name, "@") : 0;
		if (length == 0)
			continue;
		symbol.st_size = size_of(file, &symbol);
		if (symbol_add(builder, &symbol, name, length, group + 1))
			return -ENOMEM;
	}
	return 0;
}

int elf_symbols_read(struct index_builder *builder, const struct elf_file *file)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(file->elf, section))) {
		GElf_Shdr header;

		if (!gelf_getshdr(section, &header) || header.sh_entsize != sizeof(Elf64_Sym))
			continue;
		if ((header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM) &&
		    table_read(builder, file, section, &header))
			return -ENOMEM;
	}
	return 0;
}

static int symbol_compare(const void *a, const void *b)
{
	const struct building_symbol *first = a, *second = b;
	int names;

	if (first->address != second->address)
		return first->address < second->address ? -1 : 1;
	if (first->rank != second->rank)
		return first->rank < second->rank ? -1 : 1;
	names = strcmp(first->name, second->name);
	/* The largest group is .symtab's: it knows the source file of a local symbol. */
	return names                          ? names
	       : first->group < second->group ? 1
	       : first->group > second->group ? -1
					      : 0;
}

void elf_symbols_sort(struct index_builder *builder)
{
	struct building_symbol *symbols = builder->symbols.items;
	size_t kept = 0;

	if (builder->symbols.count == 0)
		return;
	qsort(symbols, builder->symbols.count, sizeof(*symbols), symbol_compare);
	for (size_t i = 1; i < builder->symbols.count; i++) {
		bool same = symbols[i].address == symbols[kept].address &&
			    symbols[i].name == symbols[kept].name;

		if (!same)
			symbols[++kept] = symbols[i];
		else if (symbols[kept].size == 0)
			symbols[kept].size = symbols[i].size;
	}
	builder->symbols.count = kept + 1;
}

/* Whether a symbol, defined or wanted, shows that exceptions or panics can pass. */
static bool name_unwinds(const char *name)
{
	return string_starts(name, "__gxx_personality_") || string_starts(name, "_Unwind_Raise") ||
	       string_starts(name, "_Unwind_Resume") || string_starts(name, "__gcc_personality_") ||
	       string_starts(name, "_Unwind_ForcedUnwind") || strstr(name, "rust_eh_personality");
}

static bool name_is_one_of(const char *name, const char *const *names)
{
	while (*names && strcmp(*names, name))
		names++;
	return *names;
}

/*
 * What a symbol that the image wants from others shows: that it reads its own return addresses, or
 * runs on several stacks in one thread. The C library has all of these itself.
 */
static uint32_t wanted_traits(const char *name)
{
	static const char *const walks[] = {"backtrace", "_Unwind_Backtrace", "unw_backtrace",
	    "_ULx86_64_init_local", "_Ux86_64_getcontext", "mcount", "_mcount", "__fentry__", NULL};
	static const char *const switches[] = {
	    "swapcontext", "setcontext", "makecontext", "sigaltstack", NULL};

	return (name_is_one_of(name, walks) ? IMAGE_UNWINDS : 0) |
	       (name_is_one_of(name, switches) ? IMAGE_SWITCHES_STACKS : 0);
}

static uint32_t symbols_traits(
    const struct elf_file *file, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t count = data ? data->d_size / sizeof(Elf64_Sym) : 0;
	uint32_t traits = 0;

	for (size_t i = 0; i < count; i++) {
		const char *name;
		GElf_Sym symbol;

		if (!gelf_getsym(data, (int)i, &symbol))
			break;
		name = elf_strptr(file->elf, header->sh_link, symbol.st_name);
		if (!name)
			continue;
		if (name_unwinds(name))
			traits |= IMAGE_UNWINDS;
		if (symbol.st_shndx == SHN_UNDEF)
			traits |= wanted_traits(name);
	}
	return traits;
}

static int dynamic_read(struct index_builder *builder, const struct elf_file *file,
    Elf_Scn *section, const GElf_Shdr *header)
{
	struct image_index *index = builder->index;
	Elf_Data *data = elf_getdata(section, NULL);
	size_t count = data ? data->d_size / sizeof(Elf64_Dyn) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *text;
		GElf_Dyn entry;

		if (!gelf_getdyn(data, (int)i, &entry) || entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag != DT_SONAME && entry.d_tag != DT_NEEDED)
			continue;
		text = elf_strptr(file->elf, header->sh_link, entry.d_un.d_val);
		if (!text)
			continue;
		if (entry.d_tag == DT_SONAME) {
			index->soname = strings_intern(index->strings, text);
			if (!index->soname)
				return -ENOMEM;
		} else if (string_starts(text, "libstdc++.") || string_starts(text, "libc++.")) {
			index->traits |= IMAGE_UNWINDS;
		}
	}
	return 0;
}

/*
 * A table of exception handlers shows unwinding even where all symbols are stripped. The C library
 * has one too, for threads being cancelled: these unwind by frames, never through a return.
 */
static bool has_handlers(const struct image_index *index, const struct elf_file *file)
{
	GElf_Shdr header;

	return !string_starts(index->soname, "libc.so.") &&
	       elf_file_section(file, ".gcc_except_table", &header);
}

int elf_symbols_read_traits(struct index_builder *builder, const struct elf_file *file)
{
	struct image_index *index = builder->index;
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t sections = 0;

	while ((section = elf_nextscn(file->elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		sections++;
		if (header.sh_type == SHT_DYNAMIC && dynamic_read(builder, file, section, &header))
			return -ENOMEM;
		if (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM)
			index->traits |= symbols_traits(file, section, &header);
	}
	if (has_handlers(index, file) || sections == 0)
		index->traits |= IMAGE_UNWINDS;
	if (elf_file_section(file, ".gopclntab", &header) ||
	    elf_file_section(file, ".go.buildinfo", &header))
		index->traits |= IMAGE_GO;
	return 0;
}
