/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the kernel emulates NOPs of several bytes or single-steps them. */
#ifndef LPROF_COLLECT_NOP_PROBE_H
#define LPROF_COLLECT_NOP_PROBE_H

/* 0: emulated; -ENOTSUP: single-stepped; other -errno: could not be tried. */
int nop_probe_emulated(void);

#endif
