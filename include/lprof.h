/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For programs that want to say themselves which of their functions are worth profiling:
 *
 *	#include <lprof.h>
 *
 *	LPROF_PROFILE
 *	static int parse(const char *text)
 *	{
 *
 * `lprof run PROGRAM` without -f and -l then measures exactly the marked functions, with lines.
 * Nothing is called, linked or loaded: the mark is a note in the file and costs nothing at run
 * time, whether lprof is there or not. This header needs nothing else.
 *
 * The mark stands at namespace scope before everything that belongs to the definition, also before
 * `static`, `extern "C"`, `template <...>` and attributes; a member function is marked where it is
 * defined outside its class. It marks the function that follows, however the compiler then inlines,
 * clones or splits that. The program must be built with -g.
 *
 * How it works: a macro cannot know the name of what follows it, and an address would need a
 * relocation and miss inlined copies. So the mark records its own place in the source, and lprof
 * asks the debug information which function follows. Each mark is one ELF note in the section
 * .note.lprof (SHT_NOTE, not allocated; kept by the linker, by --gc-sections and by strip):
 *
 *	offset	size	content
 *	0	4	6, the size of the owner
 *	4	4	size of what follows the owner: 4 + length of the file name + 1
 *	8	4	1, the type: LPROF_NOTE_MARK
 *	12	8	the owner, "lprof", and NULs
 *	20	4	line of the mark, unsigned, in the machine's byte order
 *	24	n	file name as the compiler was given it (__FILE__), with a NUL; then NULs up
 *to the next multiple of 4, where the next note begins
 *
 * The marked function is the one, in a file whose full path is this name or ends in "/" and this
 * name (leading "./" aside), that has the smallest declaration line from the mark's line up to
 * LPROF_NOTE_REACH lines further on. The limit keeps a mark on a function that the compiler dropped
 * as unused from falling to the next one far below. Equal notes (marks in headers) are one.
 */
#ifndef LPROF_H
#define LPROF_H

#define LPROF_NOTE_SECTION ".note.lprof"
#define LPROF_NOTE_OWNER   "lprof"
#define LPROF_NOTE_MARK    1
#define LPROF_NOTE_REACH   20

#define LPROF_STRING_(text) #text
#define LPROF_STRING(text)  LPROF_STRING_(text)

#if defined(__GNUC__) && defined(__ELF__)
#define LPROF_PROFILE                                                              \
	__asm__(".pushsection .note.lprof,\"\",@note\n"                            \
		".balign 4\n"                                                      \
		".long 6, 77332f - 77331f, 1\n"                                    \
		".asciz \"lprof\"\n"                                               \
		".balign 4\n"                                                      \
		"77331: .long " LPROF_STRING(__LINE__) "\n"                        \
						       ".asciz \"" __FILE__ "\"\n" \
						       "77332: .balign 4\n"        \
						       ".popsection\n");
#else
#define LPROF_PROFILE
#endif

#endif
