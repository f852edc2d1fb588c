/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar of specs: [IMAGE:]FUNCTION, [IMAGE:]FILE:LINE and [IMAGE:]FILE:* (DESIGN.md 2.1). */
#ifndef LPROF_TARGET_SPEC_H
#define LPROF_TARGET_SPEC_H

#include <stdint.h>

#include "base/failure.h"

enum spec_kind {
	SPEC_NAME, /* a name, mangled or not, or a glob */
	SPEC_LINE, /* the function around a line */
	SPEC_FILE, /* all functions defined in a file */
};

struct spec {
	enum spec_kind kind;
	char *image; /* NULL: none named */
	char *name;  /* SPEC_NAME: the function's; else the file's */
	uint32_t line;
};

/*
 * Splits `text`. The image ends at the first colon that is not part of "::"; what follows the last
 * one is a line or "*" for places. -EINVAL: malformed; -ENOMEM.
 */
int spec_parse(const char *text, struct spec *ret_spec, struct failure *failure);
void spec_fini(struct spec *spec);

#endif
