/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links that outlive the process that made them: pinned in a BPF file system as NAME_0, NAME_1 ...
 * (no dots are allowed there)
 */
#ifndef LPROF_COLLECT_ATTACH_PINS_H
#define LPROF_COLLECT_ATTACH_PINS_H

#include "collect/attach.h"

/* How many pins an attachment takes. */
size_t attach_pin_count(const struct attachment *attachment);

/* On failure some may be pinned. */
int attach_pins_make(const struct attachment *attachment, const char *directory, const char *name,
    struct failure *failure);

/* Opens `count` pinned links. -ENOENT: one is not there; -EPROTO: one is no link to user code. */
int attach_pins_open(const char *directory, const char *name, size_t count,
    struct attachment **ret_attachment, struct failure *failure);

/* Removes the pins NAME_*; what no process holds open is detached. */
void attach_pins_remove(const char *directory, const char *name);

#endif
