/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C++ and Rust symbol names, as people write them. */
#ifndef LPROF_TARGET_DEMANGLE_H
#define LPROF_TARGET_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/* Room for a demangled name; longer ones are left mangled. */
#define DEMANGLED_MAX 16384

enum demangle_form {
	DEMANGLE_NAME,   /* ns::f<int>, without parameters; Rust without the hash */
	DEMANGLE_FULL,   /* ns::f<int>(int); Rust with the hash */
	DEMANGLE_RETURN, /* like FULL, with the return type that template functions carry */
};

/*
 * Demangles `symbol` without its clone suffixes (.constprop.0, .cold, ...). False: it is not a
 * mangled name, or too long or deep.
 */
bool demangle(const char *symbol, enum demangle_form form, char *ret_text, size_t size);

/* How much of `symbol` comes before the compiler's clone suffixes; all of it if it has none. */
size_t demangle_base_length(const char *symbol);

/* Leaves out all template and generic arguments: a::B<int>::f<char> becomes a::B::f. In place. */
void demangle_drop_arguments(char *name);

#endif
