// SPDX-License-Identifier: GPL-2.0-or-later
// Turns C++ and Rust symbol names into what people type, with libiberty's demanglers.
#include "target/demangle.h"

#include <ctype.h>
#include <setjmp.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "base/strings.h"

#define SYMBOL_MAX       4096 /* longer names are left as they are: libiberty's time can explode */
#define REFERENCE_DIGITS 11   /* of base 62, that may overflow 64 bits */

struct output {
	char *text;
	size_t used, size;
	bool rust;
	jmp_buf full;
};

/* Text of Rust that is not ASCII stands in memory that libiberty frees after having told it. */
static bool is_borrowed(const struct output *output, const char *text, size_t length)
{
	for (size_t i = 0; output->rust && i < length; i++)
		if ((unsigned char)text[i] >= 0x80)
			return true;
	return false;
}

static void output_append(const char *text, size_t length, void *context)
{
	struct output *output = context;

	/* A few dozen characters can stand for more than there is time to write: leave from within.
	 */
	if (length >= output->size - output->used) {
		output->used = output->size;
		if (is_borrowed(output, text, length))
			return;
		longjmp(output->full, 1);
	}
	if (length)
		memcpy(output->text + output->used, text, length);
	output->used += length;
}

/* Where one ".word" or ".word.number" before `end` begins; `end` if there is none. */
static size_t suffix_start(const char *symbol, size_t end)
{
	static const char *const words[] = {"constprop", "isra", "part", "cold", "lto_priv", "llvm",
	    "localalias", "specialized", "resolver", "warm", "hot", "ltrans", "clone", "alias"};
	size_t start = end;

	while (start > 0 && (isdigit((unsigned char)symbol[start - 1])))
		start--;
	if (start == end || start == 0 || symbol[start - 1] != '.')
		start = end;
	else
		start--;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t length = strlen(words[i]);

		if (start > length + 1 && symbol[start - length - 1] == '.' &&
		    !memcmp(symbol + start - length, words[i], length))
			return start - length - 1;
	}
	return end;
}

size_t demangle_base_length(const char *symbol)
{
	size_t length = strlen(symbol);

	for (;;) {
		size_t shorter = suffix_start(symbol, length);

		if (shorter == length)
			return length;
		length = shorter;
	}
}

static bool is_rust(const char *symbol, size_t length)
{
	const char *hash;

	if (string_starts(symbol, "_R"))
		return true;
	/* Legacy: _ZN...17h<16 hexadecimal digits>E */
	if (length < 25 || symbol[length - 1] != 'E')
		return false;
	hash = symbol + length - 20;
	if (memcmp(hash, "17h", 3) != 0)
		return false;
	for (size_t i = 3; i < 19; i++)
		if (!isxdigit((unsigned char)hash[i]))
			return false;
	return true;
}

/* False: it is no name of the language, or too long. */
static bool write_name(const char *base, enum demangle_form form, struct output *output)
{
	static const int cplus[] = {
	    [DEMANGLE_NAME] = DMGL_NO_OPTS,
	    [DEMANGLE_RETURN] = DMGL_PARAMS | DMGL_ANSI,
	    [DEMANGLE_FULL] = DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP,
	};

	if (setjmp(output->full))
		return false;
	if (output->rust)
		return rust_demangle_callback(base,
		    DMGL_RUST | (form == DEMANGLE_NAME ? 0 : DMGL_VERBOSE), output_append, output);
	return cplus_demangle_v3_callback(base, cplus[form], output_append, output);
}

/*
 * Whether libiberty can end the Rust v0 name `base`. It counts through the lifetimes that a name
 * binds ("DG<number>_", "FG<number>_"), also where it prints nothing (an impl's own path): 14
 * characters can stand for centuries. All else ends by itself or by the room for what is printed.
 * The same characters also stand in identifiers and in crates' hashes, where they mean nothing:
 * so 'H' is put for the 'G's before numbers of two digits or more. It is as good there, and an
 * error where a binder or a reference may stand; so what can be read with it binds few lifetimes.
 */
static bool ends_in_time(const char *base, struct output *output)
{
	char copy[SYMBOL_MAX];
	bool doubtful = false;

	strcpy(copy, base);
	for (size_t i = 1; base[i]; i++) {
		size_t digits = 0;

		if (base[i] != 'G' || (base[i - 1] != 'D' && base[i - 1] != 'F'))
			continue;
		while (isalnum((unsigned char)base[i + 1 + digits]))
			digits++;
		if (digits < 2 || base[i + 1 + digits] != '_')
			continue;
		/* The number of a back reference that overflows could lead elsewhere now: no more.
		 */
		for (size_t at = i; at-- > 0 && isalnum((unsigned char)base[at]);)
			if (base[at] == 'B' && i - at + digits >= REFERENCE_DIGITS)
				copy[at] = 'H';
		copy[i] = 'H';
		doubtful = true;
	}
	return !doubtful || write_name(copy, DEMANGLE_NAME, output);
}

bool demangle(const char *symbol, enum demangle_form form, char *ret_text, size_t size)
{
	struct output output = {.text = ret_text, .size = size};
	size_t length;
	char base[SYMBOL_MAX];

	if (symbol[0] != '_' || (symbol[1] != 'Z' && symbol[1] != 'R'))
		return false;
	length = demangle_base_length(symbol);
	if (length >= sizeof(base))
		return false;
	memcpy(base, symbol, length);
	base[length] = '\0';
	output.rust = is_rust(base, length);
	if (symbol[1] == 'R' && !ends_in_time(base, &output))
		return false;
	output.used = 0;
	if (!write_name(base, form, &output) || output.used == 0 || output.used == size)
		return false;
	ret_text[output.used] = '\0';
	return true;
}

/* Whether the '<' at `at` belongs to the name operator<, operator<<, operator<= or operator<=>. */
static bool is_operator(const char *name, const char *at)
{
	static const char word[] = "operator";
	const size_t length = sizeof(word) - 1;

	while (at > name && (at[-1] == '<'))
		at--;
	return (size_t)(at - name) >= length && !memcmp(at - length, word, length) &&
	       ((size_t)(at - name) == length || *(at - length - 1) == ':');
}

void demangle_drop_arguments(char *name)
{
	char *write = name;
	int depth = 0;

	for (const char *read = name; *read; read++) {
		bool arrow = *read == '>' && read > name && read[-1] == '-';
		/* A name that begins with '<' is Rust's <T as Trait>: no list of arguments. */
		bool opens = *read == '<' && write > name && !is_operator(name, read);

		if (depth == 0 && !opens) {
			*write++ = *read;
			continue;
		}
		if (depth == 0 && write - name > 2 && write[-1] == ':' && write[-2] == ':')
			write -= 2; /* Rust's f::<T> */
		if (*read == '<')
			depth++;
		else if (*read == '>' && !arrow)
			depth--;
	}
	*write = '\0';
}
