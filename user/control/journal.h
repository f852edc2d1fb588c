/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal's fields: what lprofd says has its priority, and LPROF_PROBE=ID where it is about a
 * probe, so that `journalctl LPROF_PROBE=12` tells that probe's story.
 */
#ifndef LPROF_CONTROL_JOURNAL_H
#define LPROF_CONTROL_JOURNAL_H

/* Hands messages to the journal if stderr leads there, and leaves them on stderr otherwise. */
void journal_open(void);

#endif
