/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans as texts that need nothing else: a daemon that starts anew goes on with the ids of the one
 * before it, also when the image that was planned for is no longer there to be planned again.
 *
 *	{"has_go", "watches_images",
 *	 "images": [{"path", "build_id"}],
 *	 "functions": [{"name", "linkage_name", "file", "line", "image", "lines", "rate", "exit",
 *			"switchable", "exit_reason", "entry_line", "inlined_copies"}],
 *	 "lines": [{"function", "file", "line", "sites", "shared"}],
 *	 "sites": [[image, address, offset, function, host, roles, standby, cost, moved,
 *stack_offset, [charged line, charged function, ...]]], "counts": [[line, column, site, sign]],
 *	 "left_out": [{"image", "function", "address", "file", "line", "reason"}]}
 */
#ifndef LPROF_CONTROL_PLAN_STORE_H
#define LPROF_CONTROL_PLAN_STORE_H

#include <stdint.h>

#include "control/json_document.h"
#include "target/plan.h"

/* Writes the plan; errors are the stream's. */
void plan_store_write(const struct plan *plan, FILE *stream);

/*
 * Reads one back. Every id is checked, so that a damaged text gives -EBADMSG and never a plan that
 * points beyond itself. The images have no descriptors (-1).
 */
int plan_store_read(const char *name, const char *bytes, size_t size, struct plan **ret_plan,
    struct failure *failure);

/* Equal for texts that are equal, and for hardly any others: 64-bit FNV-1a. */
uint64_t plan_store_hash(const char *text, size_t size);

#endif
